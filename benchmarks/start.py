"""How soon the product is there, and what it takes: ``make bench-start``.

From starting the processes over a store that was there before: until the web process answers
health and the sign-in form, and can embed a question; until the scheduler is heard of, and has its
model. And the memory of each. How long the pages take then is in ``benchmarks.dashboard``.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import requests

from core.desk import Desk
from core.scheduler import heartbeats
from core.settings import Settings
from tests.product import Product

ROUNDS = 5


def first(look: Callable[[], bool]) -> float:
    """When it is so for the first time, on the steady clock."""
    while not look():
        time.sleep(0.01)
    return time.perf_counter()


def answers(session: requests.Session, address: str) -> bool:
    """Whether there is a 200."""
    try:
        return session.get(address, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def resident(product: Product, name: str) -> float:
    """Megabytes of a process that are in memory (Linux)."""
    status = Path(f"/proc/{product.processes[name].pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024 / 1e6


def once(folder: Path) -> dict[str, float]:
    """One start over ``folder``: seconds and megabytes, by what they are of."""
    found: dict[str, float] = {}
    product = Product(folder, {})
    session = requests.Session()
    desk = Desk(Settings(data_dir=folder / "data"))
    try:
        began = time.perf_counter()
        product.start("web", "core", "web")
        health = f"{product.address}/api/health"
        found["web: health answers"] = first(lambda: answers(session, health)) - began
        found["web: sign-in form"] = (
            first(lambda: answers(session, f"{product.address}/login")) - began
        )
        found["web: memory before the model, MB"] = resident(product, "web")
        loaded = first(lambda: session.get(health, timeout=5).json()["model"] == "loaded")
        found["web: the model is loaded"] = loaded - began
        time.sleep(1)
        found["web: memory, MB"] = resident(product, "web")
        began = time.perf_counter()
        product.start("scheduler", "core", "scheduler")
        found["scheduler: claims links"] = first(lambda: bool(heartbeats(desk.database))) - began
        found["scheduler: memory before the model, MB"] = resident(product, "scheduler")
        loaded = first(lambda: "model is loaded" in product.log("scheduler"))
        found["scheduler: the model is loaded"] = loaded - began
        time.sleep(1)
        found["scheduler: memory, MB"] = resident(product, "scheduler")
    finally:
        product.stop()
    return found


def main() -> None:
    """Run it, and print a table of medians."""
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS + 1):
            # A folder of its own for each, as the log and the heartbeats are looked at.
            own = Path(folder) / str(number)
            own.mkdir()
            Desk(Settings(data_dir=own / "data"))
            rounds.append(once(own))
    print("\n| what | median | worst |\n|---|---|---|")
    for name in rounds[0]:
        values = [one[name] for one in rounds[1:]]  # the first reads the libraries from the disk
        unit = "" if name.endswith("MB") else " s"
        digits = 0 if not unit else 2
        print(
            f"| {name} | {statistics.median(values):.{digits}f}{unit} "
            f"| {max(values):.{digits}f}{unit} |"
        )
    print(
        f"\nThe very first start, from the disk: {rounds[0]['web: health answers']:.1f} s to health"
    )


if __name__ == "__main__":
    main()
