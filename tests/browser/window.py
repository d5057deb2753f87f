"""How browsers are started here, and signing in with one."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.product import PASSWORD

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WIDTHS = {"desk": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}


def sign_in(tab: Page, path: str = "/login") -> None:
    tab.goto(path)
    tab.get_by_label("User name", exact=True).fill("admin")
    tab.get_by_label("Password", exact=True).fill(PASSWORD)
    tab.get_by_role("button", name="Sign in").click()
