"""``/api/dashboard/crm-links``: the CRM links of pages."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter

from core.api.access import ActingParam
from core.api.schemas import LinkEdit, LinkRemoval, LinkStatus, LinkTest
from core.api.views import link_view, trial_view
from core.desk import Desk
from core.errors import StoreAway
from core.links.documents import LEGACY, LISTS
from core.links.schema import NewLinkBody, PageId
from core.models import Channel, PageLink
from core.scheduler import heartbeats
from core.store import Document

router = APIRouter(prefix="/dashboard/crm-links", tags=["CRM links"])


@router.get("")
def list_links(
    acting: ActingParam, page_id: PageId, channel: Channel | None = None
) -> dict[str, Any]:
    """The links of a page, or of one of its channels."""
    desk = acting.reading
    links = desk.links.of_page(acting.user.company_id, page_id)
    if channel:
        links = [link for link in links if channel in link.channels]
    views = _views(desk, links, channel)
    active = sum(view["is_active"] for view in views)
    return {
        "crm_links": views,
        "page_id": page_id,
        "channel": channel,
        "total": len(views),
        "active_count": active,
        "inactive_count": len(views) - active,
    }


@router.post("", status_code=201)
def add_link(acting: ActingParam, body: NewLinkBody) -> dict[str, Any]:
    """Add a link to channels of a page; an active one is synced at once."""
    link = acting.add_link(body.page_id, body.channels, body.to_new_link())
    return {
        "message": "CRM link added successfully",
        "crm_link": _views(acting.reading, [link], None)[0],
        "channels": body.channels,
        "page_id": body.page_id,
    }


@router.put("/status")
def set_status(acting: ActingParam, body: LinkStatus) -> dict[str, Any]:
    """Switch a link on or off on channels."""
    count = acting.set_link_active(body.page_id, body.url, body.channels, body.is_active)
    return {
        "message": "CRM link status updated successfully",
        "updated_count": count,
        "url": body.url,
        "channels": body.channels,
        "is_active": body.is_active,
    }


@router.delete("")
def delete_link(acting: ActingParam, body: LinkRemoval) -> dict[str, Any]:
    """Delete a link from channels; on no channel any more, its documents go too."""
    count = acting.delete_link(body.page_id, body.url, body.channels)
    return {
        "message": "CRM link deleted successfully",
        "deleted_count": count,
        "url": body.url,
        "channels": body.channels,
    }


@router.get("/all")
def all_links(acting: ActingParam) -> dict[str, Any]:
    """Every page of the company with its links."""
    desk, company_id = acting.reading, acting.user.company_id
    company = desk.companies.get(company_id)
    states = desk.leases.of_company(company_id)
    listed: dict[str, list[PageLink]] = {}
    for link in desk.links.of_company(company_id):
        listed.setdefault(link.page_id, []).append(link)
    pages = [
        _page_view(desk, page, listed.get(page["page_id"], []), states) for page in company["pages"]
    ]
    active = sum(page["total_active"] for page in pages)
    inactive = sum(page["total_inactive"] for page in pages)
    return {
        "company_id": company["company_id"],
        "company_name": company["company_name"],
        "pages_data": pages,
        "total_pages": len(pages),
        "total_crm_links": active + inactive,
        "total_active": active,
        "total_inactive": inactive,
    }


@router.put("/{link_id}")
def edit_link(acting: ActingParam, link_id: str, body: LinkEdit) -> dict[str, Any]:
    """Change a link; 409 when somebody changed it since ``revision``."""
    link = acting.update_link(link_id, body.channels, body.to_new_link(), revision=body.revision)
    return {
        "message": "CRM link changed successfully",
        "crm_link": _views(acting.reading, [link], None)[0],
        "channels": body.channels,
        "page_id": link.page_id,
    }


@router.post("/test")
def try_link(acting: ActingParam, body: LinkTest) -> dict[str, Any]:
    """A dry run of an unsaved link: what would come, and what would be stored.

    Waits for the scheduler that carries it out. A CRM that fails is an answer too: ``state`` is
    failed then, and ``error`` says why.
    """
    desk = acting.reading
    if not heartbeats(desk.database):
        raise StoreAway(
            "No scheduler is running, which would carry out the test.",
            action="Start one: python -m core scheduler.",
        )
    trial_id = acting.test_link(body.page_id, body.channels, body.to_new_link(), body.link_id)
    until = time.monotonic() + desk.settings.fetch_timeout_seconds + 60
    while True:
        trial = desk.trials.get(acting.user.company_id, trial_id)
        if trial["state"] in ("done", "failed") or time.monotonic() > until:
            return trial_view(trial)
        # Another process carries it out, and the store tells nobody of changes.
        time.sleep(0.1)


def _page_view(
    desk: Desk, page: Document, links: Sequence[PageLink], states: Mapping[str, Document]
) -> dict[str, Any]:
    modern = [link for link in links if not link.legacy]

    def views(chosen: list[PageLink], channel: Channel | None) -> list[dict[str, Any]]:
        return [link_view(desk, x, states.get(x.link.link_id), channel) for x in chosen]

    lists = {
        name: views([x for x in modern if channel in x.channels], channel)
        for channel, name in LISTS.items()
    }
    lists["legacy_" + LEGACY] = views([x for x in links if x.legacy], None)
    shown = [view for listed in lists.values() for view in listed]
    active = sum(view["is_active"] for view in shown)
    return {
        "page_id": page["page_id"],
        "page_name": page["page_name"],
        **lists,
        "total_active": active,
        "total_inactive": len(shown) - active,
    }


def _views(desk: Desk, links: list[PageLink], channel: Channel | None) -> list[dict[str, Any]]:
    states = desk.leases.of_links(links)
    return [link_view(desk, link, states.get(link.link.link_id), channel) for link in links]
