"""Screenshots of every screen, from a fresh demo: ``make screenshots``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.window import FLAGS, WIDTHS, sign_in
from tests.product import Client, Product, free_port
from tests.servers.crm import Crm
from tests.servers.graph import Facebook
from tests.waiting import until

FOLDER = Path(__file__).parent / "screenshots"
SHOP = "123456789"
APP_SECRET = "the secret of an app that is not there"  # noqa: S105


def main() -> None:
    """Take them all, at both widths, light and dark."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        stand_in = Crm()
        environment = {
            "DEMO_CRM_PORT": str(port),
            "FACEBOOK_APP_SECRET": APP_SECRET,
            "FACEBOOK_VERIFY_TOKEN": "x",
            "GRAPH_API_URL": f"http://{stand_in.host}/graph",
        }
        product = Product(Path(folder), environment)
        product.start("demo", "core", "demo")
        try:
            until(lambda: "CRM desk is at" in product.log("demo"), "the demo", seconds=90)
            api = product.sign_in()
            until(lambda: len(api.texts(SHOP)) >= 75, "the sample data", seconds=90)
            prepare(api, f"http://127.0.0.1:{port}")
            converse(api, Facebook(stand_in, product.address, APP_SECRET, SHOP))
            take_all(product.address, api)
        finally:
            product.stop()
            stand_in.close()


def converse(api: Client, facebook: Facebook) -> None:
    """Messages of every kind on the shop's page."""
    bot = {"mode": "suggest", "token": facebook.token}
    api.put(f"/dashboard/pages/{SHOP}/bot", bot | {"handover_reply": "Somebody will be with you."})
    facebook.write("Can I send my shoes back?")
    facebook.write("Which plan does Maria Garcia have?", sender="psid-2")
    facebook.write("Let me talk to a human, please", sender="psid-3")
    facebook.comment("What are your opening hours?")

    def is_done() -> bool:
        found = messages(api)
        return len(found) == 4 and all(one["state"] != "waiting" for one in found)

    until(is_done, "the bot", seconds=60)


def messages(api: Client) -> list[dict[str, Any]]:
    """What came in on the shop's page, newest first."""
    found: list[dict[str, Any]] = api.get("/dashboard/messages", page_id=SHOP).json()["messages"]
    return found


def prepare(api: Client, crm: str) -> None:
    """Something of everything: a failing link, saved questions, an account, a token."""
    link = api.add_link(SHOP, f"{crm}/shop/customers.json?page=2", name="Loyalty programme")
    api.ended_run(link["link_id"])
    options = {"scheme": "shopify", "secret": "a secret"}
    events = "https://my-shop.myshopify.com"
    api.add_link(SHOP, events, name="Shop events", type="webhook", options=options)
    asked = {"page_id": SHOP, "channel": "messenger"}
    for question in ("Can I send my shoes back?", "Who is Maria Garcia?"):
        api.post("/dashboard/questions", asked | {"question": question})
    api.post("/dashboard/questions/run", asked)
    account = {"username": "olga", "password": "a long enough password", "role": "operator"}
    api.post("/accounts", account)
    api.post("/tokens", {"name": "messenger-bot", "scopes": ["search"], "days": 365})


def take_all(address: str, api: Client) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for scheme in ("light", "dark"):
            for width, viewport in WIDTHS.items():
                context = browser.new_context(
                    base_url=address, viewport=viewport, color_scheme=scheme
                )
                page = context.new_page()
                page.goto("/login")
                page.screenshot(path=FOLDER / f"login-{width}-{scheme}.png")
                sign_in(page)
                for name, (path, show) in screens(api).items():
                    page.goto(path)
                    page.get_by_role("heading", level=1).wait_for()
                    show(page)
                    page.get_by_test_id("stStatusWidget").wait_for(state="hidden")
                    # Parts whose code comes late are drawn as placeholders until then.
                    expect(page.get_by_test_id("stSkeleton").filter(visible=True)).to_have_count(0)
                    page.screenshot(path=FOLDER / f"{name}-{width}-{scheme}.png")
                context.close()
        browser.close()


