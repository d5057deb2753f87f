"""``/api/webhooks/facebook``: where Facebook posts messages and comments.

Its signature is the permission. What comes is stored and acknowledged; a scheduler answers it.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse
from starlette.concurrency import run_in_threadpool

from core.api.access import DeskParam
from core.connectors.webhook.signatures import Delivery

router = APIRouter(prefix="/webhooks", tags=["Webhooks"])


@router.get("/facebook", response_class=PlainTextResponse)
def verify(
    desk: DeskParam,
    mode: Annotated[str, Query(alias="hub.mode", max_length=50)] = "",
    token: Annotated[str, Query(alias="hub.verify_token", max_length=500)] = "",
    challenge: Annotated[str, Query(alias="hub.challenge", max_length=500)] = "",
) -> str:
    """Facebook's question when the webhook is set up: the challenge comes back."""
    return desk.facebook.challenge(mode, token, challenge)


@router.post("/facebook")
async def receive(request: Request, desk: DeskParam) -> dict[str, Any]:
    """Take in signed messages and comments; ``accepted`` is how many are new."""
    delivery = Delivery(
        method=request.method,
        url=str(request.url),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await request.body(),
    )
    return {"accepted": await run_in_threadpool(desk.facebook.receive, delivery)}
