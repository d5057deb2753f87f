"""Sync runs (collection ``sync_runs``): what ran, what it did, and what it said.

Times are seconds since 1970: both engines index plain numbers well.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import Conflict, DeskError, Held, NotFound
from core.models import ENDED, PageLink, RunState, Trigger
from core.store import Database, Document, insert

# A run keeps its newest lines; a run says little, so this is only a bound.
MAX_LINES = 500
# Of so many runs of each link it is kept what they changed.
KEEP_CHANGES = 20
MAX_FINDINGS = 200
# What a run says and does is written this seldom, all that has come since at once.
WRITE_SECONDS = 0.5
# In seconds: an hour, half a day, three days.
_WINDOWS = (3600.0, 43_200.0, 259_200.0)
OPEN_STATES = (RunState.QUEUED.value, RunState.RUNNING.value)


@dataclass
class _Journal:
    """What a run has said and done since that was last written."""

    written_at: float
    lines: list[Document] = field(default_factory=list)
    steps: list[Document] = field(default_factory=list)
    fields: Document = field(default_factory=dict)
    writing: threading.Lock = field(default_factory=threading.Lock)
    """Held while it is written: what came later must not be overwritten by what came before."""

    def take(self) -> dict[str, Any]:
        """The update that writes it, empty when there is nothing; it counts as written."""
        pushed: dict[str, Any] = {}
        if self.lines:
            pushed["lines"] = {"$each": self.lines, "$slice": -MAX_LINES}
        if self.steps:
            pushed["steps"] = {"$each": self.steps}
        update = {"$set": self.fields, "$push": pushed}
        self.written_at, self.lines, self.steps, self.fields = time.monotonic(), [], [], {}
        return {operator: what for operator, what in update.items() if what}


class Runs:
    """The runs of all links."""

    def __init__(self, database: Database) -> None:
        self._runs = database["sync_runs"]
        self._changes = database["run_changes"]
        self._journals: dict[str, _Journal] = {}
        self._lock = threading.Lock()

    def queue(self, link: PageLink, trigger: Trigger, *, run_id: str | None = None) -> str:
        """Write a run down that is to be made; its id."""
        run_id = run_id or "run-" + secrets.token_hex(8)
        insert(
            self._runs,
            {
                "_id": run_id,
                "company_id": link.company_id,
                "page_id": link.page_id,
                "link_id": link.link.link_id,
                "link_name": link.link.name,
                "url": link.link.url,
                "trigger": trigger.value,
                "state": RunState.QUEUED.value,
                "step": None,
                # To the microsecond, as the API shows it: paging by it must not slip.
                "queued_at": round(time.time(), 6),
                "started_at": None,
                "finished_at": None,
                "counts": {},
                "steps": [],
                "progress": None,
                "error": None,
                "held_records": None,
                "decision": None,
                "changes_total": 0,
                "retry_at": None,
                "cancel_requested": False,
                "lines": [],
            },
        )
        return run_id

    def queued(self, link_id: str) -> str | None:
        """The run of this link that waits for its turn."""
        run = self._runs.find_one({"link_id": link_id, "state": RunState.QUEUED.value}, {"_id": 1})
        return str(run["_id"]) if run else None

    def get(self, company_id: str, run_id: str) -> Document:
        """One run. Raises NotFound."""
        run = self._runs.find_one({"_id": run_id, "company_id": company_id})
        if run is None:
            raise NotFound(
                f"There is no sync run {run_id}.", action="GET /api/dashboard/sync/runs lists them."
            )
        return run

    def find(
        self,
        company_id: str,
        *,
        page_id: str | None = None,
        link_id: str | None = None,
        state: RunState | None = None,
        trigger: Trigger | None = None,
        since: float | None = None,
        before: float | None = None,
        limit: int = 50,
    ) -> list[Document]:
        """Runs, newest first, queued from ``since`` on and before ``before`` (seconds since 1970).

        ``before`` pages on.
        """
        found: list[Document] = []
        # The newest of ten thousand are found much faster among the last hours.
        for window in (*_WINDOWS, None) if link_id is None else (None,):
            start = since
            if window is not None:
                start = (before or time.time()) - window
                if since is not None and start < since:
                    continue
            query = _query(company_id, page_id, link_id, state, trigger, start, before)
            found = list(self._runs.find(query).sort("queued_at", -1).limit(limit))
            if len(found) >= limit:
                break
        return found

    def count(
        self,
        company_id: str,
        *,
        page_id: str | None = None,
        link_id: str | None = None,
        state: RunState | None = None,
        trigger: Trigger | None = None,
        since: float | None = None,
    ) -> int:
        """How many runs were queued from ``since`` on."""
        query = _query(company_id, page_id, link_id, state, trigger, since, None)
        return self._runs.count_documents(query)

    def latest(self, link_id: str) -> Document | None:
        """The link's newest run."""
        return next(
            iter(self._runs.find({"link_id": link_id}).sort("queued_at", -1).limit(1)), None
        )

    def line(self, run_id: str, level: str, text: str) -> None:
        """Add a line to the run's log."""
        entry = {"at": time.time(), "level": level, "text": text}
        self._note(run_id, lambda journal: journal.lines.append(entry))

    def start(self, run_id: str) -> bool:
        """Mark a queued run as running; False when it was cancelled meanwhile.

        Until ``close`` what it says and does is written at most every ``WRITE_SECONDS``: a quick
        run is over by then, and each write of the embedded engine keeps all others waiting.
        """
        result = self._runs.update_one(
            {"_id": run_id, "state": RunState.QUEUED.value},
            {"$set": {"state": RunState.RUNNING.value, "started_at": time.time()}},
        )
        if result.matched_count != 1:
            return False
        with self._lock:
            self._journals[run_id] = _Journal(time.monotonic())
        return True

    def step(self, run_id: str, step: str) -> None:
        """Note that the run enters a step."""
        entry = {"step": step, "at": time.time()}

        def enter(journal: _Journal) -> None:
            journal.steps.append(entry)
            journal.fields |= {"step": step, "progress": None}

        self._note(run_id, enter)

    def progress(self, run_id: str, done: int, total: int) -> None:
        """Note how far the current step is."""
        progress = {"done": done, "total": total}
        self._note(run_id, lambda journal: journal.fields.update(progress=progress))

    def write(self, run_id: str) -> None:
        """Write what waits to be written of a run under way."""
        with self._lock:
            journal = self._journals.get(run_id)
        if journal is None:
            return
        with journal.writing:
            with self._lock:
                update = journal.take()
            if update:
                self._runs.update_one({"_id": run_id}, update)

    def close(self, run_id: str) -> None:
        """Write the rest; the run is no longer under way here."""
        self.write(run_id)
        with self._lock:
            self._journals.pop(run_id, None)

    def _note(self, run_id: str, add: Callable[[_Journal], None]) -> None:
        with self._lock:
            journal = self._journals.get(run_id)
            is_ours = journal is not None
            journal = journal or _Journal(0.0)
            add(journal)
            if time.monotonic() - journal.written_at < WRITE_SECONDS:
                return
            update = {} if is_ours else journal.take()
        if is_ours:
            self.write(run_id)
        else:
            self._runs.update_one({"_id": run_id}, update)

    def finish(
        self,
        run_id: str,
        state: RunState,
        *,
        counts: Mapping[str, int] | None = None,
        changes_total: int = 0,
        error: DeskError | None = None,
        retry_at: float | None = None,
    ) -> None:
        """End the run. ``retry_at`` says when the link is tried again."""
        fields: dict[str, Any] = {
            "state": state.value,
            "finished_at": time.time(),
            "progress": None,
            "retry_at": retry_at,
            "changes_total": changes_total,
        }
        if counts is not None:
            fields["counts"] = dict(counts)
        if isinstance(error, Held):
            fields["held_records"] = error.records
        if error is not None:
            fields["error"] = {
                "kind": getattr(error, "kind", "stopped"),
                "message": error.message,
                "action": error.action,
                "permanent": error.permanent,
            }
        with self._lock:
            journal = self._journals.get(run_id)
            rest = journal.take() if journal else {}
        update = {**rest, "$set": {**rest.get("$set", {}), **fields}}
        self._runs.update_one({"_id": run_id}, update)

    def note_findings(
        self, run_id: str, field_changes: Sequence[str], set_aside: Sequence[str]
    ) -> None:
        """Keep which fields changed, and why records were set aside, a line each."""
        fields = {"field_changes": list(field_changes)[:MAX_FINDINGS], "set_aside": list(set_aside)}
        self._runs.update_one({"_id": run_id}, {"$set": fields})

    def keep_changes(self, run_id: str, link_id: str, changes: Sequence[str]) -> None:
        """Keep what a run changed, path by path; of each link's runs the last few are kept."""
        # Not replaced: the embedded engine reads the whole collection for that.
        self._changes.delete_many({"_id": run_id})
        insert(
            self._changes,
            {"_id": run_id, "link_id": link_id, "at": time.time(), "changes": list(changes)},
        )
        kept = self._changes.find({"link_id": link_id}, {"_id": 1}).sort("at", -1)
        for old in list(kept)[KEEP_CHANGES:]:
            self._changes.delete_many({"_id": old["_id"]})

    def changes(self, run_id: str) -> list[str] | None:
        """What the run changed; None when that is no longer kept, or there was nothing."""
        found = self._changes.find_one({"_id": run_id})
        return list(found["changes"]) if found else None

    def decide(self, company_id: str, run_id: str, decision: str, username: str) -> Document:
        """Note what a person decided on a held run; the run.

        Raises NotFound, and Conflict when the run is not held, is decided, or is not the newest.
        """
        run = self.get(company_id, run_id)
        newest = next(
            (
                other
                for other in self._runs.find({"link_id": run["link_id"]}).sort("queued_at", -1)
                if other["state"] not in OPEN_STATES
            ),
            run,
        )
        if run["state"] != RunState.HELD.value or newest["_id"] != run_id:
            raise Conflict(
                f"Run {run_id} does not wait for a decision.",
                action="Look at the link's newest run.",
            )
        made = {"decision": decision, "by": username, "at": time.time()}
        result = self._runs.update_one(
            {"_id": run_id, "decision": None}, {"$set": {"decision": made}}
        )
        if not result.matched_count:
            raise Conflict(f"Run {run_id} was decided already.", action="Nothing to do.")
        return run

    def interrupt(self, link_id: str, *, but: str) -> None:
        """Close what a process that died has left running for this link."""
        self._runs.update_many(
            {"link_id": link_id, "state": RunState.RUNNING.value, "_id": {"$ne": but}},
            {
                "$set": {
                    "state": RunState.INTERRUPTED.value,
                    "finished_at": time.time(),
                    "error": {
                        "kind": "interrupted",
                        "message": "The scheduler stopped in the middle of this run.",
                        "action": "Nothing to do: the link was synced again by itself.",
                        "permanent": False,
                    },
                }
            },
        )

    def cancel(self, company_id: str, run_id: str) -> Document:
        """Cancel a run: a waiting one at once, a running one as soon as its worker notices.

        Raises NotFound, and Conflict when the run is over.
        """
        run = self.get(company_id, run_id)
        if RunState(run["state"]) in ENDED:
            raise Conflict(
                f"Run {run_id} is over: {run['state']}.", action="There is nothing left to cancel."
            )
        self._cancel({"_id": run_id})
        return self.get(company_id, run_id)

    def cancel_open(self, link_id: str) -> None:
        """Cancel whatever waits or runs for a link that is going away."""
        self._cancel({"link_id": link_id})

    def _cancel(self, query: Mapping[str, Any]) -> None:
        self._runs.update_many(
            {**query, "state": RunState.QUEUED.value},
            {"$set": {"state": RunState.CANCELLED.value, "finished_at": time.time()}},
        )
        self._runs.update_many(
            {**query, "state": RunState.RUNNING.value}, {"$set": {"cancel_requested": True}}
        )

    def cancel_requested(self, run_id: str) -> bool:
        """Whether someone wants this run to stop."""
        run = self._runs.find_one({"_id": run_id}, {"cancel_requested": 1})
        return run is None or bool(run.get("cancel_requested"))

    def prune(self, *, keep_seconds: float) -> int:
        """Delete runs that ended longer ago; how many."""
        limit = time.time() - keep_seconds
        query = {"queued_at": {"$lt": limit}, "state": {"$nin": list(OPEN_STATES)}}
        return self._runs.delete_many(query).deleted_count


def _query(
    company_id: str,
    page_id: str | None,
    link_id: str | None,
    state: RunState | None,
    trigger: Trigger | None,
    since: float | None,
    before: float | None,
) -> dict[str, Any]:
    query: dict[str, Any] = {"company_id": company_id}
    exact = {"page_id": page_id, "link_id": link_id, "state": state, "trigger": trigger}
    query |= {name: str(value) for name, value in exact.items() if value}
    times = {"$gte": since, "$lt": before}
    bounds = {operator: value for operator, value in times.items() if value is not None}
    return query | ({"queued_at": bounds} if bounds else {})
