"""What a REST API may answer with, besides JSON."""

from __future__ import annotations

import pytest

from tests.product import Client
from tests.servers.crm import Answer, Crm


@pytest.mark.parametrize(
    ("content_type", "body", "line"),
    [
        ("application/x-ndjson", '{"id": 1, "name": "John"}\n{"id": 2}\n', "[0].name: John"),
        ("text/csv", "id;name\n1;John\n2;Jane\n", "rows[0].name: John"),
        (
            "application/xml",
            "<people><person><name>John</name></person><person><name>Jane</name></person></people>",
            "people.person[0].name: John",
        ),
        ("text/plain", "Opening hours\nFrom 9 to 19\n\nContact\nJohn\n", "From 9 to 19"),
    ],
    ids=["json-lines", "csv", "xml", "text"],
)
def test_an_answer_of_another_format_becomes_records(
    api: Client, crm: Crm, page_id: str, path: str, content_type: str, body: str, line: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, Answer(body, content_type=content_type)))
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["counts"]["records"]) == ("succeeded", 2), run["error"]
    assert line in "\n".join(api.texts(page_id)).split("\n")
