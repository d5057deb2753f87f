"""Which fields an answer has, of which types, and what is different from the answer before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from core.text.decode import CHECK_EVERY, Number, Pairs
from core.text.paths import key_step

MOST_FIELDS = 1000
"""An answer with more has values for names; watching those would tell nothing."""

_TYPES: Mapping[type, str] = {bool: "boolean", Number: "number"}

Schema = dict[str, str]
"""Types by path, such as ``customers[].age: number``; several are joined by `` or ``."""


def schema_of(value: Any) -> Schema:
    """The fields of a decoded answer; see ``FieldFinder``."""
    fields = FieldFinder()
    fields.add(value)
    return fields.found()


class FieldFinder:
    """Finds the fields of a decoded answer that comes in parts.

    A null says nothing about the type. ``check`` is called again and again, and may raise.
    """

    def __init__(self, check: Callable[[], None] = lambda: None) -> None:
        self._check = check
        self._types: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, value: Any) -> None:
        """Look at the next part."""
        stack: list[tuple[Any, str]] = [(value, "")]
        looked_at = 0
        while stack and len(self._types) <= MOST_FIELDS:
            node, path = stack.pop()
            looked_at += 1
            if looked_at % CHECK_EVERY == 0:
                self._check()
            if isinstance(node, Pairs):
                members = [(m, path + key_step(key, first=not path)) for key, m in node]
            elif isinstance(node, list):
                members = [(element, path + "[]") for element in node]
            else:
                continue
            for member, at in members:
                if isinstance(member, list):
                    stack.append((member, at))
                    continue
                types = self._types[at]
                if member is not None:
                    types.add(_TYPES.get(type(member), "text"))

    def found(self) -> Schema:
        """The fields; none when there are more than MOST_FIELDS."""
        if len(self._types) > MOST_FIELDS:
            return {}
        return {
            path: " or ".join(sorted(types)) or "empty"
            for path, types in sorted(self._types.items())
        }


def schema_changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What came, went and changed its type, a line each; nothing when one of them is not known."""
    if not before or not after:
        return []
    came = [f"new field: {path} ({after[path]})" for path in after if path not in before]
    went = [f"gone: {path} ({before[path]})" for path in before if path not in after]
    changed = [
        f"another type: {path} ({before[path]} → {after[path]})"
        for path in after
        if path in before and _differ(before[path], after[path])
    ]
    return came + went + changed


def _differ(before: str, after: str) -> bool:
    # Empty so far, or empty now: nothing is known of a type.
    if "empty" in (before, after):
        return False
    return set(before.split(" or ")) != set(after.split(" or "))
