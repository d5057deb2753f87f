"""Many schedulers on one store, clocks that jump, and people who change their mind in mid-run."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from core.errors import Cancelled
from core.links import NewLink
from core.models import Channel
from core.sync import STEPS
from tests.servers.crm import Answer, Crm, Request, customers
from tests.sync.inside import PAGE, Inside
from tests.waiting import until


class Overlaps:
    """Answers slowly, and counts how many requests are under way for a path at once."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._pause = threading.Event()

    def __call__(self, request: Request) -> Answer:
        with self._lock:
            self.now[request.path] += 1
            self.most[request.path] = max(self.most[request.path], self.now[request.path])
        self._pause.wait(0.05)
        with self._lock:
            self.now[request.path] -= 1
            self.answered[request.path] += 1
        return Answer(customers("John Doe", f"Number {self.answered[request.path]}"))


@pytest.mark.parametrize("count", [2, 5, 10])
def test_many_schedulers_never_sync_one_link_twice_at_once(
    inside: Inside, crm: Crm, path: str, count: int
) -> None:
    overlaps = Overlaps()
    paths = [f"{path}-{n}" for n in range(8)]
    for one in paths:
        inside.add_link(crm.serve(one, overlaps), sync_interval_minutes=0.005)
    stop = threading.Event()
    threads = [
        threading.Thread(target=inside.other().desk.scheduler().run_forever, args=(stop,))
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        until(lambda: all(overlaps.answered[x] >= 3 for x in paths), "three syncs of each link")
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert set(overlaps.most.values()) == {1}
    for link in inside.desk.links.of_company("company-001"):
        ended = [run for run in inside.runs(link) if run["finished_at"]]
        spans = sorted(
            (run["started_at"], run["finished_at"]) for run in ended if run["started_at"]
        )
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_a_clock_that_jumps_a_day_causes_no_storm_and_no_starvation(
    inside: Inside, crm: Crm, path: str
) -> None:
    links = [inside.add_link(crm.serve(f"{path}-{n}", customers("John Doe"))) for n in range(3)]

    def runs() -> list[int]:
        return [len(inside.runs(link)) for link in links]

    def sync_due() -> None:
        assert inside.other().desk.scheduler().run_once()

    sync_due()
    assert runs() == [1, 1, 1]
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1)):
        sync_due()
        assert runs() == [2, 2, 2]
        sync_due()
        assert runs() == [2, 2, 2]
    # Back again: what was planned by the wrong clock would only be due tomorrow.
    sync_due()
    assert runs() == [3, 3, 3]
    sync_due()
    assert runs() == [3, 3, 3]


@pytest.mark.parametrize("step", STEPS[: STEPS.index("published")])
def test_a_deletion_in_mid_run_wins(inside: Inside, crm: Crm, path: str, step: str) -> None:
    url = crm.serve(path, customers("John Doe"))
    link = inside.add_link(url)

    def delete(reached: str) -> None:
        if reached == step:
            inside.other().desk.links.delete("company-001", PAGE, url, [Channel.MESSENGER])

    inside.desk.scheduler(delete).run_once()
    assert inside.found() == set()
    assert inside.desk.leases.states([link.link.link_id]) == {}
    # The clean-up is made once more when a run that was under way can write no longer.
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=2)):
        inside.other().desk.scheduler().run_once()
    assert inside.stored(link) == []
    assert inside.desk.links.of_company("company-001") == []


@pytest.mark.parametrize("step", ["fetch", "embed", "publishing"])
def test_a_channel_taken_away_in_mid_run_does_not_answer(
    inside: Inside, crm: Crm, path: str, step: str
) -> None:
    url = crm.serve(path, customers("John Doe"))
    inside.add_link(url)
    same = NewLink("Customers", url)
    inside.desk.links.add("company-001", PAGE, [Channel.FACEBOOK], same)

    def take_away(reached: str) -> None:
        if reached == step:
            inside.other().desk.links.delete("company-001", PAGE, url, [Channel.MESSENGER])

    inside.desk.scheduler(take_away).run_once()
    assert inside.found() == set()
    retriever = inside.desk.retriever
    assert retriever.search("company-001", PAGE, Channel.FACEBOOK, "John", 5).hits
    inside.other().desk.scheduler().run_once()
    (link,) = inside.desk.links.of_company("company-001")
    assert {tuple(document["channels"]) for document in inside.stored(link)} == {("facebook",)}


@pytest.mark.parametrize("step", STEPS[: STEPS.index("publishing")])
def test_a_run_is_cancelled_within_two_seconds_in_every_step(
    inside: Inside, crm: Crm, path: str, step: str
) -> None:
    link = inside.add_link(crm.serve(path, customers("John Doe")))
    asked_at: list[datetime] = []

    def noticed() -> bool:
        return any(
            isinstance(watch.reason, Cancelled) for watch in list(scheduler._worker._watches)
        )

    def cancel(reached: str) -> None:
        if reached == step and not asked_at:
            (run,) = inside.runs(link)
            inside.other().desk.runs.cancel("company-001", run["_id"])
            asked_at.append(datetime.now(UTC))
            until(noticed, "the scheduler to notice")

    scheduler = inside.desk.scheduler(cancel)
    scheduler.run_once()
    (run,) = inside.runs(link)
    assert run["state"] == "cancelled"
    assert run["finished_at"] - asked_at[0].timestamp() < 2
    assert inside.served(link) == inside.found() == set()
