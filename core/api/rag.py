"""``/api/dashboard/rag``: what is stored for the bot, and searching it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from core.api.access import ActingParam
from core.api.schemas import ReplyRequest, SearchRequest
from core.api.views import hit_view, kept_reply_view, merged_view, moment, reply_view
from core.bot.reply import Reply
from core.errors import NotFound
from core.links.schema import PageId
from core.retrieval.retrieve import Scope

router = APIRouter(prefix="/dashboard/rag", tags=["documents and search"])


@router.get("/documents/details")
def document_details(
    acting: ActingParam,
    page_id: PageId,
    source: Literal["crm"] = "crm",
    link_id: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: str | None = None,
) -> dict[str, Any]:
    """The documents that a page's links serve; ``next_cursor`` pages on."""
    desk = acting.reading
    links = desk.links.of_page(acting.user.company_id, page_id)
    if link_id is not None:
        links = [link for link in links if link.link.link_id == link_id]
        if not links:
            raise NotFound(
                f"There is no CRM link {link_id} on page {page_id}.",
                action=f"GET /api/dashboard/crm-links?page_id={page_id} lists the page's links.",
            )
    states = desk.leases.of_links(links)
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
def search(acting: ActingParam, body: SearchRequest) -> dict[str, Any]:
    """The records of one page and channel that fit best, best first.

    ``merged`` has what all links say of the best hit's customer, when several know them.
    """
    hits, merged = acting.search(
        body.page_id,
        body.channel,
        body.query,
        body.k,
        Scope(link_ids=body.link_ids, field=body.field),
        body.max_tokens,
    )
    return {
        "hits": [hit_view(hit) for hit in hits],
        "merged": [merged_view(line) for line in merged],
    }


@router.post(
    "/reply",
    responses={200: {"content": {"application/json": {}, "text/event-stream": {}}}},
    response_model=None,
)
def reply(acting: ActingParam, body: ReplyRequest) -> dict[str, Any] | StreamingResponse:
    """What the bot would answer, from which lines, and what it looked at.

    With ``stream`` as server-sent events: ``sentence`` with each sentence that was checked, as a
    JSON text, then ``reply`` with the whole answer.
    """
    if body.stream:
        parts = acting.stream_reply(body.page_id, body.channel, body.message, body.sender_id)
        return StreamingResponse(_events(parts), media_type="text/event-stream")
    return reply_view(acting.reply(body.page_id, body.channel, body.message, body.sender_id))


@router.get("/replies/{reply_id}")
def kept_reply(acting: ActingParam, reply_id: str) -> dict[str, Any]:
    """Why the bot said this: a reply with its lines, their links, runs and age, and the model."""
    return kept_reply_view(acting.kept_reply(reply_id))


def _events(parts: Iterable[str | Reply]) -> Iterator[str]:
    for part in parts:
        name, data = ("sentence", part) if isinstance(part, str) else ("reply", reply_view(part))
        yield f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
