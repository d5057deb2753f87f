"""``kill -9`` at every step of a run leaves the old set or the new one, never a mix."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from core.sync import STEPS
from core.vectors.documents import FOREVER
from tests.product import ROOT
from tests.servers.crm import Crm, customers
from tests.sync.inside import Inside
from tests.waiting import until

OLD = customers("Ann Old", "Ben Stays", "Cat Gone")
NEW = customers("Ann New", "Ben Stays", "Dan Came", "Eve Came")
LEASE_OVER = timedelta(seconds=30)


def texts(answer: dict[str, list[dict[str, str]]]) -> set[str]:
    return {
        "\n".join(f"customers[{n}].{name}: {value}" for name, value in row.items())
        for n, row in enumerate(answer["customers"])
    }


def strike(inside: Inside, step: str, number: signal.Signals) -> subprocess.Popen[str]:
    """Start a real scheduler process that gets the signal at the step."""
    environment = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(inside.folder),
        "CRM_ALLOWED_HOSTS": inside.hosts,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.sync.dying", step, number.name],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_leaves_the_old_set_or_the_new_one_and_the_next_run_converges(
    inside: Inside, crm: Crm, path: str, step: str
) -> None:
    link = inside.add_link(crm.serve(path, OLD))
    assert inside.desk.scheduler().run_once()
    assert inside.served(link) == inside.found() == texts(OLD)

    crm.serve(path, NEW)
    inside.desk.links.sync_now("company-001", link.link.link_id)
    process = strike(inside, step, signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, output

    expected = texts(NEW) if step in ("published", "cleaned") else texts(OLD)
    for observer in (inside, inside.other()):
        assert observer.served(link) == expected
        assert observer.found() == expected

    # The lease of the dead runs out, and whoever comes next puts everything right.
    with time_machine.travel(datetime.now(UTC) + LEASE_OVER):
        assert inside.other().desk.scheduler().run_once()
        assert inside.served(link) == inside.found() == texts(NEW)
        stored = inside.stored(link)
        assert len(stored) == 4
        assert {document["valid_to"] for document in stored} == {FOREVER}
        assert [run["state"] for run in inside.runs(link)][1] == "interrupted"
        links = inside.desk.links.of_company("company-001")
        assert inside.desk.mirror.check(links) == []


def test_a_holder_that_stalled_past_its_lease_can_not_publish(
    inside: Inside, crm: Crm, path: str
) -> None:
    link = inside.add_link(crm.serve(path, OLD))
    assert inside.desk.scheduler().run_once()
    crm.serve(path, NEW)
    inside.desk.links.sync_now("company-001", link.link.link_id)
    process = strike(inside, "publishing", signal.SIGSTOP)
    status = Path(f"/proc/{process.pid}/status")
    until(lambda: "\nState:\tT" in status.read_text(), "the scheduler to stall", seconds=60)
    assert inside.served(link) == texts(OLD)

    latest = customers("Zoe Last", "Ben Stays")
    crm.serve(path, latest)
    with time_machine.travel(datetime.now(UTC) + LEASE_OVER):
        assert inside.other().desk.scheduler().run_once()
    assert inside.served(link) == texts(latest)

    process.send_signal(signal.SIGCONT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    for observer in (inside, inside.other()):
        assert observer.served(link) == observer.found() == texts(latest)
