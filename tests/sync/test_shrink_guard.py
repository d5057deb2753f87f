"""An answer that takes most away is held, and a person decides."""

from __future__ import annotations

from typing import Any

import pytest

from tests.product import Client
from tests.servers.crm import Answer, Crm, customers

FOUR = customers("Ann A", "Ben B", "Cat C", "Dan D")


def held(
    api: Client, page_id: str, crm: Crm, path: str, answer: Answer, **fields: Any
) -> tuple[str, dict[str, Any]]:
    link = api.add_link(page_id, crm.serve(path, FOUR), **fields)
    api.ended_run(link["link_id"])
    crm.serve(path, answer)
    return link["link_id"], api.sync(link["link_id"])


@pytest.mark.parametrize(
    "answer",
    [
        Answer(""),
        Answer("", 204),
        Answer("null"),
        Answer("[]"),
        Answer('{"customers": []}'),
        Answer(customers("Ann A")),
    ],
    ids=["nothing", "204", "null", "[]", "no records", "a quarter"],
)
def test_it_keeps_serving_when_most_is_gone(
    api: Client, page_id: str, crm: Crm, path: str, answer: Answer
) -> None:
    link_id, run = held(api, page_id, crm, path, answer)
    assert run["state"] == "held"
    assert "4 are served" in run["error"]["message"]
    assert "approve" in run["error"]["action"]
    assert len(api.texts(page_id)) == 4
    assert len(api.search(page_id, "Ann", k=50)) == 4
    assert api.link(page_id, link_id)["sync"]["status"] == "held"


@pytest.mark.parametrize(
    ("answer", "left"), [(Answer(customers("Ann A")), 1), (Answer(""), 0), (Answer("", 204), 0)]
)
def test_an_approved_answer_is_published(
    api: Client, page_id: str, crm: Crm, path: str, answer: Answer, left: int
) -> None:
    link_id, run = held(api, page_id, crm, path, answer)
    approved = api.post(f"/dashboard/sync/runs/{run['run_id']}/approve", {})
    assert approved.status_code == 202
    after = api.ended_run(link_id, 3)
    assert after["run_id"] == approved.json()["run_id"]
    assert (after["state"], after["trigger"]) == ("succeeded", "approved")
    assert len(api.texts(page_id)) == left
    assert len(api.search(page_id, "Ann", k=50)) == left
    assert api.link(page_id, link_id)["sync"]["status"] == "serving"
    decision = api.get(f"/dashboard/sync/runs/{run['run_id']}").json()["decision"]
    assert (decision["decision"], decision["by"]) == ("approved", "admin")
    again = api.post(f"/dashboard/sync/runs/{run['run_id']}/approve", {})
    assert again.status_code == 409


def test_an_approval_does_not_cover_a_still_smaller_answer(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link_id, run = held(api, page_id, crm, path, Answer(customers("Ann A")))
    crm.serve(path, {"customers": []})
    api.post(f"/dashboard/sync/runs/{run['run_id']}/approve", {})
    assert api.ended_run(link_id, 3)["state"] == "held"
    assert len(api.texts(page_id)) == 4


def test_a_rejected_answer_leaves_what_is_served(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link_id, run = held(api, page_id, crm, path, Answer(customers("Ann A")))
    rejected = api.post(f"/dashboard/sync/runs/{run['run_id']}/reject", {})
    assert rejected.status_code == 200
    assert rejected.json()["decision"]["decision"] == "rejected"
    assert len(api.texts(page_id)) == 4
    assert api.link(page_id, link_id)["sync"]["status"] == "serving"
    assert api.post(f"/dashboard/sync/runs/{run['run_id']}/approve", {}).status_code == 409


def test_only_the_newest_held_run_can_be_decided(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link_id, run = held(api, page_id, crm, path, Answer(customers("Ann A")))
    api.sync(link_id)
    assert api.post(f"/dashboard/sync/runs/{run['run_id']}/approve", {}).status_code == 409


@pytest.mark.parametrize(
    ("threshold", "names", "state"),
    [
        (0.9, ("Ann A", "Ben B", "Cat C"), "held"),
        (0.7, ("Ann A", "Ben B", "Cat C"), "succeeded"),
        (0.2, ("Ann A",), "succeeded"),
        (0, (), "held"),
        (None, ("Ann A", "Ben B"), "succeeded"),
    ],
)
def test_the_threshold_is_the_links_own(
    api: Client,
    page_id: str,
    crm: Crm,
    path: str,
    threshold: float | None,
    names: tuple[str, ...],
    state: str,
) -> None:
    answer = Answer(customers(*names))
    _, run = held(api, page_id, crm, path, answer, shrink_threshold=threshold)
    assert run["state"] == state


def test_what_is_not_held_can_not_be_decided(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, FOUR))
    run = api.ended_run(link["link_id"])
    for decision in ("approve", "reject"):
        assert api.post(f"/dashboard/sync/runs/{run['run_id']}/{decision}", {}).status_code == 409
        assert api.post(f"/dashboard/sync/runs/run-none/{decision}", {}).status_code == 404
