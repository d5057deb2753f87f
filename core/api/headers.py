"""Security headers, and refusing what other sites send with our cookie.

The policy is as strict as Streamlit allows: its own scripts and no others (its inline script by its
hash; its charts and tables need eval and WebAssembly), styles inline, connections to itself.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Scope, Send

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.S)


@cache
def page_policy() -> str:
    """The Content-Security-Policy of the dashboard's pages."""
    import streamlit

    index = Path(streamlit.__file__).parent / "static" / "index.html"
    hashes = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in _INLINE_SCRIPT.findall(index.read_text())
    ]
    scripts = " ".join(f"'sha256-{one}'" for one in hashes)
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval' blob: {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' ws: wss: data: blob:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def with_headers(send: Send, policy: str, *, kept: bool = True) -> Send:
    """``send``, adding the security headers to the answer; ``kept`` lets it be cached."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in (
                ("Content-Security-Policy", policy),
                ("X-Content-Type-Options", "nosniff"),
                ("X-Frame-Options", "DENY"),
                ("Referrer-Policy", "same-origin"),
                ("Cross-Origin-Opener-Policy", "same-origin"),
                ("Cross-Origin-Resource-Policy", "same-origin"),
                ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
            ):
                if name not in headers:
                    headers[name] = value
            if not kept:
                headers["Cache-Control"] = "no-store"
        await send(message)

    return sending


API_POLICY = "default-src 'none'; frame-ancestors 'none'"
# The documentation page brings its scripts from the same place, and starts them inline.
DOCS_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
)


def api_policy(path: str) -> str:
    """The Content-Security-Policy of a path of the REST API."""
    return DOCS_POLICY if path.rstrip("/").endswith("/docs") else API_POLICY


def is_foreign(scope: Scope) -> bool:
    """Whether another site made the browser send this request."""
    headers = Headers(scope=scope)
    if headers.get("sec-fetch-site") == "cross-site":
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")
