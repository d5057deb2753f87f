"""Events that come at the same time, stored with one write.

The embedded store lets one writer in at a time, and each write waits for the disk. In a burst every
event waited for those before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pymongo.errors import BulkWriteError

from core.store import Collection, Document
from core.together import Asked, Together

_DUPLICATE_KEY = 11000


class Arrivals:
    """Inserts documents into ``collection``, those of several threads at once."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._inserts = Together(self._insert)

    def add(self, document: Document) -> bool:
        """Insert ``document``; False when its ``_id`` is taken. It is stored when this returns.

        Raises what the store raises; then nothing is known of the document.
        """
        return self._inserts.do(document)

    def _insert(self, arrivals: Sequence[Asked[Document, bool]]) -> None:
        taken = self._taken([arrival.what for arrival in arrivals])
        for index, arrival in enumerate(arrivals):
            arrival.answer(index not in taken)

    def _taken(self, documents: Sequence[Document]) -> set[int]:
        """The positions of those whose id is taken; all others are inserted."""
        try:
            self._collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            failures = (error.details or {}).get("writeErrors") or [{}]
            if any(failure.get("code") != _DUPLICATE_KEY for failure in failures):
                raise
            return {int(failure["index"]) for failure in failures}
        return set()
