"""Conversations and the bot's settings, in a real browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.conftest import APP_SECRET
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
HELP = "Opening hours\nWe are open from Monday to Saturday, 9 to 19.\n"
NASTY = "<img src=x onerror=alert(1)> **bold** \u202e"


def prepare(product: Product, api: Client, crm: Crm, page_id: str, path: str) -> Facebook:
    for name, url in (
        ("Shop", crm.serve(f"{path}/shop", SHOP)),
        ("Help", crm.serve(f"{path}/help", Answer(HELP, content_type="text/plain"))),
    ):
        link = api.add_link(page_id, url, ["messenger", "facebook"], name=name)
        assert api.ended_run(link["link_id"])["state"] == "succeeded"
    return Facebook(crm, product.address, APP_SECRET, page_id)


def states(api: Client, page_id: str) -> list[str]:
    found = api.get("/dashboard/messages", page_id=page_id).json()["messages"]
    return [message["state"] for message in found]


def test_the_bot_is_set_up_and_a_suggestion_is_sent_by_a_person(
    page: Page, product: Product, api: Client, crm: Crm, page_id: str, path: str
) -> None:
    facebook = prepare(product, api, crm, page_id, path)
    page.goto(f"/conversations?page={page_id}")
    expect(page.get_by_text("The bot of this page is off")).to_be_visible()
    page.get_by_role("link", name="To the bot's settings").click()
    expect(page.get_by_label("Page access token", exact=True)).to_be_visible()
    page.goto(f"/settings?section=bot&page={page_id}")
    page.get_by_text("Only suggest: a person sends each answer").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The bot needs the page's access token")).to_be_visible()
    page.get_by_label("Page access token", exact=True).fill(facebook.token)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The bot's settings are saved")).to_be_visible()
    expect(page.get_by_placeholder("Kept as it is stored")).to_have_value("")
    facebook.comment(NASTY)
    facebook.write("When are you open?")
    page.goto(f"/conversations?page={page_id}")
    expect(page.get_by_text("Suggestion: send it?").first).to_be_visible(timeout=30_000)
    expect(page.get_by_text("<img src=x onerror=alert(1)> **bold** \\u202e")).to_be_visible()
    expect(page.locator("img[src=x]")).to_have_count(0)
    answer = page.get_by_label("Answer", exact=True).first
    expect(answer).to_have_value("Opening hours\nWe are open from Monday to Saturday, 9 to 19.")
    answer.fill("From Monday to Saturday, 9 to 19!")
    answer.blur()
    page.get_by_role("button", name="Send", exact=True).first.click()
    until(lambda: states(api, page_id)[0] == "sent", "the answer to be sent", seconds=30)
    # Sent sooner than the page shows it: the other one is meant.
    leave = page.get_by_role("button", name="Leave unanswered")
    expect(leave).to_have_count(1)
    leave.click()
    expect(page.get_by_text("It stays unanswered")).to_be_visible()
    assert [one["message"] for one in facebook.sent] == ["From Monday to Saturday, 9 to 19!"]
    expect(page.get_by_text("Nothing needs a person here.")).to_be_visible(timeout=20_000)
    page.goto(f"/conversations?page={page_id}&show=all")
    page.get_by_role("link", name="Why this answer?").first.click()
    expect(page.get_by_role("heading", name="Why the bot said this")).to_be_visible()
    expect(page.get_by_text("[1] Help · line 1")).to_be_visible()
    expect(page.get_by_role("link", name="Its sync").first).to_be_visible()


def test_an_operator_says_who_it_is_and_the_bot_answers_from_their_records(
    page: Page, product: Product, api: Client, crm: Crm, page_id: str, path: str
) -> None:
    facebook = prepare(product, api, crm, page_id, path)
    api.put(f"/dashboard/pages/{page_id}/bot", {"mode": "send", "token": facebook.token})
    facebook.write("Which plan do I have?")
    page.goto(f"/conversations?page={page_id}")
    expect(page.get_by_text("Needs a person").first).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Who is this?").click()
    page.get_by_label("Find them", exact=True).fill("Maria Garcia")
    page.get_by_label("Find them", exact=True).blur()
    page.get_by_role("button", name="This is them").first.click()
    expect(page.get_by_text("= Shop, customers[0]").first).to_be_visible()
    facebook.write("Which plan do I have now?")
    until(lambda: "sent" in states(api, page_id), "the answer", seconds=30)
    assert "plan: Gold" in facebook.sent[0]["message"]
    page.get_by_role("button", name="Take over").first.click()
    expect(page.get_by_role("button", name="Give back to the bot").first).to_be_visible()
    page.get_by_role("button", name="This is not them").first.click()
    expect(page.get_by_text("They are a stranger again")).to_be_visible()
    conversations = api.get("/dashboard/conversations", page_id=page_id).json()["conversations"]
    assert [(one["customer"], one["handed_over"]) for one in conversations] == [(None, True)]
