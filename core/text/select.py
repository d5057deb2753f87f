"""Finding values and records in a decoded answer with JSONPath (RFC 9535)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import jsonpath
from jsonpath import JSONPathError

from core.errors import NotReadable
from core.text.decode import Number, Pairs

Parts = tuple[str | int, ...]

_SIMPLE = re.compile(r"\$(?:\.[A-Za-z_]\w*|\['[^'\\]+'\])*")
_WHOLE_ARRAY = re.compile(rf"({_SIMPLE.pattern})(?:\[\*\])?")
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\['([^'\\]+)'\]")


def check_selector(expression: str) -> None:
    """Raise ValueError, saying why, unless ``expression`` is a JSONPath of RFC 9535."""
    try:
        jsonpath.compile(expression, strict=True)
    except (JSONPathError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else "not a JSONPath"
        raise ValueError(f"is not a JSONPath (RFC 9535): {reason}") from None


def first_value(value: Any, expression: str) -> Any:
    """The first value at ``expression``, None when there is none."""
    if _SIMPLE.fullmatch(expression):
        # The common case, without turning a whole page into plain dictionaries.
        for dotted, quoted in _STEP.findall(expression):
            if not isinstance(value, Pairs):
                return None
            value = next((v for key, v in reversed(value) if key == (dotted or quoted)), None)
        return value
    match = next(iter(_compiled(expression).finditer(_plain(value))), None)
    return match.obj if match else None


def selects_whole_array(expression: str) -> bool:
    """Whether ``expression`` plainly selects all elements of one array, or one value."""
    return bool(_WHOLE_ARRAY.fullmatch(expression))


def select_records(value: Any, expression: str) -> list[Parts]:
    """Where the records are that ``expression`` selects, in document order.

    An array that is selected stands for its elements; what lies inside of another selected value
    is not selected twice. Raises NotReadable when the expression can't be evaluated.
    """
    try:
        matches = list(_compiled(expression).finditer(_plain(value)))
    except (JSONPathError, RecursionError) as error:
        raise NotReadable(
            f"The record selector {expression} can't be used: {error}.",
            action="Correct the selector of the link.",
        ) from None
    chosen: dict[Parts, None] = {}
    for match in matches:
        parts: Parts = tuple(match.parts)
        if isinstance(match.obj, list):
            chosen |= dict.fromkeys((*parts, index) for index in range(len(match.obj)))
        else:
            chosen[parts] = None
    return [parts for parts in chosen if not any(parts[:n] in chosen for n in range(len(parts)))]


def array_at(value: Any, keys: Parts) -> list[Any] | None:
    """The array that ``keys``, names of members, lead to; None when there is none."""
    for key in keys:
        if not isinstance(value, Pairs):
            return None
        value = next((member for name, member in reversed(value) if name == key), None)
    return value if isinstance(value, list) and not isinstance(value, Pairs) else None


@lru_cache(maxsize=256)
def _compiled(expression: str) -> Any:
    return jsonpath.compile(expression, strict=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Pairs):
        return {key: _plain(member) for key, member in value}
    if isinstance(value, list):
        return [_plain(element) for element in value]
    if isinstance(value, Number):
        # For filters such as ?@.age > 30
        return float(value) if any(mark in value for mark in ".eE") else int(value)
    return value
