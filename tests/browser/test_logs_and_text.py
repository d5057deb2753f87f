"""Sync logs and CRM text."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from core.desk import Desk
from core.models import Trigger
from core.settings import Settings
from tests.product import Client, Product
from tests.servers.crm import Answer, Crm, customers
from tests.waiting import until

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


def test_a_log_link_leads_a_colleague_to_the_same_run(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John")), name="Shared shop")
    run = api.ended_run(link["link_id"])
    page.goto(
        f"/logs?log_page={page_id}&log_link={link['link_id']}&state=succeeded&trigger=added"
        f"&span=1h&run={run['run_id']}"
    )
    expect(cell(page, "Shared shop").first).to_have_count(1)
    expect(page.get_by_role("heading", name="Shared shop")).to_be_visible()
    expect(page.get_by_role("combobox", name="Started by")).to_have_value("Link added")
    expect(page.get_by_role("combobox", name="Time")).to_have_value("Last hour")
    expect(cell(page, "fetch")).to_have_count(1)
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("heading", name="Shared shop")).to_have_count(0)
    assert "run=" not in page.url


def test_the_table_keeps_still_while_somebody_reads_and_says_what_is_new(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John")), name="Busy shop")
    api.ended_run(link["link_id"])
    page.goto(f"/logs?log_page={page_id}")
    expect(cell(page, "Busy shop")).to_have_count(1)
    open_first_run(page)
    expect(page.get_by_role("heading", name="Busy shop")).to_be_visible()
    api.sync(link["link_id"])
    expect(page.get_by_role("button", name="Show 1 newer")).to_be_visible()
    expect(cell(page, "Busy shop")).to_have_count(1)
    page.get_by_role("button", name="Show 1 newer").click()
    expect(cell(page, "Busy shop")).to_have_count(2)
    expect(page.get_by_role("heading", name="Busy shop")).to_be_visible()


def test_a_failed_run_is_retried_and_a_running_one_cancelled(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, Answer("no", 404)), name="Lost shop")
    run = api.ended_run(link["link_id"])
    page.goto(f"/logs?log_page={page_id}&run={run['run_id']}")
    expect(page.get_by_text("Who can fix it: Whoever edits the link here")).to_be_visible()
    gate = threading.Event()
    crm.serve(path, Answer(customers("John"), wait_for=gate))
    page.get_by_role("button", name="Retry").click()
    until(lambda: len(api.runs(link["link_id"])) == 2, "the second run")
    second = api.runs(link["link_id"])[-1]
    page.goto(f"/logs?log_page={page_id}&run={second['run_id']}")
    page.get_by_role("button", name="Cancel this run").click()
    assert api.ended_run(link["link_id"], 2)["state"] == "cancelled"
    gate.set()


def test_a_held_run_is_rejected_in_the_browser(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    four = customers("Ann A", "Ben B", "Cat C", "Dan D")
    link = api.add_link(page_id, crm.serve(path, four))
    api.ended_run(link["link_id"])
    crm.serve(path, customers("Ann A"))
    held = api.sync(link["link_id"])
    page.goto(f"/logs?run={held['run_id']}")
    page.get_by_role("button", name="Reject: keep what is served").click()
    expect(page.get_by_text("rejected by admin")).to_be_visible()
    assert api.link(page_id, link["link_id"])["sync"]["records"] == 4


def test_runs_are_downloaded_safe_for_a_spreadsheet(
    page: Page, api: Client, page_id: str, crm: Crm, path: str, tmp_path: Path
) -> None:
    name = "=HYPERLINK(1)"
    link = api.add_link(page_id, crm.serve(path, customers("John")), name=name)
    run = api.ended_run(link["link_id"])
    page.goto(f"/logs?log_page={page_id}")
    # The table's own toolbar exports what it shows.
    expect(cell(page, f"'{name}")).to_have_count(1)
    for button in ("Download CSV", "Download JSON lines"):
        with page.expect_download() as downloading:
            page.get_by_role("button", name=button).click()
        downloading.value.save_as(tmp_path / button)
    text = (tmp_path / "Download CSV").read_text()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["link_name"] for row in rows] == [f"'{name}"]
    assert rows[0]["records"] == "1"
    lines = (tmp_path / "Download JSON lines").read_text().splitlines()
    assert json.loads(lines[0])["run_id"] == run["run_id"]


def test_older_runs_are_a_page_further(
    page: Page, api: Client, page_id: str, crm: Crm, path: str, inside_runs: Callable[[str], None]
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John")), name="Long shop")
    api.ended_run(link["link_id"])
    inside_runs(link["link_id"])
    page.goto(f"/logs?log_page={page_id}")
    page.get_by_role("button", name="Older", exact=True).click()
    expect(page.get_by_role("button", name="Newest", exact=True)).to_be_visible()
    assert "before=" in page.url
    page.get_by_role("button", name="Newest", exact=True).click()
    expect(page.get_by_role("button", name="Older", exact=True)).to_be_visible()


@pytest.fixture
def inside_runs(product: Product) -> Callable[[str], None]:
    """Writes 60 older runs of a link into the product's store."""

    def write(link_id: str) -> None:
        desk = Desk(Settings(data_dir=product.folder / "data"))
        link = desk.links.get("company-001", link_id)
        for number in range(60):
            run_id = desk.runs.queue(link, Trigger.SCHEDULE)
            desk.database["sync_runs"].update_one(
                {"_id": run_id},
                {"$set": {"state": "succeeded", "queued_at": 1_700_000_000.0 + number}},
            )

    return write


