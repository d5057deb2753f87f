"""What changed between two syncs, path by path, in words.

``customers[cust-123].support_level: Silver → Gold``: a record is named by what it is recognised by,
not by where it stood, since positions change without anything having changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.models import Record

MAX_CHANGES = 200
MAX_VALUE = 120


@dataclass(frozen=True)
class Changes:
    """The first changes, and how many there were in all."""

    lines: list[str]
    total: int


def describe_changes(
    before: Mapping[str, Record], after: Iterable[Record], *, limit: int = MAX_CHANGES
) -> Changes:
    """What turned the records ``before`` (by key) into those ``after``; ``limit`` lines of it."""
    changes = ChangeLog(limit)
    gone = dict(before)
    for record in after:
        changes.compare(gone.pop(record.key, None), record)
    for record in gone.values():
        changes.removed(record_name(record))
    return changes.all()


class ChangeLog:
    """Describes changes record by record; keeps the first ``limit`` lines, and counts all."""

    def __init__(self, limit: int = MAX_CHANGES) -> None:
        self._limit = limit
        self._lines: list[str] = []
        self._total = 0

    def compare(self, old: Record | None, new: Record) -> None:
        """A record, and what it was before."""
        if old is None:
            self._say(f"{record_name(new)}: added")
        elif old.lines != new.lines:
            for text in _changed_lines(old, new):
                self._say(text)

    def removed(self, name: str) -> None:
        """A record that is gone, by its ``record_name``."""
        self._say(f"{name}: removed")

    def all(self) -> Changes:
        """The changes so far."""
        return Changes(self._lines, self._total)

    def _say(self, text: str) -> None:
        self._total += 1
        if len(self._lines) < self._limit:
            self._lines.append(text)


def record_name(record: Record) -> str:
    """``customers[cust-123]``, or where the record stands if it has no id."""
    _, separator, identity = record.key.removeprefix(record.pattern).partition("=")
    if not separator or not record.pattern.endswith("[]"):
        return record.path
    return f"{record.pattern.removesuffix('[]')}[{identity}]"


def _changed_lines(old: Record, new: Record) -> Iterable[str]:
    name = record_name(new)
    if not new.pattern:
        # Text has no paths: it is told apart by its lines.
        before, after = set(old.lines), set(new.lines)
        yield from (f"{name}: − {_short(x)}" for x in old.lines if x not in after)
        yield from (f"{name}: + {_short(x)}" for x in new.lines if x not in before)
        return
    values, fresh = _by_path(old), _by_path(new)
    for path in dict.fromkeys([*values, *fresh]):
        was, now = values.get(path, []), fresh.get(path, [])
        if was == now:
            continue
        if not now:
            yield f"{name}{path}: {_joined(was)} → removed"
        elif not was:
            yield f"{name}{path}: added {_joined(now)}"
        else:
            yield f"{name}{path}: {_joined(was)} → {_joined(now)}"


def _by_path(record: Record) -> dict[str, list[str]]:
    values: dict[str, list[str]] = defaultdict(list)
    cut = len(record.pattern)
    for line in record.lines:
        path, _, value = line[cut:].partition(": ")
        values[path].append(value)
    return values


def _joined(values: list[str]) -> str:
    return _short(", ".join(values))


def _short(text: str) -> str:
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"
