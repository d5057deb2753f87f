"""The API, fuzzed from its own OpenAPI document: no 500, no answer that is not documented."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.product import Product
from tests.servers.crm import Crm

# Calls that would sign the fuzzer out, or wait for a scheduler that is busy with what it sent.
LEFT_OUT = ("/auth/logout", "/auth/password", "/dashboard/crm-links/test")


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, crm: Crm) -> Iterator[Product]:
    """A product of its own: what is sent here is kept by nobody."""
    folder: Path = tmp_path_factory.mktemp("fuzzed")
    running = Product(folder, {"CRM_ALLOWED_HOSTS": crm.hosts})
    try:
        running.start_all()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def token(fuzzed: Product) -> str:
    return str(fuzzed.sign_in().session.headers["Authorization"])


@pytest.fixture
def api_schema(fuzzed: Product) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{fuzzed.address}/api/openapi.json")


schema = schemathesis.pytest.from_fixture("api_schema")


@schema.exclude(path=list(LEFT_OUT)).parametrize()
@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_breaks_it(case: schemathesis.Case, token: str) -> None:
    case.call_and_validate(
        headers={"Authorization": token},
        timeout=60,
        checks=(
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ),
    )
