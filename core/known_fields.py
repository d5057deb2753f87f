"""Which fields each link's records had at its last sync (collection ``link_fields``).

Not in the link's sync state, which the dashboard reads of a thousand links at once.
"""

from __future__ import annotations

import json

from core.store import Database
from core.text.schema import Schema


class KnownFields:
    """The fields of all links."""

    def __init__(self, database: Database) -> None:
        self._fields = database["link_fields"]

    def of(self, link_id: str) -> Schema:
        """The fields with their types; empty when they are not known."""
        found = self._fields.find_one({"_id": link_id})
        fields: Schema = json.loads(found["fields"]) if found else {}
        return fields

    def note(self, link_id: str, fields: Schema) -> None:
        """These are the fields now."""
        if fields != self.of(link_id):
            # As JSON: names of fields may have dots and dollars, which MongoDB's may not.
            self._fields.update_one(
                {"_id": link_id}, {"$set": {"fields": json.dumps(fields)}}, upsert=True
            )

    def drop(self, link_id: str) -> None:
        """Forget a link's fields."""
        self._fields.delete_many({"_id": link_id})
