"""Putting an increment, an answer with only what has changed, on top of what is served.

Of the parts that are served only those are read in which a record has changed, or moved; the others
are stored again as they are. Ten records of a hundred thousand cost ten parts of two hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from core.models import Record
from core.text.changes import ChangeLog, Changes
from core.text.chunk import chunk_of
from core.text.identity import key_by
from core.text.spool import Piece, Totals
from core.text.text_hash import TextHash
from core.vectors.part import PART, Entry, Part, entry_of, key_mark


@dataclass(frozen=True)
class OnTop:
    """What is served with an increment on top of it."""

    parts: list[Part]
    made: list[Part]
    """Those of the parts that are not served as they are."""
    totals: Totals
    new: set[str]
    """The ids of chunks that were not served."""
    gone: list[str]
    """The ids of chunks that were."""
    changes: Changes


def put_on_top(
    served: Iterable[Part],
    increment: Iterable[Piece],
    pattern: str,
    id_field: str,
    *,
    text_hash: str | None,
    link_id: str,
    model: str,
    now: float,
    check: Callable[[], None],
) -> OnTop:
    """The served records with those of ``increment`` in their place, or at the end when new.

    The records of the array at ``pattern`` come first, then all others as they are; only those of
    the array are taken from the increment. They are told apart by ``id_field``: of several versions
    of one, which a CRM sends that is edited between two pages, the last counts.
    ``text_hash`` is that of the served records, ``now`` in seconds since 1970. ``check`` is called
    for each part, and may raise to stop.
    """
    fresh: dict[str, Piece] = {}
    for record, texts in increment:
        if record.pattern == pattern:
            key = key_by(id_field, pattern, record.lines) or record.key
            fresh[key] = Piece(replace(record, key=key), texts)
    merging = _Merging(pattern, fresh, text_hash, link_id, model, now)
    for part in served:
        check()
        merging.take(part)
    merging.finish()
    had, has = merging.had, merging.has
    return OnTop(
        merging.parts,
        merging.made,
        Totals(merging.number, merging.line, merging.text_hash),
        has - had,
        sorted(had - has),
        merging.changes.all(),
    )


@dataclass
class _Merging:
    """One way through the parts.

    ``number`` is that of the array's next record, ``line`` the next record's first line.
    """

    pattern: str
    fresh: dict[str, Piece]
    known_hash: str | None
    link_id: str
    model: str
    now: float
    number: int = 0
    line: int = 0
    parts: list[Part] = field(default_factory=list)
    made: list[Part] = field(default_factory=list)
    had: set[str] = field(default_factory=set)
    has: set[str] = field(default_factory=set)
    changes: ChangeLog = field(default_factory=ChangeLog)

    def __post_init__(self) -> None:
        self._hash = TextHash(self.known_hash)
        self._marks = {key_mark(key) for key in self.fresh}
        self._open: list[Entry] = []
        self._others: list[Entry] = []

    @property
    def text_hash(self) -> str | None:
        """That of all the records; None when that of the served ones is not known."""
        return str(self._hash) if self.known_hash else None

    def take(self, part: Part) -> None:
        """Go on with the next part that is served."""
        if self._stays(part):
            self._close()
            self.parts.append(part)
            self.number += part.records
            self.line += part.stretch.lines if part.stretch else 0
            return
        if len(self._open) + part.records > PART:
            self._close()
        for entry in part.entries(with_raw=True):
            if entry.record.pattern == self.pattern:
                self._put(self.fresh.pop(entry.record.key, None), entry)
            else:
                self._others.append(entry)

    def finish(self) -> None:
        """Put what is new, and what is not of the array, behind all the rest."""
        last = self.parts[-1] if self.parts and not self._open else None
        if last is not None and last.records < PART and (self.fresh or self._others):
            # Filled up: each increment with something new would begin another part.
            self._open = self.parts.pop().entries(with_raw=True)
            if self.made and self.made[-1] is last:
                self.made.pop()
        for piece in self.fresh.values():
            self._put(piece, None)
        for entry in sorted(self._others, key=lambda entry: entry.record.at[:1]):
            self._place(entry, entry.record.path, entry)
        self._close()

    def _stays(self, part: Part) -> bool:
        stretch = part.stretch
        return (
            stretch is not None
            and (stretch.pattern, stretch.first) == (self.pattern, self.number)
            and stretch.line == self.line
            and self._marks.isdisjoint(part.marks())
        )

    def _put(self, piece: Piece | None, entry: Entry | None) -> None:
        """Place the array's next record: as it came, or else as it is served."""
        path = f"{self.pattern.removesuffix('[]')}[{self.number}]"
        self.number += 1
        if piece is None:
            assert entry is not None
            self._place(entry, path, entry)
            return
        record, texts = piece
        if entry is not None and entry.record.lines == record.lines:
            self._place(replace(entry, record=record), path, entry)
            return
        chunks = [chunk_of(record, text, self.link_id, self.model) for text in texts]
        made = entry_of(record, chunks, self.now)
        self.has.update(chunk.chunk_id for chunk in chunks)
        self.had.update(chunk_id for chunk_id, _ in (entry.chunks if entry else ()))
        self.changes.compare(entry.record if entry else None, replace(record, path=path))
        self._place(made, path, entry)

    def _place(self, entry: Entry, path: str, before: Entry | None) -> None:
        lines = len(entry.record.lines)
        record = replace(entry.record, path=path, at=((self.line, lines),))
        if before is None or not _alike(record, before.record):
            self._hash.add(record)
            if before is not None:
                self._hash.remove(before.record)
        self._open.append(replace(entry, record=record))
        self.line += lines

    def _close(self) -> None:
        for start in range(0, len(self._open), PART):
            part = Part.of(self._open[start : start + PART])
            self.parts.append(part)
            self.made.append(part)
        self._open = []


def _alike(one: Record, other: Record) -> bool:
    return (one.path, one.at, one.lines) == (other.path, other.at, other.lines)
