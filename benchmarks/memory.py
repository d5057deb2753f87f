"""The memory that a sync takes: ``make bench-memory``.

One sync each, first and again with nothing changed at the source but everything fetched, by a
scheduler process of its own (``python -m core scheduler --once``) and from a CRM of its own, 100
records a page. The peak of the process's resident memory, as the system counts it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.links import source
from core.desk import Desk
from core.links import NewLink
from core.models import Channel, Trigger
from core.security.accounts import DEFAULT_COMPANY
from core.settings import Settings
from tests.product import ROOT, Product

PER_PAGE = 100
AIM_MB = 200


def once(product: Product) -> tuple[float, float]:
    """Seconds and peak megabytes of a scheduler that syncs what is due and ends."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "core", "scheduler", "--once"],
        cwd=ROOT,
        env=product.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.perf_counter() - began, usage.ru_maxrss * 1024 / 1e6


def measure(records: int) -> list[tuple[float, float]]:
    """The first sync of so many records, and the next one."""
    with (
        tempfile.TemporaryDirectory() as folder,
        source(0, PER_PAGE, records // PER_PAGE) as host,
    ):
        environment = {"CRM_ALLOWED_HOSTS": host, "MAX_PAGES": "10000", "MAX_RECORDS": "1000000"}
        product = Product(Path(folder), environment)
        desk = Desk(Settings(data_dir=Path(folder) / "data", crm_allowed_hosts=host))
        desk.companies.add_page(DEFAULT_COMPANY, "1", "Page")
        new = NewLink("Customers", f"http://{host}/customers")
        link = desk.links.add(DEFAULT_COMPANY, "1", [Channel.MESSENGER], new)
        first = once(product)
        desk.links.request_sync(link, Trigger.MANUAL)
        return [first, once(product)]


def main(records: Annotated[int, typer.Option()] = 100_000) -> None:
    """Run it, and print a table."""
    print("\n| records | first sync | peak memory | again | peak memory |\n|---|---|---|---|---|")
    peaks = []
    for count in (1000, 10_000, records):
        (took, peak), (again, peak_again) = measure(count)
        peaks.append(peak)
        print(
            f"| {count:,} | {took:.0f} s | {peak:.0f} MB | {again:.0f} s | {peak_again:.0f} MB |",
            flush=True,
        )
    print(f"\n{records:,} records take {peaks[-1] - peaks[0]:.0f} MB more than 1,000; aim {AIM_MB}")


if __name__ == "__main__":
    typer.run(main)
