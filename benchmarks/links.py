"""Many links due at once: ``make bench-links``.

Links of one company, each with ten records of its own from a local CRM, many of them due in the
same minute: how long 1, 2 and 4 schedulers take, and what it matters when each CRM answers after
two seconds. And what a sync asks of the store, at different numbers of links: nothing may grow.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from core.desk import Desk
from core.links import NewLink
from core.security.accounts import DEFAULT_COMPANY
from core.settings import Settings
from core.store import Document
from tests.product import ROOT, Product

PAGES = 50
RECORDS = 10
SOURCE = "benchmarks.source"


class Counting:
    """A database that counts what is asked of it, and how long that takes."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self.calls: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def __getitem__(self, name: str) -> Any:
        return _CountingCollection(self, name, self._database[name])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


class _CountingCollection:
    def __init__(self, counting: Counting, name: str, collection: Any) -> None:
        self._counting = counting
        self._name = name
        self._collection = collection

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._collection, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            what = f"{self._name}.{name}"
            self._counting.calls[what] += 1
            began = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self._counting.seconds[what] += time.perf_counter() - began

        return call


@contextlib.contextmanager
def source(delay: float, records: int = RECORDS, pages: int = 1) -> Iterator[str]:
    """A CRM in a process of its own, with records of its own at every path; its ``host:port``."""
    command = [sys.executable, "-m", SOURCE, str(delay), str(records), str(pages)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def fill(desk: Desk, host: str, links: int, prefix: str) -> None:
    """So many active links on fifty pages, all of them due."""
    for page in range(PAGES):
        desk.companies.add_page(DEFAULT_COMPANY, f"{1000 + page}", f"Page {page}")

    def add_links(company: Document) -> None:
        # At once: ten thousand changes of one document would take hours.
        for number in range(links):
            url = f"http://{host}/{prefix}{number}"
            link = desk.links.draft(NewLink(f"Link {number}", url))
            page = company["pages"][number % PAGES]
            page["messenger_crm_links"].append(link.to_document())

    desk.companies.edit(DEFAULT_COMPANY, add_links)
    desk.links.reconcile()


def wait_for(look: Callable[[], bool]) -> None:
    """Look once a second, until it is so; oftener would slow down what is waited for."""
    while not look():
        time.sleep(1)


def drain(links: int, due: int, schedulers: int, delay: float) -> float:
    """Seconds until as many as are due are served."""
    with tempfile.TemporaryDirectory() as folder, source(delay) as host:
        settings = Settings(data_dir=Path(folder) / "data", crm_allowed_hosts=host)
        desk = Desk(settings)
        fill(desk, host, links, "r")
        states = desk.database["link_states"]
        # Not due before every scheduler is there and has loaded its model.
        states.update_many({}, {"$set": {"due_at": time.time() + 86_400}})
        product = Product(Path(folder), {"CRM_ALLOWED_HOSTS": host, "SYNC_INTERVAL_MINUTES": "900"})
        beats = desk.database["schedulers"]
        try:
            for number in range(schedulers):
                product.start(f"scheduler-{number}", "core", "scheduler")
            wait_for(lambda: beats.count_documents({}) == schedulers)
            wait_for(
                lambda: all(
                    "model is loaded" in product.log(f"scheduler-{n}") for n in range(schedulers)
                )
            )
            for link in desk.links.of_company(DEFAULT_COMPANY)[:due]:
                states.update_one({"_id": link.link.link_id}, {"$set": {"due_at": time.time()}})
            began = time.perf_counter()

            # Counting reads all the states, half a second with 10,000 of them on the processor that
            # is measured: only when enough has been published.
            wait_for(lambda: desk.leases.publications() >= due)
            wait_for(lambda: states.count_documents({"live_generation": {"$gt": 0}}) == due)
            return time.perf_counter() - began
        finally:
            product.stop()


def operations(links: int, synced: int = 100) -> tuple[float, Counter[str], dict[str, float]]:
    """Store operations a sync, by name, and the milliseconds of each, with so many links."""
    with tempfile.TemporaryDirectory() as folder, source(0) as host:
        desk = Desk(Settings(data_dir=Path(folder) / "data", crm_allowed_hosts=host))
        fill(desk, host, links, "r")
        desk.embedder.embed(["warm"])
        ids = [link.link.link_id for link in desk.links.of_company(DEFAULT_COMPANY)]
        later = time.time() + 86_400
        desk.database["link_states"].update_many({}, {"$set": {"due_at": later}})
        for link_id in ids[:synced]:
            desk.database["link_states"].update_one({"_id": link_id}, {"$set": {"due_at": 0.0}})
        counting = Counting(desk.database)
        counted = Desk(desk.settings, desk.embedder, database=counting)
        scheduler = counted.scheduler()
        counting.calls.clear()
        counting.seconds.clear()
        began = time.perf_counter()
        scheduler.run_once()
        taken = time.perf_counter() - began
        calls, seconds = counting.calls, counting.seconds
        return taken / synced, calls, {name: seconds[name] / calls[name] * 1000 for name in calls}


def main(
    links: Annotated[int, typer.Option()] = 10_000,
    due: Annotated[int, typer.Option()] = 1000,
    slow_seconds: Annotated[float, typer.Option()] = 2.0,
) -> None:
    """Run it, and print tables."""
    few, many = operations(100), operations(links)
    print(f"\n| a sync asks of the store | times | ms with 100 links | ms with {links:,} links |")
    print("|---|---|---|---|")
    for name, count in many[1].most_common():
        if count >= 50:
            before = few[2].get(name, 0.0)
            print(f"| {name} | {count / 100:.1f} | {before:.1f} | {many[2][name]:.1f} |")
    print(f"| the whole sync | | {few[0] * 1000:.0f} | {many[0] * 1000:.0f} |")
    print("\n| links | due | schedulers | CRM answers after | drained in | links a second |")
    print("|---|---|---|---|---|---|", flush=True)
    for number, schedulers, delay in (
        (due, 1, 0.0),
        (due, 1, slow_seconds),
        (due, 2, 0.0),
        (due, 4, 0.0),
    ):
        seconds = drain(links, number, schedulers, delay)
        print(
            f"| {links:,} | {number:,} | {schedulers} | {delay:.0f} s | {seconds:.0f} s "
            f"| {number / seconds:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    typer.run(main)
