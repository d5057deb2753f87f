"""The records that links serve now, by chunk and by whom they are about; kept in memory.

A link's records are read once for each generation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.models import PageLink, Record
from core.text.matching import identities
from core.vectors.contents import Contents, Entry


@dataclass(frozen=True)
class _Table:
    generation: int
    match_key: str | None
    by_chunk: Mapping[str, Entry]
    by_identity: Mapping[str, Entry]
    """Only what tells one record of the link from all others: a shared address names nobody."""


class LiveRecords:
    """The records of live generations."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._tables: dict[str, _Table] = {}

    def of_chunk(self, link: PageLink, state: Mapping[str, Any], chunk_id: str) -> Entry | None:
        """The record that a chunk belongs to; None when it is not served any more."""
        return self._table(link, state).by_chunk.get(chunk_id)

    def known_by(self, record: Record, link: PageLink, state: Mapping[str, Any]) -> list[str]:
        """What tells the customer of a record of ``link`` from all others there."""
        table = self._table(link, state)
        own = sorted(identities(record, link.link.match_key))
        return [identity for identity in own if identity in table.by_identity]

    def about(
        self, known_by: Sequence[str], link: PageLink, state: Mapping[str, Any]
    ) -> Entry | None:
        """The one record of ``link`` about a customer; None when there is none, or more."""
        table = self._table(link, state)
        found = {i: table.by_identity[i] for i in known_by if i in table.by_identity}
        entries = {id(entry): entry for entry in found.values()}
        return next(iter(entries.values())) if len(entries) == 1 else None

    def _table(self, link: PageLink, state: Mapping[str, Any]) -> _Table:
        link_id, generation = link.link.link_id, int(state["live_generation"])
        table = self._tables.get(link_id)
        match_key = link.link.match_key
        if table is None or (table.generation, table.match_key) != (generation, match_key):
            entries = list(self._contents.read(link_id, generation)) if generation else []
            known = [(entry, identities(entry.record, match_key)) for entry in entries]
            often = Counter(identity for _, own in known for identity in own)
            table = _Table(
                generation,
                match_key,
                {chunk_id: entry for entry in entries for chunk_id, _ in entry.chunks},
                {i: entry for entry, own in known for i in own if often[i] == 1},
            )
            self._tables[link_id] = table
        return table
