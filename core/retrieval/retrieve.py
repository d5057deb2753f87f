"""From a question to the records that fit, for one page and channel.

Words and vectors each name candidates; both are asked about all of these, and their fused score
decides. A hit brings its whole record, as far as the budget of tokens goes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from core.leases import Leases
from core.links import Links
from core.models import Channel, PageLink, Record
from core.retrieval.fusion import Question, evidence, fused, understand
from core.retrieval.live import LiveLink, LiveRecords
from core.settings import Settings
from core.status import is_stale, sync_status
from core.text.chunk import MAX_TOKENS
from core.text.matching import fields_of, plain_name
from core.vectors.contents import Contents
from core.vectors.embed import Embedder
from core.vectors.held import Likeness
from core.vectors.mirror import Mirror
from core.vectors.part import Entry

# So many are looked at, of each kind, before the best are chosen.
CANDIDATES = 50
# Of so few records all are looked at.
FEW = 500
_Key = tuple[str, int]


@dataclass(frozen=True)
class Hit:
    """A record that may answer the question, as its CRM sent it.

    ``score`` is the fused one, 0 to 1; ``similarity`` the cosine of the nearest chunk, ``evidence``
    what the words say, from 0 on.
    """

    text: str
    score: float
    link_id: str
    link_name: str
    path: str
    synced_at: datetime | None
    stale: bool
    failing: bool = False
    similarity: float = 0.0
    evidence: float = 0.0
    chunk_id: str = ""
    generation: int = 0
    entry: Entry | None = field(default=None, compare=False, repr=False)
    """The record."""


@dataclass(frozen=True)
class Scope:
    """Which records may answer: of these links, with this field, about this customer.

    Not ``personal`` are those that are about nobody; a customer's own are there besides these.
    """

    link_ids: Collection[str] | None = None
    field: str | None = None
    known_by: Collection[str] = ()
    """A customer's identities, see core.text.matching."""
    personal: bool = True
    """Whether anybody's records may answer."""

    def rows(self, live: LiveLink) -> set[int] | None:
        """The records of a link that may answer; None for all."""
        allowed = None
        if not self.personal:
            allowed = live.rows_about(self.known_by) | live.impersonal
        elif self.known_by:
            allowed = live.rows_about(self.known_by)
        if self.field is None:
            return allowed
        wanted = plain_name(self.field)
        rows = range(len(live.entries)) if allowed is None else allowed
        return {row for row in rows if _has_field(live.entries[row].record, wanted)}


EVERYTHING = Scope()


@dataclass(frozen=True)
class Search:
    """What was found, and how the question was understood."""

    question: Question
    hits: list[Hit]


@dataclass(frozen=True)
class _Source:
    link: PageLink
    state: Mapping[str, Any]
    live: LiveLink
    allowed: set[int] | None


