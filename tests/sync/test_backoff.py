"""Backing off: as long as the CRM asks, never for ever, and never in a tight loop."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.connectors.backoff import (
    FIRST_WAIT,
    LONGEST_WAIT,
    exhausted_for,
    retry_after,
    wait_seconds,
)
from core.errors import RateLimited, ServerFailed
from core.vectors.embed import Embedder
from tests.product import Client
from tests.servers.crm import Answer, Crm, Request, customers
from tests.sync.inside import Inside
from tests.waiting import until


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("value", ["1", "0", "date", "past", "junk", "-5", "1.5", ""])
def test_a_short_pause_is_waited_for_within_the_run(
    api: Client, page_id: str, crm: Crm, path: str, status: int, value: str
) -> None:
    sent = {"date": in_seconds(1), "past": in_seconds(-3600)}.get(value, value)
    times: list[datetime] = []

    def answer(_: Request) -> Answer:
        times.append(datetime.now(UTC))
        if len(times) == 1:
            return Answer("slow down", status, {"Retry-After": sent})
        return Answer(customers("John Doe"))

    link = api.add_link(page_id, crm.serve(path, answer, host=crm.own_host()))
    run = api.ended_run(link["link_id"])
    assert run["state"] == "succeeded"
    assert run["counts"]["retries"] == 1
    waited = (times[1] - times[0]).total_seconds()
    assert waited >= (1.0 if value == "1" else FIRST_WAIT / 2)


@pytest.mark.parametrize("value", ["120", "99999999999", "date"])
def test_a_long_pause_reschedules_the_link_instead_of_holding_a_worker(
    api: Client, page_id: str, crm: Crm, path: str, value: str
) -> None:
    sent = in_seconds(3600) if value == "date" else value
    url = crm.serve(path, Answer("no", 429, {"Retry-After": sent}), host=crm.own_host())
    link = api.add_link(page_id, url)
    run = api.ended_run(link["link_id"], seconds=10)
    assert (run["state"], run["error"]["kind"]) == ("failed", "rate_limited")
    assert len(crm.asked(path)) == 1
    retry_in = (datetime.fromisoformat(run["retry_at"]) - datetime.now(UTC)).total_seconds()
    wanted = {"120": 120, "99999999999": 24 * 3600, "date": 3600}[value]
    assert wanted - 30 < retry_in <= wanted + 5


def test_one_links_pause_holds_for_all_links_of_the_host(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    host = crm.own_host()
    first = crm.serve(path + "-1", Answer("no", 429, {"Retry-After": "600"}), host=host)
    link = api.add_link(page_id, first)
    api.ended_run(link["link_id"])
    second = api.add_link(page_id, crm.serve(path + "-2", customers("Jane"), host=host))
    run = api.ended_run(second["link_id"])
    assert (run["state"], run["error"]["kind"]) == ("failed", "rate_limited")
    assert "asked to be left alone" in run["error"]["message"]
    assert crm.asked(path + "-2") == []
    other = api.add_link(page_id, crm.serve(path + "-3", customers("Max"), host=crm.own_host()))
    assert api.ended_run(other["link_id"])["state"] == "succeeded"


def test_an_allowance_that_is_used_up_pauses_before_the_next_page(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    times: list[datetime] = []

    def answer(request: Request) -> Answer:
        times.append(datetime.now(UTC))
        start = int(request.query.get("after", "0"))
        spent = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2"}
        more = {"paging": {"next": {"after": "1"}}} if not start else {}
        return Answer({"results": [{"id": start}]} | more, headers={} if start else spent)

    link = api.add_link(page_id, crm.serve(path, answer, host=crm.own_host()))
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    assert (times[1] - times[0]).total_seconds() > 1.5


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 422])
def test_other_4xx_are_not_tried_again(
    api: Client, page_id: str, crm: Crm, path: str, status: int
) -> None:
    link = api.add_link(page_id, crm.serve(path, Answer("no", status)))
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["error"]["permanent"]) == ("failed", True)
    assert len(crm.asked(path)) == 1


def test_a_wait_is_cancelled_at_once(api: Client, page_id: str, crm: Crm, path: str) -> None:
    url = crm.serve(path, Answer("no", 429, {"Retry-After": "50"}), host=crm.own_host())
    link = api.add_link(page_id, url)
    run_id = until(
        lambda: [
            run["run_id"]
            for run in api.runs(link["link_id"])
            if any("Trying again" in line["text"] for line in run["lines"])
        ],
        "the run to wait",
    )[0]
    api.post(f"/dashboard/sync/runs/{run_id}/cancel", {})
    assert api.ended_run(link["link_id"], seconds=2.5)["state"] == "cancelled"


@pytest.mark.parametrize("flaw", ["a byte a second", "silence", "endless waits"])
def test_a_fetch_ends_in_time_whatever_the_crm_does(
    tmp_path: Path, crm: Crm, embedder: Embedder, path: str, flaw: str
) -> None:
    answer = {
        "a byte a second": Answer(b"x" * 1000, content_type="text/plain", drip=0.2),
        "silence": Answer(customers("John"), wait_for=threading.Event()),
        "endless waits": Answer("busy", 429, {"Retry-After": "20"}),
    }[flaw]
    settings = {"fetch_timeout_seconds": 1.5}
    inside = Inside(tmp_path / "data", crm.hosts, embedder, settings)
    link = inside.add_link(crm.serve(path, answer, host=crm.own_host()))
    assert not inside.desk.scheduler().run_once()
    (run,) = inside.runs(link)
    assert (run["state"], run["error"]["kind"]) == ("failed", "timeout")
    assert "took too long" in run["error"]["message"]
    assert run["finished_at"] - run["started_at"] < 4
    assert crm.asked(path)


@given(st.integers(1, 10), st.none() | st.floats(0, 60))
def test_waits_are_bounded_and_never_nothing(attempt: int, asked: float | None) -> None:
    for error in (ServerFailed("500"), RateLimited("429", retry_after=asked)):
        seconds = wait_seconds(error, attempt)
        assert FIRST_WAIT / 2 <= seconds <= LONGEST_WAIT
        if isinstance(error, RateLimited) and asked:
            assert seconds >= asked


@pytest.mark.parametrize("prefix", ["ratelimit-", "x-ratelimit-", "x-rate-limit-"])
def test_a_used_up_allowance_is_read_in_seconds_and_as_a_moment(prefix: str) -> None:
    now = datetime.now(UTC).timestamp()
    cases = [("0", "30", 30.0), ("0", str(now + 30), 30.0), ("0", str(now - 99), 0.0)]
    for remaining, reset, expected in cases:
        found = exhausted_for({prefix + "remaining": remaining, prefix + "reset": reset})
        assert found == pytest.approx(expected, abs=5)
    assert exhausted_for({prefix + "remaining": "3", prefix + "reset": "30"}) is None


@given(st.text(max_size=40))
def test_junk_in_retry_after_is_no_number(value: str) -> None:
    found = retry_after({"retry-after": value})
    assert found is None or found >= 0


@given(st.text(max_size=20), st.text(max_size=20))
def test_junk_in_rate_limit_headers_is_no_pause(remaining: str, reset: str) -> None:
    found = exhausted_for({"ratelimit-remaining": remaining, "ratelimit-reset": reset})
    assert found is None or found >= 0
