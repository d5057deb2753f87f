"""An answer's bytes as JSON or plain text: by what its content type says, and by its content.

JSON is read strictly (RFC 8259): no NaN, no Infinity, no trailing commas. Numbers keep the digits
they were sent with, and repeated keys are kept, so that the flattened text shows exactly what came.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from typing import Any, NoReturn

from core.errors import EmptyAnswer, LimitExceeded, NotReadable

# Deeper answers are refused when they are flattened.
MAX_DEPTH = 200
# A run can be cancelled between so many objects.
CHECK_EVERY = 10_000


class Number(str):
    """A JSON number, as it was spelled."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """A JSON object: its members in order, repeated keys included."""

    __slots__ = ()


@dataclass(frozen=True)
class Json:
    """A decoded JSON answer: Pairs, list, str, Number, bool or None."""

    value: Any


@dataclass(frozen=True)
class Text:
    """A plain text answer, as it is."""

    value: str


_WEB_PAGE = re.compile(r"\s*(<!doctype\s+html|<html[\s>])", re.I)
_BINARY_TYPES = ("image/", "audio/", "video/", "font/", "application/pdf", "application/zip")


def decode(
    body: bytes, content_type: str | None, check: Callable[[], None] = lambda: None
) -> Json | Text:
    """What ``body`` holds. ``check`` is called again and again, and may raise to stop.

    Raises EmptyAnswer when there is nothing in it, NotReadable when it says it is JSON and isn't,
    is a web page, or no text at all, and LimitExceeded when it nests too deep.
    """
    media_type, charset = content_type_of(content_type)
    if not body.strip():
        raise EmptyAnswer(
            "The CRM answered with nothing at all.",
            action="Open the address with the same key: does it return records?",
        )
    if media_type.startswith(_BINARY_TYPES):
        raise NotReadable(
            f"The CRM answered with {media_type}, not with text.",
            action="Use an address that returns JSON or plain text.",
        )
    text = decode_text(body, charset)
    if _WEB_PAGE.match(text):
        raise NotReadable(
            "The CRM answered with a web page instead of data.",
            action="Often a login page: check the address and the key.",
        )
    says_json = media_type in ("application/json", "text/json") or media_type.endswith("+json")
    if says_json:
        return Json(parse_json(text, check))
    if text.lstrip()[:1] in ("{", "["):
        # Many APIs send JSON as text/plain or text/html. What doesn't parse is plain text then.
        try:
            return Json(parse_json(text, check))
        except NotReadable:
            pass
    return Text(text)


def parse_json(text: str, check: Callable[[], None] = lambda: None) -> Any:
    """The value of a JSON text. Raises NotReadable when it isn't one, LimitExceeded by depth."""
    parsed = 0

    def pairs(members: list[tuple[str, Any]]) -> Pairs:
        nonlocal parsed
        parsed += 1
        if parsed % CHECK_EVERY == 0:
            check()
        return Pairs(members)

    try:
        return json.loads(
            text,
            object_pairs_hook=pairs,
            parse_float=Number,
            parse_int=Number,
            parse_constant=_refuse_constant,
        )
    except RecursionError:
        raise LimitExceeded(
            "The answer nests too deep.", action="Use an address that returns plain records."
        ) from None
    except ValueError as error:
        raise NotReadable(
            f"The answer says it is JSON, but is not valid: {error}.",
            action="Report it to whoever runs the CRM's API; what was synced before is kept.",
        ) from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def content_type_of(header: str | None) -> tuple[str, str | None]:
    """The media type of a Content-Type header, in lower case, and its charset."""
    message = Message()
    message["Content-Type"] = header or "application/octet-stream"
    charset = message.get_param("charset")
    return message.get_content_type(), charset if isinstance(charset, str) else None


def decode_text(body: bytes, charset: str | None) -> str:
    """The text of bytes in a named encoding, or by their byte order mark. Raises NotReadable."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if body.startswith(mark):
            body, charset = body[len(mark) :], encoding
            break
    try:
        text = body.decode(charset or "utf-8")
    except (UnicodeDecodeError, LookupError):
        raise NotReadable(
            f"The answer's bytes are not {charset or 'UTF-8'} text.",
            action="The CRM should name its encoding in the Content-Type.",
        ) from None
    if "\x00" in text:
        raise NotReadable(
            "The answer is binary data, not text.",
            action="Use an address that returns JSON or plain text.",
        )
    return text
