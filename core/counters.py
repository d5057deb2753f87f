"""Counters of all schedulers together (collection ``counters``), for ``/api/metrics``.

They live in the store, since the schedulers that count and the web process that tells are different
processes; a run adds to them once, in one update.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.models import RunState
from core.store import Database

BUCKETS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Upper bounds of the run durations that are told apart, in seconds."""


class Counters:
    """How many runs ended in which way, how long they took, and what they did."""

    def __init__(self, database: Database) -> None:
        self._counters = database["counters"]

    def add_run(self, state: RunState, seconds: float, counts: Mapping[str, int]) -> None:
        """Count a run that is over."""
        amounts: dict[str, float] = {f"runs.{state.value}": 1, "seconds": seconds}
        bucket = next((n for n, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))
        amounts[f"buckets.b{bucket}"] = 1
        for name in ("records", "embedded", "retries", "bytes", "pages"):
            amounts[name] = counts.get(name, 0)
        self._counters.update_one({"_id": "runs"}, {"$inc": amounts}, upsert=True)

    def add_lost_lease(self) -> None:
        """Count a lease that was lost to another scheduler or to a deletion."""
        self._counters.update_one({"_id": "runs"}, {"$inc": {"leases_lost": 1}}, upsert=True)

    def read(self) -> dict[str, Any]:
        """All counters."""
        return self._counters.find_one({"_id": "runs"}) or {}
