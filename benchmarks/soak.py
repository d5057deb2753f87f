"""Soak: many links, several schedulers, random ``kill -9``, changing and misbehaving CRMs.

``python -m benchmarks.soak --minutes 5 --links 200 --schedulers 3``. Ends with exit code 1 unless
every link's served text equals its source, the mirror agrees with the store, and no link was ever
fetched twice at once.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from core.desk import Desk
from core.links import NewLink
from core.models import Channel, PageLink, RunState
from core.security.accounts import DEFAULT_COMPANY
from core.settings import Settings
from core.text.decode import Json, parse_json
from core.text.flatten import flatten
from tests.servers.crm import Answer, Crm, Request

RECORDS = 10
PAGES = 10
INTERVAL_MINUTES = 0.5
SETTLE_SECONDS = 600.0


class Source:
    """One CRM: its records change, and it fails now and then until told to behave."""

    def __init__(self, number: int, pick: random.Random) -> None:
        self._pick = pick
        self._next = RECORDS
        self._lock = threading.Lock()
        self.rows = [self._row(number, n) for n in range(RECORDS)]
        self.number = number
        self.behaves = False
        self.now = self.most = self.changes = 0

    def __call__(self, _: Request) -> Answer:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            return self._answer()
        finally:
            with self._lock:
                self.now -= 1

    def change(self) -> None:
        """Add, remove, move or edit a record."""
        with self._lock:
            self.changes += 1
            kind = self._pick.choice(["add", "remove", "move", "edit", "edit", "edit"])
            if kind == "add" or len(self.rows) < RECORDS:
                self.rows.insert(
                    self._pick.randrange(len(self.rows) + 1), self._row(self.number, self._next)
                )
                self._next += 1
            elif kind == "remove":
                del self.rows[self._pick.randrange(len(self.rows))]
            elif kind == "move":
                self.rows.reverse()
            else:
                at = self._pick.randrange(len(self.rows))
                self.rows[at] = self.rows[at] | {"level": f"level {self._pick.random():.6f}"}

    def text(self) -> list[str]:
        """The flattened text that should be served."""
        return flatten(Json(parse_json(self._body()))).lines()

    def _body(self) -> str:
        with self._lock:
            return json.dumps({"customers": self.rows})

    def _answer(self) -> Answer:
        flaw = self._pick.random()
        if not self.behaves:
            if flaw < 0.02:
                return Answer("busy", 500)
            if flaw < 0.03:
                return Answer("", reset=True)
            if flaw < 0.04:
                return Answer(self._body(), cut_after=50)
            if flaw < 0.05:
                return Answer("")
        return Answer(self._body())

    @staticmethod
    def _row(link: int, number: int) -> dict[str, Any]:
        return {
            "id": f"c-{link}-{number}",
            "name": f"Customer {number} of shop {link}",
            "level": "Silver",
        }


class Schedulers:
    """Real scheduler processes that are killed and started again."""

    def __init__(self, count: int, environment: dict[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self.kills = 0
        self._processes = [self._start() for _ in range(count)]

    def kill_one(self, pick: random.Random) -> None:
        at = pick.randrange(len(self._processes))
        self._processes[at].send_signal(signal.SIGKILL)
        self._processes[at].wait()
        self.kills += 1
        self._processes[at] = self._start()

    def stop(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(30)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "core", "scheduler"],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )


def main(
    minutes: Annotated[float, typer.Option(help="How long to disturb.")] = 5,
    links: Annotated[int, typer.Option(help="How many CRM links.")] = 200,
    schedulers: Annotated[int, typer.Option(help="How many scheduler processes.")] = 3,
    seed: Annotated[int, typer.Option(help="Of the disturbances.")] = 1,
) -> None:
    pick = random.Random(seed)
    crm = Crm()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder) / "data",
            crm_allowed_hosts=crm.host,  # type: ignore[arg-type]
        )
        desk = Desk(settings)
        sources: dict[str, Source] = {}
        for number in range(links):
            link, source = add_link(desk, crm, number, random.Random(seed * 1000 + number))
            sources[link.link.link_id] = source
        environment = {
            **os.environ,
            "DATA_DIR": str(settings.data_dir),
            "CRM_ALLOWED_HOSTS": crm.host,
            "SYNC_INTERVAL_MINUTES": str(INTERVAL_MINUTES),
        }
        log = Path(folder) / "schedulers.log"
        running = Schedulers(schedulers, environment, log)
        try:
            disturb(running, list(sources.values()), minutes * 60, pick)
            settled = settle(desk, sources)
        finally:
            running.stop()
        is_well = report(desk, sources, running.kills, minutes, settled)
        if not is_well:
            print(log.read_text()[-4000:])
    crm.close()
    raise typer.Exit(0 if is_well else 1)


def add_link(desk: Desk, crm: Crm, number: int, pick: random.Random) -> tuple[PageLink, Source]:
    page_id = f"page-{number % PAGES}"
    if number < PAGES:
        desk.companies.add_page(DEFAULT_COMPANY, page_id, f"Page {number}")
    source = Source(number, pick)
    url = crm.serve(f"/shop-{number}", source)
    link = desk.links.add(
        DEFAULT_COMPANY, page_id, [Channel.MESSENGER], NewLink(f"Shop {number}", url)
    )
    return link, source


def disturb(
    running: Schedulers, sources: list[Source], seconds: float, pick: random.Random
) -> None:
    """Change records all the time and kill a scheduler every few seconds."""
    pause = threading.Event()
    ends = time.monotonic() + seconds
    kill_at = time.monotonic() + 10
    while time.monotonic() < ends:
        pause.wait(0.25)
        pick.choice(sources).change()
        if time.monotonic() >= kill_at:
            running.kill_one(pick)
            kill_at = time.monotonic() + pick.uniform(6, 14)


def settle(desk: Desk, sources: dict[str, Source]) -> float:
    """Let every CRM behave and wait for a good sync of each; how long it took, in seconds."""
    for source in sources.values():
        source.behaves = True
    start = time.time()
    pause = threading.Event()
    left = set(sources)
    while left and time.time() - start < SETTLE_SECONDS:
        pause.wait(0.5)
        for link_id, state in desk.leases.states(sorted(left)).items():
            if state["last_error"] and state["last_error"]["kind"] == "shrink":
                # A person looks at what an empty answer has held, and sends it back.
                desk.leases.dismiss_hold(link_id)
            # A run that began before may have read the old records.
            runs = desk.runs.find(DEFAULT_COMPANY, link_id=link_id, limit=2)
            good = (RunState.SUCCEEDED.value, RunState.UNCHANGED.value)
            if any(r["state"] in good and r["started_at"] > start for r in runs):
                left.discard(link_id)
    return time.time() - start


def report(
    desk: Desk, sources: dict[str, Source], kills: int, minutes: float, settled: float
) -> bool:
    unlike = [i for i, source in sources.items() if desk.served.lines(i) != source.text()]
    links = desk.links.of_company(DEFAULT_COMPANY)
    mirror_differences: list[str] = []
    desk.mirror.follow(links)
    mirror_differences = desk.mirror.check(links)
    documents = desk.database["vector_documents"].count_documents({})
    listed = sum(len(entry.chunks) for link_id in sources for entry in desk.served.entries(link_id))
    states: Counter[str] = Counter(
        run["state"] for run in desk.database["sync_runs"].find({}, {"state": 1})
    )
    overlaps = sum(source.most > 1 for source in sources.values())
    rows = [
        ("links", len(sources)),
        ("minutes of disturbance", minutes),
        ("schedulers killed with kill -9", kills),
        ("changes made at the sources", sum(source.changes for source in sources.values())),
        *((f"runs {state}", count) for state, count in sorted(states.items())),
        ("texts embedded", desk.counters.read().get("embedded", 0)),
        ("seconds until all had synced again", round(settled, 1)),
        ("links fetched twice at once", overlaps),
        ("links whose served text is not their source", len(unlike)),
        ("vector documents stored / listed", f"{documents} / {listed}"),
        ("differences between mirror and store", len(mirror_differences)),
    ]
    for name, value in rows:
        print(f"{name:48} {value}")
    desk.mirror.close()
    return not unlike and not mirror_differences and not overlaps and documents == listed


if __name__ == "__main__":
    typer.run(main)
