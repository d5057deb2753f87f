"""Reading and writing a record's fields by path: ``address.city``, ``orders[].total``.

A ``[]`` stands for each element of an array. Names with a dot of their own can't be addressed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from core.text.decode import Pairs

_PATH = re.compile(r"[^.\[\]\s][^.\[\]]*(?:\[\])?(?:\.[^.\[\]\s][^.\[\]]*(?:\[\])?)*")


class _Missing:
    """Stands for what is not there; null is."""


MISSING = _Missing()


def check_field_path(path: str) -> str:
    """``path`` without the space around it. Raises ValueError when it is none."""
    path = path.strip()
    if len(path) > 300 or not _PATH.fullmatch(path):
        raise ValueError(f"“{path[:60]}” is not a field like name, address.city or orders[].total")
    return path


def steps_of(path: str) -> list[str]:
    """The steps of a path: names, and ``[]`` for the elements of an array."""
    steps = []
    for part in path.split("."):
        steps.append(part.removesuffix("[]"))
        if part.endswith("[]"):
            steps.append("[]")
    return steps


def values_at(record: Any, path: str) -> Iterator[Any]:
    """The values at ``path``, MISSING where a name of it is not there."""
    yield from _values(record, steps_of(path))


def _values(value: Any, steps: list[str]) -> Iterator[Any]:
    if not steps:
        yield value
    elif steps[0] == "[]":
        if isinstance(value, list) and not isinstance(value, Pairs):
            for element in value:
                yield from _values(element, steps[1:])
        else:
            yield from _values(value, steps[1:])
    elif isinstance(value, Pairs):
        member = next((v for key, v in reversed(value) if key == steps[0]), MISSING)
        yield from _values(member, steps[1:])
    else:
        yield MISSING


def changed_at(value: Any, path: str, change: Callable[[Any], Any]) -> Any:
    """``value`` with ``change`` of each value at ``path``, which may be MISSING before and after.

    Objects on the way are made when ``change`` gives something for what is missing.
    """
    return _changed(value, steps_of(path), change)


def _changed(value: Any, steps: list[str], change: Callable[[Any], Any]) -> Any:
    if not steps:
        return change(value)
    if steps[0] == "[]":
        if isinstance(value, list) and not isinstance(value, Pairs):
            elements = (_changed(element, steps[1:], change) for element in value)
            return [element for element in elements if element is not MISSING]
        return value if value is MISSING else _changed(value, steps[1:], change)
    if not isinstance(value, Pairs):
        if value is not MISSING:
            return value
        value = Pairs()
        made = _changed(MISSING, steps[1:], change)
        return MISSING if made is MISSING else Pairs([(steps[0], made)])
    name, rest = steps[0], steps[1:]
    known = any(key == name for key, _ in value)
    if not known:
        made = _changed(MISSING, rest, change)
        return value if made is MISSING else Pairs([*value, (name, made)])
    members = ((key, _changed(v, rest, change) if key == name else v) for key, v in value)
    return Pairs((key, member) for key, member in members if member is not MISSING)
