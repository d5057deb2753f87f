"""The reply, its citations, and saved questions."""

from __future__ import annotations

from typing import Any

from tests.product import Client
from tests.servers.crm import Answer, Crm, Request, customers
from tests.waiting import until


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


def test_a_reply_can_be_asked_for_as_a_stranger_would_get_it(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe")))
    api.ended_run(link["link_id"])
    assert ask(api, page_id, "What is the e-mail address of John Doe?")["known"] is True
    body = {"page_id": page_id, "channel": "messenger", "sender_id": ""}
    body |= {"message": "What is the e-mail address of John Doe?"}
    reply = api.post("/dashboard/rag/reply", body).json()
    assert (reply["known"], reply["context"]) == (False, [])
    assert "john@example.com" not in str(reply)


def test_a_kept_reply_says_what_it_was_made_of_until_the_person_is_erased(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("Erika Vergessen", "Jane Roe")))
    run = api.ended_run(link["link_id"])
    made = ask(api, page_id, "What is the e-mail address of Erika Vergessen?")
    address = f"/dashboard/rag/replies/{made['reply_id']}"
    kept = api.get(address).json()
    assert (kept["reply"], kept["citations"]) == (made["reply"], made["citations"])
    assert kept["message"] == "What is the e-mail address of Erika Vergessen?"
    assert (kept["asked_by"], kept["worded_by"]) == ("admin", "quotes")
    assert {one["run_id"] for one in kept["context"]} == {run["run_id"]}
    asked = api.post("/erasures", {"value": "erika@example.com"}).json()["erasure_id"]
    until(lambda: api.get(f"/erasures/{asked}").json()["state"] == "done", "it", seconds=60)
    assert "rika" not in api.get(address).text
    assert api.get("/dashboard/rag/replies/reply-none").status_code == 404


def test_a_question_that_says_what_it_expects_is_asked_after_each_sync(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    alerts: list[str] = []

    def receive(request: Request) -> Answer:
        alerts.append(request.body.decode())
        return Answer({})

    crm.serve("/alerts", receive)
    link = api.add_link(page_id, crm.serve(path, customers("John Doe", "Jane Roe")))
    api.ended_run(link["link_id"])
    body = {"page_id": page_id, "channel": "messenger"}
    body |= {"question": "What is the e-mail address of John Doe?"}
    api.post("/dashboard/questions", body | {"expected_text": "john@example.com"})

    def passed() -> bool | None:
        found = api.get("/dashboard/questions", page_id=page_id).json()["questions"]
        result: bool | None = found[0]["passed"]
        return result

    for address, expected in (("john@example.com", True), ("jd@example.com", False)):
        people = [
            {"id": "c1", "name": "John Doe", "email": address, "at": address},
            {"id": "c2", "name": "Jane Roe", "email": "jane@example.com"},
        ]
        crm.serve(path, {"customers": people})
        assert api.sync(link["link_id"])["state"] == "succeeded"
        until(lambda expected=expected: passed() is expected, "the test", seconds=30)
    until(lambda: any("question.regressed" in one for one in alerts), "the alert", seconds=30)
    told = next(one for one in alerts if "question.regressed" in one)
    assert "john@example.com" in told


def test_a_question_may_expect_where_the_citation_stands(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe", "Jane Roe")))
    api.ended_run(link["link_id"])
    asked = {"page_id": page_id, "channel": "messenger"}
    body = asked | {"question": "What is the e-mail address of Jane Roe?"}
    for expected, passes in (("customers[1]", True), ("customers[0]", False)):
        api.post("/dashboard/questions", body | {"expected_path": expected})
        run = api.post("/dashboard/questions/run", asked).json()["questions"]
        assert [one["passed"] for one in run] == [passes]