def test_a_record_is_shown_with_its_json_and_its_chunks(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    answer = {"people": [{"id": 7, "name": "Ann", "card": "4111111111111111", "rate": 1.50}]}
    link = api.add_link(page_id, crm.serve(path, answer))
    api.ended_run(link["link_id"])
    page.goto(f"/crm_text?page={page_id}&link={link['link_id']}&view=record&record=1")
    expect(page.get_by_text("people[0].name: Ann").first).to_be_visible()
    expect(page.get_by_text('"rate": 1.5')).to_be_visible()
    expect(page.get_by_text('"card": "[masked: card number]"')).to_be_visible()
    expect(page.get_by_text("tokens", exact=False).first).to_be_visible()
    expect(page.get_by_text("Chunk 1 of 1")).to_be_visible()
    expect(page.get_by_text("4111")).to_have_count(0)


def test_redacted_lines_are_marked_and_chunks_shown_on_demand(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    answer = {"people": [{"id": 7, "name": "Ann", "card": "4111 1111 1111 1111"}]}
    link = api.add_link(page_id, crm.serve(path, answer))
    api.ended_run(link["link_id"])
    page.goto(f"/crm_text?page={page_id}")
    expect(page.get_by_text("Redacted: 1 × masked: card number")).to_be_visible()
    expect(cell(page, "people[0].name: Ann")).to_have_count(1)
    page.get_by_text("Only redacted").click()
    expect(cell(page, "people[0].card: [masked: card number]")).to_have_count(1)
    expect(cell(page, "people[0].name: Ann")).to_have_count(0)
    if (page.viewport_size or {"width": 0})["width"] < 400:
        return  # the column is out of sight there, and so not in the page
    page.get_by_text("Chunks and tokens").click()
    chunk = page.get_by_test_id("stDataFrame").locator("[role=gridcell]")
    expect(chunk.filter(has_text=re.compile(r"^1 of 1 \(\d+ tokens\)$"))).to_have_count(1)


def test_two_kept_syncs_are_compared(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe", "Jane Roe")))
    api.ended_run(link["link_id"])
    page.goto(f"/crm_text?page={page_id}&view=compare")
    expect(page.get_by_text("Only one sync is kept so far")).to_be_visible()
    for name in ("John Smith", "John Miller"):
        crm.serve(path, customers(name, "Jane Roe"))
        assert api.sync(link["link_id"])["state"] == "succeeded"
    page.goto(f"/crm_text?page={page_id}&view=compare&newer=3&older=1")
    expect(page.get_by_text("1 changes")).to_be_visible()
    expect(page.get_by_text("customers[cust-1].name: John Doe → John Miller")).to_be_visible()
    page.goto(f"/crm_text?page={page_id}&sync=2")
    expect(cell(page, "customers[0].name: John Smith")).to_have_count(1)
