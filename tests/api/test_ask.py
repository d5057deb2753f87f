"""The reply, its citations, and saved questions."""

from __future__ import annotations

from typing import Any

from tests.product import Client
from tests.servers.crm import Crm, customers


def ask(api: Client, page_id: str, message: str) -> dict[str, Any]:
    body = {"page_id": page_id, "channel": "messenger", "message": message}
    answer = api.post("/dashboard/rag/reply", body)
    assert answer.status_code == 200, answer.text
    reply: dict[str, Any] = answer.json()
    return reply


def test_a_reply_quotes_lines_and_says_where_they_stand(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe", "Jane Roe")), name="Shop")
    api.ended_run(link["link_id"])
    reply = ask(api, page_id, "What is the e-mail address of Jane Roe?")
    assert reply["known"] is True
    assert "email: jane@example.com [" in reply["reply"]
    cited = {one["line"]: one for one in reply["citations"]}
    line = cited["customers[1].email: jane@example.com"]
    assert (line["link_id"], line["path"]) == (link["link_id"], "customers[1]")
    texts = [hit["text"] for hit in reply["context"]]
    assert all(any(one["line"] in text for text in texts) for one in reply["citations"])


def test_it_says_that_it_does_not_know(api: Client, page_id: str, crm: Crm, path: str) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe")))
    api.ended_run(link["link_id"])
    reply = ask(api, page_id, "How do I bake sourdough bread?")
    assert reply["known"] is False
    assert reply["reply"].startswith("I don't know")
    assert reply["citations"] == []


def test_nothing_is_known_where_no_link_feeds_the_channel(api: Client, page_id: str) -> None:
    assert ask(api, page_id, "Who is John?")["context"] == []


def test_saved_questions_say_what_changed_since_they_were_asked_last(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe", "Jane Roe")))
    api.ended_run(link["link_id"])
    asked = {"page_id": page_id, "channel": "messenger"}
    body = asked | {"question": "What is John's e-mail?"}
    saved = api.post("/dashboard/questions", body).json()["question_id"]
    assert api.post("/dashboard/questions", body).json()["question_id"] == saved
    first = api.post("/dashboard/questions/run", asked).json()["questions"]
    assert first[0]["changes"] == []
    assert api.post("/dashboard/questions/run", asked).json()["questions"][0]["changes"] == []
    crm.serve(path, {"customers": [{"id": "cust-1", "name": "John Doe", "email": "new@x.co"}]})
    assert api.sync(link["link_id"])["state"] == "succeeded"
    changes = api.post("/dashboard/questions/run", asked).json()["questions"][0]["changes"]
    assert any(line.startswith("Reads differently: Customers, customers[0]") for line in changes)
    assert any(line.startswith("No longer found: Customers, customers[1]") for line in changes)
    listed = api.get("/dashboard/questions", page_id=page_id).json()
    assert (listed["total"], listed["questions"][0]["changes"]) == (1, changes)
    address = f"{api.address}/dashboard/questions/{saved}"
    assert api.session.delete(address, timeout=30).status_code == 200
    assert api.session.delete(address, timeout=30).status_code == 404
