"""Changing an answer's records where they are, before it is flattened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.text.arrays import find_records
from core.text.decode import CHECK_EVERY, Pairs
from core.text.paths import key_step
from core.text.select import Parts, select_records

Change = Callable[[Pairs], Pairs | None]
"""What becomes of a record; None takes it out."""


def map_records(
    value: Any,
    selector: str | None,
    change: Change,
    check: Callable[[], None] = lambda: None,
    *,
    pattern: str | None = None,
) -> Any:
    """``value`` with each of its records changed; what is no record stays as it is.

    The records are those that flattening finds or selects: objects in an array, or the whole
    answer when there is none. ``pattern`` says where they are when that is known. ``check`` is
    called again and again, and may raise to stop.
    """
    mapper = _Mapper(change, check)
    if selector is not None:
        chosen = set(select_records(value, selector))
        around = {parts[:length] for parts in chosen for length in range(len(parts))}
        return mapper.at(value, (), chosen, around)
    if pattern is None:
        found = find_records(value, check)
        if found is None:
            return mapper.one(value) if isinstance(value, Pairs) else value
        pattern = found[0]
    return mapper.along(value, "", pattern)


class _Removed:
    """Stands where a record was taken out."""


_REMOVED = _Removed()


class _Mapper:
    def __init__(self, change: Change, check: Callable[[], None]) -> None:
        self._change = change
        self._check = check
        self._done = 0

    def one(self, record: Pairs) -> Any:
        """The record as it is to be; an empty one for the whole answer."""
        changed = self._changed(record)
        return Pairs() if isinstance(changed, _Removed) else changed

    def along(self, value: Any, here: str, pattern: str) -> Any:
        """Change the objects of the arrays at ``pattern``, which starts with ``here``."""
        if isinstance(value, Pairs):
            return Pairs(
                (key, self._member(member, here + key_step(key, first=not here), pattern))
                for key, member in value
            )
        if not isinstance(value, list):
            return value
        inside = here + "[]"
        if inside == pattern:
            changed = (self._changed(e) if isinstance(e, Pairs) else e for e in value)
            return [element for element in changed if not isinstance(element, _Removed)]
        return [self._member(element, inside, pattern) for element in value]

    def at(self, value: Any, parts: Parts, chosen: set[Parts], around: set[Parts]) -> Any:
        """Change what is at the ``chosen`` places; ``around`` are the places that lead there."""
        if parts in chosen:
            return self._changed(value) if isinstance(value, Pairs) else value
        if parts not in around:
            return value
        if isinstance(value, Pairs):
            pairs = ((key, self.at(member, (*parts, key), chosen, around)) for key, member in value)
            return Pairs((key, member) for key, member in pairs if not isinstance(member, _Removed))
        elements = (self.at(e, (*parts, i), chosen, around) for i, e in enumerate(value))
        return [element for element in elements if not isinstance(element, _Removed)]

    def _member(self, member: Any, here: str, pattern: str) -> Any:
        return self.along(member, here, pattern) if pattern.startswith(here) else member

    def _changed(self, record: Pairs) -> Pairs | _Removed:
        self._done += 1
        if self._done % CHECK_EVERY == 0:
            self._check()
        changed = self._change(record)
        return _REMOVED if changed is None else changed
