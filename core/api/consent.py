"""``/oauth/connect`` and ``/oauth/callback``: the browser's way to a CRM's consent page and back.

Both are behind the door, with the session's cookie; what may be done is decided in core.acting.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from core.acting import Acting
from core.errors import DeskError, RequestError

CONNECT = "/oauth/connect"
CALLBACK = "/oauth/callback"
_NOT_KEPT = {"Cache-Control": "no-store"}


def consent_app(acting_of: Callable[[Request], Acting], public_url: str | None) -> Starlette:
    """The two addresses. ``acting_of`` knows who is asking; it may raise NotSignedIn."""

    def callback_url(request: Request) -> str:
        return (public_url or str(request.base_url)).rstrip("/") + CALLBACK

    def connect(request: Request) -> Response:
        link_id = request.query_params.get("link_id", "")
        target = acting_of(request).begin_consent(link_id, callback_url(request))
        return RedirectResponse(target, 303, headers=_NOT_KEPT)

    def callback(request: Request) -> Response:
        acting = acting_of(request)
        said = request.query_params
        link_id = acting.finish_consent(
            said.get("state", ""), said.get("code", ""), callback_url(request)
        )
        return RedirectResponse(
            "/link_form?" + urlencode({"edit": link_id}), 303, headers=_NOT_KEPT
        )

    def answered(handle: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                return await run_in_threadpool(handle, request)
            except DeskError as error:
                status = error.status if isinstance(error, RequestError) else 502
                words = f"{error.message}\n{error.action}\n\nGo back to the dashboard."
                return PlainTextResponse(words, status, headers=_NOT_KEPT)

        return answer

    return Starlette(
        routes=[Route(CONNECT, answered(connect)), Route(CALLBACK, answered(callback))]
    )
