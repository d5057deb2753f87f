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

import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from pymongo.errors import DuplicateKeyError

from core.batched import batched
from core.store import Database, Document, insert
from core.vectors.part import Entry, Part, Stretch, unpacked

KEEP_NEWEST = 5
KEEP_DAYS = 7
# The parts of 100,000 records in two steps: others can write in between.
_DELETED = 100


class _Listed(NamedTuple):
    """A part of a generation, and what is known of it before it is read."""

    part_id: Any
    documents: int
    digest: str | None
    """Stands for its entries; None in those from before there were any."""


class Contents:
    """The tables of contents of all links."""

    def __init__(self, database: Database) -> None:
        self._parts = database["link_contents"]
        self._kept = database["kept_syncs"]

    def write(
        self,
        link_id: str,
        generation: int,
        parts: Sequence[Part],
        check: Callable[[], object] = lambda: None,
    ) -> None:
        """Store a generation; nobody reads it before it is published.

        ``check`` is called before each part, and may raise to stop.
        """
        table = [[part.documents, part.digest()] for part in parts]
        for number, part in enumerate(parts):
            document = {
                "_id": _part_id(link_id, generation, number),
                "link_id": link_id,
                "generation": generation,
                "number": number,
                "records": part.records,
                "documents": part.documents,
                "entries": part.packed,
                "raws": part.raws,
                "keys": part.keys,
                "stretch": asdict(part.stretch) if part.stretch else None,
            }
            if not number:
                document["table"] = table
            check()
            try:
                insert(self._parts, document)
            except DuplicateKeyError:
                # Left by a run that died. If it lives, it is this one that must stop.
                check()
                self._parts.delete_many({"_id": document["_id"], "link_id": link_id})
                insert(self._parts, document)

    def read(self, link_id: str, generation: int, *, with_raw: bool = False) -> Iterator[Entry]:
        """The records of a generation, in document order of their first lines.

        Their JSON is read only ``with_raw``.
        """
        for part in self._stored(link_id, generation):
            yield from unpacked(part["entries"], (part.get("raws") or b"") if with_raw else b"")

    def parts(self, link_id: str, generation: int) -> Iterator[Part]:
        """The parts of a generation, in order."""
        for part in self._stored(link_id, generation):
            stretch = part.get("stretch")
            yield Part(
                part["records"],
                part["documents"],
                part["entries"],
                part.get("raws") or b"",
                part.get("keys") or b"",
                Stretch(**stretch) if stretch else None,
            )

    def read_unknown(
        self, link_id: str, generation: int, known: Container[str]
    ) -> Iterator[tuple[str | None, list[Entry]]]:
        """The digest of each part of a generation, in order, and its records.

        Parts whose digest is ``known`` are not read, and come without records.
        """
        for listed in self._table(link_id, generation):
            if listed.digest is not None and listed.digest in known:
                yield listed.digest, []
            else:
                yield listed.digest, self._entries(link_id, listed) or []

    def read_documents(
        self, link_id: str, generation: int, *, skip: int, limit: int
    ) -> list[tuple[Entry, str, str]]:
        """Chunks ``skip`` to ``skip + limit`` of a generation as (entry, chunk id, text).

        Only the parts that hold them are read.
        """
        found: list[tuple[Entry, str, str]] = []
        for part in self._table(link_id, generation):
            if skip >= part.documents:
                skip -= part.documents
                continue
            entries = self._entries(link_id, part) or []
            chunks = [(entry, *chunk) for entry in entries for chunk in entry.chunks]
            found += chunks[skip : skip + limit - len(found)]
            skip = 0
            if len(found) >= limit:
                break
        return found

    def moved(self, link_id: str, before: int, after: int) -> tuple[set[str], set[str]] | None:
        """The chunks that went, and those that came, from one generation to another.

        Parts that both have are not read. None when that can't be told: the one before is not kept
        any more, or is from before it could be.
        """
        tables = [self._table(link_id, generation) for generation in (before, after)]
        digests = [{part.digest for part in table} for table in tables]
        if not tables[0] or None in digests[0] | digests[1]:
            return None
        chunks: list[set[str]] = []
        for table, others in zip(tables, reversed(digests), strict=True):
            own: set[str] = set()
            for part in table:
                if part.digest in others:
                    continue
                entries = self._entries(link_id, part)
                if entries is None:
                    return None
                own.update(chunk_id for entry in entries for chunk_id, _ in entry.chunks)
            chunks.append(own)
        gone, come = chunks
        return gone - come, come - gone

    def _entries(self, link_id: str, listed: _Listed) -> list[Entry] | None:
        part = self._parts.find_one({"_id": listed.part_id, "link_id": link_id})
        return unpacked(part["entries"]) if part is not None else None

    def _stored(self, link_id: str, generation: int) -> Iterator[Document]:
        # One after the other: all at once would be the whole text.
        for listed in self._table(link_id, generation):
            part = self._parts.find_one({"_id": listed.part_id, "link_id": link_id})
            if part is not None:
                yield part

    def _table(self, link_id: str, generation: int) -> list[_Listed]:
        """A generation's parts, in order.

        Found by the ids alone: a query by link and generation goes, in the embedded engine, through
        all generations that are kept.
        """
        first_id = _part_id(link_id, generation, 0)
        first = self._parts.find_one({"_id": first_id, "link_id": link_id}, {"table": 1})
        if first is not None:
            return [
                _Listed(_part_id(link_id, generation, number), documents, digest)
                for number, (documents, digest) in enumerate(first["table"])
            ]
        # From before parts had ids of their own.
        query = {"link_id": link_id, "generation": generation}
        heads = self._parts.find(query, {"number": 1, "documents": 1}).sort("number", 1)
        return [_Listed(head["_id"], head["documents"], None) for head in heads]

    def announce(self, link_id: str, generation: int, facts: Mapping[str, Any]) -> None:
        """List a generation among the kept syncs, with facts about it; see ``kept``."""
        about = {"link_id": link_id, "generation": generation, "at": time.time(), **facts}
        # Not replaced: the embedded engine reads the whole collection for that.
        self._kept.delete_many({"_id": _kept_id(link_id, generation)})
        insert(self._kept, {"_id": _kept_id(link_id, generation), **about})

    def kept(self, link_id: str, live: int) -> list[Document]:
        """The kept syncs up to the live one, newest first: generation, at, and their facts."""
        query = {"link_id": link_id, "generation": {"$lte": live}}
        return list(self._kept.find(query).sort("generation", -1))

    def run_of(self, link_id: str, generation: int) -> str | None:
        """The run that brought a generation, while that is kept."""
        found = self._kept.find_one({"_id": _kept_id(link_id, generation)})
        return str(found["run_id"]) if found and found.get("run_id") else None

    def drop_unpublished(self, link_id: str, live: int) -> None:
        """Delete what a run that died has listed beyond the live generation."""
        self._parts.delete_many({"link_id": link_id, "generation": {"$gt": live}})
        self._kept.delete_many({"link_id": link_id, "generation": {"$gt": live}})

    def prune(self, link_id: str, live: int, *, thoroughly: bool = False) -> None:
        """Delete the generations that are neither live nor kept.

        Those that are listed, and ``thoroughly`` others, too, that a run that died has left.
        """
        if live <= 1:
            return
        listed = self.kept(link_id, live)
        kept = _worth_keeping(listed, live, time.time())
        for one in listed:
            if one["generation"] not in kept:
                self.drop_generation(link_id, one["generation"])
        if thoroughly:
            # Generations beyond the live one belong to whoever is writing them.
            gone: dict[str, Any] = {"link_id": link_id, "generation": {"$lt": live, "$nin": kept}}
            self._parts.delete_many(gone)
            self._kept.delete_many(gone)

    def rewrite(self, link_id: str, generation: int, parts: Sequence[Part]) -> None:
        """Give a kept generation another text."""
        self._drop_parts(link_id, generation)
        self.write(link_id, generation, parts)

    def drop_generation(self, link_id: str, generation: int) -> None:
        """Delete a generation that must not be kept."""
        self._drop_parts(link_id, generation)
        self._kept.delete_many({"_id": _kept_id(link_id, generation)})

    def _drop_parts(self, link_id: str, generation: int) -> None:
        ids = [part.part_id for part in self._table(link_id, generation)]
        # The first one last: it says which others there are.
        for batch in batched(reversed(ids), _DELETED):
            self._parts.delete_many({"_id": {"$in": batch}, "link_id": link_id})

    def drop(self, link_id: str) -> None:
        """Delete all of the link's generations."""
        self._parts.delete_many({"link_id": link_id})
        self._kept.delete_many({"link_id": link_id})


def _part_id(link_id: str, generation: int, number: int) -> str:
    return f"{link_id}@{generation}/{number}"


def _kept_id(link_id: str, generation: int) -> str:
    return f"{link_id}@{generation}"


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
