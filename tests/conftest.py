"""One running product for all tests: it takes seconds to start. Each test brings its own page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from tests.product import Client, Product
from tests.servers.crm import Crm


@pytest.fixture(scope="session")
def crm() -> Iterator[Crm]:
    server = Crm()
    yield server
    server.close()


@pytest.fixture(scope="session")
def product(crm: Crm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("product")
    running = Product(folder, {"CRM_ALLOWED_HOSTS": crm.hosts, "MAX_BYTES": "2000000"})
    try:
        running.start_all()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def api(product: Product) -> Client:
    return product.sign_in()


@pytest.fixture
def page_id(api: Client) -> str:
    return api.add_page()


@pytest.fixture
def path(request: pytest.FixtureRequest) -> str:
    """A path on the CRM server that belongs to one test."""
    return f"/{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]}"
