"""Starting the whole product the way ``make run`` and ``make demo`` do."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.product import Client, Product, free_port
from tests.waiting import until


class Started:
    """``python -m core run`` or ``demo``, with what it prints."""

    def __init__(self, folder: Path, command: str, **environment: str) -> None:
        self.product = Product(folder, environment)
        del self.product.environment["ADMIN_PASSWORD"]
        self.process = self.product.start(command, "core", command)
        self.command = command

    @property
    def output(self) -> str:
        return self.product.log(self.command)

    def wait_for(self, words: str, seconds: float = 60) -> None:
        def look() -> bool:
            assert self.process.poll() is None, self.output
            return words in self.output

        until(look, f"“{words}” to be printed", seconds=seconds)

    def client(self) -> Client:
        said = re.search(r"sign in as (\S+) with the password (\S+)", self.output)
        assert said, self.output
        return self.product.sign_in(said[1], said[2])

    def children(self, words: str) -> list[int]:
        listed = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        return [int(line.split()[0]) for line in listed.splitlines() if words in line]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    run = Started(tmp_path, "run")
    yield run
    run.product.stop()


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
def test_run_says_address_and_password_serves_both_and_stops_all(
    started: Started, stop_signal: signal.Signals
) -> None:
    address = f"http://localhost:{started.product.port}"
    started.wait_for(f"CRM desk is at {address}")
    api = started.client()
    until(lambda: api.get("/health").json()["status"] == "ok", "the scheduler")
    assert requests.get(f"{address}/login", timeout=10).status_code == 200
    assert len(started.children("")) == 2
    started.process.send_signal(stop_signal)
    assert started.process.wait(30) == 0
    assert "Stopped." in started.output
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{address}/api/health", timeout=2)


def test_a_process_that_dies_is_said_and_started_again(started: Started) -> None:
    started.wait_for("CRM desk is at")
    (scheduler,) = started.children("core scheduler")
    os.kill(scheduler, signal.SIGKILL)
    started.wait_for("The scheduler process ended (signal SIGKILL); starting it again")
    until(lambda: started.children("core scheduler") not in ([], [scheduler]), "a new scheduler")
    (web,) = started.children("streamlit run")
    os.kill(web, signal.SIGKILL)
    started.wait_for("The web process ended (signal SIGKILL); starting it again")
    api = started.product
    until(lambda: api.run("health").returncode == 0, "the web process to answer again", seconds=60)


def test_a_killed_supervisor_leaves_no_process_behind(started: Started) -> None:
    started.wait_for("CRM desk is at")
    pids = started.children("")
    assert len(pids) == 2
    started.process.kill()
    started.process.wait()

    def is_over(pid: int) -> bool:
        status = Path(f"/proc/{pid}/status")
        try:
            return "\nState:\tZ" in status.read_text()
        except FileNotFoundError:
            return True

    until(lambda: all(is_over(pid) for pid in pids), "all processes to end")


def test_a_taken_port_is_said(started: Started) -> None:
    started.wait_for("CRM desk is at")
    second = started.product.run("run")
    assert second.returncode == 1
    assert f"Port {started.product.port} is in use" in second.stdout


def test_a_second_start_keeps_the_password_to_itself(tmp_path: Path) -> None:
    first = Started(tmp_path, "run")
    first.wait_for("CRM desk is at")
    first.client()
    first.product.stop()
    count = first.output.count("with the password")
    second = Started(tmp_path, "run")
    until(lambda: second.output.count("CRM desk is at") == 2, "the second start")
    assert second.output.count("with the password") == count == 1
    second.product.stop()


def test_demo_shows_a_synced_sample_company(tmp_path: Path) -> None:
    demo = Started(tmp_path, "demo", DEMO_CRM_PORT=str(free_port()))
    try:
        demo.wait_for("CRM desk is at")
        api = demo.client()

        def synced() -> bool:
            pages = api.get("/dashboard/crm-links/all").json()["pages_data"]
            links = [
                link
                for page in pages
                for name in ("facebook_crm_links", "messenger_crm_links")
                for link in page[name]
            ]
            return len(links) == 6 and all(x["sync"]["status"] == "serving" for x in links)

        until(synced, "all four links to be served", seconds=90)
        company = api.get("/dashboard/crm-links/all").json()
        assert company["company_id"] == "company-001"
        names = [(page["page_id"], page["page_name"]) for page in company["pages_data"]]
        assert names[0] == ("123456789", "My Facebook Page")
        assert len(names) == 2
        hits = api.search("123456789", "Can I send my shoes back?")
        assert "Unworn goods can be sent back within 30 days" in hits[0]["text"]
    finally:
        demo.product.stop()
