"""Search: the nearest chunks, of that page and channel alone."""

from __future__ import annotations

from tests.product import Client
from tests.servers.crm import Answer, Crm, customers

FAQ = """Opening hours
We are open from Monday to Saturday, 9 to 19.

Returns
Unworn goods can be sent back within 30 days.

Gift cards
Gift cards never expire.
"""


def test_the_nearest_chunk_comes_first_with_its_source(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, Answer(FAQ, content_type="text/plain"))
    link = api.add_link(page_id, url, name="Help pages")
    api.ended_run(link["link_id"])
    hits = api.search(page_id, "Can I return my shoes?", k=2)
    assert len(hits) == 2
    best = hits[0]
    assert set(best) == {
        "text",
        "score",
        "link_id",
        "link_name",
        "path",
        "synced_at",
        "stale",
        "failing",
    }
    assert best["text"] == "Returns\nUnworn goods can be sent back within 30 days."
    assert best["path"] == "line 4"
    assert (best["link_id"], best["link_name"]) == (link["link_id"], "Help pages")
    assert best["stale"] is False
    assert hits[0]["score"] >= hits[1]["score"]


def test_text_of_one_page_or_channel_never_answers_for_another(
    api: Client, crm: Crm, path: str
) -> None:
    one, two = api.add_page(), api.add_page()
    placed = {
        (one, "facebook"): "Fiona Facebook",
        (one, "messenger"): "Marcus Messenger",
        (two, "messenger"): "Oscar Otherpage",
    }
    for number, ((page_id, channel), name) in enumerate(placed.items()):
        url = crm.serve(f"{path}-{number}", customers(name))
        link = api.add_link(page_id, url, [channel])
        api.ended_run(link["link_id"])
    for (page_id, channel), name in placed.items():
        hits = api.search(page_id, "Who is the customer?", channel, k=50)
        assert [name in hit["text"] for hit in hits] == [True]
    assert api.search(two, "Who is the customer?", "facebook", k=50) == []


def test_a_page_without_documents_has_no_hits_and_an_unknown_one_is_a_404(
    api: Client, page_id: str
) -> None:
    assert api.search(page_id, "anything") == []
    body = {"page_id": "404404", "channel": "messenger", "query": "a", "k": 1}
    assert api.post("/dashboard/rag/search", body).status_code == 404


def test_a_hit_of_a_link_that_fails_now_says_so(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe")))
    api.ended_run(link["link_id"])
    assert [hit["failing"] for hit in api.search(page_id, "John Doe")] == [False]
    crm.serve(path, Answer("gone", status=404, content_type="text/plain"))
    assert api.sync(link["link_id"])["state"] == "failed"
    assert [hit["failing"] for hit in api.search(page_id, "John Doe")] == [True]
