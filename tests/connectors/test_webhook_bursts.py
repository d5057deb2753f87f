"""A burst of events loses none, whoever is killed meanwhile."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.connectors.test_webhooks import Sender, add, event
from tests.product import Product
from tests.waiting import until

EVENTS = 1000


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Product]:
    running = Product(tmp_path, {"SYNC_INTERVAL_MINUTES": "60"})
    running.start_all()
    yield running
    running.stop()


def test_a_thousand_events_all_count_although_both_processes_are_killed(own: Product) -> None:
    api = own.sign_in()
    page_id = api.add_page()
    link = add(api, page_id, "github")
    acknowledged: set[int] = set()

    def deliver(number: int) -> None:
        """As senders do: again and again, until it is acknowledged."""
        sender = Sender(own, link["link_id"], "github")

        def is_taken() -> bool:
            try:
                # Of ten records each, so that later events change what earlier ones made.
                value = event("github", str(number % 100), f"Version {number // 100}")
                return sender.send(value).status_code == 202
            except requests.RequestException:
                return False

        until(is_taken, f"event {number} to be taken", seconds=120)
        acknowledged.add(number)

    with ThreadPoolExecutor(8) as pool:
        # In rounds: events of one record come one after the other, as from a real sender.
        for start in range(0, EVENTS, 100):
            sending = [pool.submit(deliver, number) for number in range(start, start + 100)]
            if start in (300, 600):
                until(lambda at=start: len(acknowledged) > at + 20, "some of the round")
                for name, command in (("web", "web"), ("scheduler", "scheduler")):
                    own.processes[name].send_signal(signal.SIGKILL)
                    own.processes[name].wait()
                    own.start(name, "core", command)
            for one in sending:
                one.result()
    assert len(acknowledged) == EVENTS

    def is_complete() -> bool:
        texts = "\n".join(api.texts(page_id))
        return texts.count("name: Version 9") == 100

    own.wait_until_ready()
    until(is_complete, "all hundred records in their last version", seconds=120)
