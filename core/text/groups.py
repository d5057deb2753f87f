"""The lines of one record while an answer is dealt out, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass
class Group:
    """``value`` is what the lines are made of."""

    path: str
    pattern: str
    value: Any
    lines: list[str] = field(default_factory=list)
    at: list[tuple[int, int]] = field(default_factory=list)

    def add(self, first: int, count: int, lines: Sequence[str]) -> None:
        """Add lines that stand at ``first``."""
        self.lines += lines
        if self.at:
            began, held = self.at[-1]
            if began + held == first:
                self.at[-1] = (began, held + count)
                return
        self.at.append((first, count))

    def runs(self) -> Iterator[tuple[tuple[int, int], list[str]]]:
        """Where lines stand together, and those lines."""
        taken = 0
        for first, count in self.at:
            yield (first, count), self.lines[taken : taken + count]
            taken += count


def split(group: Group, cut: int) -> tuple[Group, Group]:
    """What of a group stands before the line ``cut``, and what stands from there on."""
    before, behind = (replace(group, lines=[], at=[]) for _ in range(2))
    for (first, count), lines in group.runs():
        inside = min(max(cut - first, 0), count)
        if inside:
            before.add(first, inside, lines[:inside])
        if inside < count:
            behind.add(first + inside, count - inside, lines[inside:])
    return before, behind