Show = Callable[[Page], None]


def table(page: Page) -> None:
    page.get_by_test_id("stDataFrame").first.wait_for()


def numbers(page: Page) -> None:
    text("Search mirrors")(page)
    page.get_by_test_id("stMetric").last.wait_for()


def switches(page: Page) -> None:
    text("Loyalty programme")(page)
    page.get_by_role("switch").last.wait_for(state="attached")


def text(words: str) -> Show:
    return lambda page: page.get_by_text(words).filter(visible=True).first.wait_for()


def tested(page: Page) -> None:
    page.get_by_role("button", name="Test connection").click()
    page.get_by_text("As it would be stored").wait_for()


def typed(name: str, fields: dict[str, str]) -> Show:
    """The form of another type, filled in."""

    def show(page: Page) -> None:
        page.get_by_role("radio", name=name).click()
        for label, value in fields.items():
            field = page.get_by_label(label, exact=True)
            field.fill(value)
            field.blur()

    return show


def started(name: str) -> Show:
    """The form, filled in from a starting point."""

    def show(page: Page) -> None:
        page.get_by_role("combobox", name="Start from").click()
        page.get_by_role("option", name=name, exact=True).click()
        page.get_by_text("More: https://").wait_for()

    return show


def screens(api: Client) -> dict[str, tuple[str, Show]]:
    """Each screen: its address, and what brings it to where it has something to show."""
    links = api.get("/dashboard/crm-links", page_id=SHOP).json()["crm_links"]
    by_name = {link["name"]: link["link_id"] for link in links}
    customers = by_name["Shop customers"]
    reply = messages(api)[0]["reply_id"]
    run = api.runs(by_name["Loyalty programme"])[-1]["run_id"]
    return {
        "overview": ("/", numbers),
        "links": ("/links", switches),
        "link-form": (f"/link_form?edit={customers}", tested),
        "form-api-oauth": (f"/link_form?page={SHOP}", started("Salesforce: contacts")),
        "form-graphql": (
            f"/link_form?page={SHOP}",
            started("Shopify: customers by GraphQL"),
        ),
        "form-webhook": (f"/link_form?edit={by_name['Shop events']}", text("/api/webhooks/crm/")),
        "form-database": (
            f"/link_form?page={SHOP}",
            typed(
                "Database",
                {
                    "Name": "Orders",
                    "Database": "postgresql://reader@db.example.com:5432/shop",
                    "Query": "SELECT id, customer, state FROM orders",
                },
            ),
        ),
        "form-file": (f"/link_form?page={SHOP}", typed("File", {"Name": "Price list"})),
        "sync-logs": ("/logs", table),
        "sync-log-run": (f"/logs?run={run}", text("Who can fix it")),
        "crm-text": (f"/crm_text?page={SHOP}&link={customers}", table),
        "crm-text-record": (
            f"/crm_text?page={SHOP}&link={customers}&view=record",
            text("Chunks, as they are embedded"),
        ),
        "ask": (
            "/ask?channel=messenger&q=Can%20I%20send%20my%20shoes%20back?",
            text("Saved questions"),
        ),
        "conversations": (f"/conversations?page={SHOP}", text("Suggestion: send it?")),
        "ask-why": (f"/ask?reply={reply}", text("What it was made of")),
        "settings-bot": (f"/settings?section=bot&page={SHOP}", text("Page access token")),
        "settings-pages": ("/settings", text("Add a page")),
        "settings-accounts": ("/settings?section=accounts", text("Add an account")),
        "settings-tokens": ("/settings?section=tokens", text("Make a token")),
        "settings-redaction": ("/settings?section=redaction", text("Save rules")),
        "settings-configuration": ("/settings?section=configuration", text("Import")),
        "settings-system": ("/settings?section=system", text("Embedding model")),
        "settings-audit": ("/settings?section=audit", table),
        "settings-password": ("/settings?section=password", text("Change password")),
    }


if __name__ == "__main__":
    main()
