"""How fast events are taken in, and how soon they can be found: ``make bench-webhooks``.

Prints a table: the answer time of each of 1,000 events that eight senders post at once, and for
single events the time from posting one to finding it by a search.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.connectors.test_webhooks import Sender, add, event
from tests.product import Client, Product
from tests.waiting import until

EVENTS = 1000
SENDERS = 8
SINGLE = 20


def main() -> None:
    """Run it against a product of its own."""
    with tempfile.TemporaryDirectory() as folder:
        product = Product(Path(folder), {"SYNC_INTERVAL_MINUTES": "60"})
        try:
            product.start_all()
            api = product.sign_in()
            page_id = api.add_page()
            link = add(api, page_id, "github")
            # The first event of all makes the web process open its mirror.
            findable(product, api, page_id, link["link_id"], SINGLE)
            taken, seconds = burst(product, link["link_id"])
            until(lambda: api.link(page_id, link["link_id"])["sync"]["records"] > EVENTS, "all")
            worked_off = time.perf_counter() - seconds
            singles = [findable(product, api, page_id, link["link_id"], n) for n in range(SINGLE)]
            alone, found = zip(*singles, strict=True)
        finally:
            product.stop()
    print(f"\n{EVENTS:,} events from {SENDERS} senders at once\n")
    print("| what | median | 99th percentile | aim |\n|---|---|---|---|")
    print(f"| Answer to an event of the burst | {_ms(taken, 50)} | {_ms(taken, 99)} | 100 ms |")
    print(f"| Answer to a single event | {_ms(alone, 50)} | {_ms(alone, 99)} | 100 ms |")
    print(f"| All of them stored and embedded | {worked_off:.1f} s | | - |")
    print(f"| A single event, found by a search | {_ms(found, 50)} | {_ms(found, 99)} | 2000 ms |")


def burst(product: Product, link_id: str) -> tuple[list[float], float]:
    """The answer times in seconds, and when the burst began."""
    started = time.perf_counter()

    def deliver(sender_number: int) -> list[float]:
        sender = Sender(product, link_id, "github")
        times = []
        for number in range(sender_number, EVENTS, SENDERS):
            began = time.perf_counter()
            answer = sender.send(event("github", str(number), f"Person {number}"))
            times.append(time.perf_counter() - began)
            assert answer.status_code == 202, answer.text
        return times

    with ThreadPoolExecutor(SENDERS) as pool:
        return [t for times in pool.map(deliver, range(SENDERS)) for t in times], started


def findable(
    product: Product, api: Client, page_id: str, link_id: str, number: int
) -> tuple[float, float]:
    """Seconds from posting an event until it is answered, and until a search gives its record."""
    sender = Sender(product, link_id, "github")
    name = f"Zebulon Unheard {number}"
    began = time.perf_counter()
    assert sender.send(event("github", f"single-{number}", name)).status_code == 202
    answered = time.perf_counter() - began
    until(
        lambda: any(name in hit["text"] for hit in api.search(page_id, name, k=3)),
        f"{name} to be found",
    )
    return answered, time.perf_counter() - began


def _ms(times: Sequence[float], percentile: int) -> str:
    return f"{statistics.quantiles(times, n=100)[percentile - 1] * 1000:.0f} ms"


if __name__ == "__main__":
    main()
