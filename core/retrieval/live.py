"""The records that links serve now: by chunk, by word, and by whom they are about.

Kept in memory; of a link's next generation only what is different is read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from core.models import PageLink, Record
from core.retrieval.lexical import LinkWords
from core.text.matching import identities, is_personal
from core.vectors.contents import Contents
from core.vectors.part import Entry


@dataclass(frozen=True)
class LiveLink:
    """The records of one link's live generation; a row is a record's number in ``entries``."""

    generation: int
    match_key: str | None
    entries: Sequence[Entry]
    rows: Mapping[str, int]
    """The row of each chunk's record."""
    words: LinkWords
    by_identity: Mapping[str, Sequence[int]]
    parts: Mapping[str, tuple[int, int]]
    """The first row, and the one after the last, of each stored part, by its digest."""

    @cached_property
    def impersonal(self) -> frozenset[int]:
        """The records that are about nobody."""
        return frozenset(
            row
            for row, entry in enumerate(self.entries)
            if not is_personal(entry.record, self.match_key)
        )

    def known_by(self, record: Record) -> list[str]:
        """What tells the customer of a record from all others; shared addresses name nobody."""
        own = sorted(identities(record, self.match_key))
        return [identity for identity in own if len(self.by_identity.get(identity, ())) == 1]

    def about(self, known_by: Iterable[str]) -> Entry | None:
        """The one record about a customer; None when there is none, or more."""
        found = {self.by_identity[i][0] for i in known_by if len(self.by_identity.get(i, ())) == 1}
        return self.entries[found.pop()] if len(found) == 1 else None

    def rows_about(self, known_by: Iterable[str]) -> set[int]:
        """All records that name a customer in one of these ways."""
        return {row for identity in known_by for row in self.by_identity.get(identity, ())}


class LiveRecords:
    """The records of live generations."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._links: dict[str, LiveLink] = {}
        # One each: to read a link for the first time takes a tenth of a millisecond a record.
        self._locks: dict[str, threading.Lock] = {}

    def of(self, link: PageLink, state: Mapping[str, Any]) -> LiveLink:
        """What a link serves now, by its sync state."""
        link_id, generation = link.link.link_id, int(state["live_generation"])
        wanted = (generation, link.link.match_key)
        held = self._links.get(link_id)
        if held is None or (held.generation, held.match_key) != wanted:
            with self._locks.setdefault(link_id, threading.Lock()):
                held = self._links.get(link_id)
                if held is None or (held.generation, held.match_key) != wanted:
                    held = self._read(link_id, *wanted, held)
                    self._links[link_id] = held
        return held

    def keep_up(self, links: Iterable[PageLink], states: Mapping[str, Mapping[str, Any]]) -> None:
        """Read links that were asked before anew, so that the next question need not wait."""
        present = {link.link.link_id: link for link in links}
        for link_id in list(self._links):
            if link_id not in present:
                self._links.pop(link_id, None)
                self._locks.pop(link_id, None)
            elif link_id in states:
                self.of(present[link_id], states[link_id])

    def _read(
        self, link_id: str, generation: int, match_key: str | None, held: LiveLink | None
    ) -> LiveLink:
        """What the link serves; of a generation that is ``held`` only what is different is read."""
        if held is None or held.match_key != match_key:
            held = _nothing(match_key)
        entries: list[Entry] = []
        parts: dict[str, tuple[int, int]] = {}
        kept: list[int] = []
        unread = self._contents.read_unknown(link_id, generation, held.parts) if generation else ()
        for digest, read in unread:
            first = len(entries)
            start, end = held.parts.get(digest or "", (0, 0))
            entries += read or held.entries[start:end]
            kept += [-1] * len(read) or range(start, end)
            # One that could not be read, as it was just deleted, is looked for again.
            if digest is not None and len(entries) > first:
                parts[digest] = (first, len(entries))
        _recognise(entries, kept, held)
        rows = np.asarray(kept, dtype=np.int32)
        fresh = [row for row, was in enumerate(kept) if was < 0]
        return LiveLink(
            generation,
            match_key,
            entries,
            {chunk_id: row for row, entry in enumerate(entries) for chunk_id, _ in entry.chunks},
            held.words.changed(rows, ((row, entries[row].record) for row in fresh)),
            _by_identity(entries, kept, fresh, held),
            parts,
        )


def _nothing(match_key: str | None) -> LiveLink:
    return LiveLink(0, match_key, (), {}, LinkWords(()), {}, {})


def _recognise(entries: Sequence[Entry], kept: list[int], held: LiveLink) -> None:
    """Note the rows of records that were read, and read as they did."""
    known = set(kept)
    before = {entry.record.key: row for row, entry in enumerate(held.entries) if row not in known}
    for row, was in enumerate(kept):
        if was < 0:
            record = entries[row].record
            found = before.get(record.key)
            if found is not None and held.entries[found].record.lines == record.lines:
                kept[row] = found


def _by_identity(
    entries: Sequence[Entry], kept: Sequence[int], fresh: Iterable[int], held: LiveLink
) -> Mapping[str, Sequence[int]]:
    moved = {was: row for row, was in enumerate(kept) if was >= 0}
    found: dict[str, list[int]] = {}
    for identity, rows in held.by_identity.items():
        if own := [moved[row] for row in rows if row in moved]:
            found[identity] = own
    for row in fresh:
        for identity in identities(entries[row].record, held.match_key):
            found.setdefault(identity, []).append(row)
    return found