class Retriever:
    """Searches what a page's links serve."""

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
        self.live = LiveRecords(contents)
        self._mirror = mirror
        self._embedder = embedder

    def search(
        self,
        company_id: str,
        page_id: str,
        channel: Channel,
        query: str,
        k: int,
        *,
        scope: Scope = EVERYTHING,
        max_tokens: int | None = None,
    ) -> Search:
        """The ``k`` best records of the page and channel, best first, within a budget of tokens.

        Without one there is room for ``k`` chunks. The best record is there whatever its length.
        Raises NotFound (page).
        """
        links = self._links.of_page(company_id, page_id)
        sources = self._sources(links, channel, scope)
        indexes = [source.live.words for source in sources.values()]
        question = understand(query, indexes)
        said, candidates = self._said(question, sources)
        # Without a record there is nothing to compare: the model need not be asked.
        similar: dict[_Key, Likeness] = {}
        if any(source.live.entries for source in sources.values()):
            vector = self._embedder.embed([query])[0]
            near = self._mirror.search(
                company_id, page_id, channel, links, vector, max(k, CANDIDATES), also=candidates
            )
            for found in near:
                key = _record_of(found.chunk_id, sources)
                if key and (key not in similar or found.nearness > similar[key].nearness):
                    similar[key] = found
        ranked = sorted(
            (
                (fused(found.nearness, float(said[link_id][row])), (link_id, row))
                for (link_id, row), found in similar.items()
            ),
            key=lambda one: (-one[0], one[1]),
        )
        hits = [
            self._hit(sources[key[0]], key[1], score, similar[key], float(said[key[0]][key[1]]))
            for score, key in ranked[:k]
        ]
        return Search(question, self.within(hits, max_tokens or k * MAX_TOKENS))

    def about_the_same(
        self,
        company_id: str,
        page_id: str,
        channel: Channel,
        hit: Hit,
        scope: Scope = EVERYTHING,
    ) -> list[tuple[PageLink, Entry]]:
        """The records of all the channel's links about the customer of a hit, its own first.

        Only its own when the customer is known by nothing, or by something that others share.
        """
        sources = self._sources(self._links.of_page(company_id, page_id), channel, scope)
        own = sources.get(hit.link_id)
        if own is None or hit.entry is None:
            return []
        found = [(own.link, hit.entry)]
        known_by = own.live.known_by(hit.entry.record)
        for link_id, source in sources.items():
            entry = source.live.about(known_by) if link_id != hit.link_id else None
            if entry is not None and _may(source, source.live.rows.get(entry.chunks[0][0], -1)):
                found.append((source.link, entry))
        return found

    def keep_up(self, links: Sequence[PageLink], states: Mapping[str, Mapping[str, Any]]) -> None:
        """Read what was asked before and has changed, so that the next question need not wait."""
        self.live.keep_up(links, states)

    def _sources(
        self, links: Sequence[PageLink], channel: Channel, scope: Scope
    ) -> dict[str, _Source]:
        feeding = {
            link.link.link_id: link
            for link in links
            if link.channels.get(channel)
            and (scope.link_ids is None or link.link.link_id in scope.link_ids)
        }
        sources = {}
        for link_id, state in self._leases.of_links(list(feeding.values())).items():
            live = self.live.of(feeding[link_id], state)
            sources[link_id] = _Source(feeding[link_id], state, live, scope.rows(live))
        return sources

    def _said(
        self, question: Question, sources: Mapping[str, _Source]
    ) -> tuple[dict[str, Any], list[str]]:
        """What the words say for each link's records, and the chunks of the best ones."""
        said = {}
        candidates: list[str] = []
        for link_id, source in sources.items():
            own = evidence(question, source.live.words)
            said[link_id] = own
            if source.allowed is not None:
                chosen = sorted(source.allowed, key=lambda row: -own[row])[:FEW]
            else:
                chosen = _greatest(own, CANDIDATES)
            for row in chosen:
                candidates += [chunk_id for chunk_id, _ in source.live.entries[row].chunks]
        return said, candidates

    def _hit(
        self,
        source: _Source,
        row: int,
        score: float,
        found: Likeness,
        said: float,
    ) -> Hit:
        entry = source.live.entries[row]
        synced = source.state["last_success_at"]
        texts = dict(entry.chunks)
        text = texts[found.chunk_id] if len(texts) > 1 else "\n".join(entry.record.lines)
        return Hit(
            text=entry.record.positioned(text.strip("\n")),
            score=round(score, 4),
            link_id=source.link.link.link_id,
            link_name=source.link.link.name,
            path=entry.record.path,
            synced_at=datetime.fromtimestamp(synced, UTC) if synced else None,
            stale=is_stale(source.link, synced, self._settings),
            failing=sync_status(source.link, source.state, self._settings) in _FAILING,
            similarity=round(found.similarity, 4),
            evidence=round(said, 4),
            chunk_id=found.chunk_id,
            generation=source.live.generation,
            entry=entry,
        )

    def within(self, hits: list[Hit], max_tokens: int) -> list[Hit]:
        """The hits whose texts fit the budget: whole records where there is room for them."""
        if not hits:
            return []
        counts = self._embedder.count_tokens([hit.text for hit in hits])
        left = max_tokens
        kept: list[Hit] = []
        for hit, count in zip(hits, counts, strict=True):
            if kept and count > left:
                break
            left -= count
            kept.append(hit)
        for number, hit in enumerate(kept):
            if hit.entry is None or len(hit.entry.chunks) < 2:
                continue
            whole = hit.entry.record.positioned("\n".join(hit.entry.record.lines))
            more = self._embedder.count_tokens([whole])[0] - counts[number]
            if more <= left:
                left -= max(more, 0)
                kept[number] = replace(hit, text=whole)
        return kept


_FAILING = ("failing", "retrying", "held")


def _record_of(chunk_id: str, sources: Mapping[str, _Source]) -> _Key | None:
    """The record of a chunk; None when it may not answer, or was replaced just now."""
    for link_id, source in sources.items():
        row = source.live.rows.get(chunk_id)
        if row is not None:
            return (link_id, row) if _may(source, row) else None
    return None


def _may(source: _Source, row: int) -> bool:
    return source.allowed is None or row in source.allowed


def _greatest(values: Any, count: int) -> list[int]:
    """The rows with the greatest values above 0."""
    if len(values) > count:
        rows = np.argpartition(-values, count - 1)[:count]
    else:
        rows = np.arange(len(values))
    return [int(row) for row in rows if values[row] > 0]


def _has_field(record: Record, wanted: str) -> bool:
    return any(plain_name(path.rpartition(".")[2]) == wanted for path, _, _ in fields_of(record))
