"""A link as an operator describes it, before it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.models import Channel, CrmLink, FetchOptions, LinkType, PageLink


@dataclass(frozen=True)
class NewLink:
    """A link as an operator describes it; secrets in the clear.

    In an edit the mask (``***``) stands for the secret that is stored. ``options`` are those of
    the connector of its type, checked.
    """

    name: str
    url: str
    type: LinkType = LinkType.API
    api_key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    is_active: bool = True
    sync_interval_minutes: float | None = None
    shrink_threshold: float | None = None
    fetch: FetchOptions = field(default_factory=FetchOptions)
    options: Mapping[str, Any] = field(default_factory=dict)
    transform: tuple[Mapping[str, Any], ...] = ()
    validation: Mapping[str, Any] = field(default_factory=dict)
    match_key: str | None = None
    redaction: tuple[Mapping[str, str], ...] = ()


def unsaved(new: NewLink, page_id: str, channels: Mapping[Channel, bool]) -> PageLink:
    """The link that ``new`` describes, to be looked at only: its secrets are not encrypted."""
    link = CrmLink(
        link_id="",
        name=new.name,
        url=new.url,
        type=new.type,
        api_key=new.api_key,
        headers=new.headers,
        description=new.description,
        sync_interval_minutes=new.sync_interval_minutes,
        shrink_threshold=new.shrink_threshold,
        fetch=new.fetch,
        options=new.options,
        transform=new.transform,
        validation=new.validation,
        match_key=new.match_key,
        redaction=new.redaction,
    )
    return PageLink("", page_id, "", link, dict(channels))
