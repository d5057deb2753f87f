"""The dashboard's speed in a real browser: 50 pages, 1,000 links, 10,000 runs.

``python -m benchmarks.dashboard`` (or ``make bench-dashboard``) fills a store, starts the product
over it, and prints how long screens and clicks take, as medians.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from core.batched import batched
from core.desk import Desk
from core.links import NewLink
from core.models import Channel, RunState, Trigger
from core.security.accounts import DEFAULT_COMPANY
from core.settings import Settings
from core.store import Document
from core.text.decode import Json, parse_json
from core.text.flatten import flatten
from core.vectors.part import PART, Entry, Part
from tests.browser.window import FLAGS, WIDTHS, sign_in
from tests.product import Product
from tests.servers.crm import Crm

PAGES, LINKS, RUNS = 50, 1000, 10_000
BIG_LINES = 100_000
ROUNDS = 5


def fill(folder: Path, crm: Crm) -> str:
    """Pages, links and runs; one link has a text of 100,000 lines. The id of that link."""
    desk = Desk(Settings(data_dir=folder / "data", crm_allowed_hosts=crm.hosts))
    chooser = random.Random(1)
    for page in range(PAGES):
        desk.companies.add_page(DEFAULT_COMPANY, f"{1000 + page}", f"Page {page}")

    def add_links(company: Document) -> None:
        # At once: a thousand changes of one document take their time.
        for number in range(LINKS):
            url = f"http://{crm.host}/small/{number}"
            link = desk.links.draft(NewLink(f"Link {number}", url, is_active=False))
            page = company["pages"][number % PAGES]
            page["messenger_crm_links"].append(link.to_document())

    desk.companies.edit(DEFAULT_COMPANY, add_links)
    desk.links.reconcile()
    links = desk.links.of_company(DEFAULT_COMPANY)
    runs = desk.database["sync_runs"]
    now = time.time()
    batch = []
    for number in range(RUNS):
        link = chooser.choice(links)
        run_id = f"run-{number:06}"
        state = chooser.choice([RunState.SUCCEEDED] * 8 + [RunState.FAILED, RunState.UNCHANGED])
        at = now - number * 60
        error = {"kind": "timeout", "message": "No answer.", "action": "", "permanent": False}
        batch.append(
            {
                "_id": run_id,
                "company_id": DEFAULT_COMPANY,
                "page_id": link.page_id,
                "link_id": link.link.link_id,
                "link_name": link.link.name,
                "url": link.link.url,
                "trigger": Trigger.SCHEDULE.value,
                "state": state.value,
                "step": "cleaned",
                "queued_at": at,
                "started_at": at + 0.1,
                "finished_at": at + 1.5,
                "counts": {"records": 10, "documents": 10, "embedded": 2},
                "steps": [{"step": "fetch", "at": at + 0.1}],
                "progress": None,
                "error": error if state is RunState.FAILED else None,
                "held_records": None,
                "decision": None,
                "changes_total": 0,
                "retry_at": None,
                "cancel_requested": False,
                "lines": [{"at": at, "level": "info", "text": "10 records in 10 documents"}] * 5,
            }
        )
        if len(batch) == 500:
            runs.insert_many(batch)
            batch = []
    return write_text(desk)


def write_text(desk: Desk) -> str:
    """A link with a text of 100,000 lines, as a sync would keep it; embedding it takes minutes."""
    new = NewLink("Big link", "https://8.8.8.8/big", is_active=False)
    link = desk.links.add(DEFAULT_COMPANY, "1000", [Channel.FACEBOOK], new)
    link_id = link.link.link_id
    people = [
        {"id": f"c-{n}", "name": f"Person {n}", "email": f"p{n}@example.com", "city": "Bonn"}
        for n in range(BIG_LINES // 4)
    ]
    flattened = flatten(Json(parse_json(json.dumps({"people": people}))))
    entries = [
        Entry(record, ((record.key, "\n".join(record.lines)),), time.time())
        for record in flattened.records
    ]
    desk.contents.write(link_id, 1, [Part.of(batch) for batch in batched(entries, PART)])
    facts = {"records": len(entries), "lines": BIG_LINES, "run_id": None, "redacted": {}}
    desk.contents.announce(link_id, 1, facts)
    desk.database["link_states"].update_one(
        {"_id": link_id},
        {"$set": {"live_generation": 1, "records": len(entries), "last_success_at": time.time()}},
    )
    return link_id


def timed(prepare: Callable[[], None], act: Callable[[], None]) -> float:
    """The median of how long ``act`` takes, in seconds."""
    taken = []
    for _ in range(ROUNDS):
        prepare()
        started = time.perf_counter()
        act()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def measure(page: Page, big: str) -> list[tuple[str, float, str]]:
    def see(path: str, words: str) -> Callable[[], None]:
        def act() -> None:
            page.goto(path, wait_until="commit")
            page.get_by_text(words).filter(visible=True).first.wait_for()

        return act

    def blank() -> None:
        page.goto("about:blank")

    rows = [
        ("Sign-in form, without Streamlit", timed(blank, see("/login", "Sign in to see")), "-"),
        ("Overview, first view", timed(blank, see("/", "Search mirrors")), "1.5 s"),
        ("Links of all pages, first view", timed(blank, see("/links", "Link 0")), "1.5 s"),
        ("Links of a page, first view", timed(blank, see("/links?page=1007", "Link 7")), "1.5 s"),
        ("Sync logs, first view", timed(blank, see("/logs", "Select a row")), "1.5 s"),
        (
            "An opened run, first view",
            timed(blank, see("/logs?run=run-000010", "started by")),
            "1.5 s",
        ),
        (
            "CRM text of 100,000 lines, first view",
            timed(blank, see(f"/crm_text?page=1000&link={big}", "100,000 lines")),
            "1.5 s",
        ),
        ("Ask, first view", timed(blank, see("/ask", "Saved questions")), "1.5 s"),
        ("Settings, first view", timed(blank, see("/settings", "Company name")), "1.5 s"),
    ]
    page.goto("/links?page=1007")
    toggle = page.get_by_role("switch", name="Messenger").first
    toggle.wait_for()
    drawn = page.get_by_text("Messenger", exact=True).first
    page.wait_for_timeout(1000)

    said = page.get_by_text("is on for Messenger")
    visible, stored = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        drawn.click()
        expect(toggle).to_be_checked()
        visible.append(time.perf_counter() - started)
        said.first.wait_for()
        stored.append(time.perf_counter() - started)
        said.first.wait_for(state="hidden")
        drawn.click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="Switch off").click()
        expect(dialog).to_have_count(0)
        expect(toggle).not_to_be_checked()
        page.get_by_text("is off for Messenger").first.wait_for()
        page.get_by_text("is off for Messenger").first.wait_for(state="hidden")
    rows.append(("A toggle, visible", statistics.median(visible), "0.3 s"))
    rows.append(("A toggle, stored and said so", statistics.median(stored), "-"))
    page.goto(f"/crm_text?page=1000&link={big}")
    page.get_by_label("Filter lines", exact=True).wait_for()
    numbers = iter(range(20_000, 21_000))

    def search() -> None:
        number = next(numbers)
        field = page.get_by_label("Filter lines", exact=True)
        field.fill(f"Person {number}")
        field.press("Enter")
        page.locator("[role=gridcell]").filter(has_text=f"Person {number}").first.wait_for(
            state="attached"
        )

    rows.append(("A search in 100,000 lines", timed(lambda: None, search), "-"))
    return rows


def main() -> None:
    expect.set_options(timeout=15_000)
    crm = Crm()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        big = fill(folder, crm)
        product = Product(folder, {"CRM_ALLOWED_HOSTS": crm.hosts})
        product.start_all()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path="/usr/bin/chromium", args=FLAGS
                )
                context = browser.new_context(base_url=product.address, viewport=WIDTHS["desk"])
                page = context.new_page()
                sign_in(page)
                print(f"\n{PAGES} pages, {LINKS:,} links, {RUNS:,} runs; medians of {ROUNDS}\n")
                print("| what | median | aim |\n|---|---|---|")
                for what, seconds, aim in measure(page, big):
                    print(f"| {what} | {seconds:.2f} s | {aim} |", flush=True)
                browser.close()
        finally:
            product.stop()
            crm.close()


if __name__ == "__main__":
    main()
