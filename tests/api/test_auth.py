"""Signing in, and what is closed without it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.product import PASSWORD, Client, Product

OPEN = {
    ("post", "/auth/login"),
    ("get", "/health"),
    ("post", "/webhooks/crm/{link_id}"),
    ("get", "/webhooks/facebook"),
    ("post", "/webhooks/facebook"),
}


def routes(product: Product) -> list[tuple[str, str]]:
    document = Client(f"{product.address}/api").get("/openapi.json").json()
    return [(method, path) for path, item in document["paths"].items() for method in item]


def test_signing_in_gives_a_token_that_works_until_signed_out(product: Product) -> None:
    client = Client(f"{product.address}/api")
    answer = client.post("/auth/login", {"username": "admin", "password": PASSWORD})
    assert answer.status_code == 200
    content = answer.json()
    assert set(content) == {"token", "expires_at", "role"}
    assert content["role"] == "admin"
    client.session.headers["Authorization"] = f"Bearer {content['token']}"
    assert client.get("/dashboard/pages").status_code == 200
    assert client.post("/auth/logout", {}).status_code == 200
    assert client.get("/dashboard/pages").status_code == 401


@pytest.mark.parametrize(
    "credentials",
    [
        {"username": "admin", "password": "wrong"},
        {"username": "nobody", "password": PASSWORD},
    ],
)
def test_a_wrong_password_and_an_unknown_user_sound_alike(
    product: Product, credentials: dict[str, str]
) -> None:
    answer = Client(f"{product.address}/api").post("/auth/login", credentials)
    assert answer.status_code == 401
    assert answer.json()["detail"].startswith("User name or password is wrong.")


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer x", "Basic YWRtaW46YQ=="])
def test_every_call_without_a_valid_token_is_a_401(
    product: Product, authorization: str | None
) -> None:
    walked = 0
    for method, path in routes(product):
        if (method, path) in OPEN:
            continue
        client = Client(f"{product.address}/api")
        headers: dict[str, Any] = {"Authorization": authorization} if authorization else {}
        answer = client.session.request(method, client.address + path, headers=headers, timeout=30)
        assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"
        assert answer.json()["status"] == 401
        walked += 1
    assert walked >= 12


def test_the_documentation_loads_nothing_from_elsewhere(product: Product) -> None:
    page = Client(f"{product.address}/api").get("/docs")
    assert page.status_code == 200
    assert "swagger" in page.text.lower()
    assert "://" not in page.text.replace("http://www.w3.org", "")


def test_health_names_each_part(product: Product) -> None:
    health = Client(f"{product.address}/api").get("/health")
    assert health.status_code == 200
    content = health.json()
    assert (content["status"], content["store"], content["model"]) == ("ok", "ok", "loaded")
    assert content["schedulers"] >= 1


def test_metrics_are_prometheus_text(api: Client) -> None:
    answer = api.get("/metrics")
    assert answer.status_code == 200
    assert "# TYPE crm_desk_links gauge" in answer.text
