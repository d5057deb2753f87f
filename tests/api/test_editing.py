"""Changing links."""

from __future__ import annotations

from typing import Any

import pytest

from core.acting import Acting
from core.errors import InvalidRequest
from core.links import NewLink
from core.models import Channel
from core.security.accounts import DEFAULT_COMPANY
from core.security.roles import Role, User
from core.security.secrets import MASK
from tests.product import Client
from tests.servers.crm import Answer, Crm, customers
from tests.sync.inside import PAGE, Inside


def edit(api: Client, link: dict[str, Any], **fields: Any) -> Any:
    body = {
        "page_id": link["page_id"],
        "channels": link["channels"],
        "name": link["name"],
        "url": link["url"],
        "revision": link["revision"],
    }
    return api.put(f"/dashboard/crm-links/{link['link_id']}", body | fields)


def added(api: Client, page_id: str, url: str, **fields: Any) -> dict[str, Any]:
    link = api.add_link(page_id, url, **fields) | {"page_id": page_id}
    api.ended_run(link["link_id"])
    return link


def test_an_edit_keeps_the_secrets_that_it_leaves_out(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    secrets = {"api_key": "secret-key-1", "headers": {"X-Api-Key": "secret-key-2"}}
    link = added(api, page_id, crm.serve(path, customers("John")), **secrets)
    answer = edit(api, link, name="New name", headers={"X-Api-Key": "***", "X-Shop": "7"})
    assert answer.status_code == 200
    changed = answer.json()["crm_link"]
    assert (changed["name"], changed["revision"]) == ("New name", 1)
    assert changed["headers"] == {"X-Api-Key": "***", "X-Shop": "7"}
    assert api.ended_run(link["link_id"], 2)["trigger"] == "edited"
    asked = crm.asked(path)[-1].headers
    assert asked["Authorization"] == "Bearer secret-key-1"
    assert (asked["X-Api-Key"], asked["X-Shop"]) == ("secret-key-2", "7")


def test_a_key_is_removed_by_null(api: Client, page_id: str, crm: Crm, path: str) -> None:
    link = added(api, page_id, crm.serve(path, customers("John")), api_key="secret-key-1")
    assert edit(api, link, api_key=None).json()["crm_link"]["api_key"] is None
    api.ended_run(link["link_id"], 2)
    assert "Authorization" not in crm.asked(path)[-1].headers


def test_a_stale_edit_is_a_409_that_changes_nothing(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = added(api, page_id, crm.serve(path, customers("John")))
    assert edit(api, link, name="First").status_code == 200
    answer = edit(api, link, name="Second")
    assert answer.status_code == 409
    assert "was changed by admin while you were editing it" in answer.json()["detail"]
    assert api.link(page_id, link["link_id"])["name"] == "First"


def test_an_edit_can_move_a_link_to_another_channel_without_embedding_it_again(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = added(api, page_id, crm.serve(path, customers("John")))
    assert edit(api, link, channels=["facebook", "messenger"]).status_code == 200
    run = api.ended_run(link["link_id"], 2)
    assert run["state"] == "unchanged"
    assert api.search(page_id, "Who is John?", "facebook")[0]["link_id"] == link["link_id"]


def test_an_edit_to_an_address_that_is_there_already_is_refused(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = added(api, page_id, crm.serve(path, customers("John")))
    other = crm.serve(f"{path}/other", customers("Jane"))
    api.add_link(page_id, other)
    assert edit(api, link, url=other).status_code == 409


def test_a_new_redaction_rule_changes_what_is_served_at_the_next_sync(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    etag = {"ETag": '"1"'}
    url = crm.serve(path, Answer(customers("John"), headers=etag))
    link = added(api, page_id, url)
    assert "customers[0].email: john@example.com" in api.texts(page_id)[0]
    rules = [{"path": "customers[].email", "action": "mask"}]
    assert edit(api, link, redaction=rules).status_code == 200
    assert api.ended_run(link["link_id"], 2)["counts"]["redacted"] == 1
    # Asked without the ETag: what was said of the old text does not hold for the new one.
    assert "If-None-Match" not in crm.asked(path)[-1].headers
    assert "customers[0].email: [masked: by rule]" in api.texts(page_id)[0]
    assert api.search(page_id, "john@example.com")[0]["text"].count("john@example.com") == 0


@pytest.mark.parametrize("place", ["api_key", "headers", "params", "options"])
def test_a_stored_secret_is_not_sent_to_another_host(
    api: Client, crm: Crm, page_id: str, path: str, place: str
) -> None:
    """Whoever may edit a link may not read its key by having it sent to themselves."""
    oauth = {"auth": "oauth2", "token_url": f"http://{crm.host}{path}/token", "client_id": "x"}
    secrets: dict[str, Any] = {
        "api_key": {"api_key": "secret-key-1"},
        "headers": {"headers": {"X-Api-Key": "secret-key-1"}},
        "params": {"params": {"token": "secret-key-1"}},
        "options": {"options": oauth | {"client_secret": "secret-key-1"}},
    }[place]
    link = added(api, page_id, crm.serve(path, customers("John")), **secrets)
    thief = crm.serve(f"{path}/thief", customers("John"), host=crm.own_host())
    masked = {name: link[name] for name in ("headers", "params", "options") if link[name]}
    for moved in ({"url": thief}, {"options": oauth | {"token_url": thief}}):
        if "options" in moved and place != "options":
            continue
        fields = masked | moved
        if "options" in moved:
            fields["options"] = moved["options"] | {"client_secret": "***"}
        refused = edit(api, link, **fields)
        assert refused.status_code == 422, refused.text
        assert "another host" in refused.text
        body = {"page_id": page_id, "channels": ["messenger"], "name": "x", "url": link["url"]}
        tried = body | fields | {"link_id": link["link_id"], "api_key": "***"}
        assert api.post("/dashboard/crm-links/test", tried).status_code == 422
    assert crm.asked(f"{path}/thief") == []
    # On the same host it stays, and entered anew it may go anywhere.
    other = crm.serve(f"{path}/other", customers("Jane"))
    assert edit(api, link, **masked | {"url": other}).status_code == 200


def test_what_was_tested_is_not_sent_to_another_host_either(
    inside: Inside, crm: Crm, path: str
) -> None:
    inside.desk.companies.add_page(DEFAULT_COMPANY, PAGE, "Page")
    user = User("operator", None, DEFAULT_COMPANY, Role.OPERATOR.permissions)
    acting, on = Acting(inside.desk, user, "here"), [Channel.MESSENGER]
    url = crm.serve(path, customers("John"))
    trial_id = acting.test_link(PAGE, on, NewLink("x", url, api_key="secret-key-1"))
    thief = crm.serve(f"{path}/thief", customers("John"), host=crm.own_host())
    with pytest.raises(InvalidRequest, match="another host"):
        acting.add_link(PAGE, on, NewLink("x", thief, api_key=MASK), trial_id=trial_id)
    with pytest.raises(InvalidRequest, match="another host"):
        acting.test_link(PAGE, on, NewLink("x", thief, api_key=MASK), trial_id=trial_id)
    added_link = acting.add_link(PAGE, on, NewLink("x", url, api_key=MASK), trial_id=trial_id)
    assert inside.desk.box.open(added_link.link.api_key or "") == "secret-key-1"
