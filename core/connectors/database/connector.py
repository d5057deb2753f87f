"""The connector of database links: the rows of one query.

The link's URL is SQLAlchemy's (``postgresql://reader@db.example.com/shop``); the password is the
API key. What a query may do is up to the session it runs in, which only reads (sessions.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from core.connectors.batches import Batches
from core.connectors.database.rows import read_rows
from core.connectors.database.sessions import parse_database_url, reading_engine
from core.connectors.interface import Context, Fetched, Options
from core.errors import AddressRefused, InvalidRequest
from core.models import CrmLink
from core.security.network import AddressGuard


class DatabaseOptions(Options):
    """The query, and how many rows it may give; never more than MAX_RECORDS."""

    query: str = Field(min_length=1, max_length=50_000)
    max_rows: int | None = Field(None, ge=1)


class DatabaseConnector:
    """Fetches database links."""

    options: ClassVar[type[Options]] = DatabaseOptions
    secret_options: ClassVar[frozenset[str]] = frozenset()
    can_be_tried: ClassVar[bool] = True
    went_well: ClassVar[str] = "Connected"

    def check(self, url: str, options: Mapping[str, Any], guard: AddressGuard) -> None:  # noqa: ARG002
        """Refuse what could not be connected to, as a person enters it. Raises InvalidRequest."""
        try:
            target = parse_database_url(url).target
            if target is not None:
                guard.check_url(f"https://{target.origin}/")
                guard.check_name(f"https://{target.origin}/")
        except AddressRefused as refused:
            raise InvalidRequest("url", refused.message, action=refused.action) from None

    def fetch(self, link: CrmLink, context: Context) -> Fetched:
        """The rows as records. Raises FetchError, LimitExceeded, or what cut the watch."""
        key = context.box.open(link.api_key) if link.api_key else ""
        most = min(int(link.options.get("max_rows") or 2**62), context.limits.max_records)
        fetched = Fetched(None, 0)
        source = contextlib.ExitStack()
        engine = source.enter_context(reading_engine(link.url, key, context))
        rows = read_rows(engine, str(link.options["query"]), most, context, fetched)
        Batches("rows", rows, source).begin(fetched)
        return fetched
