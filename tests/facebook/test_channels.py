"""The bot on its channels: what comes in once, what goes out once, and what a person does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.conftest import APP_SECRET, VERIFY_TOKEN
from tests.product import Client, Product
from tests.servers.crm import Answer, Crm
from tests.servers.graph import Facebook
from tests.waiting import until

SHOP = {
    "customers": [
        {"id": 1, "name": "Maria Garcia", "email": "maria@example.com", "plan": "Gold"},
        {"id": 2, "name": "John Doe", "email": "john@example.com", "plan": "Basic"},
    ]
}
HELP = "Opening hours\nWe are open from Monday to Saturday, 9 to 19.\n\nGifts\nWe wrap for free.\n"


@pytest.fixture
def facebook(product: Product, api: Client, crm: Crm, page_id: str, path: str) -> Facebook:
    """A page whose bot sends, over a shop's customers and its help pages."""
    for name, url in (
        ("Shop", crm.serve(f"{path}/shop", SHOP)),
        ("Help", crm.serve(f"{path}/help", Answer(HELP, content_type="text/plain"))),
    ):
        link = api.add_link(page_id, url, ["messenger", "facebook"], name=name)
        assert api.ended_run(link["link_id"])["state"] == "succeeded"
    page = Facebook(crm, product.address, APP_SECRET, page_id)
    set_up(api, page, mode="send")
    return page


@pytest.fixture(autouse=True)
def off_again(api: Client, page_id: str) -> Iterator[None]:
    yield
    api.put(f"/dashboard/pages/{page_id}/bot", {"mode": "off"})


