"""A decoded value as JSON again: the same members, order and digits, without needless space."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from json.encoder import encode_basestring
from typing import Any

from core.text.decode import Number, Pairs

_SURROGATE = re.compile("[\ud800-\udfff]")


def raw_json(value: Any, *, leave_out: AbstractSet[int] = frozenset()) -> str:
    """The JSON of ``value``; elements of arrays whose ``id()`` is in ``leave_out`` are left out.

    Those are records of their own, so that no part of an answer stands in two records.
    """
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Pairs):
        members = [
            f"{_string(key)}:{raw_json(member, leave_out=leave_out)}" for key, member in value
        ]
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        elements = (
            raw_json(element, leave_out=leave_out)
            for element in value
            if not (isinstance(element, Pairs) and id(element) in leave_out)
        )
        return "[" + ",".join(elements) + "]"
    if value is None:
        return "null"
    return "true" if value else "false"


def _string(value: str) -> str:
    quoted: str = encode_basestring(value)
    if quoted.isascii():
        return quoted
    # Half a character can be spelled in JSON, but not stored or shown as text.
    return _SURROGATE.sub(lambda hit: f"\\u{ord(hit[0]):04x}", quoted)
