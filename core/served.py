"""Reading what links serve: the whole text, its records, its documents.

A generation may be replaced while it is read. Each reader looks at the live generation before and
after, and reads again if it moved, so that nobody ever sees a mix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from core.errors import InvalidRequest
from core.leases import Leases
from core.models import PageLink
from core.text.flatten import assemble
from core.vectors.contents import Contents
from core.vectors.part import Entry

T = TypeVar("T")


@dataclass(frozen=True)
class ServedDocument:
    """A chunk as it is served; ``text`` has today's positions."""

    id: str
    link_id: str
    path: str
    text: str
    channels: list[str]
    updated_at: datetime


class Served:
    """What links serve now."""

    def __init__(self, leases: Leases, contents: Contents) -> None:
        self._leases = leases
        self._contents = contents

    def entries(self, link_id: str) -> list[Entry]:
        """The link's records with their chunks; none before its first sync."""
        return self._steady(
            link_id, lambda live: list(self._contents.read(link_id, live)) if live else []
        )

    def lines(self, link_id: str) -> list[str]:
        """The link's whole flattened text."""
        entries = self.entries(link_id)
        total = sum(count for entry in entries for _, count in entry.record.at)
        return assemble([entry.record for entry in entries], total)

    def documents(
        self, links: list[PageLink], *, limit: int, cursor: str | None
    ) -> tuple[list[ServedDocument], str | None]:
        """Documents of the links in order, and where the next page begins.

        ``cursor`` is what the last call gave. Raises InvalidRequest when it is no such thing.
        """
        ids = [link.link.link_id for link in links]
        start_id, skip = _parse(cursor, ids)
        found: list[ServedDocument] = []
        for link in links[ids.index(start_id) if start_id else 0 :]:
            if len(found) > limit:
                break
            found += self._documents_of(link, skip, limit + 1 - len(found))
            skip = 0
        if len(found) <= limit:
            return found, None
        page = found[:limit]
        last = page[-1].link_id
        before = sum(document.link_id == last for document in page)
        skipped = _parse(cursor, ids)[1] if last == start_id else 0
        return page, f"{last}.{before + skipped}"

    def _documents_of(self, link: PageLink, skip: int, limit: int) -> list[ServedDocument]:
        link_id = link.link.link_id
        channels = [channel.value for channel in link.active_channels]
        rows = self._steady(
            link_id,
            lambda live: (
                self._contents.read_documents(link_id, live, skip=skip, limit=limit) if live else []
            ),
        )
        return [
            ServedDocument(
                id=chunk_id,
                link_id=link_id,
                path=entry.record.path,
                text=entry.record.positioned(text),
                channels=channels,
                updated_at=datetime.fromtimestamp(entry.updated_at, UTC),
            )
            for entry, chunk_id, text in rows
        ]

    def _steady(self, link_id: str, read: Callable[[int], T]) -> T:
        live = self._live(link_id)
        while True:
            result = read(live)
            after = self._live(link_id)
            if after == live:
                return result
            live = after

    def _live(self, link_id: str) -> int:
        state = self._leases.states([link_id]).get(link_id)
        return int(state["live_generation"]) if state else 0


def _parse(cursor: str | None, ids: list[str]) -> tuple[str | None, int]:
    if not cursor:
        return None, 0
    link_id, _, number = cursor.rpartition(".")
    if link_id not in ids or not (number.isascii() and number.isdigit() and len(number) < 12):
        raise InvalidRequest(
            "cursor", "This cursor does not fit.", action="Start again without a cursor."
        )
    return link_id, int(number)
