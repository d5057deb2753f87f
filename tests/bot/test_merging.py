"""One customer in several CRMs: one answer, each line with its source."""

from __future__ import annotations

from typing import Any

import pytest

from core.models import Record
from core.text.matching import identities
from tests.product import Client
from tests.servers.crm import Crm
from tests.waiting import until

SHOP = [
    {"id": 1, "name": "Maria Garcia", "email": "maria@example.com", "city": "Madrid"},
    {"id": 2, "name": "John Doe", "email": "john@example.com", "city": "Boston"},
]
SUPPORT = [
    {"id": "s-9", "full_name": "Garcia, Maria", "mail": "MARIA@example.com", "plan": "Gold"},
    {"id": "s-8", "full_name": "Max Muster", "mail": "max@example.com", "plan": "Free"},
]


def ask(api: Client, page_id: str, question: str) -> dict[str, Any]:
    body = {"page_id": page_id, "channel": "messenger", "message": question}
    answer = api.post("/dashboard/rag/reply", body)
    assert answer.status_code == 200, answer.text
    reply: dict[str, Any] = answer.json()
    return reply


def search(api: Client, page_id: str, query: str) -> list[dict[str, Any]]:
    body = {"page_id": page_id, "channel": "messenger", "query": query, "k": 3}
    merged: list[dict[str, Any]] = api.post("/dashboard/rag/search", body).json()["merged"]
    return merged


def add(api: Client, page_id: str, url: str, name: str, **fields: Any) -> dict[str, Any]:
    link = api.add_link(page_id, url, name=name, **fields)
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    return link


def values(merged: list[dict[str, Any]], field: str) -> list[tuple[str, str]]:
    return [(one["value"], one["link_name"]) for one in merged if one["field"] == field]


