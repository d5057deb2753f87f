"""Which array of an answer holds its records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.text.decode import Pairs
from core.text.paths import key_step, path_to
from core.text.select import Parts

# A run can be cancelled between so many values.
CHECK_EVERY = 2000
# When an array inside of another array's objects is taken for the records
MIN_GROUPED = 10
GROUPING_FACTOR = 3


def find_records(value: Any, check: Callable[[], None] = lambda: None) -> tuple[str, Parts] | None:
    """The pattern of the array that holds the records, and the keys to its outermost array."""
    finder = RecordFinder(check)
    finder.add(value)
    return finder.found()


class RecordFinder:
    """Finds the array that holds the records of an answer that comes in parts.

    The longest array of objects; but one inside another's objects (the orders of a customer) only
    when it is so much longer that the outer one is plainly a grouping (regions of customers).
    ``grows`` are the keys to the array which every part adds to.
    """

    def __init__(self, check: Callable[[], None] = lambda: None, grows: Parts = ()) -> None:
        self._check = check
        self._grows = path_to(grows) + "[]"
        self._longest: dict[str, int] = {}
        self._outermost: dict[str, Parts] = {}

    def add(self, value: Any) -> None:
        """Look at the next part."""
        looked_at = 0
        longest: dict[str, int] = {}
        stack: list[tuple[Any, str, Parts]] = [(value, "", ())]
        while stack:
            node, pattern, keys = stack.pop()
            looked_at += 1
            if looked_at % CHECK_EVERY == 0:
                self._check()
            if isinstance(node, Pairs):
                stack.extend(
                    (
                        member,
                        pattern + key_step(key, first=not pattern),
                        keys if "[]" in pattern else (*keys, key),
                    )
                    for key, member in reversed(node)
                    # The array that grows may be empty as yet, but has its place among the others.
                    if isinstance(member, list)
                )
            elif isinstance(node, list):
                here = pattern + "[]"
                objects = sum(isinstance(element, Pairs) for element in node)
                if objects or here == self._grows:
                    longest[here] = max(objects, longest.get(here, 0))
                    self._outermost.setdefault(here, keys)
                stack.extend(
                    (element, here, keys) for element in reversed(node) if isinstance(element, list)
                )
        for pattern, count in longest.items():
            before = self._longest.get(pattern, 0)
            self._longest[pattern] = (
                before + count if pattern == self._grows else max(before, count)
            )

    def found(self) -> tuple[str, Parts] | None:
        """The array's pattern, and the keys to its outermost array; None without an array."""
        chosen: str | None = None
        longest = self._longest
        while True:
            around = "" if chosen is None else chosen
            inner = [p for p in longest if longest[p] and p.startswith(around) and p != around]
            if chosen is not None:
                wanted = max(MIN_GROUPED, GROUPING_FACTOR * longest[chosen])
                inner = [p for p in inner if longest[p] >= wanted]
            if not inner:
                return (chosen, self._outermost[chosen]) if chosen else None
            depth = min(p.count("[]") for p in inner)
            chosen = max((p for p in inner if p.count("[]") == depth), key=lambda p: longest[p])
