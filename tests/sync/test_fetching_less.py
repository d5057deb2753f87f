"""Asking only for what changed, and embedding only what is new."""

from __future__ import annotations

from typing import Any

import pytest

from tests.product import Client
from tests.servers.crm import Answer, Crm, Request, customers
from tests.waiting import until

ROWS: dict[str, dict[str, Any]] = {
    f"c-{n}": {"id": f"c-{n}", "name": f"Person {n}", "updated_at": f"2026-01-0{n}T00:00:00Z"}
    for n in range(1, 6)
}


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        ({"ETag": '"v1"'}, ("If-None-Match", '"v1"')),
        (
            {"Last-Modified": "Tue, 03 Nov 2026 10:00:00 GMT"},
            ("If-Modified-Since", "Tue, 03 Nov 2026 10:00:00 GMT"),
        ),
    ],
    ids=["etag", "last-modified"],
)
def test_validators_are_sent_back_and_304_is_a_success_called_unchanged(
    api: Client,
    page_id: str,
    crm: Crm,
    path: str,
    sent: dict[str, str],
    asked: tuple[str, str],
) -> None:
    def answer(request: Request) -> Answer:
        if request.headers.get(asked[0]) == asked[1]:
            return Answer("", 304)
        return Answer(customers("John Doe", "Jane Roe"), headers=sent)

    link = api.add_link(page_id, crm.serve(path, answer))
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    assert asked[0] not in crm.asked(path)[0].headers
    for _ in range(2):
        run = api.sync(link["link_id"])
        assert run["state"] == "unchanged"
        assert "The CRM says that nothing has changed (304)" in [x["text"] for x in run["lines"]]
        assert run["counts"]["documents"] == 2
    assert crm.asked(path)[2].headers[asked[0]] == asked[1]
    assert len(api.texts(page_id)) == 2


def test_a_304_nobody_asked_for_serves_nothing(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, Answer("", 304)))
    run = api.ended_run(link["link_id"])
    assert run["state"] == "failed"


