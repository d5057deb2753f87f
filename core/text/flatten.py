"""Flattening: every scalar leaf of an answer as one line, in document order.

``{"customers":[{"id":"cust-123","name":"John Doe"}]}`` becomes::

    customers[0].id: cust-123
    customers[0].name: John Doe

The lines are dealt out to records while they are made. The records are the objects of the longest
array of objects (``customers[]``, ``regions[].customers[]``); what stands outside of those belongs
to the outermost object of an array around it, or to the rest.

An answer may come in parts: each further one adds elements to one array of the first, and is let go
of when its records are made.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.errors import LimitExceeded
from core.models import Record
from core.text.arrays import find_records
from core.text.decode import MAX_DEPTH, Json, Number, Pairs, Text
from core.text.erased import ErasedValues, renumbered
from core.text.groups import Group, split
from core.text.identity import record_keys
from core.text.paragraphs import paragraphs
from core.text.paths import key_step, path_to
from core.text.raw import raw_json
from core.text.select import Parts, array_at, select_records

# A run can be cancelled between so many lines.
CHECK_EVERY = 2000
REST = "$"

_LINE_BREAK = re.compile("\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOBODY = ErasedValues(())


@dataclass(frozen=True)
class Flattened:
    """A flattened answer: its records, how many lines it has, and where its records were found."""

    records: list[Record]
    total_lines: int
    records_at: str | None

    def lines(self) -> list[str]:
        """The whole flattened text, line by line."""
        return assemble(self.records, self.total_lines)


def assemble(records: Sequence[Record], total_lines: int) -> list[str]:
    """The text that ``records`` were dealt out of, in document order."""
    lines = [""] * total_lines
    for record in records:
        own = record.positioned("\n".join(record.lines)).split("\n")
        taken = 0
        for first, count in record.at:
            lines[first : first + count] = own[taken : taken + count]
            taken += count
    return lines


def flatten(
    answer: Json | Text,
    *,
    selector: str | None = None,
    id_field: str | None = None,
    check: Callable[[], None] = lambda: None,
) -> Flattened:
    """Flatten a whole answer. Raises LimitExceeded when it nests deeper than MAX_DEPTH.

    ``selector`` is a JSONPath: what it selects are the records then, and nothing else is kept.
    ``id_field`` names the field that tells records apart. ``check`` is called again and again, and
    may raise to stop.
    """
    found = None
    if isinstance(answer, Json) and selector is None:
        found = find_records(answer.value, check)
    flattening = Flattening(found[0] if found else None, selector=selector, check=check)
    records = list(flattening.first(answer))
    rest, behind = flattening.finish()
    records = [*([rest] if rest else []), *records, *behind]
    keys = record_keys([(record.pattern, record.lines) for record in records], id_field, check)
    named = [replace(record, key=key) for record, key in zip(records, keys, strict=True)]
    return Flattened(named, flattening.total_lines, flattening.records_at)


class Flattening:
    """Deals the leaves of an answer out to records, which have no keys yet.

    ``pattern`` is that of the array of the records; with a ``selector`` it is found out. ``grows``
    are the keys to the array that further parts add to, None when none will come. Records of
    ``erased`` persons are left out: the others keep their places in the CRM's answer, only the
    numbers of their lines move up.

    Raises LimitExceeded when the answer nests deeper than MAX_DEPTH.
    """

    def __init__(
        self,
        pattern: str | None,
        *,
        selector: str | None = None,
        grows: Parts | None = None,
        erased: ErasedValues = _NOBODY,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._pattern = pattern
        self._selector = selector
        self._grows = grows
        self._erased = erased
        self._check = check
        self._rest = Group(REST, "", None)
        self._groups: list[Group] = []
        self._line = 0
        self._own: frozenset[int] = frozenset()
        self._patterns: Counter[str] = Counter()
        # Of the array that grows: itself, its elements so far, and what stood behind it.
        self._array: list[Any] | None = None
        self._elements = 0
        self._cut: int | None = None
        self._before_cut = 0
        self._behind: list[Group] = []
        self._rest_behind = Group(REST, "", None)
        self._lines_behind = 0
        self.left_out = 0
        """How many records of erased persons there were."""

    @property
    def grows(self) -> bool:
        """Whether the first part has the array that further ones add to, still."""
        return self._array is not None

    @property
    def total_lines(self) -> int:
        """How many lines there are so far."""
        return self._line + self._lines_behind

    @property
    def records_at(self) -> str | None:
        """The pattern of the array of the records, None when they stand in none."""
        if self._selector is None:
            return self._pattern
        return self._patterns.most_common(1)[0][0] if self._patterns else None

    def first(self, answer: Json | Text) -> Iterator[Record]:
        """The records of the whole answer, or of its first part: all before what ``finish`` has."""
        if isinstance(answer, Text):
            yield from self._text(answer.value)
            return
        value = answer.value
        self._rest.value = value
        if self._grows is not None:
            self._array = array_at(value, self._grows)
        if self._selector is None:
            self._visit(value, "", "", 0, self._rest, False)
        else:
            for parts in select_records(value, self._selector):
                self._visit_record(value, parts)
        self._own = frozenset(id(group.value) for group in self._groups)
        if self._cut is None and self._array is not None:
            self._cut, self._before_cut = self._line, len(self._groups)
        before = self._before_cut if self._cut is not None else len(self._groups)
        self._cut = self._leave_out(0, self._cut)
        head, self._behind = self._groups[:before], self._groups[before:]
        self._groups = []
        if self._cut is not None:
            self._rest, self._rest_behind = split(self._rest, self._cut)
            self._lines_behind = self._line - self._cut
            self._line = self._cut
            self._elements = len(self._array or ())
        yield from self._records(head, self._own)

    def further(self, value: Any) -> Iterator[Record]:
        """The records of the next part: an answer with nothing in it but the array."""
        # What was taken out of the first part does not come back with a later one.
        array = array_at(value, self._grows or ()) if self._array is not None else None
        if array is None or self._array is None or self._grows is None:
            return
        began = self._line
        whole, self._rest = self._rest, Group(REST, "", None)
        if self._selector is None:
            here = path_to(self._grows)
            depth, start = len(self._grows), self._elements
            self._visit_elements(array, here, here, depth, self._rest, False, start)
        else:
            for parts in select_records(value, self._selector):
                self._visit_record(value, parts)
        self._elements += len(array)
        # They are told in the rest's JSON, too.
        self._array += [e for e in array if not isinstance(e, list)]
        self._leave_out(began)
        for (first, count), lines in self._rest.runs():
            whole.add(first, count, lines)
        self._rest = whole
        groups, self._groups = self._groups, []
        yield from self._records(groups, frozenset(id(group.value) for group in groups))

    def finish(self) -> tuple[Record | None, list[Record]]:
        """What belongs to no record, if anything does, and the records behind the array."""
        if self._array is not None and not self._elements and self._selector is None:
            self._leaf([], path_to(self._grows or ()), self._rest)
        moved = self._line - (self._cut or 0)
        for group in (self._rest_behind, *self._behind):
            group.at = [(first + moved, count) for first, count in group.at]
        for (first, count), lines in self._rest_behind.runs():
            self._rest.add(first, count, lines)
        self._line += self._lines_behind
        self._lines_behind = 0
        behind = list(self._records(self._behind, self._own))
        if not self._rest.lines:
            return None, behind
        if self._erased.are_in_any(self._rest.lines):
            if self.records_at is None:
                self.left_out += 1
                self._line -= len(self._rest.lines)
                return None, behind
            # Of what belongs to no record the value alone is masked.
            raw = self._erased.masked(raw_json(self._rest.value, leave_out=self._own))
            masked = tuple(self._erased.masked(line) for line in self._rest.lines)
            return Record("", REST, "", masked, tuple(self._rest.at), raw), behind
        return _record(self._rest, self._own), behind

    def _records(self, groups: Sequence[Group], own: frozenset[int]) -> Iterator[Record]:
        for number, group in enumerate(groups):
            if number % CHECK_EVERY == 0:
                self._check()
            if group.lines:
                yield _record(group, own)

    def _leave_out(self, began: int, cut: int | None = None) -> int | None:
        """Take the groups of erased persons out of those of this part, from line ``began`` on.

        The new number of the line ``cut``.
        """
        gone = [group for group in self._groups if self._erased.are_in_any(group.lines)]
        if not gone:
            return cut
        self.left_out += len(gone)
        for group in gone:
            group.lines, group.at = [], []
        own = [self._rest, *self._groups]
        runs = sorted(run for group in own for run in group.at if run[0] >= began)
        moved: dict[int, int] = {}
        self._line = began
        for first, count in runs:
            moved[first] = self._line
            self._line += count
        for group in own:
            group.at = [(moved.get(first, first), count) for first, count in group.at]
        if cut is None:
            return None
        return began + sum(min(max(cut - first, 0), count) for first, count in runs)

    def _visit(
        self, value: Any, path: str, pattern: str, depth: int, group: Group, inside: bool
    ) -> None:
        """Deal the leaves of ``value`` out; ``inside`` says that ``group`` is an array's object."""
        if depth > MAX_DEPTH or (depth == MAX_DEPTH and isinstance(value, list) and value):
            raise LimitExceeded(
                f"The answer nests deeper than {MAX_DEPTH} levels.",
                action="Use an address that returns plain records.",
            )
        if isinstance(value, Pairs) and value:
            for key, member in value:
                step = key_step(key, first=not path)
                if isinstance(member, list):
                    self._visit(member, path + step, pattern + step, depth + 1, group, inside)
                else:
                    self._leaf(member, path + step, group)
        elif isinstance(value, list) and (value or value is self._array):
            self._visit_elements(value, path, pattern, depth, group, inside)
            if value is self._array:
                self._cut, self._before_cut = self._line, len(self._groups)
        else:
            self._leaf(value, path, group)

    def _visit_elements(
        self,
        elements: list[Any],
        path: str,
        pattern: str,
        depth: int,
        group: Group,
        inside: bool,
        start: int = 0,
    ) -> None:
        here = pattern + "[]"
        for index, element in enumerate(elements, start):
            at = f"{path}[{index}]"
            if isinstance(element, Pairs) and (here == self._pattern or not inside):
                own = Group(at, here, element)
                self._groups.append(own)
                self._visit(element, at, here, depth + 1, own, True)
            else:
                self._visit(element, at, here, depth + 1, group, inside)

    def _visit_record(self, root: Any, parts: Parts) -> None:
        """Make the value at ``parts`` a record of its own."""
        path = pattern = ""
        value = root
        for depth, part in enumerate(parts):
            if isinstance(part, int):
                place = part + (self._elements if depth == len(self._grows or ()) else 0)
                path, pattern, value = f"{path}[{place}]", f"{pattern}[]", value[part]
            else:
                step = key_step(part, first=not path)
                path, pattern = path + step, pattern + step
                value = next(member for key, member in reversed(value) if key == part)
        group = Group(path, pattern, value) if parts else self._rest
        if parts:
            self._groups.append(group)
            self._patterns[pattern] += 1
        self._visit(value, path, pattern, len(parts), group, True)

    def _leaf(self, value: Any, path: str, group: Group) -> None:
        tail = path[len(group.path) :] if group.pattern else path
        label = (group.pattern + tail) or REST
        if self._line % CHECK_EVERY == 0:
            self._check()
        group.add(self._line, 1, (f"{label}: {_scalar(value)}",))
        self._line += 1

    def _text(self, text: str) -> Iterator[Record]:
        """The paragraphs of a plain text."""
        records = paragraphs(text)
        kept = [record for record in records if not self._erased.concern(record)]
        self.left_out = len(records) - len(kept)
        if self.left_out:
            kept, self._line = renumbered(kept)
        elif text:
            self._line = text.count("\n") + 1
        yield from kept


def _record(group: Group, own: frozenset[int]) -> Record:
    raw = raw_json(group.value, leave_out=own)
    return Record("", group.path, group.pattern, tuple(group.lines), tuple(group.at), raw)


def _scalar(value: Any) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        if value.isprintable():
            return value  # which neither line breaks nor surrogates are
        broken = _LINE_BREAK.sub(r"\\n", value)
        return _SURROGATE.sub(lambda hit: f"\\u{ord(hit[0]):04x}", broken)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "{}" if isinstance(value, Pairs) else "[]"
