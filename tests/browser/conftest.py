"""Real Chromium, signed in, at a desk's and at a phone's width."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.window import WIDTHS, sign_in
from tests.product import Product

expect.set_options(timeout=10_000)


@pytest.fixture
def stranger(chromium: Browser, product: Product) -> Iterator[Page]:
    """A browser that is not signed in."""
    context = chromium.new_context(base_url=product.address, viewport=WIDTHS["desk"])
    yield context.new_page()
    context.close()


@pytest.fixture(params=list(WIDTHS))
def page(request: pytest.FixtureRequest, chromium: Browser, product: Product) -> Iterator[Page]:
    """A signed-in browser; the test fails if a script error or a page error is seen."""
    context = chromium.new_context(base_url=product.address, viewport=WIDTHS[request.param])
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    sign_in(tab)
    yield tab
    expect(tab.get_by_test_id("stException")).to_have_count(0)
    context.close()
    assert errors == []
