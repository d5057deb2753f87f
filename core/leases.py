"""The sync state of each link (collection ``link_states``): due times, leases, live generation.

A scheduler owns a link while it holds its lease. Each claim raises the ``fence``; everything a
holder writes here is filtered by the fence it got, so that one that stalled and was overtaken can
neither publish nor finish. ``due_at`` of a claimed link is the end of its lease, so that a holder
that died needs no clean-up: the link simply becomes due again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.errors import DuplicateKeyError

from core.errors import LeaseLost
from core.models import PageLink
from core.store import Database, Document, insert

LEASE_SECONDS = 20.0
# Clocks of machines may differ by this much; a time that is further ahead was set by a wrong one.
CLOCK_SKEW_SECONDS = 3600.0
# Later than any date, for links that are not to be synced
NEVER = 1e15
# So many states are read one by one.
FEW = 2


@dataclass(frozen=True)
class Lease:
    """The right to sync one link for now."""

    link_id: str
    fence: int
    state: Document
    """The link's state as it was claimed."""


class Leases:
    """The sync states."""

    def __init__(self, database: Database) -> None:
        self._states = database["link_states"]
        self._removals = database["link_removals"]
        self._stamps = database["published_stamps"]

    def follow(self, link: PageLink, run_id: str | None = None) -> bool:
        """Bring the link's state in line with the link; whether it was active before.

        A new active link is due at once, for ``run_id`` if that is given: both in one write, or a
        scheduler that is quick would make a run of its own beside it.
        """
        link_id = link.link.link_id
        channels = sorted(channel.value for channel in link.active_channels)
        state = self._states.find_one({"_id": link_id})
        if state is None:
            try:
                insert(self._states, _new_state(link, channels) | {"pending_run": run_id})
            except DuplicateKeyError:
                return self.follow(link, run_id)
            return False
        was_active = bool(state["channels"])
        if state["channels"] != channels:
            # The scheduler brings `channels` of the stored documents up to date.
            fields: dict[str, Any] = {"channels": channels, "channels_pending": True}
            if link.is_active != was_active:
                fields["due_at"] = time.time() if link.is_active else NEVER
                if run_id:
                    fields["pending_run"] = run_id
            self._states.update_one({"_id": link_id}, {"$set": fields})
        return was_active

    def forget(self, link_id: str) -> None:
        """Drop the state of a deleted link; whoever syncs it can't publish any more.

        Its documents are removed by a scheduler (see ``removals``).
        """
        # First the note, then the deed: dying in between loses no clean-up.
        self._removals.update_one({"_id": link_id}, {"$set": {"since": time.time()}}, upsert=True)
        self._states.delete_many({"_id": link_id})

    def link_ids(self) -> set[str]:
        """The links that have a state."""
        return {state["_id"] for state in self._states.find({}, {"_id": 1})}

    def removals(self) -> list[tuple[str, bool]]:
        """Deleted links whose documents are to be removed, and whether it is for the last time.

        It is done again once a lease's time has passed, since a run that was under way may have
        written one more batch.
        """
        settled = time.time() - 2 * LEASE_SECONDS
        return [(note["_id"], note["since"] < settled) for note in self._removals.find({})]

    def removed(self, link_id: str) -> None:
        """The documents of a deleted link are gone for good."""
        self._removals.delete_many({"_id": link_id})

    def channels_pending(self) -> list[tuple[str, list[str]]]:
        """Links whose stored documents don't yet name the channels they answer on."""
        found = self._states.find({"channels_pending": True}, {"channels": 1})
        return [(state["_id"], state["channels"]) for state in found]

    def channels_noted(self, link_id: str, channels: list[str]) -> None:
        """The stored documents name these channels now."""
        self._states.update_one(
            {"_id": link_id, "channels": channels}, {"$set": {"channels_pending": False}}
        )

    def states(self, link_ids: list[str]) -> dict[str, Document]:
        """The states of links, by link id."""
        return {
            link_id: state
            for link_id in link_ids
            if (state := self._states.find_one({"_id": link_id})) is not None
        }

    def of_links(self, links: Sequence[PageLink]) -> dict[str, Document]:
        """The states of links, by link id, in the links' order.

        Each query takes its time on the embedded engine: a whole page is read in that of one link.
        """
        ids = [link.link.link_id for link in links]
        if len(ids) <= FEW:
            return self.states(ids)
        found: dict[str, Document] = {}
        for company_id, page_id in dict.fromkeys((x.company_id, x.page_id) for x in links):
            found |= self.of_page(company_id, page_id)
        return {link_id: found[link_id] for link_id in ids if link_id in found}

    def of_page(self, company_id: str, page_id: str) -> dict[str, Document]:
        """The states of a page's links, by link id."""
        found = self._states.find({"page_id": page_id, "company_id": company_id})
        return {state["_id"]: state for state in found}

    def of_company(self, company_id: str) -> dict[str, Document]:
        """The states of all the company's links, by link id."""
        return {state["_id"]: state for state in self._states.find({"company_id": company_id})}

    def request(self, link_id: str, run_id: str) -> None:
        """Make the link due now, for the given run; a run under way is finished first."""
        self._states.update_one({"_id": link_id}, {"$set": {"pending_run": run_id}})
        now = time.time()
        self._states.update_one(
            {"_id": link_id, "lease_until": {"$lte": now}}, {"$set": {"due_at": now}}
        )

    def due(self, limit: int) -> list[str]:
        """Links that wait for a sync, the longest waiting first."""
        query = {"due_at": {"$lte": time.time()}}
        found = self._states.find(query, {"_id": 1}).sort("due_at", 1).limit(limit)
        return [state["_id"] for state in found]

    def next_due(self) -> float | None:
        """When the next link is due."""
        found = self._states.find({"due_at": {"$lt": NEVER}}, {"due_at": 1})
        state = next(iter(found.sort("due_at", 1).limit(1)), None)
        return float(state["due_at"]) if state else None

    def claim(self, link_id: str, holder: str) -> Lease | None:
        """Take the link if it is due and nobody holds it."""
        now = time.time()
        until = now + LEASE_SECONDS
        # Reading waits for nobody; of several schedulers most come too late.
        before = self._states.find_one({"_id": link_id}, {"due_at": 1})
        if before is None or before["due_at"] > now:
            return None
        state = self._states.find_one_and_update(
            {"_id": link_id, "due_at": {"$lte": now}, "lease_until": {"$lte": now}},
            {
                "$set": {
                    "lease_holder": holder,
                    "lease_until": until,
                    "due_at": until,
                    "planned_at": now,
                },
                "$inc": {"fence": 1},
            },
            return_document=True,
        )
        return Lease(link_id, state["fence"], state) if state else None

    def seize(self, link_id: str, holder: str) -> Lease | None:
        """Take the link, due or not, if nobody holds it; its state has ``due_before``."""
        before = self._states.find_one({"_id": link_id})
        if before is None:
            return None
        now = time.time()
        until = now + LEASE_SECONDS
        state = self._states.find_one_and_update(
            {"_id": link_id, "lease_until": {"$lte": now}, "fence": before["fence"]},
            {
                "$set": {
                    "lease_holder": holder,
                    "lease_until": until,
                    "due_at": until,
                    "planned_at": now,
                },
                "$inc": {"fence": 1},
            },
            return_document=True,
        )
        if state is None:
            return None
        return Lease(link_id, state["fence"], state | {"due_before": before["due_at"]})

    def renew(self, lease: Lease) -> None:
        """Hold on for longer. Raises LeaseLost."""
        now = time.time()
        until = now + LEASE_SECONDS
        self._write(lease, {"lease_until": until, "due_at": until, "planned_at": now})

    def check(self, lease: Lease) -> Document:
        """The link's state now. Raises LeaseLost."""
        state = self._states.find_one({"_id": lease.link_id, "fence": lease.fence})
        if state is None:
            raise _lost()
        return state

    def publish(self, lease: Lease, generation: int, fields: Mapping[str, Any]) -> None:
        """Make ``generation`` what readers see, in one update. Raises LeaseLost."""
        result = self._states.update_one(
            {"_id": lease.link_id, "fence": lease.fence, "live_generation": generation - 1},
            {"$set": {**fields, "live_generation": generation}},
        )
        if not result.matched_count:
            raise _lost()
        self._stamps.update_one({"_id": "all"}, {"$inc": {"number": 1}}, upsert=True)

    def publications(self) -> int:
        """A number that grows soon after a link's live generation has moved.

        A process that is killed in between leaves it behind: look at the states themselves, too.
        """
        stamp = self._stamps.find_one({"_id": "all"})
        return int(stamp["number"]) if stamp else 0

    def note(self, lease: Lease, fields: Mapping[str, Any]) -> None:
        """Write facts about the last sync. Raises LeaseLost."""
        self._write(lease, dict(fields))

    def take_pending(self, lease: Lease) -> None:
        """What was asked for is under way now; a later request makes the link due again.

        Whatever run is noted: one that was taken just before it was noted would be waited for, and
        the link due, for ever. Whoever asks meanwhile is seen to when the run is over.
        """
        self._states.update_one(
            {"_id": lease.link_id, "fence": lease.fence}, {"$set": {"pending_run": None}}
        )

    def accept(self, link_id: str, records: int) -> None:
        """A person said that an answer of so few records is right."""
        self._states.update_one({"_id": link_id}, {"$set": {"accepted_records": records}})

    def dismiss_hold(self, link_id: str) -> None:
        """A person said that what is served is right: the link has no problem until it is held."""
        self._states.update_one(
            {"_id": link_id, "last_error.kind": "shrink"}, {"$set": {"last_error": None}}
        )

    def finish(self, lease: Lease, due_at: float) -> None:
        """Give the link back, due at ``due_at``, or at once when a run waits. Raises LeaseLost."""
        now = time.time()
        fields = {"lease_holder": None, "lease_until": 0.0, "due_at": due_at, "planned_at": now}
        self._write(lease, fields)
        # Looked at after the write: what is asked for from here on sees that the lease is over.
        state = self._states.find_one({"_id": lease.link_id}) or {}
        if state.get("pending_run") is not None:
            self._states.update_one(
                {"_id": lease.link_id, "pending_run": {"$ne": None}, "lease_until": {"$lte": now}},
                {"$set": {"due_at": now}},
            )
        if state.get("channels") == []:
            # Switched off meanwhile: `follow` could not know that this would set a due time.
            self._states.update_one(
                {"_id": lease.link_id, "channels": []}, {"$set": {"due_at": NEVER}}
            )

    def heal_clock(self) -> None:
        """Make links due whose times were set by a clock that was ahead, and free their leases.

        Else they would wait until the right clock has come that far.
        """
        now = time.time()
        self._states.update_many(
            {"planned_at": {"$gt": now + CLOCK_SKEW_SECONDS}, "due_at": {"$lt": NEVER}},
            {"$set": {"due_at": now, "lease_until": 0.0, "planned_at": now}},
        )

    def held_count(self) -> int:
        """How many leases are held now."""
        return self._states.count_documents({"lease_until": {"$gt": time.time()}})

    def due_count(self) -> int:
        """How many links wait for a sync now."""
        return self._states.count_documents({"due_at": {"$lte": time.time()}})

    def _write(self, lease: Lease, fields: dict[str, Any]) -> None:
        result = self._states.update_one(
            {"_id": lease.link_id, "fence": lease.fence}, {"$set": fields}
        )
        if not result.matched_count:
            raise _lost()


def _lost() -> LeaseLost:
    return LeaseLost(
        "The link was deleted, or another scheduler took it over.",
        action="Nothing to do.",
    )


def _new_state(link: PageLink, channels: list[str]) -> Document:
    return {
        "_id": link.link.link_id,
        "company_id": link.company_id,
        "page_id": link.page_id,
        "channels": channels,
        "channels_pending": False,
        "live_generation": 0,
        "due_at": time.time() if channels else NEVER,
        "planned_at": time.time(),
        "pending_run": None,
        "lease_holder": None,
        "lease_until": 0.0,
        "fence": 0,
        "failures": 0,
        "failing": False,
        "last_success_at": None,
        "last_synced_at": None,
        "last_error": None,
        "writing": False,
        "unclean": False,
        "text_hash": None,
        "accepted_records": None,
        "records": 0,
        "documents": 0,
        "total_lines": 0,
        "records_at": None,
        "model": None,
    }
