"""One sync, from the registered link to what the bot finds."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.product import Client, Product
from tests.servers.crm import Answer, Crm, Request, customers
from tests.sync.inside import Inside
from tests.waiting import until


def lines_of(run: dict[str, object]) -> list[str]:
    return [line["text"] for line in run["lines"]]  # type: ignore[attr-defined]


def test_the_first_sync_starts_by_itself_within_two_seconds(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe")))
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["trigger"]) == ("succeeded", "added")
    queued, started = (datetime.fromisoformat(run[name]) for name in ("queued_at", "started_at"))
    assert (started - queued).total_seconds() < 2
    assert api.link(page_id, link["link_id"])["sync"]["status"] == "serving"


def test_a_manual_sync_starts_within_two_seconds(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe")))
    api.ended_run(link["link_id"])
    run = api.sync(link["link_id"])
    assert (run["state"], run["trigger"]) == ("unchanged", "manual")
    queued, started = (datetime.fromisoformat(run[name]) for name in ("queued_at", "started_at"))
    assert (started - queued).total_seconds() < 2


@pytest.mark.parametrize(
    ("api_key", "headers"),
    [
        ("key-1", {}),
        (None, {"X-Api-Key": "key-2", "Accept-Language": "en"}),
        ("key-3", {"X-Api-Key": "key-4"}),
        (None, {"authorization": "Token key-5"}),
        ("key-6", {"Authorization": "Token key-7"}),
    ],
)
def test_the_crm_is_asked_with_the_key_and_the_headers(
    api: Client, page_id: str, crm: Crm, path: str, api_key: str | None, headers: dict[str, str]
) -> None:
    url = crm.serve(path, customers("John Doe"))
    link = api.add_link(page_id, url, api_key=api_key, headers=headers)
    api.ended_run(link["link_id"])
    expected = {"authorization": f"Bearer {api_key}"} if api_key else {}
    expected |= {name.lower(): value for name, value in headers.items()}
    asked = {name.lower(): value for name, value in crm.asked(path)[0].headers.items()}
    assert asked.items() >= expected.items()


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", '{"a": {"b": 1.50}}', ["a.b: 1.50"]),
        ("application/hal+json; charset=utf-8", '{"é": "ü"}', ["é: ü"]),
        ("text/plain", "Hello\nworld", ["Hello\nworld"]),
        ("text/html", '{"a": true}', ["a: true"]),
        ("text/plain", '[{"a": false}]', ["[0].a: false"]),
        (None, '{"a": 1}', ["a: 1"]),
        ("text/plain; charset=iso-8859-1", "Grüße".encode("latin-1"), ["Grüße"]),
        ("text/plain", "{not json, just braces}", ["{not json, just braces}"]),
    ],
)
def test_an_answer_is_read_by_its_type_and_by_its_content_where_the_type_lies(
    api: Client,
    page_id: str,
    crm: Crm,
    path: str,
    content_type: str | None,
    body: str | bytes,
    expected: list[str],
) -> None:
    link = api.add_link(page_id, crm.serve(path, Answer(body, content_type=content_type)))
    run = api.ended_run(link["link_id"])
    assert run["state"] == "succeeded", run["error"]
    assert api.texts(page_id) == expected


def test_a_run_says_what_it_did_to_the_run_and_to_the_process_log(
    api: Client, product: Product, page_id: str, crm: Crm, path: str
) -> None:
    names = [f"Person {number}" for number in range(45)]
    link = api.add_link(page_id, crm.serve(path, customers(*names)))
    run = api.ended_run(link["link_id"])
    lines = lines_of(run)
    assert lines[0] == "CRM link added successfully"
    assert f"Starting CRM data fetch for page {page_id}" in lines
    assert "Stored 45 embeddings from CRM data" in lines
    assert "CRM link added successfully" in product.log("web")
    scheduler_log = product.log("scheduler")
    assert f"Starting CRM data fetch for page {page_id}" in scheduler_log
    assert any(
        "Stored 45 embeddings from CRM data" in line and run["run_id"] in line
        for line in scheduler_log.splitlines()
    )
    assert run["counts"]["records"] == run["counts"]["documents"] == run["counts"]["embedded"] == 45
    assert run["steps"][0]["step"] == "fetch"
    assert run["duration_seconds"] > 0


def test_outdated_chunks_go_and_only_what_is_new_is_embedded(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, customers("John Doe", "Jane Roe", "Max Power"))
    link = api.add_link(page_id, url)
    api.ended_run(link["link_id"])
    crm.serve(path, customers("John Doe", "Jane Smith", "Max Power"))
    run = api.sync(link["link_id"])
    counts = {name: run["counts"][name] for name in ("embedded", "kept", "removed")}
    assert counts == {"embedded": 1, "kept": 2, "removed": 1}
    texts = "\n".join(api.texts(page_id))
    assert "Jane Smith" in texts
    assert "Jane Roe" not in texts
    assert not any("Jane Roe" in hit["text"] for hit in api.search(page_id, "Jane Roe", k=50))


def test_a_text_that_another_page_has_is_not_embedded_again(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, customers("Twice Told", "Once More"))
    first = api.ended_run(api.add_link(page_id, url)["link_id"])
    assert first["counts"]["embedded"] == 2
    other = api.add_page()
    second = api.ended_run(api.add_link(other, url)["link_id"])
    assert (second["counts"]["new"], second["counts"]["embedded"]) == (2, 0)
    until(lambda: "Twice Told" in api.search(other, "Twice Told")[0]["text"], "it to be found")
    api.delete_links(other)


def test_when_the_first_record_goes_nothing_is_embedded_and_positions_are_todays(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    everyone = customers(*[f"Person {number}" for number in range(1000)])
    link = api.add_link(page_id, crm.serve(path, everyone))
    api.ended_run(link["link_id"], seconds=180)
    del everyone["customers"][0]
    run = api.sync(link["link_id"])
    counts = {name: run["counts"][name] for name in ("embedded", "kept", "removed")}
    assert counts == {"embedded": 0, "kept": 999, "removed": 1}
    hit = api.search(page_id, "Person 1 person@example.com cust-2", k=1)[0]
    assert hit["path"].startswith("customers[")
    first = api.get("/dashboard/rag/documents/details", page_id=page_id, limit=1).json()
    assert first["documents"][0]["text"].startswith("customers[0].id: cust-2\n")


def test_a_deleted_link_wins_over_the_run_under_way(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    import threading

    gate = threading.Event()
    url = crm.serve(path, Answer(customers("John Doe"), wait_for=gate))
    link = api.add_link(page_id, url)
    until(lambda: crm.asked(path), "the CRM to be asked")
    body = {"page_id": page_id, "url": url, "channels": ["messenger"]}
    assert api.delete("/dashboard/crm-links", body).status_code == 200
    gate.set()
    run = api.ended_run(link["link_id"])
    assert run["state"] in ("cancelled", "interrupted")
    assert api.texts(page_id) == []


def test_a_running_sync_is_cancelled_within_two_seconds(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, Answer(b"x" * 1000, content_type="text/plain", drip=0.5))
    link = api.add_link(page_id, url)
    until(lambda: crm.asked(path), "the CRM to be asked")
    run_id = api.runs(link["link_id"])[0]["run_id"]
    assert api.post(f"/dashboard/sync/runs/{run_id}/cancel", {}).status_code == 202
    run = api.ended_run(link["link_id"], seconds=2.5)
    assert run["state"] == "cancelled"
    again = api.post(f"/dashboard/sync/runs/{run_id}/cancel", {})
    assert again.status_code == 409


def test_the_flattened_text_is_the_same_in_the_documents_and_in_the_hits(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    def answer(_: Request) -> Answer:
        return Answer('{"customers":[{"id":"cust-123","name":"John Doe"}]}')

    link = api.add_link(page_id, crm.serve(path, answer))
    api.ended_run(link["link_id"])
    expected = "customers[0].id: cust-123\ncustomers[0].name: John Doe"
    assert api.texts(page_id) == [expected]
    assert api.search(page_id, "John Doe")[0]["text"] == expected


def test_a_link_that_is_being_synced_counts_as_what_it_was_before(
    inside: Inside, crm: Crm, path: str
) -> None:
    link = inside.add_link(crm.serve(path, customers("John Doe")))
    seen: list[tuple[int, int, int, int]] = []

    def look(reached: str) -> None:
        if reached == "fetch":
            found = inside.desk.overviews.look("company-001")
            how = found.standing
            seen.append((found.counts["syncing"], how["waiting"], how["serving"], how["retrying"]))

    inside.desk.scheduler(look).run_once()
    crm.serve(path, Answer("", 404))
    for _ in range(2):
        inside.desk.links.sync_now("company-001", link.link.link_id)
        inside.desk.scheduler(look).run_once()
    assert seen == [(1, 1, 0, 0), (1, 0, 1, 0), (1, 0, 0, 1)]
