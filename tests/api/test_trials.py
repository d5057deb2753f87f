"""Trying a link that is not saved."""

from __future__ import annotations

from typing import Any

from tests.product import Client
from tests.servers.crm import Answer, Crm, customers


def trial(api: Client, page_id: str, url: str, **fields: Any) -> dict[str, Any]:
    body = {"page_id": page_id, "channels": ["messenger"], "name": "Customers", "url": url}
    answer = api.post("/dashboard/crm-links/test", body | fields)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def test_it_says_what_would_be_stored_and_stores_nothing(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    came = trial(api, page_id, crm.serve(path, customers("John Doe", "Jane Roe")))
    assert came["state"] == "done"
    assert (came["status"], came["records"], came["pages"]) == ("200 OK", 2, 1)
    assert came["lines"][:2] == ["customers[0].id: cust-1", "customers[0].name: John Doe"]
    assert (came["total_lines"], came["chunks"], came["new_chunks"]) == (6, 2, 2)
    assert came["tokens"] > 0
    assert came["personal"] == {"email": 2}
    assert came["difference"] is None
    assert api.get("/dashboard/crm-links", page_id=page_id).json()["total"] == 0
    assert api.texts(page_id) == []


def test_a_crm_that_fails_is_an_answer_too(api: Client, page_id: str, crm: Crm, path: str) -> None:
    came = trial(api, page_id, crm.serve(path, Answer("no", 403)))
    assert came["state"] == "failed"
    assert came["error"]["kind"] == "forbidden"
    assert came["error"]["action"]


def test_an_edit_is_compared_with_what_is_served_and_uses_the_stored_key(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, customers("Ann A", "Ben B", "Cat C"))
    link = api.add_link(page_id, url, api_key="secret-key-9")
    api.ended_run(link["link_id"])
    crm.serve(path, customers("Ann X"))
    came = trial(api, page_id, url, link_id=link["link_id"], api_key="***")
    assert came["difference"]["total"] == 3
    assert came["difference"]["would_be_held"] is True
    assert "customers[cust-1].name: Ann A → Ann X" in came["difference"]["lines"]
    assert came["new_chunks"] == 1
    assert crm.asked(path)[-1].headers["Authorization"] == "Bearer secret-key-9"
    assert "secret-key-9" not in str(came)


def test_an_address_that_may_not_be_fetched_is_refused_before_anything_is_asked(
    api: Client, page_id: str
) -> None:
    body = {
        "page_id": page_id,
        "channels": ["messenger"],
        "name": "Inside",
        "url": "https://169.254.169.254/latest/meta-data",
    }
    answer = api.post("/dashboard/crm-links/test", body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "url"
