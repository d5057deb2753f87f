"""The table of contents of a link's generation (collection ``link_contents``).

It says which records an answer had, where they stood, every line of them, and which chunks they
became: the exact text for previews and for hits, and what the next run is compared with. A shift of
positions rewrites it alone and no vector document. It is stored compressed, in parts of at most
``PART`` records.

The tables of a link's last syncs are kept (collection ``kept_syncs`` lists them), so that people
can see what changed between any two of them: the newest ``KEEP_NEWEST``, and the last one of each
of the ``KEEP_DAYS`` days before.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.models import Chunk, Record
from core.store import Database, Document, insert

PART = 500
KEEP_NEWEST = 5
KEEP_DAYS = 7


@dataclass(frozen=True)
class Entry:
    """One record of a generation with its chunks: ``(chunk id, text)``, text free of positions."""

    record: Record
    chunks: tuple[tuple[str, str], ...]
    updated_at: float
    """When this record's text last changed, in seconds since 1970."""


@dataclass(frozen=True)
class Part:
    """At most ``PART`` entries as they are stored: compressed, the records' JSON beside them."""

    records: int
    documents: int
    packed: bytes
    raws: bytes

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Part:
        """The part of these entries."""
        raws = _squeeze([entry.record.raw for entry in entries])
        documents = sum(len(entry.chunks) for entry in entries)
        return cls(len(entries), documents, _pack(entries), raws)

    def entries(self) -> list[Entry]:
        """The entries, without the records' JSON."""
        return _unpack(self.packed)


def entry_of(record: Record, chunks: Iterable[Chunk], updated_at: float) -> Entry:
    """The entry of a freshly chunked record."""
    return Entry(record, tuple((chunk.chunk_id, chunk.text) for chunk in chunks), updated_at)


class Contents:
    """The tables of contents of all links."""

    def __init__(self, database: Database) -> None:
        self._parts = database["link_contents"]
        self._kept = database["kept_syncs"]

    def write(self, link_id: str, generation: int, number: int, part: Part) -> None:
        """Store part ``number`` of a generation; nobody reads it before it is published."""
        insert(
            self._parts,
            {
                "link_id": link_id,
                "generation": generation,
                "number": number,
                "records": part.records,
                "documents": part.documents,
                "entries": part.packed,
                "raws": part.raws,
            },
        )

    def read(self, link_id: str, generation: int, *, with_raw: bool = False) -> Iterator[Entry]:
        """The records of a generation, in document order of their first lines.

        Their JSON is read only ``with_raw``.
        """
        query = {"link_id": link_id, "generation": generation}
        heads = self._parts.find(query, {"number": 1}).sort("number", 1)
        # One after the other by id: all at once would be the whole text, and by number the embedded
        # engine goes through the parts before it each time.
        for part_id in [head["_id"] for head in heads]:
            part = self._parts.find_one({"_id": part_id, "link_id": link_id})
            if part is None:
                continue
            entries = _unpack(part["entries"])
            if with_raw and part.get("raws"):
                raws = json.loads(zlib.decompress(part["raws"]))
                entries = [
                    replace(entry, record=replace(entry.record, raw=raw))
                    for entry, raw in zip(entries, raws, strict=True)
                ]
            yield from entries

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
            part = self._parts.find_one({"_id": head["_id"], "link_id": link_id})
            if part is None:
                break
            chunks = [(e, *chunk) for e in _unpack(part["entries"]) for chunk in e.chunks]
            found += chunks[skip : skip + limit - len(found)]
            skip = 0
            if len(found) >= limit:
                break
        return found

    def announce(self, link_id: str, generation: int, facts: Mapping[str, Any]) -> None:
        """List a generation among the kept syncs, with facts about it; see ``kept``."""
        about = {"link_id": link_id, "generation": generation, "at": time.time(), **facts}
        # Not replaced: the embedded engine reads the whole collection for that.
        self._kept.delete_many({"_id": f"{link_id}@{generation}"})
        insert(self._kept, {"_id": f"{link_id}@{generation}", **about})

    def kept(self, link_id: str, live: int) -> list[Document]:
        """The kept syncs up to the live one, newest first: generation, at, and their facts."""
        query = {"link_id": link_id, "generation": {"$lte": live}}
        return list(self._kept.find(query).sort("generation", -1))

    def run_of(self, link_id: str, generation: int) -> str | None:
        """The run that brought a generation, while that is kept."""
        found = self._kept.find_one({"_id": f"{link_id}@{generation}"})
        return str(found["run_id"]) if found and found.get("run_id") else None

    def drop_unpublished(self, link_id: str, live: int) -> None:
        """Delete what a run that died has listed beyond the live generation."""
        self._parts.delete_many({"link_id": link_id, "generation": {"$gt": live}})
        self._kept.delete_many({"link_id": link_id, "generation": {"$gt": live}})

    def prune(self, link_id: str, live: int) -> None:
        """Delete the generations that are neither live nor kept."""
        if live <= 1:
            return
        kept = _worth_keeping(self.kept(link_id, live), live, time.time())
        # Generations beyond the live one belong to whoever is writing them.
        gone: dict[str, Any] = {"link_id": link_id, "generation": {"$lt": live, "$nin": kept}}
        self._parts.delete_many(gone)
        self._kept.delete_many(gone)

    def drop_parts(self, link_id: str, generation: int) -> None:
        """Delete the text of a kept generation, to be written anew."""
        self._parts.delete_many({"link_id": link_id, "generation": generation})

    def drop_generation(self, link_id: str, generation: int) -> None:
        """Delete a generation that must not be kept."""
        self.drop_parts(link_id, generation)
        self._kept.delete_many({"link_id": link_id, "generation": generation})

    def drop(self, link_id: str) -> None:
        """Delete all of the link's generations."""
        self._parts.delete_many({"link_id": link_id})
        self._kept.delete_many({"link_id": link_id})


def _worth_keeping(kept: Iterable[Mapping[str, Any]], live: int, now: float) -> list[int]:
    ordered = sorted(kept, key=lambda one: -int(one["generation"]))
    worth = {live, *(int(one["generation"]) for one in ordered[:KEEP_NEWEST])}
    days: set[int] = set()
    for one in ordered:
        day = int(one["at"] // 86400)
        if day not in days and now - one["at"] < (KEEP_DAYS + 1) * 86400:
            days.add(day)
            worth.add(int(one["generation"]))
    return sorted(worth)


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
