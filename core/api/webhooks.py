"""``POST /api/webhooks/crm/{link_id}``: events of links of type ``webhook``.

The signature is the permission: a sender has no token. An event is stored and acknowledged; a
scheduler works it off.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from core.api.access import DeskParam
from core.connectors.webhook.receive import receive
from core.connectors.webhook.signatures import Delivery
from core.settings import Settings

router = APIRouter(prefix="/webhooks", tags=["Webhooks"])


@router.post("/crm/{link_id}", status_code=202)
async def receive_event(link_id: str, request: Request, desk: DeskParam) -> dict[str, Any]:
    """Take in a signed event; ``is_duplicate`` says that it had come before."""
    delivery = Delivery(
        method=request.method,
        url=_known_as(request, desk.settings),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await request.body(),
    )
    is_new = await run_in_threadpool(receive, desk.links, desk.inbox, desk.box, link_id, delivery)
    return {"accepted": True, "is_duplicate": not is_new}


def _known_as(request: Request, settings: Settings) -> str:
    """The URL as the sender knows it: behind a proxy not the one that the request has here."""
    if not settings.public_url:
        return str(request.url)
    path = urlsplit(str(request.url))
    query = f"?{path.query}" if path.query else ""
    return settings.public_url.rstrip("/") + path.path + query
