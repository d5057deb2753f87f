"""The document details call."""

from __future__ import annotations

from tests.product import Client
from tests.servers.crm import Crm, customers


def test_documents_are_listed_with_path_text_and_channels(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe", "Jane Roe")))
    api.ended_run(link["link_id"])
    content = api.get("/dashboard/rag/documents/details", page_id=page_id, source="crm").json()
    assert (content["page_id"], content["source"]) == (page_id, "crm")
    assert content["total_documents"] == 2
    assert content["next_cursor"] is None
    summary = content["links"][0]
    assert set(summary) == {"link_id", "name", "url", "documents", "last_synced_at"}
    assert summary["documents"] == 2
    assert summary["last_synced_at"]
    document = content["documents"][0]
    assert set(document) == {"id", "link_id", "path", "text", "channels", "updated_at"}
    assert document["path"] == "customers[0]"
    assert document["channels"] == ["messenger"]
    assert document["text"] == (
        "customers[0].id: cust-1\ncustomers[0].name: John Doe\ncustomers[0].email: john@example.com"
    )


def test_the_cursor_walks_through_all_documents_once(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    names = [f"Person {number}" for number in range(7)]
    for suffix in ("-a", "-b"):
        link = api.add_link(page_id, crm.serve(path + suffix, customers(*names)))
        api.ended_run(link["link_id"])
    seen: list[str] = []
    cursor = None
    pages = 0
    while pages < 10:
        parameters = {"page_id": page_id, "limit": 5} | ({"cursor": cursor} if cursor else {})
        content = api.get("/dashboard/rag/documents/details", **parameters).json()
        assert len(content["documents"]) <= 5
        seen += [document["id"] for document in content["documents"]]
        pages += 1
        if (cursor := content["next_cursor"]) is None:
            break
    assert pages == 3
    assert len(seen) == len(set(seen)) == 14


def test_documents_of_one_link_alone(api: Client, page_id: str, crm: Crm, path: str) -> None:
    links = [
        api.add_link(page_id, crm.serve(path + suffix, customers(name)))
        for suffix, name in (("-a", "Ann"), ("-b", "Bob"))
    ]
    for link in links:
        api.ended_run(link["link_id"])
    wanted = links[1]["link_id"]
    content = api.get("/dashboard/rag/documents/details", page_id=page_id, link_id=wanted).json()
    assert [document["link_id"] for document in content["documents"]] == [wanted]
    other = api.add_page()
    wrong = api.get("/dashboard/rag/documents/details", page_id=other, link_id=wanted)
    assert wrong.status_code == 404