def set_up(api: Client, page: Facebook, **fields: Any) -> dict[str, Any]:
    body = {"mode": "send", "token": page.token} | fields
    answer = api.put(f"/dashboard/pages/{page.page_id}/bot", body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def messages(api: Client, page: Facebook, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(
        "/dashboard/messages", page_id=page.page_id, **filters
    ).json()["messages"]
    return found


def settled(api: Client, page: Facebook, count: int = 1) -> list[dict[str, Any]]:
    """The page's messages, once the bot is done with them; newest first."""

    def look() -> list[dict[str, Any]] | None:
        found = messages(api, page)
        done = all(one["state"] not in ("waiting", "sending") for one in found)
        return found if done and len(found) >= count else None

    return until(look, f"{count} messages to be worked off", seconds=60)


def tie(api: Client, message: dict[str, Any], **fields: Any) -> requests.Response:
    address = f"/dashboard/conversations/{message['conversation_id']}/customer"
    return api.put(address, fields)


def test_the_challenge_is_answered_to_whoever_knows_the_token(product: Product) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444"}
    url = f"{product.address}/api/webhooks/facebook"
    right = requests.get(url, asked | {"hub.verify_token": VERIFY_TOKEN}, timeout=30)
    assert (right.status_code, right.text) == (200, "1158201444")
    assert right.headers["Content-Type"].startswith("text/plain")
    wrong = requests.get(url, asked | {"hub.verify_token": "guess"}, timeout=30)
    assert wrong.status_code == 403
    assert "1158201444" not in wrong.text


def test_a_question_is_answered_from_the_records_without_citation_marks(
    api: Client, facebook: Facebook
) -> None:
    assert facebook.write("When are you open?").json() == {"accepted": 1}
    message = settled(api, facebook)[0]
    assert message["state"] == "sent", message
    assert [one["to"] for one in facebook.sent] == ["psid-1"]
    assert "We are open from Monday to Saturday" in facebook.sent[0]["message"]
    assert "[1]" not in facebook.sent[0]["message"]
    assert message["sent_id"] == facebook.sent[0]["id"]
    why = api.get(f"/dashboard/rag/replies/{message['reply_id']}").json()
    assert why["message"] == "When are you open?"
    assert why["context"][0]["link_name"] == "Help"
    assert why["context"][0]["run_id"].startswith("run-")
    assert why["context"][0]["age_seconds"] >= 0


def test_a_comment_is_answered_under_it(api: Client, facebook: Facebook) -> None:
    comment_id = facebook.comment("Do you wrap gifts?")
    assert settled(api, facebook)[0]["state"] == "sent"
    assert [one["to"] for one in facebook.sent] == [comment_id]
    assert "We wrap for free" in facebook.sent[0]["message"]


def test_the_same_message_is_taken_in_once(api: Client, facebook: Facebook) -> None:
    assert facebook.write("When are you open?", message_id="m-once").json() == {"accepted": 1}
    assert facebook.write("When are you open?", message_id="m-once").json() == {"accepted": 0}
    settled(api, facebook)
    assert facebook.write("When are you open?", message_id="m-once").json() == {"accepted": 0}
    assert len(facebook.sent) == len(messages(api, facebook)) == 1


def test_what_is_not_signed_or_not_for_the_bot_is_not_kept(api: Client, facebook: Facebook) -> None:
    event = {"sender": {"id": "x"}, "message": {"mid": "m", "text": "When are you open?"}}
    assert facebook.post({"messaging": [event]}, secret="guess").status_code == 401
    own = {"item": "comment", "verb": "add", "comment_id": "1", "from": {"id": facebook.page_id}}
    for entry in (
        {"messaging": [event | {"sender": {"id": facebook.page_id}}]},
        {"messaging": [event | {"message": {"mid": "m", "text": "x", "is_echo": True}}]},
        {"messaging": [event | {"message": None}, "no object", {}]},
        {"changes": [{"field": "feed", "value": own | {"message": "my own"}}]},
        {"changes": [{"field": "feed", "value": own | {"verb": "edited", "from": {"id": "x"}}}]},
        {"changes": "nothing", "messaging": {"a": 1}},
    ):
        assert facebook.post(entry).json() == {"accepted": 0}
    set_up(api, facebook, mode="off")
    assert facebook.write("When are you open?").json() == {"accepted": 0}
    assert messages(api, facebook) == []


def test_nothing_personal_is_told_to_somebody_unknown_and_nothing_of_others_to_a_customer(
    api: Client, facebook: Facebook
) -> None:
    facebook.write("Which plan does Maria Garcia have?")
    first = settled(api, facebook)[0]
    assert first["state"] == "unanswered"
    why = api.get(f"/dashboard/rag/replies/{first['reply_id']}").json()
    assert {one["link_name"] for one in why["context"]} <= {"Help"}
    shop = api.get("/dashboard/crm-links", page_id=facebook.page_id).json()["crm_links"][0]
    tied = tie(api, first, link_id=shop["link_id"], path="customers[0]").json()
    assert tied["customer"]["known_by"] == ["email:maria@example.com"]
    facebook.write("Which plan does Maria Garcia have?")
    assert settled(api, facebook, 2)[0]["state"] == "sent"
    assert "plan: Gold" in facebook.sent[0]["message"]
    facebook.write("Which plan does John Doe have?")
    assert settled(api, facebook, 3)[0]["state"] == "unanswered"
    facebook.comment("Which plan does Maria Garcia have?", sender="psid-1")
    assert settled(api, facebook, 4)[0]["state"] == "unanswered"
    tie(api, first)
    facebook.write("And which plan does Maria Garcia have now?")
    assert settled(api, facebook, 5)[0]["state"] == "unanswered"
    assert len(facebook.sent) == 1


def test_a_verified_email_address_says_who_it_is(api: Client, facebook: Facebook) -> None:
    facebook.write("Which plan do I have?")
    first = settled(api, facebook)[0]
    assert tie(api, first, verified_email="not an address").status_code == 422
    assert tie(api, first, verified_email="JOHN@example.com").status_code == 200
    facebook.write("Which plan do I have?")
    assert settled(api, facebook, 2)[0]["state"] == "sent"
    assert "plan: Basic" in facebook.sent[0]["message"]
    assert "Gold" not in facebook.sent[0]["message"]


def test_a_page_may_be_set_to_answer_from_anybodys_records(api: Client, facebook: Facebook) -> None:
    set_up(api, facebook, reveals="any")
    facebook.write("Which plan does Maria Garcia have?")
    assert settled(api, facebook)[0]["state"] == "sent"
    assert "plan: Gold" in facebook.sent[0]["message"]


def test_a_suggestion_waits_for_a_person_who_may_word_it_anew(
    api: Client, facebook: Facebook
) -> None:
    set_up(api, facebook, mode="suggest")
    facebook.write("When are you open?")
    message = settled(api, facebook)[0]
    assert (message["state"], facebook.sent) == ("suggested", [])
    assert "Monday to Saturday" in message["reply"]
    address = f"/dashboard/messages/{message['message_id']}/send"
    assert api.post(address, {"text": "Every day but Sunday!"}).status_code == 202
    assert settled(api, facebook)[0]["state"] == "sent"
    assert [one["message"] for one in facebook.sent] == ["Every day but Sunday!"]
    assert api.post(address, {"text": "again"}).status_code == 409
    facebook.write("Do you wrap gifts?")
    second = settled(api, facebook, 2)[0]
    address = f"/dashboard/messages/{second['message_id']}/dismiss"
    assert api.post(address, {}).status_code == 200
    assert settled(api, facebook, 2)[0]["state"] == "dismissed"


def test_a_person_takes_over_when_asked_for_until_the_conversation_is_given_back(
    api: Client, facebook: Facebook
) -> None:
    set_up(
        api,
        facebook,
        handover_words=["real person"],
        handover_reply="Somebody will be with you shortly.",
    )
    facebook.write("Let me talk to a REAL person, please")
    first = settled(api, facebook)[0]
    assert first["state"] == "handed_over"
    assert [one["message"] for one in facebook.sent] == ["Somebody will be with you shortly."]
    facebook.write("When are you open?")
    assert settled(api, facebook, 2)[0]["state"] == "handed_over"
    assert len(facebook.sent) == 1
    address = f"/dashboard/conversations/{first['conversation_id']}/handover"
    assert api.put(address, {"handed_over": False}).status_code == 200
    facebook.write("When are you open?")
    assert settled(api, facebook, 3)[0]["state"] == "sent"


def test_an_answer_whose_fate_is_unknown_is_not_sent_twice(api: Client, facebook: Facebook) -> None:
    facebook.breaks_after_sending = 1
    facebook.write("When are you open?")
    assert settled(api, facebook)[0]["state"] == "sent"
    comment_id = facebook.comment("Do you wrap gifts?")
    facebook.breaks_after_sending = 1
    assert settled(api, facebook, 2)[0]["state"] == "sent"
    assert [one["to"] for one in facebook.sent] == ["psid-1", comment_id]


def test_it_tries_again_when_facebook_is_away_and_gives_up_on_a_refusal(
    api: Client, facebook: Facebook
) -> None:
    busy = Answer({"error": {"message": "Try later", "code": 613}}, status=400)
    facebook.failures = [Answer("<html>", status=503, content_type="text/html"), busy]
    facebook.write("When are you open?")
    message = settled(api, facebook)[0]
    assert (message["state"], message["attempts"]) == ("sent", 2)
    refused = {"error": {"message": "This person isn't available right now.", "code": 551}}
    facebook.failures = [Answer(refused, status=400)]
    facebook.write("Do you wrap gifts?")
    message = settled(api, facebook, 2)[0]
    assert message["state"] == "failed"
    assert "This person isn't available right now." in message["reason"]
    assert len(facebook.sent) == 1


def test_a_refused_token_is_a_failure_that_says_who_can_mend_it(
    api: Client, facebook: Facebook
) -> None:
    set_up(api, facebook, token="an old token")
    facebook.write("When are you open?")
    message = settled(api, facebook)[0]
    assert message["state"] == "failed"
    assert "An administrator enters a new one" in message["reason"]
    assert "an old token" not in str(message)


def test_the_token_never_comes_back_and_stays_when_it_is_left_out(
    api: Client, facebook: Facebook
) -> None:
    address = f"/dashboard/pages/{facebook.page_id}/bot"
    assert api.get(address).json()["token"] == "***"
    assert set_up(api, facebook, token="***")["token"] == "***"
    assert api.put(address, {"mode": "send"}).json()["token"] == "***"
    facebook.write("When are you open?")
    assert settled(api, facebook)[0]["state"] == "sent"
    assert api.put(address, {"mode": "send", "token": None}).status_code == 422
    assert facebook.token not in api.get("/audit").text


def test_an_erased_person_is_gone_from_messages_replies_and_conversations(
    api: Client, facebook: Facebook
) -> None:
    facebook.write("I am maria@example.com: which plan do I have?")
    first = settled(api, facebook)[0]
    shop = api.get("/dashboard/crm-links", page_id=facebook.page_id).json()["crm_links"][0]
    tie(api, first, link_id=shop["link_id"], path="customers[0]")
    facebook.write("Which plan do I have now?")
    second = settled(api, facebook, 2)[0]
    assert "plan: Gold" in second["reply"]
    asked = api.post("/erasures", {"value": "maria@example.com"}).json()["erasure_id"]
    until(lambda: api.get(f"/erasures/{asked}").json()["state"] == "done", "it", seconds=60)
    told = str(messages(api, facebook))
    told += api.get("/dashboard/conversations", page_id=facebook.page_id).text
    told += api.get(f"/dashboard/rag/replies/{second['reply_id']}").text
    assert "maria" not in told.lower()
    assert "Gold" not in told
