"""GraphQL links: every page of the list, and no error passes for an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.product import Client
from tests.servers.crm import Answer, Crm, Request

PEOPLE = [{"id": f"c-{n}", "name": f"Person {n}"} for n in range(25)]
QUERY = """
query ($after: String, $first: Int) {
  customers(first: $first, after: $after) {
    nodes { id name }
    pageInfo { hasNextPage endCursor }
  }
}
"""


def relay(request: Request) -> Answer:
    asked = json.loads(request.body)
    size = asked["variables"].get("first") or 10
    start = int(asked["variables"].get("after") or 0)
    more = start + size < len(PEOPLE)
    info = {"hasNextPage": more, "endCursor": str(start + size) if more else None}
    nodes = PEOPLE[start : start + size]
    return Answer({"data": {"customers": {"nodes": nodes, "pageInfo": info}}})


def add(api: Client, page_id: str, url: str, query: str = QUERY, **options: Any) -> dict[str, Any]:
    return api.add_link(
        page_id, url, type="graphql", api_key="key-1", options={"query": query} | options
    )


def test_it_follows_the_cursor_to_the_last_page(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    link = add(api, page_id, crm.serve(path, relay), variables={"first": 10})
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["counts"]["records"], run["counts"]["pages"]) == ("succeeded", 25, 3)
    assert {request.method for request in crm.asked(path)} == {"POST"}
    assert {request.headers["Authorization"] for request in crm.asked(path)} == {"Bearer key-1"}
    assert any("Person 24" in text for text in api.texts(page_id))
    assert "data.customers.nodes[0].name: Person 0" in "\n".join(api.texts(page_id))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"errors": [{"message": "Field 'nme' doesn't exist"}]}, "Field 'nme' doesn't exist"),
        (
            {"errors": [{"message": "Timeout"}], "data": {"customers": {"nodes": PEOPLE}}},
            "Some data came along, which is not used",
        ),
        ({"errors": []}, "it has no data"),
        ({"data": None}, "it has no data"),
        ([], "it has no data"),
    ],
)
def test_an_error_in_an_answer_that_says_200_is_a_failure(
    api: Client, crm: Crm, page_id: str, path: str, answer: Any, words: str
) -> None:
    link = add(api, page_id, crm.serve(path, answer))
    run = api.ended_run(link["link_id"])
    assert run["state"] == "failed"
    assert words in run["error"]["message"]
    assert api.texts(page_id) == []


def test_an_error_on_a_later_page_keeps_what_was_served(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    link = add(api, page_id, crm.serve(path, relay), variables={"first": 10})
    assert api.ended_run(link["link_id"])["state"] == "succeeded"

    def failing(request: Request) -> Answer:
        if json.loads(request.body)["variables"].get("after"):
            return Answer({"errors": [{"message": "Throttled"}]})
        return relay(request)

    crm.serve(path, failing)
    run = api.sync(link["link_id"])
    assert (run["state"], run["error"]["kind"]) == ("failed", "query")
    assert any("Person 24" in text for text in api.texts(page_id))


@pytest.mark.parametrize(
    ("info", "query", "words"),
    [
        ({"hasNextPage": True, "endCursor": "same"}, QUERY, "cursor repeats"),
        ({"hasNextPage": True, "endCursor": None}, QUERY, "no endCursor"),
        ({"hasNextPage": True, "endCursor": "x"}, "{ customers { id } }", "does not take $after"),
    ],
)
def test_a_cursor_that_leads_nowhere_is_a_failure(
    api: Client, crm: Crm, page_id: str, path: str, info: Any, query: str, words: str
) -> None:
    number = iter(range(1000))

    def answer(_: Request) -> Answer:
        nodes = [{"id": f"c-{next(number)}"}]
        return Answer({"data": {"customers": {"nodes": nodes, "pageInfo": info}}})

    link = add(api, page_id, crm.serve(path, answer), query=query)
    run = api.ended_run(link["link_id"])
    assert run["state"] == "failed"
    assert words in run["error"]["message"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("query { customers { id }", "is not GraphQL"),
        ("mutation { deleteAll }", "must be one query"),
        ("query A { a } query B { b }", "must be one query"),
        ("", "options.query"),
    ],
)
def test_what_is_no_query_is_refused_as_it_is_entered(
    api: Client, crm: Crm, page_id: str, path: str, query: str, words: str
) -> None:
    body = {
        "page_id": page_id,
        "channels": ["messenger"],
        "name": "x",
        "url": crm.serve(path, relay),
        "type": "graphql",
        "options": {"query": query},
    }
    answer = api.post("/dashboard/crm-links", body)
    assert answer.status_code == 422
    assert words in answer.text
    assert crm.asked(path) == []


def test_an_address_inside_the_network_is_refused(api: Client, page_id: str) -> None:
    body = {
        "page_id": page_id,
        "channels": ["messenger"],
        "name": "x",
        "url": "https://[::ffff:10.0.0.1]/graphql",
        "type": "graphql",
        "options": {"query": QUERY},
    }
    answer = api.post("/dashboard/crm-links", body)
    assert answer.status_code == 422
    assert "url" in answer.text
