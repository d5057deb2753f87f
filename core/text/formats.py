"""An answer's or a file's bytes as values, whatever format they come in."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import EmptyAnswer, NotReadable
from core.models import Format
from core.text.decode import Json, Text, content_type_of, decode, decode_text
from core.text.tables import (
    decode_any_text,
    is_xlsx,
    looks_like_json_lines,
    parse_csv,
    parse_json_lines,
    parse_xlsx,
    parse_xml,
)

_BY_TYPE = {
    "text/csv": Format.CSV,
    "application/csv": Format.CSV,
    "text/tab-separated-values": Format.CSV,
    "application/x-ndjson": Format.JSON_LINES,
    "application/ndjson": Format.JSON_LINES,
    "application/jsonl": Format.JSON_LINES,
    "application/x-jsonlines": Format.JSON_LINES,
    "application/xml": Format.XML,
    "text/xml": Format.XML,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": Format.XLSX,
}
_BY_NAME = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".jsonl": Format.JSON_LINES,
    ".ndjson": Format.JSON_LINES,
    ".json": Format.JSON,
    ".xml": Format.XML,
    ".xlsx": Format.XLSX,
    ".txt": Format.TEXT,
    ".md": Format.TEXT,
}


def read(
    body: bytes,
    content_type: str | None,
    check: Callable[[], None] = lambda: None,
    *,
    declared: Format = Format.AUTO,
    name: str = "",
) -> Json | Text:
    """What ``body`` holds. ``name`` is the file's, if it has one.

    ``check`` is called again and again, and may raise to stop. Raises EmptyAnswer, NotReadable,
    LimitExceeded.
    """
    if not body.strip():
        raise EmptyAnswer(
            "The CRM answered with nothing at all.",
            action="Open the address with the same key: does it return records?",
        )
    found = declared
    if found is Format.AUTO:
        found = _format(body, content_type, name)
    if found is Format.XLSX:
        return Json(parse_xlsx(body, check))
    if found is Format.XML:
        return Json(parse_xml(body, check))
    if found is Format.CSV:
        return Json(parse_csv(_text(body, content_type), check))
    if found is Format.JSON_LINES:
        return Json(parse_json_lines(_text(body, content_type), check))
    if found is Format.JSON:
        return decode(body, "application/json", check)
    if found is Format.TEXT:
        return Text(_text(body, content_type))
    return decode(body, content_type, check)


def _format(body: bytes, content_type: str | None, name: str) -> Format:
    media_type, _ = content_type_of(content_type)
    if media_type in _BY_TYPE:
        return _BY_TYPE[media_type]
    if media_type.endswith("+xml") and "html" not in media_type:
        return Format.XML
    if is_xlsx(body):
        return Format.XLSX
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    if suffix in _BY_NAME:
        return _BY_NAME[suffix]
    start = body[:200].lstrip()
    if start.startswith(b"<?xml"):
        return Format.XML
    if start.startswith(b"{") and looks_like_json_lines(body[:100_000].decode("utf-8", "replace")):
        return Format.JSON_LINES
    return Format.AUTO


def _text(body: bytes, content_type: str | None) -> str:
    _, charset = content_type_of(content_type)
    text = decode_text(body, charset) if charset else decode_any_text(body)
    if "\0" in text:
        raise NotReadable(
            "This is binary data, not text.",
            action="Use JSON, JSON lines, CSV, XML, XLSX or plain text.",
        )
    return text
