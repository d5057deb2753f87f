"""The nouns: channels, links, records, chunks, runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Channel(StrEnum):
    """Where the bot answers: comments on posts, or chat."""

    FACEBOOK = "facebook"
    MESSENGER = "messenger"


class LinkType(StrEnum):
    """What kind of source a link is."""

    API = "api"
    GRAPHQL = "graphql"
    WEBHOOK = "webhook"
    DATABASE = "database"
    FILE = "file"


class Format(StrEnum):
    """What an answer or a file is; ``auto`` goes by content type, name and content."""

    AUTO = "auto"
    JSON = "json"
    JSON_LINES = "jsonl"
    CSV = "csv"
    XML = "xml"
    XLSX = "xlsx"
    TEXT = "text"


class PaginatorType(StrEnum):
    """How a link's next page is found; ``auto`` finds out on the first page."""

    AUTO = "auto"
    SINGLE_PAGE = "single_page"
    HEADER_LINK = "header_link"
    JSON_LINK = "json_link"
    CURSOR = "cursor"
    PAGE_NUMBER = "page_number"
    OFFSET = "offset"


@dataclass(frozen=True)
class Pagination:
    """A link's pagination, as declared; paths are JSONPaths (RFC 9535)."""

    type: PaginatorType = PaginatorType.AUTO
    next_path: str | None = None
    cursor_path: str | None = None
    cursor_param: str | None = None
    page_param: str | None = None
    first_page: int = 1
    offset_param: str | None = None
    limit_param: str | None = None
    page_size: int | None = None
    total_path: str | None = None


@dataclass(frozen=True)
class Incremental:
    """Asking only for what changed: ``?param={the greatest value of field seen}``.

    Increments can't see deletions, so everything is fetched every ``full_every_hours``.
    """

    param: str
    field: str
    full_every_hours: float = 24.0


@dataclass(frozen=True)
class FetchOptions:
    """How a link is asked, and where its records are."""

    method: str = "GET"
    params: Mapping[str, str] = field(default_factory=dict)
    """Query parameters; secret ones in their encrypted form."""
    body: str | None = None
    """JSON text, for POST."""
    pagination: Pagination = Pagination()
    records: str | None = None
    """A JSONPath (RFC 9535) to the records; without one the longest array of objects."""
    id_field: str | None = None
    incremental: Incremental | None = None
    format: Format = Format.AUTO
    follow_redirects: bool = False
    """Each hop is checked like the address itself; keys and headers go to no other host."""

    @classmethod
    def from_document(cls, stored: Mapping[str, Any] | None) -> FetchOptions:
        """The stored options; none for links from before there were any."""
        if not stored:
            return cls()
        pagination = dict(stored.get("pagination") or {})
        if "type" in pagination:
            pagination["type"] = PaginatorType(pagination["type"])
        incremental = stored.get("incremental")
        return cls(
            method=stored.get("method") or "GET",
            params=stored.get("params") or {},
            body=stored.get("body"),
            pagination=Pagination(**pagination),
            records=stored.get("records"),
            id_field=stored.get("id_field"),
            incremental=Incremental(**incremental) if incremental else None,
            format=Format(stored.get("format") or "auto"),
            follow_redirects=bool(stored.get("follow_redirects")),
        )

    def to_document(self) -> dict[str, Any]:
        """The whole of it, defaults included."""
        # Not `asdict`, which copies in depth: a list of a thousand links has this a thousand times.
        stored = {one.name: getattr(self, one.name) for one in fields(self)}
        pagination = {one.name: getattr(self.pagination, one.name) for one in fields(Pagination)}
        stored["params"] = dict(self.params)
        stored["pagination"] = pagination | {"type": self.pagination.type.value}
        stored["incremental"] = asdict(self.incremental) if self.incremental else None
        stored["format"] = self.format.value
        return stored

    def to_lean_document(self) -> dict[str, Any]:
        """The stored form: what is not as usual."""
        usual = FetchOptions().to_document()
        lean = {name: v for name, v in self.to_document().items() if v != usual[name]}
        if "pagination" in lean:
            usual = usual["pagination"]
            lean["pagination"] = {n: v for n, v in lean["pagination"].items() if v != usual[n]}
        return lean


class Trigger(StrEnum):
    """What started a run."""

    ADDED = "added"
    EDITED = "edited"
    MANUAL = "manual"
    APPROVED = "approved"
    SWITCHED_ON = "switched_on"
    SCHEDULE = "schedule"
    WEBHOOK = "webhook"


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    HELD = "held"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


ENDED = frozenset(set(RunState) - {RunState.QUEUED, RunState.RUNNING})


_LINK_TYPES = {kind.value: kind for kind in LinkType}


