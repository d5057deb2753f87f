"""Changing links."""

from __future__ import annotations

from typing import Any

from tests.product import Client
from tests.servers.crm import Answer, Crm, customers


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
