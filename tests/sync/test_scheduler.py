"""The scheduler as a process: intervals, ``--once``, its heartbeat, and being killed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.product import Client, Product
from tests.servers.crm import Answer, Crm, customers
from tests.sync.inside import Inside
from tests.waiting import until


@pytest.fixture
def own(crm: Crm, tmp_path: Path) -> Iterator[Product]:
    """A product of the test's own, with the web process alone."""
    product = Product(tmp_path, {"CRM_ALLOWED_HOSTS": crm.host})
    product.start("web", "core", "web")
    try:
        until(lambda: is_up(product), "the web process", seconds=60)
        yield product
    finally:
        product.stop()


def is_up(product: Product) -> bool:
    return product.run("health").returncode == 0


def test_a_link_is_synced_again_and_again_at_its_interval(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, customers("John Doe"))
    link = api.add_link(page_id, url, sync_interval_minutes=0.02)
    third = api.ended_run(link["link_id"], 3)
    assert third["trigger"] == "schedule"
    body = {"page_id": page_id, "url": url, "channels": ["messenger"], "is_active": False}
    assert api.put("/dashboard/crm-links/status", body).status_code == 200


def test_one_hanging_link_holds_up_no_other(api: Client, crm: Crm, path: str) -> None:
    gate = threading.Event()
    page_id = api.add_page()
    slow_url = crm.serve(path + "-slow", Answer(customers("Slow"), wait_for=gate))
    slow = api.add_link(page_id, slow_url)
    until(lambda: crm.asked(path + "-slow"), "the slow CRM to be asked")
    failing = api.add_link(page_id, crm.serve(path + "-bad", Answer("no", 401)))
    good = api.add_link(page_id, crm.serve(path + "-good", customers("Quick")))
    assert api.ended_run(failing["link_id"])["state"] == "failed"
    assert api.ended_run(good["link_id"])["state"] == "succeeded"
    assert api.runs(slow["link_id"])[0]["state"] == "running"
    gate.set()
    assert api.ended_run(slow["link_id"])["state"] == "succeeded"


def test_more_crms_may_keep_it_waiting_than_it_has_workers(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    gate = threading.Event()
    hanging = []
    for number in range(8):  # twice SYNC_WORKERS
        url = crm.serve(f"{path}-{number}", Answer(customers(f"Slow {number}"), wait_for=gate))
        hanging.append(api.add_link(page_id, url)["link_id"])
    # One that sends a byte a second keeps a connection busy, and no worker either.
    dripping = crm.serve(path + "-drip", Answer(customers("Drop"), drip=1.0))
    drip_id = api.add_link(page_id, dripping)["link_id"]
    until(
        lambda: all(crm.asked(f"{path}-{number}") for number in range(8)),
        "every one of the slow CRMs to be asked",
    )
    good = api.add_link(page_id, crm.serve(path + "-good", customers("Quick")))
    assert api.ended_run(good["link_id"])["state"] == "succeeded"
    assert {api.runs(link_id)[0]["state"] for link_id in [*hanging, drip_id]} == {"running"}
    gate.set()
    for link_id in hanging:
        assert api.ended_run(link_id)["state"] == "succeeded"


def test_once_syncs_what_is_due_and_says_by_its_exit_code_if_any_failed(
    own: Product, crm: Crm, path: str
) -> None:
    api = own.sign_in()
    page_id = api.add_page()
    health = api.get("/health").json()
    assert (health["status"], health["schedulers"]) == ("degraded", 0)

    good = api.add_link(page_id, crm.serve(path + "-good", customers("John Doe")))
    done = own.run("scheduler", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Stored 1 embeddings from CRM data" in done.stdout
    assert api.runs(good["link_id"])[0]["state"] == "succeeded"

    nothing_due = own.run("scheduler", "--once")
    assert nothing_due.returncode == 0
    assert "Starting CRM data fetch" not in nothing_due.stdout

    api.add_link(page_id, crm.serve(path + "-bad", Answer("no", 401)))
    failed = own.run("scheduler", "--once")
    assert failed.returncode == 1
    assert "Failed to fetch CRM data: 401 Unauthorized" in failed.stdout


def test_a_killed_scheduler_is_noticed_and_its_run_is_made_by_the_next(
    own: Product, crm: Crm, path: str
) -> None:
    api = own.sign_in()
    page_id = api.add_page()
    gate = threading.Event()
    first = own.start("scheduler", "core", "scheduler")
    link = api.add_link(page_id, crm.serve(path, Answer(customers("John Doe"), wait_for=gate)))
    until(lambda: crm.asked(path), "the CRM to be asked")
    first.send_signal(signal.SIGKILL)
    first.wait()
    gate.set()
    until(lambda: api.get("/health").json()["schedulers"] == 0, "the death to be noticed")
    own.start("scheduler", "core", "scheduler")
    second = api.ended_run(link["link_id"], 2, seconds=60)
    assert second["state"] == "succeeded"
    assert api.runs(link["link_id"])[0]["state"] == "interrupted"
    assert len(api.texts(page_id)) == 1


def test_a_stopped_scheduler_ends_soon_and_leaves_no_lease_behind(
    own: Product, crm: Crm, path: str
) -> None:
    api = own.sign_in()
    page_id = api.add_page()
    gate = threading.Event()
    first = own.start("scheduler", "core", "scheduler")
    link = api.add_link(page_id, crm.serve(path, Answer(customers("John Doe"), wait_for=gate)))
    until(lambda: crm.asked(path), "the CRM to be asked")
    first.send_signal(signal.SIGTERM)
    assert first.wait(15) == 0
    assert api.runs(link["link_id"])[0]["state"] == "interrupted"
    gate.set()
    own.start("scheduler", "core", "scheduler")
    assert api.ended_run(link["link_id"], 2, seconds=30)["state"] == "succeeded"


def test_a_run_that_was_taken_before_it_was_noted_is_not_waited_for_for_ever(
    inside: Inside, crm: Crm, path: str
) -> None:
    link = inside.add_link(crm.serve(path, customers("John")))
    assert inside.desk.scheduler().run_once()
    # Whoever asked noted the run only when a scheduler had taken it, and it was over.
    inside.desk.leases.request(link.link.link_id, str(inside.runs(link)[0]["_id"]))
    again = threading.Thread(target=inside.desk.scheduler().run_once, daemon=True)
    again.start()
    again.join(20)
    assert not again.is_alive()
    assert len(inside.runs(link)) == 2
    assert inside.desk.leases.due_count() == 0
