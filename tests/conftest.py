"""One running product for all tests: it takes seconds to start. Each test brings its own page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from core.vectors.embed import Embedder
from tests.browser.window import FLAGS
from tests.product import Client, Product
from tests.servers.crm import Crm
from tests.servers.databases import HOST as DATABASE_HOST
from tests.sync.inside import Inside

APP_SECRET, VERIFY_TOKEN = "the app's own secret", "the token for setting up"
ALERT_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="session")
def crm() -> Iterator[Crm]:
    server = Crm()
    yield server
    server.close()


@pytest.fixture(scope="session")
def product(crm: Crm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("product")
    environment = {
        "CRM_ALLOWED_HOSTS": f"{crm.hosts},{DATABASE_HOST}",
        "SQLITE_DIR": str(folder / "sqlite"),
        "MAX_BYTES": "2000000",
        "MAX_UPLOAD_BYTES": "2000000",
        "MAX_PAGES": "20",
        "MAX_RECORDS": "5000",
        "ALERT_WEBHOOK_URL": f"http://{crm.host}/alerts",
        "ALERT_WEBHOOK_SECRET": ALERT_SECRET,
        "FACEBOOK_APP_SECRET": APP_SECRET,
        "FACEBOOK_VERIFY_TOKEN": VERIFY_TOKEN,
        "GRAPH_API_URL": f"http://{crm.host}/graph",
    }
    running = Product(folder, environment)
    try:
        running.start_all()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    """The real model, loaded once for the tests that run parts of the product in this process."""
    return Embedder()


@pytest.fixture
def inside(tmp_path: Path, crm: Crm, embedder: Embedder) -> Iterator[Inside]:
    opened = Inside(tmp_path / "data", crm.hosts, embedder)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def api(product: Product) -> Client:
    return product.sign_in()


@pytest.fixture
def page_id(api: Client) -> Iterator[str]:
    """A page of the test's own; its links go afterwards, so that none of them syncs on."""
    page_id = api.add_page()
    yield page_id
    api.delete_links(page_id)


@pytest.fixture
def path(request: pytest.FixtureRequest) -> str:
    """A path on the CRM server that belongs to one test."""
    return f"/{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]}"
