"""Events that come at the same time, stored with one write.

The embedded store lets one writer in at a time, and each write waits for the disk. In a burst every
event waited for those before it; now it waits for the write that is under way, and is stored with
all that came meanwhile by the next.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from pymongo.errors import BulkWriteError

from core.store import Collection, Document

_DUPLICATE_KEY = 11000


class _Arrival:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.is_new: bool | None = None
        self.error: BaseException | None = None


class Arrivals:
    """Inserts documents into ``collection``, those of several threads at once."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._waiting: list[_Arrival] = []
        self._guard = threading.Lock()
        self._writing = threading.Lock()

    def add(self, document: Document) -> bool:
        """Insert ``document``; False when its ``_id`` is taken. It is stored when this returns.

        Raises what the store raises; then nothing is known of the document.
        """
        arrival = _Arrival(document)
        with self._guard:
            self._waiting.append(arrival)
        with self._writing:
            if arrival.is_new is None and arrival.error is None:
                self._store_all()
        if arrival.error is not None:
            raise arrival.error
        return bool(arrival.is_new)

    def _store_all(self) -> None:
        with self._guard:
            arrivals, self._waiting = self._waiting, []
        try:
            taken = self._store([arrival.document for arrival in arrivals])
        except BaseException as error:
            for arrival in arrivals:
                arrival.error = error
            return
        for index, arrival in enumerate(arrivals):
            arrival.is_new = index not in taken

    def _store(self, documents: Sequence[Document]) -> set[int]:
        """The positions of those whose id is taken; all others are inserted."""
        try:
            self._collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            failures = (error.details or {}).get("writeErrors") or [{}]
            if any(failure.get("code") != _DUPLICATE_KEY for failure in failures):
                raise
            return {int(failure["index"]) for failure in failures}
        return set()
