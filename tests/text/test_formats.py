"""CSV, JSON lines, XML and XLSX, and files that want to do harm."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from typing import Any

import openpyxl
import pytest

from core.errors import EmptyAnswer, LimitExceeded, NotReadable
from core.models import Format
from core.text.flatten import flatten
from core.text.formats import read


def lines(body: bytes | str, content_type: str | None = None, **options: Any) -> list[str]:
    data = body.encode() if isinstance(body, str) else body
    return flatten(read(data, content_type, **options)).lines()


def test_rows_of_a_csv_become_records() -> None:
    assert lines("id,name\n1,John\n2,Jane\n", "text/csv") == [
        "rows[0].id: 1",
        "rows[0].name: John",
        "rows[1].id: 2",
        "rows[1].name: Jane",
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    text = "\n".join(delimiter.join(row) for row in (["id", "name"], ["1", "A"], ["2", "B"]))
    assert lines(text, "text/csv")[1] == "rows[0].name: A"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_of_a_csv_is_found(encoding: str) -> None:
    text = "id;name\n1;Jürgen Müller\n2;Zoë Ångström\n3;Renée Dupré\n"
    assert "rows[0].name: Jürgen Müller" in lines(text.encode(encoding), "text/csv", name="a.csv")


def test_a_csv_without_a_header_has_numbered_columns() -> None:
    assert lines("1,a@b.co\n2,c@d.co\n", "text/csv")[:2] == [
        "rows[0].column 1: 1",
        "rows[0].column 2: a@b.co",
    ]


def test_quotes_and_line_breaks_stay_in_their_cell() -> None:
    text = 'id,notes\n1,"one, two\nthree ""four"""\n'
    assert lines(text, "text/csv")[1] == 'rows[0].notes: one, two\\nthree "four"'


def test_json_lines_are_records_and_a_broken_line_is_named() -> None:
    text = '{"id": 1, "n": 1.50}\n\n{"id": 2}\n'
    assert lines(text, "application/x-ndjson") == ["[0].id: 1", "[0].n: 1.50", "[1].id: 2"]
    assert lines(text, "text/plain") == ["[0].id: 1", "[0].n: 1.50", "[1].id: 2"]
    with pytest.raises(NotReadable, match="Line 2"):
        lines('{"id": 1}\n{"id": }\n', "application/jsonl")


def test_xml_becomes_records() -> None:
    text = (
        '<?xml version="1.0"?><shop xmlns="urn:x"><customer id="1"><name>John</name>'
        '<tag>a</tag><tag>b</tag></customer><customer id="2"><name>Jane</name></customer></shop>'
    )
    assert lines(text, "application/xml") == [
        "shop.customer[0].@id: 1",
        "shop.customer[0].name: John",
        "shop.customer[0].tag[0]: a",
        "shop.customer[0].tag[1]: b",
        "shop.customer[1].@id: 2",
        "shop.customer[1].name: Jane",
    ]


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
        "<x>",
        "<x>\x01</x>",
    ],
)
def test_xml_with_entities_or_faults_is_refused(text: str) -> None:
    with pytest.raises(NotReadable):
        lines(text, "application/xml")


def test_xml_that_nests_too_deep_is_refused() -> None:
    with pytest.raises((LimitExceeded, NotReadable)):
        lines("<a>" * 5000 + "</a>" * 5000, "application/xml")


def workbook(*rows: tuple[Any, ...]) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.title = "People"
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_rows_of_a_sheet_become_records_and_formulas_are_not_looked_at() -> None:
    body = workbook(
        ("id", "name", "since", "sum"), (1, "John", date(2026, 1, 2), "=1+1"), (2.5, None, None, 3)
    )
    assert lines(body) == [
        "People[0].id: 1",
        "People[0].name: John",
        "People[0].since: 2026-01-02",
        "People[0].sum: null",
        "People[1].id: 2.5",
        "People[1].name: null",
        "People[1].since: null",
        "People[1].sum: 3",
    ]


def test_a_bomb_is_not_unpacked() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * 300_000_000)
    with pytest.raises(LimitExceeded):
        lines(out.getvalue())


@pytest.mark.parametrize("body", [b"PK\x03\x04 broken", b"\x00\x01\x02"])
def test_what_is_no_spreadsheet_is_refused(body: bytes) -> None:
    with pytest.raises(NotReadable):
        lines(body, declared=Format.XLSX)


def test_what_is_declared_wins() -> None:
    assert lines('{"a": 1}', "application/json", declared=Format.TEXT) == ['{"a": 1}']
    with pytest.raises(NotReadable):
        lines("a,b\n1,2", "text/csv", declared=Format.JSON)
    with pytest.raises(EmptyAnswer):
        lines("  \n", "text/csv")
