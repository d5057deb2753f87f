"""One customer's lines from several links, as one answer: each line with its source.

Where links say different things of the same field both stay, the fresher first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.models import Record
from core.text.matching import fields_of, plain_name
from core.text.personal import words_of

# What each CRM has of its own, by a field's last word: different values contradict nothing.
_OWN = {"id", "ids", "gid", "uuid", "guid", "key", "url", "href", "etag", "revision", "at"}
_OWN |= {"created", "updated", "modified", "synced"}


@dataclass(frozen=True)
class Source:
    """A link's record: ``updated_at`` is when its text last changed, in seconds since 1970."""

    link_id: str
    link_name: str
    record: Record
    updated_at: float


@dataclass(frozen=True)
class MergedLine:
    """One line of the answer. ``contradicts`` says that another link has another value."""

    field: str
    value: str
    line: str
    link_id: str
    link_name: str
    path: str
    updated_at: datetime
    contradicts: bool


def merge(sources: Sequence[Source]) -> list[MergedLine]:
    """The lines of all sources, in the first one's order; the same value is there once.

    Of equal values that of the fresher source stays.
    """
    values: dict[str, list[tuple[Source, str, str, str]]] = {}
    for source in sorted(sources, key=lambda one: -one.updated_at):
        for field, value, line in fields_of(source.record):
            kept = values.setdefault(plain_name(field), [])
            if value != "null" and not any(_same(value, other) for _, _, other, _ in kept):
                kept.append((source, field, value, line))
    merged = []
    for name in dict.fromkeys(_names(sources)):
        found = values.get(name, [])
        of_several = len({source.link_id for source, *_ in found}) > 1
        contradicts = of_several and words_of(found[0][1]).rpartition(" ")[2] not in _OWN
        merged += [_line(one, contradicts=contradicts) for one in found]
    return merged


def _names(sources: Iterable[Source]) -> Iterable[str]:
    for source in sources:
        for field, _, _ in fields_of(source.record):
            yield plain_name(field)


def _line(found: tuple[Source, str, str, str], *, contradicts: bool) -> MergedLine:
    source, field, value, line = found
    return MergedLine(
        field=field,
        value=value,
        line=source.record.positioned(line),
        link_id=source.link_id,
        link_name=source.link_name,
        path=source.record.path,
        updated_at=datetime.fromtimestamp(source.updated_at, UTC),
        contradicts=contradicts,
    )


def _same(one: str, other: str) -> bool:
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())
