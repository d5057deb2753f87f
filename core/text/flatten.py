"""Flattening: every scalar leaf of an answer as one line, in document order.

``{"customers":[{"id":"cust-123","name":"John Doe"}]}`` becomes::

    customers[0].id: cust-123
    customers[0].name: John Doe

The lines are dealt out to records while they are made. The records are the objects of the longest
array of objects (``customers[]``, ``regions[].customers[]``); what stands outside of those belongs
to the outermost object of an array around it, or to the rest.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from core.errors import LimitExceeded
from core.models import Record
from core.text.decode import MAX_DEPTH, Json, Number, Pairs, Text
from core.text.identity import record_keys
from core.text.raw import raw_json
from core.text.select import Parts, select_records

# A run can be cancelled between so many lines.
CHECK_EVERY = 2000
REST = "$"
# When an array inside of another array's objects is taken for the records (see _records_pattern)
MIN_GROUPED = 10
GROUPING_FACTOR = 3

# A key that needs no brackets: no . [ ] : or quote in it, no space at an end, no control
# characters or line separators, and not empty.
_SPECIAL = r".\[\]:\"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
_PLAIN_KEY = re.compile(rf"[^\s{_SPECIAL}](?:[^{_SPECIAL}]*[^\s{_SPECIAL}])?")
_LINE_BREAK = re.compile("\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Flattened:
    """A flattened answer: its records, how many lines it has, and where its records were found."""

    records: list[Record]
    total_lines: int
    records_at: str | None

    @property
    def record_count(self) -> int:
        """How many records were found; paragraphs count in plain text."""
        if self.is_empty:
            return 0
        if self.records_at is None:
            return len(self.records)
        return sum(record.pattern == self.records_at for record in self.records)

    @property
    def is_empty(self) -> bool:
        """Whether nothing but empty objects, empty arrays and null came."""
        empty = (": []", ": {}", ": null")
        return all(line.endswith(empty) for record in self.records for line in record.lines)

    def lines(self) -> list[str]:
        """The whole flattened text, line by line."""
        return assemble(self.records, self.total_lines)


def assemble(records: list[Record], total_lines: int) -> list[str]:
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
    """Flatten an answer. Raises LimitExceeded when it nests deeper than MAX_DEPTH.

    ``selector`` is a JSONPath: what it selects are the records then, and nothing else is kept.
    ``id_field`` names the field that tells records apart. ``check`` is called again and again, and
    may raise to stop.
    """
    if isinstance(answer, Text):
        return _flatten_text(answer.value)
    if selector is None:
        found = find_records(answer.value, check)
        pattern = found[0] if found else None
        walk = _Walk(answer.value, pattern, check)
        walk.visit(answer.value, "", "", 0, walk.rest, False)
    else:
        walk = _Walk(answer.value, None, check)
        for parts in select_records(answer.value, selector):
            walk.visit_record(answer.value, parts)
        patterns = Counter(group.pattern for group in walk.groups if group.pattern)
        pattern = patterns.most_common(1)[0][0] if patterns else None
    groups = [group for group in walk.groups if group.lines]
    keys = record_keys([(g.pattern, g.lines) for g in groups], id_field, check)
    check()
    own = frozenset(id(group.value) for group in walk.groups)
    records = []
    for number, (key, g) in enumerate(zip(keys, groups, strict=True)):
        if number % CHECK_EVERY == 0:
            check()
        raw = raw_json(g.value, leave_out=own)
        records.append(Record(key, g.path, g.pattern, tuple(g.lines), tuple(g.at), raw))
    return Flattened(records, walk.next_line, pattern)


@dataclass
class _Group:
    path: str
    pattern: str
    value: Any
    lines: list[str] = field(default_factory=list)
    at: list[tuple[int, int]] = field(default_factory=list)


class _Walk:
    def __init__(self, root: Any, pattern: str | None, check: Callable[[], None]) -> None:
        self.pattern = pattern
        self.check = check
        self.rest = _Group(REST, "", root)
        self.groups = [self.rest]
        self.next_line = 0

    def visit(
        self, value: Any, path: str, pattern: str, depth: int, group: _Group, inside: bool
    ) -> None:
        """Deal the leaves of ``value`` out; ``inside`` says that ``group`` is an array's object."""
        if depth > MAX_DEPTH:
            raise LimitExceeded(
                f"The answer nests deeper than {MAX_DEPTH} levels.",
                action="Use an address that returns plain records.",
            )
        if isinstance(value, Pairs) and value:
            for key, member in value:
                step = key_step(key, first=not path)
                self.visit(member, path + step, pattern + step, depth + 1, group, inside)
        elif isinstance(value, list) and value:
            here = pattern + "[]"
            for index, element in enumerate(value):
                at = f"{path}[{index}]"
                if isinstance(element, Pairs) and (here == self.pattern or not inside):
                    own = _Group(at, here, element)
                    self.groups.append(own)
                    self.visit(element, at, here, depth + 1, own, True)
                else:
                    self.visit(element, at, here, depth + 1, group, inside)
        else:
            self._leaf(value, path, group)

    def visit_record(self, root: Any, parts: Parts) -> None:
        """Make the value at ``parts`` a record of its own."""
        path = pattern = ""
        value = root
        for part in parts:
            if isinstance(part, int):
                path, pattern, value = f"{path}[{part}]", f"{pattern}[]", value[part]
            else:
                step = key_step(part, first=not path)
                path, pattern = path + step, pattern + step
                value = next(member for key, member in reversed(value) if key == part)
        group = _Group(path, pattern, value) if parts else self.rest
        if parts:
            self.groups.append(group)
        self.visit(value, path, pattern, len(parts), group, True)

    def _leaf(self, value: Any, path: str, group: _Group) -> None:
        tail = path[len(group.path) :] if group.pattern else path
        label = (group.pattern + tail) or REST
        group.lines.append(f"{label}: {_scalar(value)}")
        if self.next_line % CHECK_EVERY == 0:
            self.check()
        if group.at and sum(group.at[-1]) == self.next_line:
            first, count = group.at[-1]
            group.at[-1] = (first, count + 1)
        else:
            group.at.append((self.next_line, 1))
        self.next_line += 1


