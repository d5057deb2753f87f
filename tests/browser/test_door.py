"""Nobody sees a page without signing in."""

from __future__ import annotations

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.window import sign_in
from tests.product import PASSWORD, Product

PATHS = ["/", "/links", "/logs", "/crm_text", "/search", "/companies", "/navigation", "/nothing"]


@pytest.mark.parametrize("path", PATHS)
def test_every_deep_link_leads_a_stranger_to_the_login(stranger: Page, path: str) -> None:
    stranger.goto(path)
    expect(stranger.get_by_role("button", name="Sign in")).to_be_visible()
    assert "/login" in stranger.url
    expect(stranger.get_by_test_id("stApp")).to_have_count(0)


def test_a_stranger_gets_neither_websocket_nor_files(product: Product) -> None:
    for path in ("/_stcore/stream", "/_stcore/host-config", "/static/index.html", "/media/x"):
        answer = requests.get(product.address + path, timeout=10, allow_redirects=False)
        assert answer.status_code == 303, path
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    answer = requests.get(f"{product.address}/_stcore/stream", headers=upgrade, timeout=10)
    assert answer.status_code == 403


def test_a_wrong_password_says_so_and_lets_try_again(stranger: Page) -> None:
    stranger.goto("/login")
    stranger.get_by_label("User name", exact=True).fill("admin")
    stranger.get_by_label("Password", exact=True).fill("wrong")
    stranger.get_by_role("button", name="Sign in").click()
    expect(stranger.get_by_role("alert")).to_have_text("User name or password is wrong.")
    expect(stranger.get_by_label("User name", exact=True)).to_have_value("admin")


def test_signing_in_leads_where_one_wanted_to_go_and_survives_a_reload(stranger: Page) -> None:
    sign_in(stranger, "/logs?state=failed")
    expect(stranger.get_by_role("heading", name="Sync logs")).to_be_visible()
    assert "state=failed" in stranger.url
    stranger.reload()
    expect(stranger.get_by_role("heading", name="Sync logs")).to_be_visible()


def test_signing_out_closes_the_other_tab_too(stranger: Page) -> None:
    sign_in(stranger)
    expect(stranger.get_by_role("heading", name="Overview")).to_be_visible()
    other = stranger.context.new_page()
    other.goto("/logs")
    expect(other.get_by_role("heading", name="Sync logs")).to_be_visible()
    stranger.get_by_role("button", name="Sign out").click()
    expect(stranger.get_by_role("button", name="Sign in")).to_be_visible()
    # The other tab's connection is still open: its next refresh must show nothing any more.
    expect(other.get_by_role("button", name="Sign in")).to_be_visible()


def test_the_login_can_not_be_sent_from_another_site(product: Product) -> None:
    answer = requests.post(
        f"{product.address}/login",
        data={"username": "admin", "password": PASSWORD},
        headers={"Origin": "https://evil.example"},
        timeout=10,
        allow_redirects=False,
    )
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_the_login_leads_to_no_other_site(product: Product, wanted: str) -> None:
    answer = requests.post(
        f"{product.address}/login",
        params={"next": wanted},
        data={"username": "admin", "password": PASSWORD},
        timeout=10,
        allow_redirects=False,
    )
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/"
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert "samesite=lax" in answer.headers["Set-Cookie"].lower()
