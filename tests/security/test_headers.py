"""Security headers, foreign sites, and what never goes out."""

from __future__ import annotations

import pytest
import requests
from playwright.sync_api import Browser, expect

from tests.browser.window import WIDTHS, sign_in
from tests.product import Client, Product


@pytest.fixture
def cookie(product: Product, api: Client) -> str:
    return str(api.session.headers["Authorization"]).removeprefix("Bearer ")


@pytest.mark.parametrize("path", ["/", "/login", "/logs", "/static/js/x.js", "/api/health"])
def test_every_answer_has_the_headers(product: Product, cookie: str, path: str) -> None:
    answer = requests.get(product.address + path, cookies={"crm_desk_session": cookie}, timeout=10)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    scripts = [part for part in policy.split("; ") if part.startswith("script-src")]
    assert all("unsafe-inline" not in part for part in scripts)
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_policy_lets_the_dashboard_work_and_nothing_else(
    chromium: Browser, product: Product
) -> None:
    context = chromium.new_context(base_url=product.address, viewport=WIDTHS["desk"])
    page = context.new_page()
    refused: list[str] = []
    page.on(
        "console",
        lambda message: (
            refused.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    sign_in(page)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    for path in ("/logs", "/links", "/crm_text", "/ask", "/settings?section=audit"):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert refused == []
    # An inline script that got into the page would not run.
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.hacked = 1';"
        " document.body.append(s); }"
    )
    assert page.evaluate("() => window.hacked") is None
    assert refused
    context.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_what_another_site_sends_with_our_cookie_is_refused(
    product: Product, cookie: str, method: str
) -> None:
    answer = requests.request(
        method,
        f"{product.address}/_stcore/upload_file/x/y",
        headers={"Origin": "https://evil.example"},
        cookies={"crm_desk_session": cookie},
        timeout=10,
    )
    assert answer.status_code == 403


def test_another_site_can_not_open_the_websocket_with_our_cookie(
    product: Product, cookie: str
) -> None:
    answer = requests.get(
        f"{product.address}/_stcore/stream",
        headers={
            "Origin": "https://evil.example",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
        cookies={"crm_desk_session": cookie},
        timeout=10,
    )
    assert answer.status_code == 403


def test_the_api_takes_no_cookie(product: Product, cookie: str) -> None:
    answer = requests.get(
        f"{product.address}/api/dashboard/pages",
        cookies={"crm_desk_session": cookie},
        timeout=10,
    )
    assert answer.status_code == 401


def test_no_page_runs_for_a_stranger_however_it_is_asked_for(product: Product) -> None:
    for path in (
        "/links",
        "/link_form",
        "/settings?section=accounts",
        "/_stcore/agent/openapi.json",
        "/_stcore/host-config",
        "/pages/links.py",
        "/%6cinks",
        "//links",
        "/media/x",
    ):
        answer = requests.get(product.address + path, timeout=10, allow_redirects=False)
        assert answer.status_code in (303, 404), path
        assert "stApp" not in answer.text


def test_too_many_and_too_long_headers_are_refused(product: Product) -> None:
    answer = requests.get(
        f"{product.address}/api/health", headers={"X-Long": "x" * 200_000}, timeout=10
    )
    assert answer.status_code in (400, 413, 431)
