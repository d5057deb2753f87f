"""Keeping a process's mirror up to date, and checking or rebuilding mirrors from the outside.

A mirror's folder belongs to the process that holds it, on whatever machine. So a check is an order
in the store (collection ``mirror_orders``): every process that holds a mirror carries it out on its
own and reports (collection ``mirror_reports``).
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from core.companies import Companies
from core.leases import Leases
from core.links import Links
from core.models import PageLink
from core.store import Collection, Database, Document, insert
from core.vectors.mirror import Mirror

FOLLOW_SECONDS = 1.0
# Every link's state is looked at when a stamp has moved, and at least this often: a process that
# died between a change and its stamp, or another program, may have left no trace.
LOOK_SECONDS = 15.0
# After a look it rests so many times as long as that took (at most LOOK_SECONDS), else it would do
# nothing but look while thousands of links sync. A search brings its own page up to date first.
REST = 4.0
BEAT_SECONDS = 2.0
# A process that has not been heard of for this long is taken for dead.
SILENT_SECONDS = 15.0
ORDER_SECONDS = 900.0
CHECK, REBUILD = "check", "rebuild"

log = structlog.get_logger()


@dataclass(frozen=True)
class Report:
    """What a mirror's check found: nothing, when it agrees with the store."""

    mirror: str
    differences: list[str]


class MirrorFollower:
    """Looks after one process's mirror."""

    def __init__(
        self,
        database: Database,
        companies: Companies,
        links: Links,
        leases: Leases,
        mirror: Mirror,
        on_followed: Callable[[list[PageLink], Mapping[str, Document]], None],
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._beats = database["mirrors"]
        self._orders = database["mirror_orders"]
        self._reports = database["mirror_reports"]
        self._companies = companies
        self._links = links
        self._leases = leases
        self._mirror = mirror
        self._on_followed = on_followed
        self._followed: dict[tuple[str, str], list[tuple[object, ...]]] | None = None
        self._rests_until = 0.0
        self._stamps: object = None
        self._looked_at = 0.0
        self._behind_since: float | None = None
        self._beat_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Follow the store until ``stop`` is set; for a background thread."""
        while not stop.wait(FOLLOW_SECONDS):
            try:
                self._follow()
                self._carry_out_orders()
            except Exception:
                log.exception("The mirror could not follow the store")
            if time.time() - self._beat_at > BEAT_SECONDS:
                self._beat()
        try:
            self._beats.delete_many({"_id": self.name})
        except Exception:
            log.exception("The mirror could not sign off")

    def carry_out(self, action: str) -> Report:
        """Check this process's mirror against the store, after rebuilding it if told so."""
        links = self._all_links()
        if action == REBUILD:
            self._mirror.rebuild(links)
        return Report(self.name, self._mirror.check(links))

    def order(self, action: str, *, on_wait: Callable[[int], None]) -> list[Report]:
        """Have every process that holds a mirror carry ``action`` out; their reports.

        ``on_wait`` is told how many there are. Without any, this process does it, on the folder
        that the next one will take over.
        """
        alive = {beat["_id"] for beat in mirror_beats(self._beats)}
        on_wait(len(alive))
        if not alive:
            try:
                return [self.carry_out(action)]
            finally:
                self._mirror.close()
        order_id = secrets.token_hex(8)
        insert(self._orders, {"_id": order_id, "action": action, "at": time.time()})
        pause = threading.Event()
        ends = time.monotonic() + ORDER_SECONDS
        reports: dict[str, Report] = {}
        while alive - reports.keys() and time.monotonic() < ends:
            pause.wait(0.2)
            for found in self._reports.find({"order": order_id}):
                reports[found["mirror"]] = Report(found["mirror"], found["differences"])
            # One that dies meanwhile reports nothing any more.
            alive &= {beat["_id"] for beat in mirror_beats(self._beats)} | reports.keys()
        self._orders.delete_many({"_id": order_id})
        self._reports.delete_many({"order": order_id})
        return list(reports.values())

    def _follow(self) -> None:
        began = time.monotonic()
        if began < self._rests_until:
            return
        stamps = (self._companies.stamps(), self._leases.publications())
        if stamps == self._stamps and began - self._looked_at < LOOK_SECONDS:
            return
        self._look()
        self._stamps, self._looked_at = stamps, time.monotonic()
        rest = min(REST * (self._looked_at - began), LOOK_SECONDS)
        self._rests_until = self._looked_at + rest

    def _look(self) -> None:
        links = self._all_links()
        states: dict[str, Document] = {}
        for company_id in {link.company_id for link in links}:
            states |= self._leases.of_company(company_id)
        now: dict[tuple[str, str], list[tuple[object, ...]]] = {}
        for link in links:
            if state := states.get(link.link.link_id):
                facts = (link.link.link_id, state["live_generation"], tuple(link.active_channels))
                now.setdefault((link.company_id, link.page_id), []).append(facts)
        if now == self._followed:
            return
        if self._behind_since is None:
            self._behind_since = time.time()
        held = self._followed or {}
        moved = {page for page, facts in now.items() if facts != held.get(page)}
        self._mirror.follow([link for link in links if (link.company_id, link.page_id) in moved])
        self._on_followed(links, states)
        self._followed = now
        self._behind_since = None

    def _carry_out_orders(self) -> None:
        for order in list(self._orders.find({"at": {"$gt": time.time() - ORDER_SECONDS}})):
            report_id = f"{order['_id']}.{self.name}"
            if self._reports.find_one({"_id": report_id}, {"_id": 1}) is None:
                report = self.carry_out(order["action"])
                insert(
                    self._reports,
                    {
                        "_id": report_id,
                        "order": order["_id"],
                        "mirror": self.name,
                        "differences": report.differences,
                    },
                )

    def _beat(self) -> None:
        self._beat_at = time.time()
        lag = self._beat_at - self._behind_since if self._behind_since else 0.0
        beat = {"_id": self.name, "at": self._beat_at, "lag": lag}
        try:
            self._beats.replace_one({"_id": self.name}, beat, upsert=True)
            self._beats.delete_many({"at": {"$lt": self._beat_at - 3600.0}})
        except Exception:
            log.exception("The mirror's heartbeat could not be written")

    def _all_links(self) -> list[PageLink]:
        return [
            link
            for company_id in self._companies.ids()
            for link in self._links.of_company(company_id)
        ]


def mirror_beats(beats: Collection) -> list[Document]:
    """The mirrors that are alive: name, when last heard of, and how far behind, in seconds."""
    return list(beats.find({"at": {"$gte": time.time() - SILENT_SECONDS}}))
