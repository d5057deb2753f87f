"""Accounts, tokens, the audit log, redaction and configuration."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.product import Client, Product
from tests.servers.crm import Crm, customers

PASSWORD = "a long enough password"


def delete(api: Client, path: str) -> int:
    status: int = api.session.delete(api.address + path, timeout=30).status_code
    return status


def test_an_account_lives_from_creation_to_deletion(product: Product, api: Client) -> None:
    body = {"username": "Ops Olga", "password": PASSWORD, "role": "viewer"}
    assert api.post("/accounts", body).status_code == 201
    assert api.post("/accounts", body).status_code == 409
    olga = product.sign_in("Ops Olga", PASSWORD)
    assert olga.post("/dashboard/sync", {"link_id": "x"}).status_code == 403
    assert api.put("/accounts/Ops Olga/role", {"role": "operator"}).status_code == 200
    # A role holds from the next call on, without signing in again.
    assert olga.post("/dashboard/sync", {"link_id": "x"}).status_code == 404
    listed = {a["username"]: a for a in api.get("/accounts").json()["accounts"]}
    assert listed["Ops Olga"]["role"] == "operator"
    assert listed["Ops Olga"]["last_sign_in_at"]
    assert "password_hash" not in str(listed)
    assert delete(api, "/accounts/Ops Olga") == 200
    assert olga.get("/dashboard/pages").status_code == 401


def test_a_new_password_ends_all_sessions(product: Product, api: Client) -> None:
    body = {"username": "pat", "password": PASSWORD, "role": "viewer"}
    assert api.post("/accounts", body).status_code == 201
    here, there = product.sign_in("pat", PASSWORD), product.sign_in("pat", PASSWORD)
    wrong = {"current_password": "wrong", "password": "another long password"}
    assert here.put("/auth/password", wrong).status_code == 422
    right = wrong | {"current_password": PASSWORD}
    assert here.put("/auth/password", right).status_code == 200
    assert here.get("/dashboard/pages").status_code == 401
    assert there.get("/dashboard/pages").status_code == 401
    again = product.sign_in("pat", "another long password")
    assert api.put("/accounts/pat/password", {"password": PASSWORD}).status_code == 200
    assert again.get("/dashboard/pages").status_code == 401
    assert delete(api, "/accounts/pat") == 200


def test_the_last_administrator_can_neither_go_nor_step_down(api: Client) -> None:
    assert delete(api, "/accounts/admin") == 409
    assert api.put("/accounts/admin/role", {"role": "viewer"}).status_code == 409


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"password": "short"}, "password"),
        ({"username": "a/b"}, "username"),
        ({"username": "token:x"}, "username"),
        ({"role": "king"}, "role"),
    ],
)
def test_an_unusable_account_is_refused(api: Client, fields: dict[str, str], field: str) -> None:
    body = {"username": "new", "password": PASSWORD, "role": "viewer"} | fields
    answer = api.post("/accounts", body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


def test_a_token_is_shown_once_and_works_until_it_is_revoked(product: Product, api: Client) -> None:
    made = api.post("/tokens", {"name": "bot", "scopes": ["search"], "days": 30})
    assert made.status_code == 201
    token = made.json()["token"]
    assert token not in api.get("/tokens").text
    assert api.post("/tokens", {"name": "bot", "scopes": ["read"]}).status_code == 409
    bot = Client(f"{product.address}/api")
    bot.session.headers["Authorization"] = f"Bearer {token}"
    body = {"page_id": "none", "channel": "messenger", "query": "x"}
    assert bot.post("/dashboard/rag/search", body).status_code == 404
    assert bot.get("/dashboard/pages").status_code == 403
    assert delete(api, "/tokens/bot") == 200
    assert bot.post("/dashboard/rag/search", body).status_code == 401
    assert delete(api, "/tokens/bot") == 404


def test_the_audit_log_says_who_did_what_from_where_without_secrets(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John")), api_key="secret-key-77")
    body: dict[str, Any] = {
        "page_id": page_id,
        "channels": ["messenger"],
        "name": "New name",
        "url": link["url"],
        "revision": 0,
    }
    api.put(f"/dashboard/crm-links/{link['link_id']}", body)
    answer = api.get("/audit", subject=link["link_id"])
    edited, added = answer.json()["entries"][:2]
    assert (added["action"], added["who"], added["origin"]) == ("link.add", "admin", "127.0.0.1")
    assert added["after"]["api_key"] == "***"
    assert (edited["before"], edited["after"]) == ({"name": "Customers"}, {"name": "New name"})
    assert "secret-key-77" not in answer.text
    older = api.get("/audit", limit=1, before=edited["at"]).json()
    assert older["entries"][0]["at"] < edited["at"]
    assert older["next_before"]


def test_a_company_rule_holds_for_every_link(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    rules = {"kinds": {"email": "hash"}, "rules": [{"path": "nickname", "action": "drop"}]}
    try:
        assert api.put("/redaction", rules).status_code == 200
        assert api.get("/redaction").json()["kinds"]["email"] == "hash"
        crm.serve(path, {"customers": [{"id": 1, "email": "a@b.co", "nickname": "Al"}]})
        link = api.add_link(page_id, f"http://{crm.host}{path}")
        run = api.ended_run(link["link_id"])
        assert run["counts"]["redacted"] == 2
        text = api.texts(page_id)[0]
        assert "email: [hashed: " in text
        assert "nickname" not in text
    finally:
        assert api.put("/redaction", {}).status_code == 200
    bad = {"rules": [{"path": "a[0].b", "action": "drop"}]}
    assert api.put("/redaction", bad).status_code == 422


def test_an_exported_configuration_imports_without_a_change_and_has_no_secret(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, customers("John"))
    fields: dict[str, Any] = {
        "api_key": "secret-key-88",
        "headers": {"X-Api-Key": "secret-key-99", "X-Shop": "7"},
        "params": {"status": "active"},
        "pagination": {"type": "cursor", "cursor_path": "$.next", "cursor_param": "after"},
        "redaction": [{"path": "notes", "action": "drop"}],
        "sync_interval_minutes": 45,
    }
    link = api.add_link(page_id, url, **fields)
    exported = api.get("/configuration").text
    assert "secret-key" not in exported
    steps = api.post("/configuration", {"text": exported, "dry_run": True}).json()["steps"]
    assert {step["action"] for step in steps} == {"keep"}
    document = yaml.safe_load(exported)
    page = next(p for p in document["pages"] if p["page_id"] == page_id)
    page["page_name"] = "Renamed"
    page["links"][0]["channels"] = {"messenger": False, "facebook": True}
    page["links"].append(
        {"name": "New", "url": f"{url}/2", "api_key": "***", "channels": {"messenger": True}}
    )
    text = yaml.safe_dump({"version": 1, "pages": [page]})
    planned = api.post("/configuration", {"text": text, "dry_run": True}).json()["steps"]
    assert [step["action"] for step in planned] == ["change", "change", "add"]
    assert api.get("/dashboard/crm-links", page_id=page_id).json()["total"] == 1
    done = api.post("/configuration", {"text": text, "dry_run": False}).json()["steps"]
    assert done == planned
    links = api.get("/dashboard/crm-links", page_id=page_id).json()["crm_links"]
    by_name = {one["name"]: one for one in links}
    assert by_name["Customers"]["channel_status"] == {"facebook": True, "messenger": False}
    assert by_name["Customers"]["link_id"] == link["link_id"]
    assert by_name["Customers"]["api_key"] == "***"
    # Its key is not in the file: it waits, switched off, until somebody enters it.
    assert by_name["New"]["is_active"] is False
    again = api.post("/configuration", {"text": text, "dry_run": False}).json()["steps"]
    assert {step["action"] for step in again[:1]} == {"keep"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no: version",
        "version: 1\npages: 5",
        "version: 1\npages: [{page_id: p, links: [{name: x}]}]",
        "version: 1\npages: [{page_id: p, links: [{name: x, url: 'https://x.example', nope: 1}]}]",
        "[unclosed",
        "!!python/object/apply:os.system ['true']",
    ],
)
def test_an_unusable_configuration_changes_nothing(api: Client, text: str) -> None:
    before = api.get("/configuration").text
    answer = api.post("/configuration", {"text": text, "dry_run": False})
    assert answer.status_code == 422, answer.text
    assert api.get("/configuration").text == before
