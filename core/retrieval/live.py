"""The records that links serve now: by chunk, by word, and by whom they are about.

Kept in memory; a link's records are read once for each generation.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

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
        self._lock = threading.Lock()

    def of(self, link: PageLink, state: Mapping[str, Any]) -> LiveLink:
        """What a link serves now, by its sync state."""
        link_id, generation = link.link.link_id, int(state["live_generation"])
        wanted = (generation, link.link.match_key)
        held = self._links.get(link_id)
        if held is None or (held.generation, held.match_key) != wanted:
            with self._lock:
                held = self._links.get(link_id)
                if held is None or (held.generation, held.match_key) != wanted:
                    held = self._read(link_id, *wanted)
                    self._links[link_id] = held
        return held

    def keep_up(self, links: Iterable[PageLink], states: Mapping[str, Mapping[str, Any]]) -> None:
        """Read links that were asked before anew, so that the next question need not wait."""
        present = {link.link.link_id: link for link in links}
        for link_id in list(self._links):
            if link_id not in present:
                self._links.pop(link_id, None)
            elif link_id in states:
                self.of(present[link_id], states[link_id])

    def _read(self, link_id: str, generation: int, match_key: str | None) -> LiveLink:
        entries = list(self._contents.read(link_id, generation)) if generation else []
        by_identity: dict[str, list[int]] = {}
        for row, entry in enumerate(entries):
            for identity in identities(entry.record, match_key):
                by_identity.setdefault(identity, []).append(row)
        return LiveLink(
            generation,
            match_key,
            entries,
            {chunk_id: row for row, entry in enumerate(entries) for chunk_id, _ in entry.chunks},
            LinkWords([entry.record for entry in entries]),
            by_identity,
        )
