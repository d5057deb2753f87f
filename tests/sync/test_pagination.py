"""Every page of an answer, or a failed run that says why not: truncated is never success."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.product import Client
from tests.servers.crm import Answer, Crm, Request

PEOPLE = [{"id": f"c-{n}", "name": f"Person {n}"} for n in range(25)]
SIZE = 10


def window(start: int) -> list[dict[str, str]]:
    return PEOPLE[start : start + SIZE]


def header_link(crm: Crm, *, relative: bool) -> Callable[[Request], Answer]:
    def answer(request: Request) -> Answer:
        start = int(request.query.get("page_info", "0"))
        address = f"{request.path}?page_info={start + SIZE}"
        target = address if relative else f"http://{request.headers['Host']}{address}"
        link = f'<{target}>; rel="next", <{request.path}>; rel="first"'
        headers = {"Link": link} if start + SIZE < len(PEOPLE) else {}
        return Answer({"customers": window(start)}, headers=headers)

    return answer


def json_link(request: Request) -> Answer:
    start = int(request.query.get("from", "0"))
    more = start + SIZE < len(PEOPLE)
    following = f"http://{request.headers['Host']}{request.path}?from={start + SIZE}"
    return Answer({"results": window(start), "next": following if more else None})


def hubspot(request: Request) -> Answer:
    start = int(request.query.get("after", "0"))
    paging = {"paging": {"next": {"after": str(start + SIZE)}}}
    return Answer({"results": window(start)} | (paging if start + SIZE < len(PEOPLE) else {}))


def page_numbers(request: Request) -> Answer:
    page = int(request.query.get("page", "1"))
    return Answer(
        {"data": window((page - 1) * SIZE), "meta": {"page": page, "total_pages": 3, "total": 25}}
    )


def offsets(request: Request) -> Answer:
    start = int(request.query.get("offset", "0"))
    return Answer({"items": window(start), "offset": start, "limit": SIZE, "total": 25})


def bare_list_by_page(request: Request) -> Answer:
    page = int(request.query["p"])
    return Answer(window(page * SIZE))


def post_cursor(request: Request) -> Answer:
    asked = json.loads(request.body)
    assert asked["filter"] == {"kind": "customer"}
    start = int(asked.get("cursor", 0))
    more = start + SIZE < len(PEOPLE)
    return Answer({"out": {"rows": window(start), "token": start + SIZE if more else None}})


def assert_all(api: Client, page_id: str, link: dict[str, Any]) -> dict[str, Any]:
    run = api.ended_run(link["link_id"])
    assert run["state"] == "succeeded", run["error"]
    assert run["counts"]["records"] == 25
    assert run["counts"]["pages"] == 3
    # What the first page says besides its records is a document of its own.
    texts = [text for text in api.texts(page_id) if ".name: " in text]
    assert len(texts) == 25
    for number in range(25):
        line = f"[{number}].name: Person {number}"
        assert any(text.endswith(line) for text in texts), line
    return run


@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_link_headers_are_followed(
    api: Client, page_id: str, crm: Crm, path: str, relative: bool
) -> None:
    url = crm.serve(path, header_link(crm, relative=relative))
    link = api.add_link(page_id, url, api_key="key-1")
    run = assert_all(api, page_id, link)
    assert {r.headers["Authorization"] for r in crm.asked(path)} == {"Bearer key-1"}
    said = "Found 25 records at customers[] on 3 pages (the Link header)"
    assert said in [line["text"] for line in run["lines"]]


@pytest.mark.parametrize("respond", [json_link, hubspot, page_numbers, offsets])
def test_pagination_is_found_without_being_declared(
    api: Client, page_id: str, crm: Crm, path: str, respond: Callable[[Request], Answer]
) -> None:
    assert_all(api, page_id, api.add_link(page_id, crm.serve(path, respond)))


@pytest.mark.parametrize(
    ("respond", "fields"),
    [
        (json_link, {"pagination": {"type": "json_link", "next_path": "$.next"}}),
        (
            hubspot,
            {
                "pagination": {
                    "type": "cursor",
                    "cursor_path": "$.paging.next.after",
                    "cursor_param": "after",
                }
            },
        ),
        (
            offsets,
            {"pagination": {"type": "offset", "total_path": "$.total"}, "records": "$.items[*]"},
        ),
        (
            post_cursor,
            {
                "method": "POST",
                "body": {"filter": {"kind": "customer"}},
                "records": "$.out.rows",
                "pagination": {"type": "cursor", "cursor_path": "$.out.token"},
            },
        ),
    ],
    ids=["json_link", "cursor", "offset", "post"],
)
def test_declared_pagination_is_followed(
    api: Client,
    page_id: str,
    crm: Crm,
    path: str,
    respond: Callable[[Request], Answer],
    fields: dict[str, Any],
) -> None:
    assert_all(api, page_id, api.add_link(page_id, crm.serve(path, respond), **fields))


def test_page_numbers_end_at_the_first_empty_page(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    pagination = {"type": "page_number", "page_param": "p", "first_page": 0}
    params = {"kind": "customer"}
    url = crm.serve(path, bare_list_by_page)
    link = api.add_link(page_id, url, pagination=pagination, params=params)
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["counts"]["records"]) == ("succeeded", 25)
    assert [request.query["p"] for request in crm.asked(path)] == ["0", "1", "2", "3"]
    assert {request.query["kind"] for request in crm.asked(path)} == {"customer"}


def test_a_selector_says_where_the_records_are_and_keeps_nothing_else(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    answer = {
        "meta": {"secret_note": "not wanted"},
        "logs": [{"n": n} for n in range(30)],
        "customers": [{"id": 1, "age": 20}, {"id": 2, "age": 40}, {"id": 3, "age": 50}],
    }
    selector = "$.customers[?@.age > 30]"
    link = api.add_link(page_id, crm.serve(path, answer), records=selector)
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["counts"]["records"]) == ("succeeded", 2)
    assert api.texts(page_id) == [
        "customers[1].id: 2\ncustomers[1].age: 40",
        "customers[2].id: 3\ncustomers[2].age: 50",
    ]


@pytest.mark.parametrize("selector", ["customers", "$.[", "$.a[?", "$..[?(@.x)]("])
def test_a_selector_that_is_no_jsonpath_is_refused(
    api: Client, page_id: str, selector: str
) -> None:
    body = {"page_id": page_id, "channels": ["messenger"], "name": "A", "url": "https://a.test/"}
    answer = api.post("/dashboard/crm-links", body | {"is_active": False, "records": selector})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "records"


def endless(request: Request) -> Answer:
    start = int(request.query.get("after", "0"))
    people = [{"id": f"c-{start + n}"} for n in range(SIZE)]
    return Answer({"results": people, "paging": {"next": {"after": str(start + SIZE)}}})


def repeated_cursor(request: Request) -> Answer:
    n = len(request.query.get("after", ""))
    return Answer({"results": [{"id": n, "at": id(request)}], "paging": {"next": {"after": "x"}}})


def repeated_page(request: Request) -> Answer:
    number = int(request.query.get("after", "0")) + 1
    return Answer({"results": window(0), "paging": {"next": {"after": str(number)}}})


def two_pages_in_turn(request: Request) -> Answer:
    number = int(request.query.get("after", "0"))
    results = window((number % 2) * SIZE)
    return Answer({"results": results, "paging": {"next": {"after": str(number + 1)}}})


def null_page(request: Request) -> Answer:
    if "after" in request.query:
        return Answer({"results": None, "paging": {"next": {"after": "9"}}})
    return Answer({"results": window(0), "paging": {"next": {"after": "1"}}})


def blank_page(request: Request) -> Answer:
    if "after" in request.query:
        return Answer("")
    return Answer({"results": window(0), "paging": {"next": {"after": "1"}}})


def page_that_fails(request: Request) -> Answer:
    if "after" in request.query:
        return Answer("no", 403)
    return Answer({"results": window(0), "paging": {"next": {"after": "1"}}})


def page_cut_off(request: Request) -> Answer:
    if "after" in request.query:
        return Answer({"results": window(10)}, cut_after=20)
    return Answer({"results": window(0), "paging": {"next": {"after": "1"}}})


def other_host(request: Request) -> Answer:
    return Answer({"results": window(0), "next": "https://elsewhere.example.com/steal"})


def total_without_pages(request: Request) -> Answer:
    return Answer({"results": window(0), "total": 25, "limit": 10})


def partial_content(request: Request) -> Answer:
    return Answer({"results": window(0)}, 206, {"Content-Range": "items 0-9/25"})


def ends_early(request: Request) -> Answer:
    start = int(request.query.get("offset", "0"))
    people = window(start) if start < 20 else []
    return Answer({"items": people, "offset": start, "limit": SIZE, "total": 25})


def many_bytes(request: Request) -> Answer:
    number = int(request.query.get("after", "0"))
    results = [{"id": number, "note": "x" * 400_000}]
    return Answer({"results": results, "paging": {"next": {"after": str(number + 1)}}})


def many_records(request: Request) -> Answer:
    number = int(request.query.get("after", "0"))
    results = [{"id": number * 1000 + n} for n in range(1000)]
    return Answer({"results": results, "paging": {"next": {"after": str(number + 1)}}})


@pytest.mark.parametrize(
    ("respond", "kind", "words"),
    [
        (endless, "limit", "more than 20 pages"),
        (many_records, "limit", "more than 5,000 records"),
        (many_bytes, "limit", "larger than"),
        (repeated_cursor, "pagination", "cursor repeats"),
        (repeated_page, "pagination", "same records as a page before"),
        (two_pages_in_turn, "pagination", "same records as a page before"),
        (null_page, "pagination", "no records where the first page has them"),
        (blank_page, "pagination", "no records where the first page has them"),
        (page_that_fails, "forbidden", "403 Forbidden"),
        (page_cut_off, "broken", "broke off"),
        (other_host, "address", "another host"),
        (total_without_pages, "truncated", "25 records, but only 10 came"),
        (ends_early, "truncated", "25 records, but only 20 came"),
        (partial_content, "truncated", "206 Partial Content"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_is_not_the_whole_answer_fails_and_what_is_served_stays(
    api: Client,
    page_id: str,
    crm: Crm,
    path: str,
    respond: Callable[[Request], Answer],
    kind: str,
    words: str,
) -> None:
    link = api.add_link(page_id, crm.serve(path, {"results": window(0)}))
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    served = api.texts(page_id)
    crm.serve(path, respond)
    run = api.sync(link["link_id"])
    assert run["state"] == "failed"
    assert (run["error"]["kind"], words in run["error"]["message"]) == (kind, True), run["error"]
    assert api.texts(page_id) == served


def test_a_first_fetch_that_ends_early_serves_nothing(
    api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, page_that_fails))
    assert api.ended_run(link["link_id"])["state"] == "failed"
    assert api.texts(page_id) == []
