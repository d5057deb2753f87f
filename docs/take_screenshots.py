"""Screenshots of every screen, from a fresh demo: ``make screenshots``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import FLAGS, WIDTHS, sign_in
from tests.product import Product, free_port
from tests.waiting import until

FOLDER = Path(__file__).parent / "screenshots"
SCREENS = {
    "links": "/",
    "sync-logs": "/logs",
    "crm-text": "/crm_text",
    "ask": "x",
    "pages": "/companies",
}


def main() -> None:
    """Take them all, at both widths, light and dark."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        product = Product(Path(folder), {"DEMO_CRM_PORT": str(free_port())})
        product.start("demo", "core", "demo")
        try:
            until(lambda: "CRM desk is at" in product.log("demo"), "the demo", seconds=90)
            api = product.sign_in()
            until(lambda: len(api.texts("123456789")) >= 75, "the sample data", seconds=90)
            take_all(product.address)
        finally:
            product.stop()


def take_all(address: str) -> None:
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
                for name, path in SCREENS.items():
                    page.goto(path)
                    show(page, name)
                    page.screenshot(path=FOLDER / f"{name}-{width}-{scheme}.png")
                context.close()
        browser.close()


def show(page: Page, name: str) -> None:
    """Bring a screen to where it has something to show."""
    page.get_by_role("heading", level=1).wait_for()
    if name == "search":
        page.get_by_label("Question", exact=True).fill("Can I send my shoes back?")
        page.get_by_role("button", name="Search").click()
        page.get_by_text("Help pages").first.wait_for()
    elif name == "links":
        page.get_by_role("button", name="Delete").nth(2).wait_for()
        page.get_by_role("button", name="Add CRM link").wait_for()
    else:
        page.get_by_test_id("stDataFrame").first.wait_for()
    page.get_by_test_id("stStatusWidget").wait_for(state="hidden")


if __name__ == "__main__":
    main()
