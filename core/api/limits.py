"""A bound on request bodies."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.api.problems import problem

# The largest thing anyone sends is a link with its headers.
MAX_BODY = 1024 * 1024
MAX_HEADERS = 64 * 1024


def has_too_long_headers(scope: Scope) -> bool:
    """Whether a request's headers are more than anyone needs."""
    return sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADERS


def too_long_headers() -> JSONResponse:
    """The answer to that."""
    return problem(
        431,
        f"The headers are longer than {MAX_HEADERS // 1024} KiB together.",
        title="Headers too large",
        headers={"Connection": "close"},
    )


class BodyLimit:
    """ASGI middleware: answers 413 to a body over ``MAX_BODY``, however it is sent.

    ``larger`` has the bytes that a file may have, by the path it is posted to.
    """

    def __init__(self, app: ASGIApp, larger: Mapping[str, int]) -> None:
        self._app = app
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        # What a form has around its file is no more than any other body.
        limit = MAX_BODY + (self._larger.get(path, 0) if scope["method"] == "POST" else 0)
        declared = dict(scope["headers"]).get(b"content-length", b"")
        if has_too_long_headers(scope):
            await too_long_headers()(scope, receive, send)
            return
        too_large = declared.isdigit() and int(declared) > limit
        body = bytearray()
        more = not too_large
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            too_large = len(body) > limit
            more = message.get("more_body", False) and not too_large
        if too_large:
            answer = problem(
                413,
                f"The body is larger than {limit // 1024} KiB; nothing was stored.",
                title="Request too large",
                headers={"Connection": "close"},
            )
            await answer(scope, receive, send)
            return
        handed_over = False

        async def replay() -> Message:
            nonlocal handed_over
            if handed_over:
                return await receive()
            handed_over = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, replay, send)
