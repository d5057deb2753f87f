"""Sync logs and CRM text."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.product import Client
from tests.servers.crm import Answer, Crm, customers

NASTY = "<img src=x onerror=alert(1)> **bold** $x^2$ =1+1 \u202e\u200b"


def cell(page: Page, text: str) -> Locator:
    """A cell of a table: drawn on a canvas, with a table for screen readers inside of that."""
    cells = page.get_by_test_id("stDataFrame").locator("[role=gridcell]")
    return cells.filter(has_text=re.compile(f"^{re.escape(text)}$"))


def test_the_log_shows_a_new_run_by_itself_and_opens_it(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    page.goto(f"/logs?log_page={page_id}")
    expect(page.get_by_text("No sync has run yet that fits")).to_be_visible()
    expect(page.get_by_text("Schedulers running: 1")).to_be_visible()
    api.add_link(page_id, crm.serve(path, Answer("no", 404)), name="Lost shop")
    expect(cell(page, "Lost shop")).to_have_count(1)
    expect(cell(page, "404 Not Found")).to_have_count(1)
    open_first_run(page)
    expect(page.get_by_role("heading", name="Lost shop")).to_be_visible()
    expect(page.get_by_text("There is nothing at this address")).to_be_visible()
    expect(page.get_by_text(f"Starting CRM data fetch for page {page_id}")).to_be_visible()
    expect(page.get_by_text("Failed to fetch CRM data: 404 Not Found")).to_be_visible()


def test_a_held_run_is_approved_in_the_browser(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    four = customers("Ann A", "Ben B", "Cat C", "Dan D")
    link = api.add_link(page_id, crm.serve(path, four), name="Shrunk shop")
    api.ended_run(link["link_id"])
    crm.serve(path, customers("Ann A"))
    assert api.sync(link["link_id"])["state"] == "held"
    page.goto(f"/links?page={page_id}")
    page.get_by_role("link", name="Approve or reject it in the sync logs").click()
    expect(cell(page, "Shrunk shop")).to_have_count(1)
    open_first_run(page)
    expect(page.get_by_text("The CRM answered with 1 records; 4 are served.").last).to_be_visible()
    page.get_by_role("button", name="Approve: the CRM is right").click()
    run = api.ended_run(link["link_id"], 3)
    assert (run["state"], run["trigger"]) == ("succeeded", "approved")
    expect(page.get_by_text("approved by admin")).to_be_visible()
    page.goto(f"/logs?log_page={page_id}&state=succeeded")
    expect(cell(page, "Shrunk shop")).to_have_count(2)
    open_first_run(page)
    page.get_by_text("What changed (3)").click()
    expect(page.get_by_text("customers[cust-2]: removed")).to_be_visible()


def open_first_run(page: Page) -> None:
    """Tick the box of the table's first row, which is drawn on a canvas."""
    box = page.get_by_test_id("stDataFrame").bounding_box()
    assert box
    page.mouse.click(box["x"] + 16, box["y"] + 35 + 17)


def test_the_text_of_a_crm_is_shown_filtered_and_downloaded(
    page: Page, api: Client, page_id: str, crm: Crm, path: str, tmp_path: Path
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe", NASTY)))
    api.ended_run(link["link_id"])
    page.goto(f"/crm_text?page={page_id}")
    expect(page.get_by_text("6 lines of 2 records, found at customers[]")).to_be_visible()
    expect(cell(page, "customers[0].name: John Doe")).to_have_count(1)
    page.get_by_label("Filter lines", exact=True).fill("cust-2")
    page.get_by_label("Filter lines", exact=True).press("Enter")
    expect(cell(page, "customers[1].id: cust-2")).to_have_count(1)
    expect(cell(page, "customers[0].name: John Doe")).to_have_count(0)
    page.get_by_label("Filter lines", exact=True).fill("no such line")
    page.get_by_label("Filter lines", exact=True).press("Enter")
    expect(page.get_by_text("No line matches the filter.")).to_be_visible()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download", exact=True).click()
    downloading.value.save_as(tmp_path / "text.txt")
    lines = (tmp_path / "text.txt").read_text().splitlines()
    assert lines[0] == "customers[0].id: cust-1"
    assert f"customers[1].name: {NASTY}" in lines


def test_text_that_was_never_synced_says_where_to_look(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    page.goto(f"/crm_text?page={page_id}")
    expect(page.get_by_text("This page has no CRM link yet.")).to_be_visible()
    expect(page.get_by_role("link", name="Add a CRM link")).to_be_visible()
    api.add_link(page_id, crm.serve(path, customers("John")), is_active=False)
    page.reload()
    expect(page.get_by_text("Nothing has been synced from this link yet")).to_be_visible()
