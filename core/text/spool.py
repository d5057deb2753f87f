"""Records on their way from an answer to the store, compressed, so that many take little memory.

They stay in memory: what a CRM sent lies on no disk but the store's.
"""

from __future__ import annotations

import marshal
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from core.models import Record
from core.text.chunk import whole_text
from core.text.text_hash import TextHash

# Records are compressed so many at a time: enough for their texts to be alike.
BLOCK = 200
# The least that zlib can do halves the time of its default, for a tenth more memory.
_FAST = 1
_EMPTY = (": []", ": {}", ": null")


class Piece(NamedTuple):
    """A record and the texts of its chunks."""

    record: Record
    texts: tuple[str, ...]


class Totals(NamedTuple):
    """What the records of a link's whole text amount to."""

    records: int
    """How many are at the pattern where the records are."""
    lines: int
    text_hash: str | None
    """Stands for every line, and for where it stands; None when that is not known."""


class Spool:
    """Records in order, to be gone through any number of times; and what all of them amount to."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._open: list[Any] = []
        self._keys: list[str] = []
        self._count = 0
        self._patterns: Counter[str] = Counter()
        self._hash = TextHash()
        self.total_lines = 0
        self.is_empty = True
        """Whether nothing but empty objects, empty arrays and null came."""

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Piece]:
        keys = iter(self._keys)
        for block in self._blocks:
            for row in marshal.loads(zlib.decompress(block)):  # noqa: S302 - made by itself
                yield _piece(next(keys), row)
        for row in self._open:
            yield _piece(next(keys), row)

    @property
    def text_hash(self) -> str:
        """Stands for every line, and for where it stands."""
        return str(self._hash)

    def count(self, pattern: str | None) -> int:
        """How many records were found at ``pattern``; all, for an answer with no such array."""
        if self.is_empty:
            return 0
        return len(self) if pattern is None else self._patterns[pattern]

    def totals(self, pattern: str | None) -> Totals:
        """What all of them amount to; see ``count``."""
        return Totals(self.count(pattern), self.total_lines, self.text_hash)

    def keys(self) -> Iterable[str]:
        """The records' keys, in order."""
        return iter(self._keys)

    def add(self, record: Record, texts: Sequence[str]) -> None:
        """Add a record at the end."""
        self._take_in(record)
        self._keys.append(record.key)
        self._open.append(_row(record, texts))
        if len(self._open) >= BLOCK:
            self._blocks.append(_compressed(self._open))
            self._open = []

    def add_first(self, record: Record, texts: Sequence[str]) -> None:
        """Add a record at the beginning."""
        self._take_in(record)
        self._keys.insert(0, record.key)
        self._blocks.insert(0, _compressed([_row(record, texts)]))

    def clear(self) -> None:
        """Let go of the records; what they amount to stays known."""
        self._blocks, self._open, self._keys = [], [], []

    def name(self, keys: Sequence[str]) -> None:
        """Give all records their keys."""
        self._keys = list(keys)

    def _take_in(self, record: Record) -> None:
        self._count += 1
        self._patterns[record.pattern] += 1
        self.total_lines += len(record.lines)
        self._hash.add(record)
        if self.is_empty:
            self.is_empty = all(line.endswith(_EMPTY) for line in record.lines)


def _row(record: Record, texts: Sequence[str]) -> tuple[Any, ...]:
    # Nearly always one chunk that is the record's lines: not held twice.
    own = None if list(texts) == [whole_text(record.lines)] else tuple(texts)
    return (record.path, record.pattern, record.lines, record.at, record.raw, own)


def _compressed(rows: list[Any]) -> bytes:
    return zlib.compress(marshal.dumps(rows), _FAST)


def _piece(key: str, row: Sequence[Any]) -> Piece:
    path, pattern, lines, at, raw, own = row
    record = Record(key, path, pattern, lines, at, raw)
    return Piece(record, (whole_text(lines),) if own is None else own)
