"""The table of contents of a link's generation (collection ``link_contents``).

It says which records an answer had, where they stood, every line of them, and which chunks they
became: the exact text for previews and for hits, and what the next run is compared with. A shift of
positions rewrites it alone and no vector document. It is stored compressed, in parts of at most
``PART`` records.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.models import Chunk, Record
from core.store import Database

PART = 500


@dataclass(frozen=True)
class Entry:
    """One record of a generation with its chunks: ``(chunk id, text)``, text free of positions."""

    record: Record
    chunks: tuple[tuple[str, str], ...]
    updated_at: float
    """When this record's text last changed, in seconds since 1970."""


def entry_of(record: Record, chunks: Iterable[Chunk], updated_at: float) -> Entry:
    """The entry of a freshly chunked record."""
    return Entry(record, tuple((chunk.chunk_id, chunk.text) for chunk in chunks), updated_at)


class Contents:
    """The tables of contents of all links."""

    def __init__(self, database: Database) -> None:
        self._parts = database["link_contents"]

    def write(self, link_id: str, generation: int, number: int, entries: list[Entry]) -> None:
        """Store part ``number`` of a generation; nobody reads it before it is published."""
        self._parts.insert_one(
            {
                "link_id": link_id,
                "generation": generation,
                "number": number,
                "records": len(entries),
                "documents": sum(len(entry.chunks) for entry in entries),
                "entries": _pack(entries),
            }
        )

    def read(self, link_id: str, generation: int) -> Iterator[Entry]:
        """The records of a generation, in document order of their first lines."""
        query = {"link_id": link_id, "generation": generation}
        numbers = self._parts.find(query, {"number": 1}).sort("number", 1)
        for number in [part["number"] for part in numbers]:
            part = self._parts.find_one({**query, "number": number})
            if part is not None:
                yield from _unpack(part["entries"])

    def read_documents(
        self, link_id: str, generation: int, *, skip: int, limit: int
    ) -> list[tuple[Entry, str, str]]:
        """Chunks ``skip`` to ``skip + limit`` of a generation as (entry, chunk id, text).

        Only the parts that hold them are read.
        """
        query = {"link_id": link_id, "generation": generation}
        parts = self._parts.find(query, {"number": 1, "documents": 1}).sort("number", 1)
        found: list[tuple[Entry, str, str]] = []
        for head in list(parts):
            if skip >= head["documents"]:
                skip -= head["documents"]
                continue
            part = self._parts.find_one({**query, "number": head["number"]})
            if part is None:
                break
            chunks = [(e, *chunk) for e in _unpack(part["entries"]) for chunk in e.chunks]
            found += chunks[skip : skip + limit - len(found)]
            skip = 0
            if len(found) >= limit:
                break
        return found

    def drop_others(self, link_id: str, keep: int) -> None:
        """Delete every generation of the link but ``keep``."""
        self._parts.delete_many({"link_id": link_id, "generation": {"$ne": keep}})

    def drop(self, link_id: str) -> None:
        """Delete all of the link's generations."""
        self._parts.delete_many({"link_id": link_id})


def _pack(entries: list[Entry]) -> bytes:
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
    return zlib.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode(), 6)


def _unpack(packed: bytes) -> list[Entry]:
    entries = []
    for key, path, pattern, lines, at, chunks, updated_at in json.loads(zlib.decompress(packed)):
        record = Record(key, path, pattern, tuple(lines), tuple((a, b) for a, b in at))
        whole = "\n".join(lines)
        own = tuple((i, whole if text is None else text) for i, text in chunks)
        entries.append(Entry(record, own, updated_at))
    return entries
