"""The API, fuzzed from its own OpenAPI document: no 500, no answer that is not documented."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.product import Client, Product
from tests.servers.crm import Crm

# Calls that would sign the fuzzer out, or wait for a scheduler that is busy with what it sent.
LEFT_OUT = {"/auth/logout", "/auth/password", "/dashboard/crm-links/test"}
EXAMPLES = 15
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


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


def test_no_request_breaks_it_and_every_answer_is_documented(fuzzed: Product) -> None:
    schema = schemathesis.openapi.from_url(f"{fuzzed.address}/api/openapi.json")
    token = str(fuzzed.sign_in().session.headers["Authorization"])
    session = requests.Session()
    session.trust_env = False
    fuzzed_calls = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path in LEFT_OUT:
            continue

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(case=operation.as_strategy())
        def one(case: schemathesis.Case) -> None:
            case.call_and_validate(
                base_url=f"{fuzzed.address}/api",
                session=session,
                headers={"Authorization": token},
                timeout=60,
                checks=CHECKS,
            )

        one()
        fuzzed_calls += 1
    assert fuzzed_calls > 35


def test_every_call_without_a_token_is_a_401_whatever_is_sent(fuzzed: Product) -> None:
    document = Client(f"{fuzzed.address}/api").get("/openapi.json").json()
    assert len(document["paths"]) > 25
    for item in document["paths"].values():
        for call in item.values():
            assert {"401", "403", "422"} <= set(call["responses"])
