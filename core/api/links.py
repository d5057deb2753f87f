"""``/api/dashboard/crm-links``: the CRM links of pages."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from core.api.access import DeskParam, Operator, Viewer
from core.api.schemas import LinkRemoval, LinkStatus, NewLinkBody, PageId
from core.api.views import link_view
from core.desk import Desk
from core.links import LEGACY, LISTS, page_links
from core.models import Channel, PageLink
from core.store import Document

router = APIRouter(prefix="/dashboard/crm-links", tags=["CRM links"])


@router.get("")
def list_links(
    desk: DeskParam, user: Viewer, page_id: PageId, channel: Channel | None = None
) -> dict[str, Any]:
    """The links of a page, or of one of its channels."""
    links = desk.links.of_page(user.company_id, page_id)
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
def add_link(desk: DeskParam, user: Operator, body: NewLinkBody) -> dict[str, Any]:
    """Add a link to channels of a page; an active one is synced at once."""
    link = desk.links.add(user.company_id, body.page_id, body.channels, body.to_new_link())
    return {
        "message": "CRM link added successfully",
        "crm_link": _views(desk, [link], None)[0],
        "channels": body.channels,
        "page_id": body.page_id,
    }


@router.put("/status")
def set_status(desk: DeskParam, user: Operator, body: LinkStatus) -> dict[str, Any]:
    """Switch a link on or off on channels."""
    count = desk.links.set_active(
        user.company_id, body.page_id, body.url, body.channels, body.is_active
    )
    return {
        "message": "CRM link status updated successfully",
        "updated_count": count,
        "url": body.url,
        "channels": body.channels,
        "is_active": body.is_active,
    }


@router.delete("")
def delete_link(desk: DeskParam, user: Operator, body: LinkRemoval) -> dict[str, Any]:
    """Delete a link from channels; on no channel any more, its documents go too."""
    count = desk.links.delete(user.company_id, body.page_id, body.url, body.channels)
    return {
        "message": "CRM link deleted successfully",
        "deleted_count": count,
        "url": body.url,
        "channels": body.channels,
    }


@router.get("/all")
def all_links(desk: DeskParam, user: Viewer) -> dict[str, Any]:
    """Every page of the company with its links."""
    company = desk.companies.get(user.company_id)
    pages = [_page_view(desk, user.company_id, page) for page in company["pages"]]
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


def _page_view(desk: Desk, company_id: str, page: Document) -> dict[str, Any]:
    links = page_links(company_id, page)
    modern = [link for link in links if not link.legacy]
    lists = {
        name: _views(desk, [x for x in modern if channel in x.channels], channel)
        for channel, name in LISTS.items()
    }
    lists["legacy_" + LEGACY] = _views(desk, [x for x in links if x.legacy], None)
    shown = [view for views in lists.values() for view in views]
    active = sum(view["is_active"] for view in shown)
    return {
        "page_id": page["page_id"],
        "page_name": page["page_name"],
        **lists,
        "total_active": active,
        "total_inactive": len(shown) - active,
    }


def _views(desk: Desk, links: list[PageLink], channel: Channel | None) -> list[dict[str, Any]]:
    states = desk.leases.states([link.link.link_id for link in links])
    return [link_view(desk, link, states.get(link.link.link_id), channel) for link in links]
