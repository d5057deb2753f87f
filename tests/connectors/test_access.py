"""How a REST API link says who asks."""

from __future__ import annotations

import base64

import pytest

from tests.product import Client
from tests.servers.crm import Answer, Crm, Request, customers


def test_a_bearer_token_and_own_headers_go_together(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    url = crm.serve(path, customers("John"))
    link = api.add_link(page_id, url, api_key="key-1", headers={"X-Tenant": "seven"})
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    sent = crm.asked(path)[0].headers
    assert (sent["Authorization"], sent["X-Tenant"]) == ("Bearer key-1", "seven")


def test_basic_sends_user_and_key(api: Client, crm: Crm, page_id: str, path: str) -> None:
    url = crm.serve(path, customers("John"))
    options = {"auth": "basic", "username": "jürgen"}
    link = api.add_link(page_id, url, api_key="key:2", options=options)
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    sent = crm.asked(path)[0].headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == "jürgen:key:2"
    assert link["options"] == options


def test_a_key_in_the_query_is_on_every_page_and_in_no_answer_of_ours(
    api: Client, crm: Crm, page_id: str, path: str
) -> None:
    def two_pages(request: Request) -> Answer:
        if request.query.get("page") == "2":
            return Answer({"customers": [{"id": "c-2", "name": "Jane"}]})
        following = f"http://{request.headers['Host']}{request.path}?page=2&api_key=forged"
        return Answer(
            {"customers": [{"id": "c-1", "name": "John"}]},
            headers={"Link": f'<{following}>; rel="next"'},
        )

    url = crm.serve(path, two_pages)
    options = {"auth": "query", "key_param": "api_key"}
    link = api.add_link(page_id, url, api_key="canary-in-query", options=options)
    run = api.ended_run(link["link_id"])
    assert run["state"] == "succeeded"
    assert [request.query["api_key"] for request in crm.asked(path)] == ["canary-in-query"] * 2
    whole = api.get(f"/dashboard/sync/runs/{run['run_id']}").text
    assert "canary-in-query" not in whole + api.get("/dashboard/crm-links/all").text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"auth": "basic"}, "basic needs username"),
        ({"auth": "query"}, "query needs key_param"),
        ({"auth": "oauth2", "client_id": "x"}, "oauth2 needs token_url"),
        ({"auth": "kerberos"}, "options.auth"),
        ({"no_such_option": 1}, "options.no_such_option"),
    ],
)
def test_an_option_that_can_not_work_is_named(
    api: Client, page_id: str, options: dict[str, object], words: str
) -> None:
    body = {
        "page_id": page_id,
        "channels": ["messenger"],
        "name": "x",
        "url": "https://crm.example.com/x",
        "options": options,
    }
    answer = api.post("/dashboard/crm-links", body)
    assert answer.status_code == 422
    assert words in answer.text
    assert api.get("/dashboard/crm-links", page_id=page_id).json()["total"] == 0
