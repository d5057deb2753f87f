"""Whatever the CRM does: a clear error in the API, the run and the log, and nothing is lost."""

from __future__ import annotations

import gzip

import pytest

from tests.product import Client, Product
from tests.servers.crm import Answer, Crm, customers

DEEP = "[" * 100_000 + "]" * 100_000

CASES = {
    "401": (Answer("no", 401), "unauthorized", "401 Unauthorized"),
    "403": (Answer("no", 403), "forbidden", "403 Forbidden"),
    "404": (Answer("no", 404), "not_found", "404 Not Found"),
    "redirect": (
        Answer("", 302, {"Location": "https://elsewhere.test/login"}),
        "rejected",
        "302 Found",
    ),
    "web page": (
        Answer("<!DOCTYPE html><title>Sign in</title>", content_type="text/html"),
        "not_readable",
        "web page",
    ),
    "invalid JSON": (Answer('{"customers": ['), "not_readable", "not valid"),
    "trailing comma": (Answer('{"a": [1,]}'), "not_readable", "not valid"),
    "NaN": (Answer('{"a": NaN}'), "not_readable", "not valid"),
    "picture": (Answer(b"\x89PNG\r\n", content_type="image/png"), "not_readable", "image/png"),
    "bytes": (Answer(b"\x00\x01\x02\xff", content_type=None), "not_readable", ""),
    "too deep": (Answer(DEEP), "limit", "deep"),
    "too large": (Answer(b"x" * 2_000_001, content_type="text/plain"), "limit", "larger than"),
    "too many records": (
        Answer({"customers": [{"id": number} for number in range(5001)]}),
        "limit",
        "5,001 records, more than 5,000",
    ),
    "gzip bomb": (
        Answer(gzip.compress(b"0" * 50_000_000), headers={"Content-Encoding": "gzip"}),
        "limit",
        "larger than",
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_a_bad_answer_fails_the_run_in_plain_words_and_what_is_served_stays(
    api: Client, product: Product, page_id: str, crm: Crm, path: str, case: str
) -> None:
    answer, kind, words = CASES[case]
    link = api.add_link(page_id, crm.serve(path, customers("John Doe", "Jane Roe")))
    api.ended_run(link["link_id"])
    served = api.texts(page_id)

    crm.serve(path, answer)
    run = api.sync(link["link_id"])
    assert run["state"] == "failed"
    assert run["error"]["kind"] == kind
    assert words in run["error"]["message"]
    assert run["error"]["action"]
    assert run["retry_at"]
    failure = next(line for line in run["lines"] if line["level"] == "error")
    assert failure["text"].startswith(("Failed to fetch CRM data: ", "Failed to sync CRM data: "))
    assert failure["text"] in product.log("scheduler")

    sync = api.link(page_id, link["link_id"])["sync"]
    assert sync["status"] == "retrying"
    assert sync["last_error"]["message"] == run["error"]["message"]
    assert api.texts(page_id) == served
    assert any("John Doe" in hit["text"] for hit in api.search(page_id, "John Doe"))

    crm.serve(path, customers("John Doe", "Jane Roe", "Max Power"))
    assert api.sync(link["link_id"])["state"] == "succeeded"
    assert api.link(page_id, link["link_id"])["sync"]["status"] == "serving"


@pytest.mark.parametrize(
    ("flaw", "kind"),
    [
        (Answer("busy", 500), "server_error"),
        (Answer("busy", 503), "server_error"),
        (Answer(customers("John"), reset=True), "broken"),
        (Answer(customers("John"), cut_after=10), "broken"),
    ],
    ids=["500", "503", "reset", "cut off"],
)
def test_a_passing_fault_is_tried_again_and_then_said(
    api: Client, page_id: str, crm: Crm, path: str, flaw: Answer, kind: str
) -> None:
    url = crm.serve(path, flaw)
    link = api.add_link(page_id, url)
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["error"]["kind"]) == ("failed", kind)
    assert len(crm.asked(path)) == 4
    assert sum("Trying again in" in line["text"] for line in run["lines"]) == 3


def test_a_rate_limit_is_said_as_the_crm_said_it(
    api: Client, product: Product, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(
        page_id, crm.serve(path, Answer("", 429, {"Retry-After": "3600"}), host=crm.own_host())
    )
    run = api.ended_run(link["link_id"])
    assert "Failed to fetch CRM data: 429 Too Many Requests" in [x["text"] for x in run["lines"]]
    assert "Failed to fetch CRM data: 429 Too Many Requests" in product.log("scheduler")
    assert len(crm.asked(path)) == 1


def test_a_fault_that_passes_is_no_failure(api: Client, page_id: str, crm: Crm, path: str) -> None:
    answers = iter([Answer("busy", 503), Answer("", reset=True), Answer(customers("John Doe"))])
    link = api.add_link(page_id, crm.serve(path, lambda _: next(answers)))
    run = api.ended_run(link["link_id"])
    assert run["state"] == "succeeded", run
    assert len(crm.asked(path)) == 3


def test_a_host_that_does_not_exist_and_a_closed_port_are_told_apart(
    api: Client, page_id: str, crm: Crm
) -> None:
    nowhere = api.add_link(page_id, "https://no-such-host.invalid/customers")
    run = api.ended_run(nowhere["link_id"], seconds=60)
    assert run["error"]["kind"] == "dns"
    assert "no-such-host.invalid" in run["error"]["message"]


@pytest.mark.parametrize(
    "answer",
    [Answer('{"customers": []}'), Answer("[]"), Answer("null"), Answer(""), Answer("", 204)],
)
def test_a_first_answer_without_records_is_a_failure_that_says_so(
    api: Client, page_id: str, crm: Crm, path: str, answer: Answer
) -> None:
    link = api.add_link(page_id, crm.serve(path, answer))
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["error"]["kind"]) == ("failed", "empty")
