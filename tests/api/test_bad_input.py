"""Wrong requests get a clear problem answer, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.product import Client
from tests.servers.crm import Crm, customers

GOOD = {
    "page_id": "",
    "channels": ["messenger"],
    "name": "Customers",
    "url": "https://crm.example.com/customers",
    "is_active": True,
}


def assert_problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    content: dict[str, Any] = answer.json()
    assert content["status"] == status
    assert content["detail"]
    assert content["title"]
    return content


@pytest.mark.parametrize("body", ["{", "not json", '{"a": 1,}', "[" * 100_000, "\ufeff{"])
def test_malformed_json_is_a_400(api: Client, body: str) -> None:
    answer = api.session.post(
        f"{api.address}/dashboard/crm-links",
        data=body.encode(),
        headers={"Content-Type": "application/json"},
        timeout=30,
    )
    assert_problem(answer, 400)


def test_bytes_that_are_no_text_are_a_400(api: Client) -> None:
    answer = api.session.post(
        f"{api.address}/dashboard/crm-links",
        data=b"\xff\xfe\x00{",
        headers={"Content-Type": "application/json"},
        timeout=30,
    )
    assert_problem(answer, 400)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("channels", ["telegram"]),
        ("channels", []),
        ("channels", "messenger"),
        ("name", ""),
        ("name", "   "),
        ("name", 7),
        ("name", "x" * 201),
        ("name", "two\nlines"),
        ("url", ""),
        ("url", "crm.example.com"),
        ("url", "https://"),
        ("url", "https://crm.example.com:99999/"),
        ("url", None),
        ("type", "carrier pigeon"),
        ("is_active", "yes"),
        ("is_active", 1),
        ("headers", {"X-Bad Name": "a"}),
        ("headers", {"X-Split": "a\r\nX-Other: b"}),
        ("headers", {"Host": "other.example.com"}),
        ("headers", ["X-Api-Key"]),
        ("api_key", "two\r\nlines"),
        ("api_key", 12),
        ("sync_interval_minutes", 0),
        ("sync_interval_minutes", -5),
        ("colour", "blue"),
        ("method", "DELETE"),
        ("params", ["a"]),
        ("body", "text"),
        ("pagination", {"type": "guess"}),
        ("pagination", {"type": "page_number", "first_page": -1}),
        ("pagination", {"type": "cursor", "cursor_path": "paging.next"}),
        ("records", "customers"),
        ("incremental", {"param": "since"}),
        ("shrink_threshold", 1.5),
    ],
)
def test_an_unusable_field_is_a_422_that_names_it(
    api: Client, page_id: str, field: str, value: Any
) -> None:
    answer = api.post("/dashboard/crm-links", GOOD | {"page_id": page_id, field: value})
    content = assert_problem(answer, 422)
    assert any(error["field"].startswith(field) for error in content["errors"]), content
    assert api.get("/dashboard/crm-links", page_id=page_id).json()["total"] == 0


@pytest.mark.parametrize("field", ["page_id", "channels", "name", "url"])
def test_a_missing_field_is_a_422(api: Client, page_id: str, field: str) -> None:
    body = {k: v for k, v in (GOOD | {"page_id": page_id}).items() if k != field}
    content = assert_problem(api.post("/dashboard/crm-links", body), 422)
    assert [error["field"] for error in content["errors"]] == [field]


def test_a_body_of_10_mib_is_a_413_however_it_is_sent(api: Client, page_id: str) -> None:
    body = b'{"name": "' + b"x" * 10 * 1024 * 1024 + b'"}'
    url = f"{api.address}/dashboard/crm-links"
    headers = {"Content-Type": "application/json"}
    declared = api.session.post(url, data=body, headers=headers, timeout=30)
    assert_problem(declared, 413)
    pieces = (body[start : start + 65536] for start in range(0, len(body), 65536))
    chunked = api.session.post(url, data=pieces, headers=headers, timeout=30)
    assert_problem(chunked, 413)
    assert api.get("/dashboard/crm-links", page_id=page_id).json()["total"] == 0


def test_unknown_paths_and_methods_are_problems_too(api: Client) -> None:
    assert_problem(api.get("/dashboard/nothing-here"), 404)
    assert_problem(api.put("/dashboard/pages", {}), 405)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/dashboard/crm-links", {}),
        ("/dashboard/rag/documents/details", {"page_id": "PAGE", "limit": 0}),
        ("/dashboard/rag/documents/details", {"page_id": "PAGE", "limit": "many"}),
        ("/dashboard/rag/documents/details", {"page_id": "PAGE", "source": "web"}),
        ("/dashboard/rag/documents/details", {"page_id": "PAGE", "cursor": "nonsense"}),
        ("/dashboard/sync/runs", {"state": "asleep"}),
        ("/dashboard/sync/runs", {"limit": 100_000}),
    ],
)
def test_unusable_parameters_are_a_422(
    api: Client, page_id: str, path: str, parameters: dict[str, Any]
) -> None:
    given = {k: page_id if v == "PAGE" else v for k, v in parameters.items()}
    assert_problem(api.get(path, **given), 422)


@pytest.mark.parametrize(
    "body",
    [
        {"channel": "messenger", "query": "", "k": 3},
        {"channel": "messenger", "query": "  \n", "k": 3},
        {"channel": "messenger", "query": "a", "k": 0},
        {"channel": "messenger", "query": "a", "k": "3"},
        {"channel": "sms", "query": "a", "k": 3},
    ],
)
def test_an_unusable_search_is_a_422(api: Client, page_id: str, body: dict[str, Any]) -> None:
    assert_problem(api.post("/dashboard/rag/search", {"page_id": page_id} | body), 422)


def test_a_switched_off_link_is_not_synced(api: Client, page_id: str, crm: Crm, path: str) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe")), is_active=False)
    answer = api.post("/dashboard/sync", {"link_id": link["link_id"]})
    content = assert_problem(answer, 409)
    assert "Switch it on" in content["detail"]
    assert crm.asked(path) == []


def test_unknown_links_and_runs_are_404(api: Client) -> None:
    assert_problem(api.post("/dashboard/sync", {"link_id": "link-none"}), 404)
    assert_problem(api.get("/dashboard/sync/runs/run-none"), 404)
    assert_problem(api.post("/dashboard/sync/runs/run-none/cancel", {}), 404)
