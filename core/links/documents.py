"""Links as their page's document holds them.

A link stands once per channel, under one ``link_id``; legacy links (the page's ``crm_links``)
serve both channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from core.companies import find_page
from core.errors import NotFound
from core.links.secrets import masked, masked_options, public_headers, shown_secret
from core.models import Channel, CrmLink, PageLink
from core.store import Document

LISTS = {Channel.FACEBOOK: "facebook_crm_links", Channel.MESSENGER: "messenger_crm_links"}
LEGACY = "crm_links"


def company_links(company: Document) -> list[PageLink]:
    """The links of a company's document."""
    return [
        link
        for page in company.get("pages", ())
        for link in page_links(company["company_id"], page)
    ]


def page_links(company_id: str, page: Document) -> list[PageLink]:
    """The links of a page's document: each once, with the channels it is on."""
    links: dict[tuple[str, bool], PageLink] = {}
    lists = [(LISTS[c], (c,)) for c in Channel] + [(LEGACY, tuple(Channel))]
    for name, channels in lists:
        for entry in page.get(name) or []:
            link = CrmLink.from_document(page["page_id"], entry)
            key = (link.link_id, name == LEGACY)
            on = dict(links[key].channels) if key in links else {}
            on |= dict.fromkeys(channels, link.is_active)
            kept = links[key].link if key in links else link
            links[key] = PageLink(
                company_id, page["page_id"], page["page_name"], kept, on, name == LEGACY
            )
    return list(links.values())


def link_facts(link: PageLink) -> dict[str, Any]:
    """What the audit log and the configuration say of a link: everything but its secrets."""
    own = link.link
    fetch = own.fetch.to_document()
    return {
        "page_id": link.page_id,
        "name": own.name,
        "url": own.url,
        "type": own.type.value,
        "channels": {channel.value: active for channel, active in link.channels.items()},
        "description": own.description,
        "api_key": shown_secret(own.api_key),
        "headers": public_headers(own),
        "sync_interval_minutes": own.sync_interval_minutes,
        "shrink_threshold": own.shrink_threshold,
        **fetch,
        "params": masked(own.fetch.params),
        "options": masked_options(own),
        "transform": [dict(step) for step in own.transform],
        "validation": dict(own.validation),
        "match_key": own.match_key,
        "redaction": [dict(rule) for rule in own.redaction],
    }


def entries_of(
    company: Document, page_id: str, url: str, channels: Iterable[Channel]
) -> list[dict[str, Any]]:
    """The stored entries of the URL on the channels; a legacy one is split if only one is meant."""
    page = find_page(company, page_id)
    wanted = set(channels)
    for entry in [e for e in page.get(LEGACY) or [] if e.get("url") == url]:
        if wanted != set(Channel):
            page[LEGACY].remove(entry)
            entry["link_id"] = stored_link_id(page_id, entry)
            for name in LISTS.values():
                page.setdefault(name, []).append(dict(entry))
    lists = [LISTS[channel] for channel in Channel if channel in wanted]
    if wanted == set(Channel):
        lists.append(LEGACY)
    entries = [e for name in lists for e in page.get(name) or [] if e.get("url") == url]
    if not entries:
        names = " and ".join(channel.value for channel in Channel if channel in wanted)
        raise NotFound(
            f"There is no CRM link with this URL on {names} of page {page_id}.",
            action=f"GET /api/dashboard/crm-links?page_id={page_id} lists the page's links.",
        )
    return entries


def all_entries(page: Document) -> list[dict[str, Any]]:
    """Everything that the page's document lists as a link."""
    return [entry for name in (*LISTS.values(), LEGACY) for entry in page.get(name) or []]


def stored_link_id(page_id: str, entry: Mapping[str, Any]) -> str:
    """The id of a stored link, also of one from before there were ids."""
    return CrmLink.from_document(page_id, entry).link_id
