"""Putting an increment, an answer with only what changed, on top of what is served."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from core.models import Record
from core.text.prepare import Prepared
from core.text.spool import Piece, Spool


def identity_field(records: Iterable[Record], pattern: str | None) -> str | None:
    """The field that tells the served records apart; None when increments don't fit them.

    They fit when the records stand in one array and are all recognised by the same field.
    """
    if pattern is None or pattern.count("[]") != 1 or not pattern.endswith("[]"):
        return None
    keys = (r.key.removeprefix(f"{pattern}#") for r in records if r.pattern == pattern)
    names = {key.partition("=")[0] if "=" in key else None for key in keys}
    return names.pop() if len(names) == 1 else None


def apply_increment(served: Iterable[Piece], increment: Prepared) -> Spool:
    """The served records with those of the increment in their place, or at the end when new."""
    pattern = increment.records_at
    fresh = {p.record.key: p for p in increment.records if p.record.pattern == pattern}
    records = Spool()
    others: list[Piece] = []
    prefix = (pattern or "").removesuffix("[]")
    index = 0

    def add(piece: Piece, path: str) -> None:
        place = ((records.total_lines, len(piece.record.lines)),)
        records.add(replace(piece.record, path=path, at=place), piece.texts)

    for piece in served:
        if piece.record.pattern == pattern:
            add(fresh.pop(piece.record.key, piece), f"{prefix}[{index}]")
            index += 1
        else:
            others.append(piece)
    for piece in fresh.values():
        add(piece, f"{prefix}[{index}]")
        index += 1
    for piece in sorted(others, key=lambda piece: piece.record.at[:1]):
        add(piece, piece.record.path)
    return records


def latest_cursor(
    records: Iterable[Record], pattern: str | None, field: str, before: str | None
) -> str | None:
    """The greatest value of ``field`` among the records, and ``before``; numbers as numbers."""
    start = f"{pattern}.{field}: "
    values = [
        line.removeprefix(start)
        for record in records
        if record.pattern == pattern
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
