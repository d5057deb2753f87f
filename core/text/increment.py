"""What an increment, an answer with only what has changed, is asked for and told apart by."""

from __future__ import annotations

from collections.abc import Iterable

from core.models import Record


def identity_field(keys: Iterable[str], pattern: str | None) -> str | None:
    """The field that tells the records with these keys apart; None when increments don't fit them.

    They fit when the records stand in one array, at ``pattern``, and are all recognised by the same
    field.
    """
    if pattern is None or pattern.count("[]") != 1 or not pattern.endswith("[]"):
        return None
    start = f"{pattern}#"
    own = (key.removeprefix(start) for key in keys if key.startswith(start))
    names = {name if equals else None for name, equals, _ in (key.partition("=") for key in own)}
    return names.pop() if len(names) == 1 else None


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