def test_a_customer_of_two_links_is_one_answer_with_each_lines_source(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    add(api, page_id, crm.serve(f"{path}/shop", {"customers": SHOP}), "Shop")
    add(api, page_id, crm.serve(f"{path}/support", {"people": SUPPORT}), "Support")
    until(lambda: search(api, page_id, "Maria Garcia"), "both to be searchable")
    merged = search(api, page_id, "Maria Garcia")
    assert values(merged, "city") == [("Madrid", "Shop")]
    assert values(merged, "plan") == [("Gold", "Support")]
    # The same address, spelled differently, is no contradiction.
    assert not any(one["contradicts"] for one in merged)
    lines = {one["line"] for one in merged}
    assert {"customers[0].city: Madrid", "people[0].plan: Gold"} <= lines
    reply = ask(api, page_id, "Which plan does Maria Garcia of Madrid have?")
    assert "plan: Gold" in reply["reply"]
    cited = {one["line"]: one["link_name"] for one in reply["citations"]}
    assert cited["people[0].plan: Gold"] == "Support"
    assert all(one["line"] in lines for one in reply["citations"])


def test_values_that_contradict_each_other_are_both_told_the_fresher_first(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    add(api, page_id, crm.serve(f"{path}/shop", {"customers": SHOP}), "Shop")
    moved = [SUPPORT[0] | {"city": "Sevilla", "id": "s-9"}]
    support = add(api, page_id, crm.serve(f"{path}/support", {"people": moved}), "Support")
    until(lambda: search(api, page_id, "Maria Garcia"), "both to be searchable")
    merged = search(api, page_id, "Maria Garcia")
    assert values(merged, "city") == [("Sevilla", "Support"), ("Madrid", "Shop")]
    assert {one["field"] for one in merged if one["contradicts"]} == {"city"}
    reply = ask(api, page_id, "In which city does Maria Garcia live?")["reply"]
    assert reply.index("city: Sevilla (Support)") < reply.index("city: Madrid (Shop)")
    # The other one becomes the fresher one.
    changed = [SHOP[0] | {"city": "Malaga"}, SHOP[1]]
    crm.serve(f"{path}/shop", {"customers": changed})
    shop = api.get("/dashboard/crm-links", page_id=page_id).json()["crm_links"][0]
    assert shop["link_id"] != support["link_id"]
    assert api.sync(shop["link_id"])["state"] == "succeeded"

    def now() -> list[tuple[str, str]]:
        return values(search(api, page_id, "Maria Garcia"), "city")

    until(lambda: now() == [("Malaga", "Shop"), ("Sevilla", "Support")], "the fresher first")


def test_a_declared_key_matches_what_has_no_address_in_common(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    shop = {"customers": [{"id": 1, "name": "Maria Garcia", "number": "K-100"}]}
    erp = {"accounts": [{"uuid": "a", "customer_no": "k-100", "credit": "9000 EUR"}]}
    add(api, page_id, crm.serve(f"{path}/shop", shop), "Shop", match_key="number")
    add(api, page_id, crm.serve(f"{path}/erp", erp), "ERP", match_key="customer_no")
    until(lambda: search(api, page_id, "Maria Garcia"), "both to be searchable")
    assert values(search(api, page_id, "Maria Garcia"), "credit") == [("9000 EUR", "ERP")]


def test_an_address_that_several_share_names_nobody(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    family = [SHOP[0], SHOP[1] | {"email": "maria@example.com"}]
    add(api, page_id, crm.serve(f"{path}/shop", {"customers": family}), "Shop")
    add(api, page_id, crm.serve(f"{path}/support", {"people": SUPPORT}), "Support")
    until(lambda: len(api.search(page_id, "Gold plan")) >= 3, "both to be searchable")
    assert search(api, page_id, "John Doe of Boston") == []


def test_who_shares_an_address_is_not_taken_for_the_other(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    shop = [
        {"id": 1, "name": "Anna Meyer", "email": "meyer@example.com", "phone": "+4930901820"},
        {"id": 2, "name": "Ben Meyer", "email": "meyer@example.com", "phone": "+4930901821"},
    ]
    bens = [{"id": "s", "full_name": "Meyer, B.", "mail": "meyer@example.com", "plan": "Gold"}]
    add(api, page_id, crm.serve(f"{path}/shop", {"customers": shop}), "Shop")
    add(api, page_id, crm.serve(f"{path}/support", {"people": bens}), "Support")
    until(lambda: len(api.search(page_id, "Meyer")) == 3, "both to be searchable")
    assert search(api, page_id, "Anna Meyer") == []
    assert "Gold" not in ask(api, page_id, "Which plan does Anna Meyer have?")["reply"]


def test_another_channels_and_another_pages_link_adds_nothing(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    add(api, page_id, crm.serve(f"{path}/shop", {"customers": SHOP}), "Shop")
    url = crm.serve(f"{path}/support", {"people": SUPPORT})
    add(api, page_id, url, "Support", channels=("facebook",))
    other = api.add_page()
    add(api, other, f"{url}?other=1", "Support elsewhere")
    until(lambda: api.search(page_id, "Maria Garcia"), "it to be searchable")
    assert search(api, page_id, "Maria Garcia") == []
    api.delete_links(other)


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("c[].email: Ann@Example.COM", {"email:ann@example.com"}),
        ("c[].contact.e_mail: a@b.io", {"email:a@b.io"}),
        ("c[].phone: +49 (30) 901820", {"phone:+4930901820"}),
        ("c[].mobilePhone: 0049 30 901820", {"phone:+4930901820"}),
        ("c[].phone: 030 901 820", {"phone:030901820"}),
        ("c[].number: K-1", {"key:k-1"}),
        ("c[].email: [masked: e-mail]", set()),
        ("c[].phone: 110", set()),
        ("c[].friends[0].email: a@b.io", set()),
        ("c[].email_opt_in: true", set()),
        ("c[].number: null", set()),
    ],
)
def test_what_a_customer_is_known_by(line: str, known: set[str]) -> None:
    record = Record("k", "c[0]", "c[]", (line,), ((0, 1),))
    assert identities(record, "number") == known
