"""The records of a plain text."""

from __future__ import annotations

from core.models import Record


def paragraphs(text: str) -> list[Record]:
    """Plain text as it is, a record per paragraph; blank lines stay with the one before."""
    if not text:
        return []
    lines = text.split("\n")
    starts = [
        number
        for number, line in enumerate(lines)
        if number == 0 or (line.strip() and not lines[number - 1].strip())
    ]
    if len(starts) > 1 and not any(line.strip() for line in lines[: starts[1]]):
        del starts[1]
    pieces = [lines[a:b] for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]
    return [
        Record("", f"line {first + 1}", "", tuple(piece), ((first, len(piece)),))
        for first, piece in zip(starts, pieces, strict=True)
    ]
