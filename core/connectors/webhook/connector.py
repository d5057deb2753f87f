"""The connector of webhook links: the records that its events have made.

The link's URL says whom the events come from; nothing is fetched there. The sender posts to
``/api/webhooks/crm/{link_id}`` (core/api/webhooks.py), which stores the event; a run works the
events off.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping
from itertools import islice
from typing import Any, ClassVar

from pydantic import Field

from core.connectors.batches import Batches
from core.connectors.interface import Context, Fetched, JsonPath, Options
from core.connectors.webhook.events import changes_of, record_ids
from core.connectors.webhook.inbox import BATCH, Change, Inbox
from core.connectors.webhook.signatures import Scheme
from core.errors import SyncError
from core.models import CrmLink
from core.security.network import AddressGuard
from core.store import Document
from core.text.decode import Text, parse_json


class WebhookOptions(Options):
    """How the sender signs, and where its events have the record and its id (JSONPaths).

    During a rotation ``previous_secret`` holds beside ``secret``.
    """

    scheme: Scheme = Scheme.STANDARD
    secret: str = Field(min_length=1, max_length=8000)
    previous_secret: str | None = Field(None, max_length=8000)
    record_path: JsonPath | None = None
    id_path: JsonPath | None = None
    delete_events: list[str] | None = Field(None, max_length=100)


class WebhookConnector:
    """Works off the events of webhook links."""

    options: ClassVar[type[Options]] = WebhookOptions
    secret_options: ClassVar[frozenset[str]] = frozenset({"secret", "previous_secret"})
    can_be_tried: ClassVar[bool] = False
    went_well: ClassVar[str] = "Received"

    def check(self, url: str, options: Mapping[str, Any], guard: AddressGuard) -> None:
        """Nothing to refuse: no request goes to the link's URL."""

    def fetch(self, link: CrmLink, context: Context) -> Fetched:
        """All records, after the events that wait are worked off; nothing new before any came."""
        inbox = Inbox(context.database, context.box)
        worked_off = 0
        while events := inbox.waiting(link.link_id):
            context.watch.check()
            inbox.apply(link.link_id, events, self._changes(link, inbox, events, context))
            worked_off += len(events)
            context.on_page(1, worked_off)
        fetched = Fetched(None, 0, is_meant=True, note=f"{worked_off} events worked off")
        records = _records(inbox, link.link_id, fetched)
        if not Batches("records", records, contextlib.ExitStack()).begin(fetched):
            if not worked_off:
                return Fetched(None, 0, note="No event has come yet")
            fetched.answer, fetched.grows = Text(""), None
        return fetched

    def _changes(
        self, link: CrmLink, inbox: Inbox, events: list[Document], context: Context
    ) -> list[Change]:
        """What the events change, in their order; one that can't be read is told and left out."""
        scheme = Scheme(link.options.get("scheme") or Scheme.STANDARD)
        known: dict[str, str | None] = {}
        changes: list[Change] = []
        for event in events:
            try:
                for record_id in record_ids(event["body"], scheme, link.options):
                    if record_id not in known:
                        known[record_id] = inbox.record(link.link_id, record_id)
                own = changes_of(event["body"], event["name"], scheme, link.options, known)
            except SyncError as error:
                context.say(f"An event could not be used: {error.message}")
                continue
            known |= {change.record_id: change.record for change in own}
            changes += own
        return changes


def _records(inbox: Inbox, link_id: str, fetched: Fetched) -> Generator[list[Any]]:
    records = inbox.records(link_id)
    while batch := [record for _, record in islice(records, BATCH)]:
        fetched.bytes += sum(len(record) for record in batch)
        yield [parse_json(record) for record in batch]
