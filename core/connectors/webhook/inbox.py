"""Events that came in, and the records they made.

The collections are ``webhook_events`` and ``webhook_records``. An event is acknowledged when it is
stored, and worked off by the link's next run, in the order in which events came. Working one off
again changes nothing, so that a run that dies in the middle is simply done again.

Both hold what came before anything of it is redacted: they are encrypted like secrets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from core.batched import batched
from core.connectors.webhook.arrivals import Arrivals
from core.security.secrets import SecretBox
from core.store import Database, Document
from core.text.decode import parse_json
from core.text.raw import raw_json

# So long an event is known again; senders give up trying after three days or less.
KNOWN_SECONDS = 7 * 24 * 3600.0
BATCH = 500
# One write holds up all others: events that come in meanwhile wait for no more than this.
STORED_AT_ONCE = 100


@dataclass(frozen=True)
class Change:
    """What an event does to one record: ``record`` is its JSON, None when it was deleted."""

    record_id: str
    record: str | None


class Inbox:
    """The webhook links' events and records."""

    def __init__(self, database: Database, box: SecretBox) -> None:
        self._box = box
        self._events = database["webhook_events"]
        self._arrivals = Arrivals(self._events)
        self._records = database["webhook_records"]

    def add(self, link_id: str, event: str, name: str, body: str) -> bool:
        """Store an event; False when it has come before. ``name`` says what happened."""
        document = {
            "_id": f"{link_id}:{event}",
            "link_id": link_id,
            "at": time.time(),
            "name": name,
            "body": self._box.seal(body),
            "state": "new",
        }
        return self._arrivals.add(document)

    def waiting(self, link_id: str) -> list[Document]:
        """The events that are not worked off yet, first come first, a batch of them."""
        found = self._events.find({"link_id": link_id, "state": "new"})
        events = list(found.sort([("at", 1), ("_id", 1)]).limit(BATCH))
        return [event | {"body": self._box.open(event["body"])} for event in events]

    def apply(self, link_id: str, events: Sequence[Document], changes: Sequence[Change]) -> None:
        """Make the events' changes, in their order, then note that they are worked off."""
        last = {change.record_id: change.record for change in changes}
        self._records.delete_many(
            {"link_id": link_id, "_id": {"$in": [f"{link_id}:{record_id}" for record_id in last]}}
        )
        fresh = [
            {
                "_id": f"{link_id}:{record_id}",
                "link_id": link_id,
                "record": self._box.seal(record),
            }
            for record_id, record in last.items()
            if record is not None
        ]
        for some in batched(fresh, STORED_AT_ONCE):
            self._records.insert_many(some)
        for some in batched(events, STORED_AT_ONCE):
            self._events.update_many(
                {"link_id": link_id, "_id": {"$in": [event["_id"] for event in some]}},
                {"$set": {"state": "done", "body": ""}},
            )

    def record(self, link_id: str, record_id: str) -> str | None:
        """One record's JSON, None when there is none."""
        found = self._records.find_one({"_id": f"{link_id}:{record_id}"})
        return self._box.open(found["record"]) if found else None

    def records(self, link_id: str) -> Iterator[tuple[str, str]]:
        """The link's records, by id: its document's id, and its JSON."""
        for found in self._records.find({"link_id": link_id}).sort("_id", 1):
            yield str(found["_id"]), self._box.open(found["record"])

    def erase(self, link_id: str, concerns: Callable[[str], bool]) -> int:
        """Forget the records, and what waits, of which ``concerns`` says so; how many there were.

        It is called with JSON.
        """
        ids = [document_id for document_id, record in self.records(link_id) if concerns(record)]
        for document_id in ids:
            self._records.delete_many({"_id": document_id})
        waiting = [
            event["_id"]
            for event in self._events.find({"link_id": link_id, "state": "new"})
            if concerns(raw_json(parse_json(self._box.open(event["body"]))))
        ]
        for event_id in waiting:
            self._events.update_one({"_id": event_id}, {"$set": {"state": "done", "body": ""}})
        return len(ids) + len(waiting)

    def drop(self, link_id: str) -> None:
        """Forget all that a link has."""
        self._records.delete_many({"link_id": link_id})
        self._events.delete_many({"link_id": link_id})

    def links_waiting(self) -> list[str]:
        """The links that have events which are not worked off yet."""
        return sorted(self._events.distinct("link_id", {"state": "new"}))

    def prune(self) -> None:
        """Forget events that nobody sends again any more."""
        before = time.time() - KNOWN_SECONDS
        self._events.delete_many({"state": "done", "at": {"$lt": before}})
