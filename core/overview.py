"""How everything is, at a glance: what needs a person first, and how the last days went."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from core.leases import Leases
from core.links import Links
from core.models import PageLink, RunState
from core.settings import Settings
from core.status import STATUSES, diagnosis, failure_in_words, is_stale, sync_status
from core.store import Database

DAYS = 7
DAY = 86400
NEEDS_A_PERSON = ("held", "failing", "retrying", "stale")


@dataclass(frozen=True)
class Concern:
    """A link that needs a look: in what way, why, who can put it right, when it is tried again."""

    link: PageLink
    status: str
    cause: str
    detail: str
    who: str
    retry_at: float | None
    since: float | None
    """When it last synced well, in seconds since 1970."""


@dataclass(frozen=True)
class Day:
    """One day (UTC): ``start`` in seconds since 1970, shares from 0 to 1, None without any run."""

    start: float
    runs: int
    success_rate: float | None
    freshness: float | None


@dataclass(frozen=True)
class Overview:
    """A company's links by status, what needs a person, and the last days, oldest first."""

    counts: dict[str, int]
    concerns: list[Concern]
    days: list[Day]
    documents: int
    records: int
    standing: dict[str, int]
    """As ``counts``, but a link that is being synced counts as what it was before that."""


class Days:
    """What happened on each day, added up as it happens (collection ``sync_days``)."""

    def __init__(self, database: Database) -> None:
        self._days = database["sync_days"]

    def add_run(self, company_id: str, state: RunState) -> None:
        """Count a run that is over."""
        self._add(company_id, {f"runs.{state.value}": 1})

    def add_freshness(self, company_id: str, fresh: int, active: int) -> None:
        """Note that ``fresh`` of ``active`` links are fresh now."""
        if active:
            self._add(company_id, {"fresh": fresh / active, "samples": 1})

    def last(self, company_id: str) -> list[Day]:
        """The last seven days, oldest first."""
        today = int(time.time() // DAY)
        found = {
            int(day["day"]): day
            for day in self._days.find({"company_id": company_id})
            if day["day"] > today - DAYS
        }
        return [
            _day(number, found.get(number, {})) for number in range(today - DAYS + 1, today + 1)
        ]

    def prune(self) -> None:
        """Forget what is older than two months."""
        self._days.delete_many({"day": {"$lt": int(time.time() // DAY) - 60}})

    def _add(self, company_id: str, amounts: dict[str, float]) -> None:
        day = int(time.time() // DAY)
        self._days.update_one(
            {"_id": f"{company_id}@{day}"},
            {"$inc": amounts, "$set": {"company_id": company_id, "day": day}},
            upsert=True,
        )


class Overviews:
    """Looks at all links of a company."""

    def __init__(self, settings: Settings, links: Links, leases: Leases, days: Days) -> None:
        self._settings = settings
        self._links = links
        self._leases = leases
        self._days = days

    def look(self, company_id: str) -> Overview:
        """How the company's links are now."""
        links = self._links.of_company(company_id)
        states = self._leases.of_company(company_id)
        counts: Counter[str] = Counter()
        standing: Counter[str] = Counter()
        concerns = []
        for link in links:
            state = states.get(link.link.link_id, {})
            status = sync_status(link, state, self._settings)
            counts[status] += 1
            standing[sync_status(link, {**state, "lease_holder": None}, self._settings)] += 1
            if status in NEEDS_A_PERSON:
                concerns.append(_concern(link, status, state))
        concerns.sort(key=lambda one: (NEEDS_A_PERSON.index(one.status), one.since or 0.0))
        return Overview(
            {status: counts[status] for status in STATUSES},
            concerns,
            self._days.last(company_id),
            sum(state.get("documents", 0) for state in states.values()),
            sum(state.get("records", 0) for state in states.values()),
            {status: standing[status] for status in STATUSES},
        )

    def sample_freshness(self) -> None:
        """Note how fresh each company's links are."""
        for company_id in self._links.company_ids():
            states = self._leases.of_company(company_id)
            active = [link for link in self._links.of_company(company_id) if link.is_active]
            fresh = sum(
                not is_stale(
                    link,
                    states.get(link.link.link_id, {}).get("last_success_at"),
                    self._settings,
                )
                for link in active
            )
            self._days.add_freshness(company_id, fresh, len(active))


def _concern(link: PageLink, status: str, state: dict[str, Any]) -> Concern:
    error = state.get("last_error") or {}
    if error:
        known = diagnosis(error["kind"])
        cause, who = known.cause, known.who
        detail = failure_in_words(error)
    else:
        cause = "No sync has succeeded for too long"
        detail = "The link has not been synced for three of its intervals."
        who = "Whoever runs this desk: is a scheduler running?"
    due_at = state.get("due_at")
    retry_at = None if status == "held" else due_at
    return Concern(link, status, cause, detail, who, retry_at, state.get("last_success_at"))


def _day(number: int, found: dict[str, Any]) -> Day:
    runs = found.get("runs") or {}
    well = sum(runs.get(state.value, 0) for state in (RunState.SUCCEEDED, RunState.UNCHANGED))
    bad = sum(runs.get(state.value, 0) for state in (RunState.FAILED, RunState.HELD))
    samples = found.get("samples") or 0
    return Day(
        start=float(number * DAY),
        runs=int(sum(runs.values())),
        success_rate=well / (well + bad) if well + bad else None,
        freshness=found["fresh"] / samples if samples else None,
    )
