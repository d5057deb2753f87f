"""Ask, with its saved questions."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.product import Client
from tests.servers.crm import Crm, customers

NASTY = "<img src=x onerror=alert(1)> **bold** $x^2$ =1+1 \u202e\u200b"


def test_a_question_is_answered_with_its_sources_as_plain_text(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers(NASTY)), name="Shop <b>customers</b>")
    api.ended_run(link["link_id"])
    page.goto(f"/ask?page={page_id}&channel=messenger")
    page.get_by_label("Question", exact=True).fill("What is the name of the customer?")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("heading", name="The bot would reply")).to_be_visible()
    expect(page.get_by_text("Shop <b>customers</b>").first).to_be_visible()
    expect(page.get_by_text("customers[0]", exact=True)).to_be_visible()
    expect(page.get_by_text("<img src=x onerror=alert(1)> **bold** $x^2$").first).to_be_visible()
    # Characters that turn the text around or can't be seen are spelled out.
    expect(page.get_by_text("\\u202e\\u200b").first).to_be_visible()
    expect(page.locator("img[src=x]")).to_have_count(0)
    assert "q=What+is+the+name" in page.url
    page.reload()
    expect(page.get_by_role("heading", name="The bot would reply")).to_be_visible()
    page.goto(f"/ask?page={page_id}&channel=facebook&q=Who")
    expect(page.get_by_text("Nothing is stored for this page and channel yet")).to_be_visible()
    expect(page.get_by_text("I don't know")).to_be_visible()


def test_an_empty_question_is_asked_for(page: Page, page_id: str) -> None:
    page.goto(f"/ask?page={page_id}")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("Type a question first.")).to_be_visible()


def test_questions_are_saved_asked_together_and_show_what_changed(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe")))
    api.ended_run(link["link_id"])
    page.goto(f"/ask?page={page_id}&channel=messenger&q=Who%20is%20John?")
    page.get_by_role("button", name="Save this question").click()
    expect(page.get_by_text("Question saved")).to_be_visible()
    expect(page.get_by_text("Not asked yet.")).to_be_visible()
    page.get_by_role("button", name="Ask them all").click()
    expect(page.get_by_text("As before")).to_be_visible()
    crm.serve(path, customers("John Smith"))
    assert api.sync(link["link_id"])["state"] == "succeeded"
    page.get_by_role("button", name="Ask them all").click()
    expect(page.get_by_text("1 of 1 are answered differently than last time")).to_be_visible()
    expect(page.get_by_text("Reads differently: Customers, customers[0]")).to_be_visible()
    page.get_by_role("button", name="Forget").click()
    expect(page.get_by_text("The question is forgotten")).to_be_visible()
    assert api.get("/dashboard/questions", page_id=page_id).json()["total"] == 0
