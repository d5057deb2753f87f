"""From a question to hits, for one page and channel."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from core.leases import Leases
from core.links import Links
from core.models import Channel, PageLink
from core.settings import Settings
from core.status import is_stale
from core.vectors.contents import Contents, Entry
from core.vectors.embed import Embedder
from core.vectors.live import LiveRecords
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
    entry: Entry | None = field(default=None, compare=False, repr=False)
    """The record that the chunk is of."""


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
        self._live = LiveRecords(contents)
        self._mirror = mirror
        self._embedder = embedder

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
            entry = self._live.of_chunk(link, state, found.chunk_id) if state else None
            if state is None or entry is None:
                continue  # deleted, or replaced, since the mirror was looked at
            synced = state["last_success_at"]
            hits.append(
                Hit(
                    text=entry.record.positioned(found.text),
                    score=round(found.score, 4),
                    link_id=found.link_id,
                    link_name=link.link.name,
                    path=entry.record.path,
                    synced_at=datetime.fromtimestamp(synced, UTC) if synced else None,
                    stale=is_stale(link, synced, self._settings),
                    entry=entry,
                )
            )
        return hits

    def about_the_same(
        self, company_id: str, page_id: str, channel: Channel, hit: Hit
    ) -> list[tuple[PageLink, Entry]]:
        """The records of all the channel's links about the customer of a hit, its own first.

        Only its own when the customer is known by nothing, or by something that others share.
        """
        links = [x for x in self._links.of_page(company_id, page_id) if x.channels.get(channel)]
        own = next((link for link in links if link.link.link_id == hit.link_id), None)
        state = self._leases.states([hit.link_id]).get(hit.link_id)
        if own is None or state is None or hit.entry is None:
            return []
        found = [(own, hit.entry)]
        known_by = self._live.known_by(hit.entry.record, own, state)
        if not known_by:
            return found
        others = {x.link.link_id: x for x in links if x.link.link_id != hit.link_id}
        for link_id, state in self._leases.states(list(others)).items():
            entry = self._live.about(known_by, others[link_id], state)
            if entry is not None:
                found.append((others[link_id], entry))
        return found
