"""Records of a link's text as they are stored: compressed, some hundreds at a time."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.models import Chunk, Record

PART = 500
_KEY_BYTES = 8


@dataclass(frozen=True)
class Entry:
    """One record of a generation with its chunks: ``(chunk id, text)``, text free of positions."""

    record: Record
    chunks: tuple[tuple[str, str], ...]
    updated_at: float
    """When this record's text last changed, in seconds since 1970."""


@dataclass(frozen=True)
class Stretch:
    """Where a part's records are that all follow each other in one array, line upon line."""

    pattern: str
    first: int
    """The first one's number in the array."""
    line: int
    """Its first line."""
    lines: int

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Stretch | None:
        """The stretch that the records are; None if anything is between them, or else."""
        if not entries or not entries[0].record.at:
            return None
        pattern = entries[0].record.pattern
        prefix = pattern.removesuffix("[]")
        number = entries[0].record.path.removeprefix(f"{prefix}[").removesuffix("]")
        if not pattern.endswith("[]") or not number.isdecimal():
            return None
        first, line = int(number), entries[0].record.at[0][0]
        lines = 0
        for place, entry in enumerate(entries, first):
            record = entry.record
            if record.pattern != pattern or record.path != f"{prefix}[{place}]":
                return None
            if record.at != ((line + lines, len(record.lines)),):
                return None
            lines += len(record.lines)
        return cls(pattern, first, line, lines)


@dataclass(frozen=True)
class Part:
    """At most ``PART`` entries as they are stored: compressed, the records' JSON beside them."""

    records: int
    documents: int
    packed: bytes
    raws: bytes
    keys: bytes
    """Stands for each record's key, one after the other; see ``key_mark``."""
    stretch: Stretch | None

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Part:
        """The part of these entries."""
        return cls(
            len(entries),
            sum(len(entry.chunks) for entry in entries),
            _pack(entries),
            _squeeze([entry.record.raw for entry in entries]),
            b"".join(key_mark(entry.record.key) for entry in entries),
            Stretch.of(entries),
        )

    def entries(self, *, with_raw: bool = False) -> list[Entry]:
        """The entries; their records' JSON only ``with_raw``."""
        return unpacked(self.packed, self.raws if with_raw else b"")

    def digest(self) -> str:
        """Stands for all of the entries, but for their records' JSON."""
        return hashlib.blake2b(self.packed, digest_size=16).hexdigest()

    def marks(self) -> set[bytes]:
        """The ``key_mark`` of each record."""
        keys = self.keys
        return {keys[n : n + _KEY_BYTES] for n in range(0, len(keys), _KEY_BYTES)}


def key_mark(key: str) -> bytes:
    """Stands for a record's key; that two have the same does no harm, but that both are read."""
    return hashlib.blake2b(key.encode(), digest_size=_KEY_BYTES).digest()


def entry_of(record: Record, chunks: Iterable[Chunk], updated_at: float) -> Entry:
    """The entry of a freshly chunked record."""
    return Entry(record, tuple((chunk.chunk_id, chunk.text) for chunk in chunks), updated_at)


def unpacked(packed: bytes, raws: bytes = b"") -> list[Entry]:
    """A stored part's entries, with their records' JSON if that is given."""
    entries = _unpack(packed)
    if not raws:
        return entries
    return [
        replace(entry, record=replace(entry.record, raw=raw))
        for entry, raw in zip(entries, json.loads(zlib.decompress(raws)), strict=True)
    ]


def _pack(entries: Sequence[Entry]) -> bytes:
    rows = [
        [
            entry.record.key,
            entry.record.path,
            entry.record.pattern,
            entry.record.lines,
            entry.record.at,
            # Nearly always one chunk that is the record's lines: not stored twice.
            [
                [i, None if text == "\n".join(entry.record.lines) else text]
                for i, text in entry.chunks
            ],
            entry.updated_at,
        ]
        for entry in entries
    ]
    return _squeeze(rows)


def _squeeze(rows: list[Any]) -> bytes:
    return zlib.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode(), 6)


def _unpack(packed: bytes) -> list[Entry]:
    entries = []
    for key, path, pattern, lines, at, chunks, updated_at in json.loads(zlib.decompress(packed)):
        record = Record(key, path, pattern, tuple(lines), tuple((a, b) for a, b in at))
        whole = "\n".join(lines)
        own = tuple((i, whole if text is None else text) for i, text in chunks)
        entries.append(Entry(record, own, updated_at))
    return entries
