"""Steps, rules and the watch on fields, in runs and in tests of a link."""

from __future__ import annotations

from typing import Any

from tests.product import Client
from tests.servers.crm import Crm
from tests.waiting import until

PEOPLE: list[dict[str, Any]] = [
    {"id": "c-1", "first": "John", "last": "Doe", "cents": 1999, "state": "active", "fax": ""},
    {"id": "c-2", "first": "Jane", "last": "Roe", "cents": 500, "state": "active", "fax": ""},
    {"id": "c-3", "first": "Max", "last": "Old", "cents": 0, "state": "closed", "fax": ""},
]
STEPS = [
    {"do": "filter", "field": "state", "condition": "equals", "value": "active"},
    {"do": "compute", "field": "name", "template": "{first} {last}"},
    {"do": "format_number", "field": "cents", "divide_by": 100},
    {"do": "rename", "field": "cents", "to": "balance"},
    {"do": "choose", "fields": ["id", "name", "balance"]},
]


def test_the_steps_of_a_link_make_the_text_that_is_stored(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, {"customers": PEOPLE}), transform=STEPS)
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["counts"]["records"]) == ("succeeded", 2)
    assert sorted("\n".join(api.texts(page_id)).splitlines()) == sorted(
        [
            "customers[0].id: c-1",
            "customers[0].name: John Doe",
            "customers[0].balance: 19.99",
            "customers[1].id: c-2",
            "customers[1].name: Jane Roe",
            "customers[1].balance: 5.00",
        ]
    )
    lines = api.get(f"/dashboard/sync/runs/{run['run_id']}").json()["lines"]
    assert any("Filtered out 1 records" in line["text"] for line in lines)
    assert link["transform"] == STEPS


def test_a_test_of_a_link_shows_what_the_steps_and_rules_do(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    body = {
        "page_id": page_id,
        "channels": ["messenger"],
        "name": "x",
        "url": crm.serve(path, {"customers": PEOPLE}),
        "transform": STEPS,
        "validation": {"ranges": {"balance": {"min": 10}}, "max_bad_share": 1},
    }
    answer = api.post("/dashboard/crm-links/test", body)
    assert answer.status_code == 200, answer.text
    result = answer.json()
    assert result["lines"][:3] == [
        "customers[0].id: c-1",
        "customers[0].name: John Doe",
        "customers[0].balance: 19.99",
    ]
    assert result["set_aside_lines"] == ["Record 2: balance is below 10"]


def test_records_that_break_a_rule_are_set_aside_and_listed(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    rules = {"required": ["first"], "ranges": {"cents": {"min": 1}}, "max_bad_share": 0.5}
    url = crm.serve(path, {"customers": PEOPLE})
    link = api.add_link(page_id, url, validation=rules)
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["counts"]["records"], run["counts"]["set_aside"]) == (
        "succeeded",
        2,
        1,
    )
    assert run["set_aside"] == ["Record 3: cents is below 1"]
    assert "Max" not in "\n".join(api.texts(page_id))


def test_too_many_of_them_fail_the_run_and_what_is_served_stays(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    url = crm.serve(path, {"customers": PEOPLE})
    link = api.add_link(page_id, url, validation={"required": ["first"], "max_bad_share": 0.3})
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    broken = [PEOPLE[0], PEOPLE[1] | {"first": None}, PEOPLE[2] | {"first": None}]
    crm.serve(path, {"customers": broken})
    run = api.sync(link["link_id"])
    assert (run["state"], run["error"]["kind"]) == ("failed", "invalid")
    assert "2 of 3 records" in run["error"]["message"]
    assert "Jane" in "\n".join(api.texts(page_id))


def test_fields_that_came_and_went_are_told_with_the_run(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, {"customers": PEOPLE}))
    first = api.ended_run(link["link_id"])
    assert first["field_changes"] == []
    changed = [
        {k: v for k, v in person.items() if k != "fax"} | {"cents": "none", "mail": "x"}
        for person in PEOPLE
    ]
    crm.serve(path, {"customers": changed})
    run = api.sync(link["link_id"])
    assert run["field_changes"] == [
        "new field: customers[].mail (text)",
        "gone: customers[].fax (text)",
        "another type: customers[].cents (number → text)",
    ]
    assert api.sync(link["link_id"])["field_changes"] == []


def test_changing_the_steps_brings_the_text_in_line_though_the_crm_says_nothing_changed(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, {"customers": PEOPLE}))
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    body = {
        "page_id": page_id,
        "channels": ["messenger"],
        "name": "Customers",
        "url": link["url"],
        "revision": link["revision"],
        "transform": [{"do": "choose", "fields": ["id", "first"]}],
    }
    answer = api.put(f"/dashboard/crm-links/{link['link_id']}", body)
    assert answer.status_code == 200, answer.text
    until(lambda: "cents" not in "\n".join(api.texts(page_id)), "the fields to go")
    assert "John" in "\n".join(api.texts(page_id))
