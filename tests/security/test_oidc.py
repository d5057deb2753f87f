"""Signing in with a real OpenID Connect provider, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.product import Product
from tests.servers.oidc import CLIENT_ID, CLIENT_SECRET, Provider

OLGA = {"email": "olga@example.com", "email_verified": True, "groups": ["support", "everyone"]}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    server = Provider()
    yield server
    server.close()


@pytest.fixture(scope="module")
def desk(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder: Path = tmp_path_factory.mktemp("oidc")
    running = Product(
        folder,
        {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_ROLES": '{"support": "operator", "crm-admins": "admin"}',
        },
    )
    try:
        running.start_all()
        yield running
    finally:
        running.stop()


def browse(desk: Product, path: str = "/login/oidc") -> tuple[requests.Session, requests.Response]:
    """What a browser gets that follows every redirect."""
    session = requests.Session()
    session.trust_env = False
    return session, session.get(desk.address + path, timeout=30)


@pytest.fixture(autouse=True)
def _well_behaved(provider: Provider) -> None:
    provider.claims, provider.flaw = dict(OLGA), ""


def test_the_provider_lets_somebody_in_with_the_role_of_their_group(desk: Product) -> None:
    login = requests.get(f"{desk.address}/login", timeout=10).text
    assert "Sign in with your company" in login
    session, answer = browse(desk, "/login/oidc?next=/logs?state=failed")
    assert answer.status_code == 200
    assert answer.url == f"{desk.address}/logs?state=failed"
    assert session.cookies["crm_desk_session"]
    accounts = desk.sign_in().get("/accounts").json()["accounts"]
    olga = next(one for one in accounts if one["username"] == "olga@example.com")
    assert olga["role"] == "operator"


def test_the_best_of_several_groups_counts_and_follows_the_provider(
    desk: Product, provider: Provider
) -> None:
    provider.claims["groups"] = ["support", "crm-admins"]
    browse(desk)
    api = desk.sign_in()
    roles = {a["username"]: a["role"] for a in api.get("/accounts").json()["accounts"]}
    assert roles["olga@example.com"] == "admin"
    provider.claims["groups"] = ["support"]
    browse(desk)
    roles = {a["username"]: a["role"] for a in api.get("/accounts").json()["accounts"]}
    assert roles["olga@example.com"] == "operator"


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"groups": ["strangers"]}, "None of your groups has a role"),
        ({"groups": None}, "None of your groups has a role"),
        ({"email": None}, "does not say who you are"),
        ({"email_verified": False}, "is not verified"),
    ],
)
def test_somebody_without_a_role_or_a_name_is_turned_away(
    desk: Product, provider: Provider, claims: dict[str, Any], words: str
) -> None:
    provider.claims |= claims
    session, answer = browse(desk)
    assert answer.status_code == 401
    assert words in answer.text
    assert "crm_desk_session" not in session.cookies


@pytest.mark.parametrize("flaw", ["state", "nonce", "signature", "issuer", "audience", "expired"])
def test_an_answer_that_is_not_the_providers_own_lets_nobody_in(
    desk: Product, provider: Provider, flaw: str
) -> None:
    provider.flaw = flaw
    session, answer = browse(desk)
    assert answer.status_code == 401
    assert "did not confirm the sign-in" in answer.text
    assert "crm_desk_session" not in session.cookies


def test_a_callback_that_nobody_asked_for_lets_nobody_in(desk: Product) -> None:
    session, answer = browse(desk, "/login/oidc/callback?code=x&state=y")
    assert answer.status_code == 401
    assert "crm_desk_session" not in session.cookies


def test_it_leads_to_no_other_site(desk: Product) -> None:
    _, answer = browse(desk, "/login/oidc?next=//evil.example")
    assert answer.url == f"{desk.address}/"


def test_an_account_of_the_provider_has_no_password(desk: Product) -> None:
    browse(desk)
    body = {"username": "olga@example.com", "password": ""}
    answer = requests.post(f"{desk.address}/api/auth/login", json=body, timeout=10)
    assert answer.status_code == 422
    body["password"] = "anything at all"
    answer = requests.post(f"{desk.address}/api/auth/login", json=body, timeout=10)
    assert answer.status_code == 401
