"""From a question to hits, for one page and channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from core.leases import Leases
from core.links import Links
from core.models import Channel, Record
from core.settings import Settings
from core.status import is_stale
from core.vectors.contents import Contents
from core.vectors.embed import Embedder
from core.vectors.mirror import Mirror


@dataclass(frozen=True)
class Hit:
    """One chunk that may answer the question, as its CRM sent it."""

    text: str
    score: float
    link_id: str
    link_name: str
    path: str
    synced_at: datetime | None
    stale: bool


class Retriever:
    """Searches the mirror; knows today's positions from the tables of contents."""

    def __init__(
        self,
        settings: Settings,
        links: Links,
        leases: Leases,
        contents: Contents,
        mirror: Mirror,
        embedder: Embedder,
    ) -> None:
        self._settings = settings
        self._links = links
        self._leases = leases
        self._contents = contents
        self._mirror = mirror
        self._embedder = embedder
        self._records: dict[str, tuple[int, dict[str, Record]]] = {}

    def search(
        self, company_id: str, page_id: str, channel: Channel, query: str, k: int
    ) -> list[Hit]:
        """The nearest chunks of the page and channel, best first. Raises NotFound (page)."""
        links = self._links.of_page(company_id, page_id)
        vector = self._embedder.embed([query])[0]
        near = self._mirror.search(company_id, page_id, channel, links, vector, k)
        by_id = {link.link.link_id: link for link in links}
        states = self._leases.states(sorted({found.link_id for found in near}))
        hits = []
        for found in near:
            link, state = by_id[found.link_id], states.get(found.link_id)
            record = self._record(found.link_id, found.chunk_id, state)
            if state is None or record is None:
                continue  # deleted, or replaced, since the mirror was looked at
            synced = state["last_success_at"]
            hits.append(
                Hit(
                    text=record.positioned(found.text),
                    score=round(found.score, 4),
                    link_id=found.link_id,
                    link_name=link.link.name,
                    path=record.path,
                    synced_at=datetime.fromtimestamp(synced, UTC) if synced else None,
                    stale=is_stale(link, synced, self._settings),
                )
            )
        return hits

    def _record(
        self, link_id: str, chunk_id: str, state: dict[str, object] | None
    ) -> Record | None:
        if state is None:
            return None
        generation = int(str(state["live_generation"]))
        cached = self._records.get(link_id)
        if cached is None or cached[0] != generation:
            records = {
                own_id: entry.record
                for entry in self._contents.read(link_id, generation)
                for own_id, _ in entry.chunks
            }
            cached = self._records[link_id] = (generation, records)
        return cached[1].get(chunk_id)
