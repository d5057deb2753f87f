"""Every call of the API, for every role, for every scope of a token, and for nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import VERIFY_TOKEN
from tests.product import Client, Product

PASSWORD = "a long enough password"
READ, SEARCH, OPERATE, ADMINISTER, ANYONE = "read", "search", "write", "administer", "anyone"

# What each call needs. A call that is missing here fails the test.
NEEDS: dict[tuple[str, str], str] = {
    ("post", "/auth/login"): ANYONE,
    ("get", "/health"): ANYONE,
    # The sender's signature is asked for instead.
    ("post", "/webhooks/crm/{link_id}"): ANYONE,
    ("post", "/auth/logout"): "an account",
    ("put", "/auth/password"): "an account",
    ("get", "/metrics"): READ,
    ("get", "/dashboard/pages"): READ,
    ("post", "/dashboard/pages"): OPERATE,
    ("put", "/dashboard/pages/{page_id}"): OPERATE,
    ("delete", "/dashboard/pages/{page_id}"): ADMINISTER,
    ("get", "/dashboard/overview"): READ,
    ("get", "/dashboard/crm-links"): READ,
    ("post", "/dashboard/crm-links"): OPERATE,
    ("delete", "/dashboard/crm-links"): OPERATE,
    ("put", "/dashboard/crm-links/status"): OPERATE,
    ("get", "/dashboard/crm-links/all"): READ,
    ("put", "/dashboard/crm-links/{link_id}"): OPERATE,
    ("post", "/dashboard/crm-links/test"): OPERATE,
    ("post", "/dashboard/sync"): OPERATE,
    ("get", "/dashboard/sync/runs"): READ,
    ("get", "/dashboard/sync/runs/{run_id}"): READ,
    ("post", "/dashboard/sync/runs/{run_id}/approve"): OPERATE,
    ("post", "/dashboard/sync/runs/{run_id}/reject"): OPERATE,
    ("post", "/dashboard/sync/runs/{run_id}/cancel"): OPERATE,
    ("post", "/dashboard/uploads"): OPERATE,
    ("get", "/dashboard/rag/documents/details"): READ,
    ("post", "/dashboard/rag/search"): SEARCH,
    ("post", "/dashboard/rag/reply"): SEARCH,
    ("get", "/dashboard/rag/replies/{reply_id}"): READ,
    # The sender's signature, or the verify token, is asked for instead.
    ("get", "/webhooks/facebook"): ANYONE,
    ("post", "/webhooks/facebook"): ANYONE,
    ("get", "/dashboard/pages/{page_id}/bot"): READ,
    ("put", "/dashboard/pages/{page_id}/bot"): ADMINISTER,
    ("get", "/dashboard/messages"): READ,
    ("post", "/dashboard/messages/{message_id}/send"): OPERATE,
    ("post", "/dashboard/messages/{message_id}/dismiss"): OPERATE,
    ("get", "/dashboard/conversations"): READ,
    ("put", "/dashboard/conversations/{conversation_id}/customer"): OPERATE,
    ("put", "/dashboard/conversations/{conversation_id}/handover"): OPERATE,
    ("get", "/dashboard/questions"): READ,
    ("post", "/dashboard/questions"): OPERATE,
    ("post", "/dashboard/questions/run"): SEARCH,
    ("delete", "/dashboard/questions/{question_id}"): OPERATE,
    ("get", "/accounts"): ADMINISTER,
    ("post", "/accounts"): ADMINISTER,
    ("put", "/accounts/{username}/role"): ADMINISTER,
    ("put", "/accounts/{username}/password"): ADMINISTER,
    ("delete", "/accounts/{username}"): ADMINISTER,
    ("get", "/tokens"): ADMINISTER,
    ("post", "/tokens"): ADMINISTER,
    ("delete", "/tokens/{name}"): ADMINISTER,
    ("get", "/audit"): ADMINISTER,
    ("post", "/erasures"): ADMINISTER,
    ("get", "/erasures"): ADMINISTER,
    ("get", "/erasures/{erasure_id}"): ADMINISTER,
    ("get", "/redaction"): READ,
    ("put", "/redaction"): ADMINISTER,
    ("put", "/company"): ADMINISTER,
    ("get", "/configuration"): ADMINISTER,
    ("post", "/configuration"): ADMINISTER,
}
# Bodies and queries that are well formed and lead to nothing that exists.
LINK = {"page_id": "none", "channels": ["messenger"], "name": "x", "url": "https://example.com/x"}
ASKED = {"page_id": "none", "channel": "messenger"}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("post", "/auth/login"): {"username": "x", "password": "x"},
    ("put", "/auth/password"): {"current_password": "x", "password": PASSWORD},
    ("post", "/dashboard/pages"): {"page_id": "roles-page", "page_name": "x"},
    ("put", "/dashboard/pages/{page_id}"): {"page_name": "x"},
    ("post", "/dashboard/crm-links"): LINK,
    ("put", "/dashboard/crm-links/{link_id}"): LINK | {"revision": 0},
    ("post", "/dashboard/crm-links/test"): LINK,
    ("delete", "/dashboard/crm-links"): {"page_id": "none", "channels": ["messenger"], "url": "x"},
    ("put", "/dashboard/crm-links/status"): {
        "page_id": "none",
        "channels": ["messenger"],
        "url": "x",
        "is_active": False,
    },
    ("post", "/dashboard/sync"): {"link_id": "none"},
    ("post", "/dashboard/rag/search"): ASKED | {"query": "x"},
    ("post", "/dashboard/rag/reply"): ASKED | {"message": "x"},
    ("put", "/dashboard/pages/{page_id}/bot"): {"mode": "off"},
    ("post", "/dashboard/messages/{message_id}/send"): {"text": "x"},
    ("put", "/dashboard/conversations/{conversation_id}/customer"): {},
    ("put", "/dashboard/conversations/{conversation_id}/handover"): {"handed_over": True},
    ("post", "/dashboard/questions"): ASKED | {"question": "x"},
    ("post", "/dashboard/questions/run"): ASKED,
    ("post", "/accounts"): {"username": "admin", "password": PASSWORD, "role": "viewer"},
    ("put", "/accounts/{username}/role"): {"role": "viewer"},
    ("put", "/accounts/{username}/password"): {"password": PASSWORD},
    ("post", "/tokens"): {"name": "x/y", "scopes": ["read"]},
    ("post", "/erasures"): {"value": "x"},
    ("put", "/redaction"): {},
    ("put", "/company"): {"company_name": "My company"},
    ("post", "/configuration"): {"text": "version: 1", "dry_run": True},
}
FILES = {("post", "/dashboard/uploads"): {"file": ("x.csv", b"id,name\n1,x\n")}}
QUERIES = {"page_id": "none", "hub.mode": "subscribe", "hub.verify_token": VERIFY_TOKEN}
GRANTS: dict[str, set[str]] = {
    "viewer": {READ, SEARCH, "an account"},
    "operator": {READ, SEARCH, OPERATE, "an account"},
    "admin": {READ, SEARCH, OPERATE, ADMINISTER, "an account"},
    "token: read": {READ, "an account"},
    "token: search": {SEARCH, "an account"},
    "token: write": {READ, OPERATE, "an account"},
}


@pytest.fixture(scope="module")
def callers(product: Product, api: Client) -> Iterator[dict[str, Client]]:
    """A client for each role and each scope."""
    found: dict[str, Client] = {}
    for role in ("viewer", "operator", "admin"):
        name = f"walker-{role}"
        body = {"username": name, "password": PASSWORD, "role": role}
        assert api.post("/accounts", body).status_code == 201
        found[role] = product.sign_in(name, PASSWORD)
    for scope in (READ, SEARCH, OPERATE):
        answer = api.post("/tokens", {"name": f"walker-{scope}", "scopes": [scope], "days": 1})
        client = Client(f"{product.address}/api")
        client.session.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        found[f"token: {scope}"] = client
    yield found
    for role in ("viewer", "operator", "admin"):
        api.session.delete(f"{api.address}/accounts/walker-{role}", timeout=30)
    for scope in (READ, SEARCH, OPERATE):
        api.session.delete(f"{api.address}/tokens/walker-{scope}", timeout=30)


def calls(product: Product) -> set[tuple[str, str]]:
    document = Client(f"{product.address}/api").get("/openapi.json").json()
    return {(method, path) for path, item in document["paths"].items() for method in item}


def ask(client: Client, call: tuple[str, str]) -> int:
    method, path = call
    filled = re.sub(r"\{\w+\}", "none", path)
    answer = client.session.request(
        method,
        client.address + filled,
        params=QUERIES if method == "get" else None,
        json=BODIES.get(call, {}) if method != "get" and call not in FILES else None,
        files=FILES.get(call),
        timeout=30,
    )
    return answer.status_code


def test_the_table_names_every_call(product: Product) -> None:
    assert calls(product) == set(NEEDS)


@pytest.mark.parametrize("caller", list(GRANTS))
def test_a_call_is_refused_exactly_when_the_caller_lacks_what_it_needs(
    callers: dict[str, Client], caller: str
) -> None:
    wrong = []
    for call, needs in NEEDS.items():
        if call in {("post", "/auth/logout"), ("post", "/auth/login")}:
            continue
        status = ask(callers[caller], call)
        may = needs == ANYONE or needs in GRANTS[caller]
        if (status == 403) == may or status >= 500:
            wrong.append(f"{call}: {status}, needs {needs}")
    assert wrong == []


def test_nobody_gets_anything_but_the_login_and_health(product: Product) -> None:
    stranger = Client(f"{product.address}/api")
    for call, needs in NEEDS.items():
        if needs != ANYONE:
            assert ask(stranger, call) == 401, call
