"""Pauses that hosts ask for (collection ``host_pauses``): kept by all links of all schedulers.

One link that is told to slow down speaks for every link of that host: the others would be told the
same, and make it worse.
"""

from __future__ import annotations

import time

from core.store import Database


class HostPauses:
    """Until when hosts want to be left alone; ``origin`` is ``host:port``."""

    def __init__(self, database: Database) -> None:
        self._pauses = database["host_pauses"]

    def seconds_left(self, origin: str) -> float:
        """How long the host is still to be left alone."""
        pause = self._pauses.find_one({"_id": origin})
        return max(0.0, pause["until"] - time.time()) if pause else 0.0

    def pause(self, origin: str, seconds: float) -> None:
        """Leave the host alone for ``seconds``; a longer pause that is on stays."""
        if seconds > self.seconds_left(origin):
            until = time.time() + seconds
            self._pauses.update_one({"_id": origin}, {"$set": {"until": until}}, upsert=True)

    def prune(self) -> None:
        """Forget pauses that are over."""
        self._pauses.delete_many({"until": {"$lt": time.time()}})
