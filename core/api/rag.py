"""``/api/dashboard/rag``: what is stored for the bot, and searching it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from core.api.access import DeskParam, Viewer
from core.api.schemas import PageId, SearchRequest
from core.api.views import moment
from core.errors import NotFound

router = APIRouter(prefix="/dashboard/rag", tags=["documents and search"])


@router.get("/documents/details")
def document_details(
    desk: DeskParam,
    user: Viewer,
    page_id: PageId,
    source: Literal["crm"] = "crm",
    link_id: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> dict[str, Any]:
    """The documents that a page's links serve; ``next_cursor`` pages on."""
    links = desk.links.of_page(user.company_id, page_id)
    if link_id is not None:
        links = [link for link in links if link.link.link_id == link_id]
        if not links:
            raise NotFound(
                f"There is no CRM link {link_id} on page {page_id}.",
                action=f"GET /api/dashboard/crm-links?page_id={page_id} lists the page's links.",
            )
    states = desk.leases.states([link.link.link_id for link in links])
    documents, next_cursor = desk.served.documents(links, limit=limit, cursor=cursor)
    link_views = [
        {
            "link_id": link.link.link_id,
            "name": link.link.name,
            "url": link.link.url,
            "documents": states.get(link.link.link_id, {}).get("documents", 0),
            "last_synced_at": moment(states.get(link.link.link_id, {}).get("last_success_at")),
        }
        for link in links
    ]
    return {
        "page_id": page_id,
        "source": source,
        "total_documents": sum(view["documents"] for view in link_views),
        "links": link_views,
        "documents": [
            {
                "id": document.id,
                "link_id": document.link_id,
                "path": document.path,
                "text": document.text,
                "channels": document.channels,
                "updated_at": document.updated_at.isoformat(),
            }
            for document in documents
        ],
        "next_cursor": next_cursor,
    }


@router.post("/search")
def search(desk: DeskParam, user: Viewer, body: SearchRequest) -> dict[str, Any]:
    """The nearest chunks of one page and channel, best first."""
    hits = desk.retriever.search(user.company_id, body.page_id, body.channel, body.query, body.k)
    return {
        "hits": [
            {
                "text": hit.text,
                "score": hit.score,
                "link_id": hit.link_id,
                "link_name": hit.link_name,
                "path": hit.path,
                "synced_at": hit.synced_at.isoformat() if hit.synced_at else None,
                "stale": hit.stale,
            }
            for hit in hits
        ]
    }
