"""CSV, JSON lines, XML and XLSX as the values that JSON would have.

Rows become records under ``rows`` (of each sheet, under its name). Cells stay the text they are:
a spreadsheet's formula is never looked at, only the value that was stored beside it.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from charset_normalizer import from_bytes
from defusedxml.common import DefusedXmlException

from core.errors import LimitExceeded, NotReadable
from core.text.decode import MAX_DEPTH, Number, Pairs, parse_json

CHECK_EVERY = 2000
# Whatever a spreadsheet says it holds, no more than this is unpacked.
MAX_UNPACKED = 512 * 1024 * 1024
MAX_RATIO = 200

Check = Callable[[], None]
_DELIMITERS = ",;\t|"


def parse_json_lines(text: str, check: Check) -> list[Any]:
    """A value for each line that isn't blank. Raises NotReadable, naming the line."""
    values = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        if number % CHECK_EVERY == 0:
            check()
        try:
            values.append(parse_json(line, check))
        except NotReadable as error:
            raise NotReadable(
                f"Line {number} is not valid JSON: {error.message}", action=error.action
            ) from None
    return values


def looks_like_json_lines(text: str) -> bool:
    """Whether the first lines are JSON objects, one each."""
    lines = [line for line in text[:100_000].split("\n")[:-1] if line.strip()][:3]
    if len(lines) < 2:
        return False
    try:
        return all(isinstance(parse_json(line), Pairs) for line in lines)
    except NotReadable:
        return False


def decode_any_text(body: bytes) -> str:
    """The text of bytes whose encoding is not named: UTF-8, else what fits best."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        best = from_bytes(body[:200_000]).best()
        return body.decode(best.encoding if best else "cp1252", errors="replace")


def parse_csv(text: str, check: Check) -> Pairs:
    """The rows of a CSV; delimiter and header are found. Raises NotReadable."""
    sample = text[:20_000]
    try:
        delimiter = csv.Sniffer().sniff(sample, delimiters=_DELIMITERS).delimiter
    except csv.Error:
        delimiter = ","
    csv.field_size_limit(16 * 1024 * 1024)
    try:
        rows = list(_checked(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), check))
    except csv.Error as error:
        raise NotReadable(f"The CSV can't be read: {error}.", action="Export it again.") from None
    return _with_header([row for row in rows if any(cell.strip() for cell in row)])


def parse_xml(body: bytes, check: Check) -> Pairs:
    """An XML document: attributes as ``@name``, text as ``#text``, repeated elements as arrays.

    Entities and document types are refused. Raises NotReadable, LimitExceeded.
    """
    try:
        root = defusedxml.ElementTree.fromstring(body, forbid_dtd=True)
    except DefusedXmlException:
        raise NotReadable(
            "The XML declares a document type or entities, which are not read.",
            action="Ask for plain XML without a DOCTYPE.",
        ) from None
    except (ParseError, ValueError, LookupError) as error:
        raise NotReadable(f"The XML can't be read: {error}.", action="Export it again.") from None
    return Pairs([(_local(root.tag), _xml_value(root, 0, check))])


def parse_xlsx(body: bytes, check: Check) -> Pairs:
    """The rows of each sheet. Raises NotReadable, and LimitExceeded for a bomb."""
    _check_unpacked_size(body)
    import openpyxl

    try:
        book = openpyxl.load_workbook(io.BytesIO(body), read_only=True, data_only=True)
        sheets = Pairs()
        for sheet in book.worksheets:
            rows = _checked(sheet.iter_rows(values_only=True), check)
            cells = [[_cell(value) for value in row] for row in rows]
            cells = [row for row in cells if any(cell not in (None, "") for cell in row)]
            if cells:
                sheets.append((sheet.title, _with_header(cells)[0][1]))
    except LimitExceeded:
        raise
    except Exception as error:
        raise NotReadable(
            f"The spreadsheet can't be read ({type(error).__name__}).",
            action="Save it as .xlsx again, or export it as CSV.",
        ) from None
    return sheets


def is_xlsx(body: bytes) -> bool:
    """Whether the bytes are a spreadsheet's."""
    if not body.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except zipfile.BadZipFile:
        return False


def _check_unpacked_size(body: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile:
        raise NotReadable("That is no spreadsheet.", action="Save it as .xlsx again.") from None
    if unpacked > MAX_UNPACKED or unpacked > max(len(body), 100_000) * MAX_RATIO:
        raise LimitExceeded(
            f"The spreadsheet unpacks to {unpacked:,} bytes, far more than it should.",
            action="Export it as CSV.",
        )


def _checked(rows: Iterable[Any], check: Check) -> Iterable[Any]:
    for number, row in enumerate(rows):
        if number % CHECK_EVERY == 0:
            check()
        yield row


def _with_header(rows: Sequence[Sequence[Any]]) -> Pairs:
    if not rows:
        return Pairs([("rows", [])])
    width = max(len(row) for row in rows)
    first = [str(cell or "").strip() for cell in rows[0]]
    has_header = len(rows) > 1 and _is_header(first)
    names = _distinct(first if has_header else [], width)
    records = [
        Pairs(zip(names, [*row, *[""] * (width - len(row))], strict=True))
        for row in (rows[1:] if has_header else rows)
    ]
    return Pairs([("rows", records)])


def _is_header(cells: Sequence[str]) -> bool:
    """Whether a first row names columns: words, each another one, none of them a number."""
    named = [cell for cell in cells if cell]
    if not named or len(set(named)) < len(named):
        return False
    return not any(_is_number(cell) or "@" in cell for cell in named)


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _distinct(names: Sequence[str], width: int) -> list[str]:
    found: list[str] = []
    for number in range(width):
        name = (names[number] if number < len(names) else "") or f"column {number + 1}"
        found.append(name if name not in found else f"{name} ({number + 1})")
    return found


def _cell(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return Number(repr(value))
    if isinstance(value, datetime):
        midnight = value.time() == time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def _xml_value(element: Element, depth: int, check: Check) -> Any:
    if depth > MAX_DEPTH:
        raise LimitExceeded("The XML nests too deep.", action="Ask for plainer records.")
    children = list(element)
    text = (element.text or "").strip()
    if not children and not element.attrib:
        return text
    if len(children) > CHECK_EVERY:
        check()
    members = Pairs((f"@{_local(name)}", value) for name, value in element.attrib.items())
    grouped: dict[str, list[Any]] = {}
    for child in children:
        grouped.setdefault(_local(child.tag), []).append(_xml_value(child, depth + 1, check))
    members.extend((name, v[0] if len(v) == 1 else v) for name, v in grouped.items())
    if text:
        members.append(("#text", text))
    return members


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
