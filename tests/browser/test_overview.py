"""The Overview."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.product import Client
from tests.servers.crm import Answer, Crm, customers


@pytest.mark.parametrize(
    ("answer", "cause", "who"),
    [
        (Answer("no", 401), "The CRM does not accept the key", "Whoever edits the link here"),
        (Answer("no", 403), "The key may not read these records", "Whoever administers the CRM"),
        (Answer("no", 404), "There is nothing at the link's address", "Whoever edits the link"),
        (Answer("{", 200), "The CRM answers with something that is not data", "Whoever edits"),
    ],
    ids=["401", "403", "404", "not JSON"],
)
def test_a_failing_link_is_a_card_in_plain_words(
    page: Page, api: Client, page_id: str, crm: Crm, path: str, answer: Answer, cause: str, who: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, answer), name=f"Shop {path[1:9]}")
    api.ended_run(link["link_id"])
    page.goto("/")
    expect(page.get_by_role("heading", name="Needs a look")).to_be_visible()
    expect(page.get_by_text(f"Shop {path[1:9]}")).to_be_visible()
    expect(page.get_by_text(cause).first).to_be_visible()
    expect(page.get_by_text(f"Who can fix it: {who}").first).to_be_visible()
    expect(page.get_by_text("Next try in").first).to_be_visible()
    if answer.status == 404:
        words = "404 Not Found. There is nothing at this address: check its spelling."
        expect(page.get_by_text(words).first).to_be_visible()


def test_a_held_link_leads_to_its_decision(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    four = customers("Ann A", "Ben B", "Cat C", "Dan D")
    link = api.add_link(page_id, crm.serve(path, four), name="Shrunk shop")
    api.ended_run(link["link_id"])
    crm.serve(path, customers("Ann A"))
    assert api.sync(link["link_id"])["state"] == "held"
    page.goto("/")
    expect(page.get_by_text("Most records are gone; a person decides").first).to_be_visible()
    page.get_by_role("link", name="Approve or reject it").first.click()
    expect(page.get_by_role("heading", name="Sync logs")).to_be_visible()
    assert f"log_link={link['link_id']}" in page.url


def test_it_counts_the_links_and_shows_the_last_days_and_the_parts(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe")))
    api.ended_run(link["link_id"])
    page.goto("/")
    for label in ("Serving", "Failing", "Held", "Stale", "Never synced", "Success rate"):
        expect(page.get_by_text(label, exact=True).first).to_be_visible()
    metrics = page.get_by_test_id("stMetric")
    expect(metrics.filter(has_text="Schedulers")).to_contain_text("1")
    expect(metrics.filter(has_text="Search mirrors")).to_contain_text("1")
    expect(metrics.filter(has_text="Store")).to_contain_text("Embedded")
    look = api.get("/dashboard/overview").json()
    assert len(look["days"]) == 7
    assert look["days"][-1]["runs"] >= 1
