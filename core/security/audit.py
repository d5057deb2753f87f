"""The audit log (collection ``audit_log``): who changed what, when, from where, before and after.

Entries are only ever added; an erased person's values are masked in them. Whoever writes one hands
in facts that are free of secrets.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

from core.security.roles import User
from core.store import Database, Document, insert


class AuditLog:
    """What people and scripts did."""

    def __init__(self, database: Database) -> None:
        self._log = database["audit_log"]

    def write(
        self,
        user: User,
        origin: str,
        action: str,
        subject: str,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an entry. ``action`` is like ``link.add``; ``subject`` is the id of what changed."""
        insert(
            self._log,
            {
                "_id": "audit-" + secrets.token_hex(8),
                "company_id": user.company_id,
                # To the microsecond, as the API shows it: paging by it must not slip.
                "at": round(time.time(), 6),
                "who": user.username,
                "origin": origin,
                "action": action,
                "subject": subject,
                "before": _changed(before, after),
                "after": _changed(after, before),
            },
        )

    def find(
        self,
        company_id: str,
        *,
        who: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        before: float | None = None,
        limit: int = 100,
    ) -> list[Document]:
        """Entries, newest first; ``before`` (seconds since 1970) pages on."""
        exact = {"company_id": company_id, "who": who, "action": action, "subject": subject}
        query: dict[str, Any] = {name: value for name, value in exact.items() if value}
        if before is not None:
            query["at"] = {"$lt": before}
        return list(self._log.find(query).sort("at", -1).limit(limit))


def _changed(
    own: Mapping[str, Any] | None, other: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Of ``own`` what ``other`` has not, or has differently."""
    if own is None:
        return None
    if other is None:
        return dict(own)
    return {name: value for name, value in own.items() if other.get(name) != value}