def test_a_changed_answer_after_an_etag_is_taken(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(
        page_id, crm.serve(path, Answer(customers("John Doe"), headers={"ETag": '"1"'}))
    )
    api.ended_run(link["link_id"])
    crm.serve(path, Answer(customers("John Doe", "Jane Roe"), headers={"ETag": '"2"'}))
    run = api.sync(link["link_id"])
    assert (run["state"], run["counts"]["embedded"]) == ("succeeded", 1)


def changed_since(request: Request) -> Answer:
    since = request.query.get("updated_after", "")
    return Answer({"customers": [row for row in ROWS.values() if row["updated_at"] > since]})


def test_increments_are_put_on_top_of_what_is_served(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    rows = dict(ROWS)

    def answer(request: Request) -> Answer:
        since = request.query.get("updated_after", "")
        return Answer({"customers": [row for row in rows.values() if row["updated_at"] > since]})

    incremental = {"param": "updated_after", "field": "updated_at"}
    url = crm.serve(path, answer)
    link = api.add_link(page_id, url, incremental=incremental, sync_interval_minutes=0.02)
    assert api.ended_run(link["link_id"])["counts"]["records"] == 5
    second = api.ended_run(link["link_id"], 2)
    assert (second["state"], second["trigger"]) == ("unchanged", "schedule")
    assert crm.asked(path)[1].query["updated_after"] == "2026-01-05T00:00:00Z"

    rows["c-2"] = {"id": "c-2", "name": "Renamed", "updated_at": "2026-02-01T00:00:00Z"}
    rows["c-9"] = {"id": "c-9", "name": "New one", "updated_at": "2026-02-02T00:00:00Z"}
    found: dict[str, Any] = {}
    for number in range(3, 12):
        found = api.ended_run(link["link_id"], number)
        if found["state"] == "succeeded":
            break
    assert (found["counts"]["records"], found["counts"]["embedded"]) == (6, 2)
    texts = api.texts(page_id)
    assert len(texts) == 6
    assert "customers[1].name: Renamed" in texts[1]
    assert "customers[5].name: New one" in texts[5]

    # Deletions can't be seen by increments; a sync by hand fetches everything.
    del rows["c-1"]
    run = api.sync(link["link_id"])
    assert run["counts"]["records"] == 5
    assert run["counts"]["embedded"] == 0
    assert "updated_after" not in crm.asked(path)[-1].query or run["trigger"] == "manual"
    assert not any("c-1\n" in text for text in api.texts(page_id))


@pytest.mark.parametrize("records", [None, "$.customers[*]"], ids=["found", "selected"])
def test_an_increment_has_its_records_where_the_whole_answer_had_them(
    api: Client, page_id: str, crm: Crm, path: str, records: str | None
) -> None:
    rows = {key: {**row, "orders": [{"no": f"{key}-1"}]} for key, row in ROWS.items()}

    def answer(request: Request) -> Answer:
        since = request.query.get("updated_after", "")
        found = [row for row in rows.values() if row["updated_at"] > since]
        return Answer({"total": len(found), "customers": found})

    incremental = {"param": "updated_after", "field": "updated_at"}
    url = crm.serve(path, answer)
    fields = {"incremental": incremental, "records": records, "sync_interval_minutes": 0.02}
    link = api.add_link(page_id, url, **fields)
    assert api.ended_run(link["link_id"])["counts"]["records"] == 5
    assert api.ended_run(link["link_id"], 2)["state"] == "unchanged"

    # By itself this answer looks like a list of one group of orders.
    orders = [{"no": f"c-2-{number}"} for number in range(1, 31)]
    rows["c-2"] = {**rows["c-2"], "orders": orders, "updated_at": "2026-02-01T00:00:00Z"}
    until(
        lambda: any("customers[1].orders[29].no: c-2-30" in text for text in api.texts(page_id)),
        "the new orders to be served",
    )
    served = api.link(page_id, link["link_id"])["sync"]
    assert (served["records"], served["records_at"]) == (5, "customers[]")


def test_a_record_that_an_increment_has_twice_is_served_once(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    def answer(request: Request) -> Answer:
        if "updated_after" not in request.query:
            return Answer({"customers": list(ROWS.values())})
        # Edited again while the CRM listed what had changed.
        versions = [
            {"id": "c-2", "name": f"Renamed {n}", "updated_at": f"2026-02-0{n}"} for n in (1, 2)
        ]
        other = {"id": "c-4", "name": "Other", "updated_at": "2026-02-01"}
        return Answer({"customers": [versions[0], other, versions[1]]})

    incremental = {"param": "updated_after", "field": "updated_at"}
    url = crm.serve(path, answer)
    link = api.add_link(page_id, url, incremental=incremental, sync_interval_minutes=0.02)
    assert api.ended_run(link["link_id"], 2)["state"] == "succeeded"
    texts = api.texts(page_id)
    assert len(texts) == 5
    assert "customers[1].name: Renamed 2" in texts[1]
    assert "customers[3].name: Other" in texts[3]


def test_everything_is_fetched_again_when_it_is_time(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    incremental = {"param": "updated_after", "field": "updated_at", "full_every_hours": 0.0001}
    url = crm.serve(path, changed_since)
    link = api.add_link(page_id, url, incremental=incremental, sync_interval_minutes=0.02)
    api.ended_run(link["link_id"], 3)
    assert all("updated_after" not in request.query for request in crm.asked(path))


def test_records_without_an_id_that_move_are_not_embedded_again(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    rows = [{"note": f"note number {n}"} for n in range(20)]
    link = api.add_link(page_id, crm.serve(path, {"notes": rows}))
    api.ended_run(link["link_id"])
    crm.serve(path, {"notes": list(reversed(rows))})
    run = api.sync(link["link_id"])
    assert (run["counts"]["embedded"], run["counts"]["kept"]) == (0, 20)
    assert "notes[0].note: note number 19" in api.texts(page_id)


def test_a_declared_id_field_tells_records_apart(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    rows = [{"ref": f"r-{n}", "name": f"Name {n}"} for n in range(3)]
    link = api.add_link(page_id, crm.serve(path, {"rows": rows}), id_field="ref")
    api.ended_run(link["link_id"])
    rows[1]["name"] = "Other"
    crm.serve(path, {"rows": rows})
    run = api.sync(link["link_id"])
    changes = api.get(f"/dashboard/sync/runs/{run['run_id']}").json()["changes"]
    assert changes == ["rows[r-1].name: Name 1 → Other"]
