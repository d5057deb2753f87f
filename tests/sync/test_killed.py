"""``kill -9`` at every step of a run leaves the old set or the new one, never a mix."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import portalocker
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


@contextmanager
def struck(inside: Inside, step: str, how: str) -> Iterator[subprocess.Popen[str]]:
    """A real scheduler process that is struck at the step (see tests/sync/dying.py)."""
    environment = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(inside.folder),
        "CRM_ALLOWED_HOSTS": inside.hosts,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "tests.sync.dying", step, how],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_leaves_the_old_set_or_the_new_one_and_the_next_run_converges(
    inside: Inside, crm: Crm, path: str, step: str
) -> None:
    link = inside.add_link(crm.serve(path, OLD))
    assert inside.desk.scheduler().run_once()
    assert inside.served(link) == inside.found() == texts(OLD)

    crm.serve(path, NEW)
    inside.desk.links.sync_now("company-001", link.link.link_id)
    with struck(inside, step, "kill") as process:
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


@pytest.mark.parametrize("value", ["Eve Came", "Cat Gone"], ids=["not served yet", "served"])
@pytest.mark.parametrize("step", ["stored", "listed"])
def test_who_is_erased_is_not_in_what_a_dead_run_has_left(
    inside: Inside, crm: Crm, path: str, step: str, value: str
) -> None:
    link = inside.add_link(crm.serve(path, OLD))
    assert inside.desk.scheduler().run_once()
    crm.serve(path, NEW)
    inside.desk.links.sync_now("company-001", link.link.link_id)
    with struck(inside, step, "kill") as process:
        process.communicate(timeout=60)
    left = {document["text"] for document in inside.stored(link)}
    assert any("Eve Came" in text for text in left)

    with time_machine.travel(datetime.now(UTC) + LEASE_OVER):
        erasures = inside.desk.erasures
        erasure_id = erasures.request("company-001", value, "ops")
        erasures.work_off("whoever")
        assert erasures.get("company-001", erasure_id)["state"] == "done"
    served = {text for text in texts(OLD) if value not in text}
    assert {text.split(": ")[-1] for text in inside.served(link)} == {
        text.split(": ")[-1] for text in served
    }
    assert len(inside.stored(link)) == len(served)
    live = inside.desk.leases.states([link.link.link_id])[link.link.link_id]["live_generation"]
    parts = inside.desk.database["link_contents"].find({"link_id": link.link.link_id})
    assert {part["generation"] for part in parts} == {live}


def test_a_holder_that_stalled_past_its_lease_can_not_publish(
    inside: Inside, crm: Crm, path: str
) -> None:
    link = inside.add_link(crm.serve(path, OLD))
    assert inside.desk.scheduler().run_once()
    crm.serve(path, NEW)
    inside.desk.links.sync_now("company-001", link.link.link_id)
    with struck(inside, "publishing", "stall") as process:
        assert process.stdout
        until(lambda: "reached publishing" in str(process.stdout.readline()), "the step")
        freeze(process, inside.folder)
        assert inside.served(link) == texts(OLD)

        latest = customers("Zoe Last", "Ben Stays")
        crm.serve(path, latest)
        with time_machine.travel(datetime.now(UTC) + LEASE_OVER):
            assert inside.other().desk.scheduler().run_once()
        assert inside.served(link) == texts(latest)

        process.send_signal(signal.SIGCONT)
        output, _ = process.communicate("go on\n", timeout=60)
        assert process.returncode == 0, output
    for observer in (inside, inside.other()):
        assert observer.served(link) == observer.found() == texts(latest)


def freeze(process: subprocess.Popen[str], data_dir: Path) -> None:
    """Stop the process, at a moment when it does not hold the embedded store's write lock.

    With it, everybody would wait for the frozen process: that is the store's nature, not a run's.
    """
    status = Path(f"/proc/{process.pid}/status")
    with portalocker.Lock(data_dir / "store" / ".tinymongo.lock", timeout=30):
        process.send_signal(signal.SIGSTOP)
        until(lambda: "\nState:\tT" in status.read_text(), "the process to stand still")
