"""What runs tell: states, steps, changes; and the alerts when a link keeps failing."""

from __future__ import annotations

import json
from typing import Any

from standardwebhooks import Webhook

from tests.conftest import ALERT_SECRET
from tests.product import Client
from tests.servers.crm import Answer, Crm, customers
from tests.waiting import until


def changes_of(api: Client, run: dict[str, Any]) -> list[str]:
    found: list[str] = api.get(f"/dashboard/sync/runs/{run['run_id']}").json()["changes"]
    return found


def test_a_run_says_what_changed_path_by_path(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "cust-123", "name": "Ann", "support_level": "Silver", "tags": ["a", "b"]},
        {"id": "cust-2", "name": "Ben", "phone": "1"},
        {"id": "cust-3", "name": "Cat"},
    ]
    link = api.add_link(page_id, crm.serve(path, {"customers": rows}))
    first = api.ended_run(link["link_id"])
    assert changes_of(api, first) is None
    after = [
        {"id": "cust-4", "name": "Dan"},
        rows[0] | {"support_level": "Gold", "tags": ["a", "c"]},
        {"id": "cust-2", "name": "Ben", "mail": "b@example.com"},
    ]
    crm.serve(path, {"customers": after})
    run = api.sync(link["link_id"])
    assert run["changes_total"] == 6
    assert changes_of(api, run) == [
        "customers[cust-4]: added",
        "customers[cust-123].support_level: Silver → Gold",
        "customers[cust-123].tags[1]: b → c",
        "customers[cust-2].phone: 1 → removed",
        "customers[cust-2].mail: added b@example.com",
        "customers[cust-3]: removed",
    ]


def test_a_run_times_its_steps_and_counts(api: Client, page_id: str, crm: Crm, path: str) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("Ann A", "Ben B")))
    run = api.ended_run(link["link_id"])
    steps = [step["step"] for step in run["steps"]]
    assert steps == ["fetch", "flatten", "compare", "embed", "publish"]
    assert all(step["seconds"] >= 0 for step in run["steps"])
    assert sum(step["seconds"] for step in run["steps"]) <= run["duration_seconds"] + 0.1
    counts = run["counts"]
    assert counts["bytes"] > 0
    assert {name: counts[name] for name in ("records", "pages", "new", "kept", "removed")} == {
        "records": 2, "pages": 1, "new": 2, "kept": 0, "removed": 0,
    }  # fmt: skip


def test_a_link_that_keeps_failing_alerts_once_and_its_recovery_too(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    refused = iter([Answer("later", 503), Answer("later", 500)])
    crm.serve("/alerts", lambda _: next(refused, Answer("taken", content_type="text/plain")))
    link = api.add_link(page_id, crm.serve(path, Answer("no", 401)), name="Broken shop")
    link_id = link["link_id"]

    def told() -> list[dict[str, Any]]:
        bodies = []
        for request in crm.asked("/alerts"):
            body = json.loads(request.body)
            # Other tests' alerts came over the same receiver, long ago perhaps.
            if body["data"].get("link_id") == link_id:
                headers = {name.lower(): value for name, value in request.headers.items()}
                Webhook(ALERT_SECRET).verify(request.body, headers)
                bodies.append(body)
        return bodies

    api.ended_run(link_id)
    assert api.sync(link_id)["state"] == "failed"
    assert api.link(page_id, link_id)["sync"]["status"] == "retrying"
    assert told() == []
    assert api.sync(link_id)["state"] == "failed"
    assert api.link(page_id, link_id)["sync"]["status"] == "failing"
    # The receiver refused twice, and is asked again until it takes the alert.
    until(lambda: len(told()) == 3, "the alert to be taken", seconds=40)
    (alert,) = {json.dumps(body, sort_keys=True): body for body in told()}.values()
    assert alert["type"] == "link.failing"
    assert alert["data"]["link_name"] == "Broken shop"
    assert alert["data"]["failures"] == 3
    assert alert["data"]["error"]["kind"] == "unauthorized"

    api.sync(link_id)
    crm.serve(path, customers("Ann A"))
    assert api.sync(link_id)["state"] == "succeeded"
    until(lambda: told()[-1]["type"] == "link.recovered", "the recovery to be told")
    assert [body["type"] for body in told()].count("link.failing") == 3
    assert api.link(page_id, link_id)["sync"]["status"] == "serving"


def test_metrics_count_runs_and_name_each_links_age(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    def value(name: str) -> float:
        lines = api.get("/metrics").text.splitlines()
        return float(next(x for x in lines if x.startswith(name + " ")).split()[-1])

    succeeded = 'crm_desk_runs_total{state="succeeded"}'
    link = api.add_link(page_id, crm.serve(path + "-0", customers("Ann A")))
    api.ended_run(link["link_id"])
    until(lambda: value(succeeded) >= 1, "the run to be counted")
    before = {
        name: value(name)
        for name in (
            succeeded,
            "crm_desk_records_total",
            "crm_desk_embeddings_total",
            "crm_desk_run_seconds_count",
        )
    }
    link = api.add_link(page_id, crm.serve(path, customers("Metta Q", "Nim R")))
    api.ended_run(link["link_id"])
    until(lambda: value(succeeded) > before[succeeded], "the run to be counted")
    assert value("crm_desk_records_total") >= before["crm_desk_records_total"] + 2
    assert value("crm_desk_embeddings_total") >= before["crm_desk_embeddings_total"] + 2
    assert value("crm_desk_run_seconds_count") >= before["crm_desk_run_seconds_count"] + 1
    assert value('crm_desk_run_seconds_bucket{le="+Inf"}') == value("crm_desk_run_seconds_count")
    labels = f'{{link_id="{link["link_id"]}",page_id="{page_id}"}}'
    assert 0 <= value("crm_desk_seconds_since_good_sync" + labels) < 60
    for name in ("crm_desk_queue_depth", "crm_desk_leases_held", "crm_desk_schedulers"):
        assert value(name) >= 0
    assert "crm_desk_mirror_lag_seconds{" in api.get("/metrics").text
