"""Which fields each link's records had at its last sync (collection ``link_fields``).

Not in the link's sync state, which the dashboard reads of a thousand links at once.
"""

from __future__ import annotations

import contextlib
import json

from pymongo.errors import DuplicateKeyError

from core.store import Database, insert
from core.text.schema import Schema


class KnownFields:
    """The fields of all links."""

    def __init__(self, database: Database) -> None:
        self._fields = database["link_fields"]

    def of(self, link_id: str) -> Schema:
        """The fields with their types; empty when they are not known."""
        return self._stored(link_id) or {}

    def note(self, link_id: str, fields: Schema) -> None:
        """These are the fields now."""
        stored = self._stored(link_id)
        if fields == stored:
            return
        # As JSON: names of fields may have dots and dollars, which MongoDB's may not.
        fact = {"fields": json.dumps(fields)}
        if stored is None:
            # No upsert: the embedded engine reads the whole collection for one that inserts.
            with contextlib.suppress(DuplicateKeyError):
                insert(self._fields, {"_id": link_id, **fact})
                return
        self._fields.update_one({"_id": link_id}, {"$set": fact})

    def drop(self, link_id: str) -> None:
        """Forget a link's fields."""
        self._fields.delete_many({"_id": link_id})

    def _stored(self, link_id: str) -> Schema | None:
        found = self._fields.find_one({"_id": link_id})
        fields: Schema | None = json.loads(found["fields"]) if found else None
        return fields