def find_records(value: Any, check: Callable[[], None] = lambda: None) -> tuple[str, Parts] | None:
    """The pattern of the array that holds the records, and the keys to its outermost array.

    The longest array of objects; but one inside another's objects (the orders of a customer) only
    when it is so much longer that the outer one is plainly a grouping (regions of customers).
    """
    looked_at = 0
    longest: dict[str, int] = {}
    outermost: dict[str, Parts] = {}
    stack: list[tuple[Any, str, Parts]] = [(value, "", ())]
    while stack:
        node, pattern, keys = stack.pop()
        looked_at += 1
        if looked_at % CHECK_EVERY == 0:
            check()
        if isinstance(node, Pairs):
            stack.extend(
                (
                    member,
                    pattern + key_step(key, first=not pattern),
                    keys if "[]" in pattern else (*keys, key),
                )
                for key, member in reversed(node)
                if isinstance(member, list) and member
            )
        elif isinstance(node, list):
            here = pattern + "[]"
            objects = sum(isinstance(element, Pairs) for element in node)
            if objects:
                longest[here] = max(objects, longest.get(here, 0))
                outermost.setdefault(here, keys)
            stack.extend(
                (element, here, keys) for element in reversed(node) if isinstance(element, list)
            )
    chosen: str | None = None
    while True:
        around = "" if chosen is None else chosen
        inner = [p for p in longest if p.startswith(around) and p != around]
        if chosen is not None:
            wanted = max(MIN_GROUPED, GROUPING_FACTOR * longest[chosen])
            inner = [p for p in inner if longest[p] >= wanted]
        if not inner:
            return (chosen, outermost[chosen]) if chosen else None
        depth = min(p.count("[]") for p in inner)
        chosen = max((p for p in inner if p.count("[]") == depth), key=lambda p: longest[p])


def _flatten_text(text: str) -> Flattened:
    """Plain text as it is, a record per paragraph; blank lines stay with the one before."""
    if not text:
        return Flattened([], 0, None)
    lines = text.split("\n")
    starts = [
        number
        for number, line in enumerate(lines)
        if number == 0 or (line.strip() and not lines[number - 1].strip())
    ]
    if len(starts) > 1 and not any(line.strip() for line in lines[: starts[1]]):
        del starts[1]
    pieces = [lines[a:b] for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]
    keys = record_keys([("", piece) for piece in pieces])
    records = [
        Record(key, f"line {first + 1}", "", tuple(piece), ((first, len(piece)),))
        for key, first, piece in zip(keys, starts, pieces, strict=True)
    ]
    return Flattened(records, len(lines), None)


def key_step(key: str, *, first: bool) -> str:
    if _PLAIN_KEY.fullmatch(key):
        return key if first else f".{key}"
    quoted = json.dumps(key, ensure_ascii=False)
    return f"[{_escape(quoted)}]"


def _escape(quoted: str) -> str:
    # json.dumps leaves these as they are; a line or a terminal would not survive them.
    return re.sub(
        "[\x7f-\x9f\u2028\u2029\ud800-\udfff]", lambda hit: f"\\u{ord(hit[0]):04x}", quoted
    )


def _scalar(value: Any) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        broken = _LINE_BREAK.sub(r"\\n", value)
        return _SURROGATE.sub(lambda hit: f"\\u{ord(hit[0]):04x}", broken)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "{}" if isinstance(value, Pairs) else "[]"
