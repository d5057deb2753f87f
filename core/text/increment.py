"""Putting an increment, an answer with only what changed, on top of what is served."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from core.models import Record
from core.text.flatten import Flattened


def identity_field(records: Iterable[Record], pattern: str | None) -> str | None:
    """The field by which the served records are told apart; None when it takes more than one."""
    names = {
        record.key.removeprefix(f"{pattern}#").partition("=")[0]
        for record in records
        if record.pattern == pattern and "=" in record.key.removeprefix(f"{pattern}#")
    }
    return names.pop() if len(names) == 1 else None


def can_take_increments(records: Iterable[Record], pattern: str | None) -> bool:
    """Whether increments fit: the records stand in one array and have an id each."""
    if pattern is None or pattern.count("[]") != 1 or not pattern.endswith("[]"):
        return False
    records = list(records)
    return identity_field(records, pattern) is not None and all(
        "=" in record.key for record in records if record.pattern == pattern
    )


def apply_increment(served: Iterable[Record], increment: Flattened) -> Flattened:
    """The served records with those of the increment in their place, or at the end when new."""
    pattern = increment.records_at
    fresh = {record.key: record for record in increment.records if record.pattern == pattern}
    ordered: list[Record] = []
    others: list[Record] = []
    for record in sorted(served, key=lambda record: record.at[0][0] if record.at else 0):
        if record.pattern == pattern:
            ordered.append(fresh.pop(record.key, record))
        else:
            others.append(record)
    return _positioned([*ordered, *fresh.values()], others, pattern)


def _positioned(ordered: list[Record], others: list[Record], pattern: str | None) -> Flattened:
    prefix = (pattern or "").removesuffix("[]")
    at = 0
    records: list[Record] = []
    for index, record in enumerate(ordered):
        moved = replace(record, path=f"{prefix}[{index}]", at=((at, len(record.lines)),))
        records.append(moved)
        at += len(record.lines)
    for record in others:
        records.append(replace(record, at=((at, len(record.lines)),)))
        at += len(record.lines)
    return Flattened(records, at, pattern)


def latest_cursor(flattened: Flattened, field: str, before: str | None) -> str | None:
    """The greatest value of ``field`` among the records, and ``before``; numbers as numbers."""
    start = f"{flattened.records_at}.{field}: "
    values = [
        line.removeprefix(start)
        for record in flattened.records
        if record.pattern == flattened.records_at
        for line in record.lines
        if line.startswith(start)
    ]
    known = [value for value in [*values, before] if value and value != "null"]
    if not known:
        return None
    try:
        return max(known, key=float)
    except ValueError:
        return max(known)