@dataclass(frozen=True)
class CrmLink:
    """A registered CRM link of one page, as one of its channels (or the legacy list) holds it.

    ``api_key`` and secret ``headers`` are in their encrypted form (see core.security.secrets).
    """

    link_id: str
    name: str
    url: str
    type: LinkType = LinkType.API
    api_key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    is_active: bool = True
    sync_interval_minutes: float | None = None
    shrink_threshold: float | None = None
    """The least share of the served records that may come back without a person's word."""
    fetch: FetchOptions = FetchOptions()
    options: Mapping[str, Any] = field(default_factory=dict)
    """What only links of this type have (see core.connectors); secret ones encrypted."""
    transform: tuple[Mapping[str, Any], ...] = ()
    """Steps that change the records, in order (see core.text.transform)."""
    validation: Mapping[str, Any] = field(default_factory=dict)
    """What records must be like (see core.text.validate)."""
    match_key: str | None = None
    """The field with the key that the customer has in other links, too."""
    redaction: tuple[Mapping[str, str], ...] = ()
    """Redaction rules (see core.text.redact), each ``{path, action}``."""
    created_at: datetime | None = None
    revision: int = 0
    """Raised by each edit, so that an edit of something older is noticed."""
    edited_by: str | None = None

    @classmethod
    def from_document(cls, page_id: str, document: Mapping[str, Any]) -> CrmLink:
        """A stored link; those from before link ids may lack everything but their URL."""
        url = str(document["url"])
        kind = document.get("type")
        return cls(
            link_id=document.get("link_id") or derived_link_id(page_id, url),
            name=document.get("name") or url,
            url=url,
            type=_LINK_TYPES.get(str(kind), LinkType.API),
            api_key=document.get("api_key") or None,
            headers=document.get("headers") or {},
            description=document.get("description") or "",
            is_active=document.get("is_active", True) is True,
            sync_interval_minutes=document.get("sync_interval_minutes"),
            shrink_threshold=document.get("shrink_threshold"),
            fetch=FetchOptions.from_document(document.get("fetch")),
            options=document.get("options") or {},
            transform=tuple(document.get("transform") or ()),
            validation=document.get("validation") or {},
            match_key=document.get("match_key"),
            redaction=tuple(document.get("redaction") or ()),
            created_at=document.get("created_at"),
            revision=int(document.get("revision") or 0),
            edited_by=document.get("edited_by"),
        )

    def to_document(self) -> dict[str, Any]:
        """The stored form: what says something.

        A company's links are one document, which is read and written as a whole: with a thousand
        links, fields that say nothing would make each change take three times as long.
        """
        optional = {
            "api_key": self.api_key,
            "headers": dict(self.headers),
            "description": self.description,
            "sync_interval_minutes": self.sync_interval_minutes,
            "shrink_threshold": self.shrink_threshold,
            "fetch": self.fetch.to_lean_document(),
            "options": dict(self.options),
            "transform": [dict(step) for step in self.transform],
            "validation": dict(self.validation),
            "match_key": self.match_key,
            "redaction": [dict(rule) for rule in self.redaction],
            "edited_by": self.edited_by,
        }
        return {
            "link_id": self.link_id,
            "name": self.name,
            "url": self.url,
            "type": self.type.value,
            "is_active": self.is_active,
            "created_at": self.created_at or this_moment(),
            "revision": self.revision,
            **{name: v for name, v in optional.items() if v not in (None, "", {}, [])},
        }


def this_moment() -> datetime:
    """The time, as exact as the store keeps it: in milliseconds (BSON's dates)."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def derived_link_id(page_id: str, url: str) -> str:
    """The id of a link that was stored without one: always the same for a page and URL."""
    return "link-" + hashlib.sha256(f"{page_id}\n{url}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class PageLink:
    """A link as its page sees it: its definition, and on which channels it is switched on."""

    company_id: str
    page_id: str
    page_name: str
    link: CrmLink
    channels: Mapping[Channel, bool]
    legacy: bool = False

    @property
    def is_active(self) -> bool:
        """Whether it feeds any channel; such a link is synced."""
        return any(self.channels.values())

    @property
    def active_channels(self) -> list[Channel]:
        """The channels that answer from it."""
        return [channel for channel, active in self.channels.items() if active]


@dataclass(frozen=True)
class Record:
    """One record of an answer, flattened.

    ``path`` is where it stands today (``customers[3]``). ``lines`` are its flattened lines with
    ``pattern`` (``customers[]``) in the place of that position: what is embedded and hashed, so
    that a record that moves stays the same. An empty ``pattern`` means the lines carry no position
    of a record. ``at`` says which lines of the whole text they are, as ``(first, count)`` runs.
    """

    key: str
    path: str
    pattern: str
    lines: tuple[str, ...]
    at: tuple[tuple[int, int], ...]
    raw: str = field(default="", compare=False)
    """Its JSON, as it was sent but for what was redacted; empty for plain text."""

    def positioned(self, text: str) -> str:
        """``text``, made of this record's lines, as it stands in the flattened text."""
        if not self.pattern:
            return text
        cut = len(self.pattern)
        return "\n".join(self.path + line[cut:] for line in text.split("\n"))


@dataclass(frozen=True)
class Chunk:
    """A piece of one record that fits the embedding model; ``text`` is free of its position."""

    chunk_id: str
    record_key: str
    path: str
    text: str
    text_hash: str
