"""Leaving out the records of persons who were erased."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from core.models import Record

ERASED = "[masked: erased person]"


class ErasedValues:
    """Values, such as an e-mail address, by which erased persons are known."""

    def __init__(self, values: Sequence[str]) -> None:
        # Longest first: of two values that overlap the whole one is replaced.
        found = sorted({value for value in values if value.strip()}, key=len, reverse=True)
        # Not inside of a longer word or number: 555 12 34 is not part of 555 12 345.
        pattern = "|".join(rf"(?<!\w){re.escape(value)}(?!\w)" for value in found)
        self._pattern = re.compile(pattern, re.I) if found else None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def are_in(self, text: str) -> bool:
        """Whether one of them stands in ``text``, in any case."""
        return self._pattern is not None and bool(self._pattern.search(text))

    def masked(self, text: str) -> str:
        """``text`` with a mark in their place."""
        return self._pattern.sub(ERASED, text) if self._pattern else text

    def are_in_any(self, lines: Iterable[str]) -> bool:
        """Whether one of them stands in one of ``lines``."""
        return self._pattern is not None and any(map(self._pattern.search, lines))

    def concern(self, record: Record) -> bool:
        """Whether a record holds one of them."""
        return self.are_in_any(record.lines)


def renumbered(records: Sequence[Record]) -> tuple[list[Record], int]:
    """The records with the numbers that their lines have when they are all there is."""
    runs = sorted((first, count) for record in records for first, count in record.at)
    moved: dict[int, int] = {}
    at = 0
    for first, count in runs:
        moved[first] = at
        at += count
    fresh = [
        replace(record, at=tuple((moved[first], count) for first, count in record.at))
        for record in records
    ]
    return fresh, at
