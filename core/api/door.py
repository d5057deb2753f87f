"""The door: nobody gets to the dashboard without a session.

An ASGI middleware in front of Streamlit. Pages without a valid session cookie are answered with a
redirect to ``/login``, the WebSocket is refused, so that no page script runs for a stranger. The
REST API is not behind it: it asks for a token itself and takes no cookies.
"""

from __future__ import annotations

import html
import time
from urllib.parse import urlencode, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.acting import Acting
from core.api.access import origin_of
from core.api.consent import CALLBACK, CONNECT, consent_app
from core.api.headers import api_policy, is_foreign, page_policy, with_headers
from core.api.limits import has_too_long_headers, too_long_headers
from core.api.problems import problem
from core.desk import Desk
from core.errors import NotSignedIn, TooManyAttempts
from core.security.accounts import Session

COOKIE = "crm_desk_session"
LOGIN = "/login"
# Where st.logout() leads the browser
LOGOUT = "/auth/logout"
OIDC = "/login/oidc"
OIDC_CALLBACK = "/login/oidc/callback"
_SAFE = ("GET", "HEAD", "OPTIONS")
_MAX_FORM = 16 * 1024
_STATIC_SECONDS = 30.0
_MAX_PASSED = 10_000


class Door:
    """The middleware; ``desk`` knows the accounts."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app = app
        self._desk = desk
        self._passed: dict[str, float] = {}
        self._consent = consent_app(self._acting, desk.settings.public_url)
        self._oidc: Starlette | None = None
        if desk.settings.oidc_issuer:
            from core.api.oidc import oidc_app

            self._oidc = oidc_app(desk, _letting_in, self._turning_away)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if scope["type"] == "http" and has_too_long_headers(scope):
            await too_long_headers()(scope, receive, send)
            return
        if path == "/api" or path.startswith("/api/"):
            if not path.isprintable():
                # The routers below would not see it as a path of theirs.
                nothing = problem(404, "There is nothing here. /api/docs lists the calls.")
                await nothing(scope, receive, with_headers(send, api_policy(path), kept=False))
                return
            policy = api_policy(path)
            await self._app(scope, receive, with_headers(send, policy, kept=False))
            return
        if path == "/_stcore/health":
            await self._app(scope, receive, send)
            return
        if scope["type"] == "http" and path in (LOGIN, LOGOUT):
            request = Request(scope, receive)
            answer = await (self._login(request) if path == LOGIN else self._logout(request))
            await answer(scope, receive, send)
            return
        if scope["type"] == "http" and self._oidc and path in (OIDC, OIDC_CALLBACK):
            await self._oidc(scope, receive, with_headers(send, _FORM_POLICY, kept=False))
            return
        is_consent = scope["type"] == "http" and path in (CONNECT, CALLBACK)
        if is_consent and await self._may_pass(path, session_token(scope)):
            # The CRM's page leads back here, from another site: a state that works once, for the
            # person that it was made for, keeps others out.
            await self._consent(scope, receive, with_headers(send, _FORM_POLICY, kept=False))
            return
        if is_foreign(scope) and (scope["type"] == "websocket" or scope["method"] not in _SAFE):
            # The browser adds our cookie to whatever another site makes it send.
            await self._refuse_foreign(scope, receive, send)
            return
        if await self._may_pass(path, session_token(scope)):
            await self._app(scope, receive, with_headers(send, page_policy()))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 4401, "reason": "not signed in"})
        else:
            query = scope["query_string"].decode("latin-1")
            wanted = path + (f"?{query}" if query else "")
            await RedirectResponse(_login_path(wanted), 303, headers=_NOT_KEPT)(
                scope, receive, send
            )

    async def _refuse_foreign(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 4403, "reason": "another site"})
            return
        await Response("This was sent from another site.", 403)(scope, receive, send)

    async def _may_pass(self, path: str, token: str | None) -> bool:
        is_static = path.startswith("/static/")
        # A page brings a hundred of Streamlit's own files with it: for these alone it is enough
        # that the session was good a moment ago.
        if is_static and token and self._passed.get(token, 0.0) > time.monotonic():
            return True
        if not await run_in_threadpool(self._is_known, token):
            return False
        if token:
            if len(self._passed) > _MAX_PASSED:
                self._passed.clear()
            self._passed[token] = time.monotonic() + _STATIC_SECONDS
        return True

    def _acting(self, request: Request) -> Acting:
        user = self._desk.accounts.user_of(session_token(request.scope))
        return Acting(self._desk, user, origin_of(request.client.host if request.client else None))

    def _turning_away(self, words: str) -> Response:
        return self._form("/", words, 401)

    def _form(
        self, wanted: str, problem: str = "", status: int = 200, name: str = ""
    ) -> HTMLResponse:
        return _form(wanted, problem, status, name, with_oidc=self._oidc is not None)

    def _is_known(self, token: str | None) -> bool:
        try:
            self._desk.accounts.user_of(token)
        except NotSignedIn:
            return False
        return True

    async def _login(self, request: Request) -> Response:
        wanted = _inside(request.query_params.get("next", "/"))
        if request.method in ("GET", "HEAD"):
            return self._form(wanted)
        if request.method != "POST":
            return Response("POST the form.", 405, headers={"Allow": "GET, POST"})
        if is_foreign(request.scope):
            return self._form(wanted, "This form was sent from another site.", 403)
        if int(request.headers.get("content-length") or _MAX_FORM + 1) > _MAX_FORM:
            return self._form(wanted, "That is too long for a name and a password.", 413)
        fields = await request.form()
        name, password = str(fields.get("username", "")), str(fields.get("password", ""))
        address = origin_of(request.client.host if request.client else None)
        try:
            session = await run_in_threadpool(self._desk.accounts.sign_in, name, password, address)
        except NotSignedIn as refused:
            return self._form(wanted, refused.message, 401, name)
        except TooManyAttempts as refused:
            answer: Response = self._form(wanted, str(refused), 429, name)
            answer.headers["Retry-After"] = str(refused.retry_after)
            return answer
        return _letting_in(request, session, wanted)

    async def _logout(self, request: Request) -> Response:
        # By GET, as Streamlit leads here. Lax cookies and this check keep other sites out.
        if is_foreign(request.scope):
            return Response("Sign out from the dashboard itself.", 403)
        await run_in_threadpool(self._desk.accounts.sign_out, session_token(request.scope))
        left = urlsplit(request.headers.get("referer", ""))
        wanted = f"{left.path}?{left.query}" if left.query else left.path
        answer = RedirectResponse(_login_path(_inside(wanted or "/")), 303, headers=_NOT_KEPT)
        answer.delete_cookie(COOKIE)
        return answer


_NOT_KEPT = {"Cache-Control": "no-store"}


def session_token(scope: Scope) -> str | None:
    """The session token of a request's or WebSocket's cookie."""
    return Request({**scope, "type": "http"}).cookies.get(COOKIE)


def _login_path(wanted: str) -> str:
    return LOGIN if wanted == "/" else f"{LOGIN}?{urlencode({'next': wanted})}"


def _inside(wanted: str) -> str:
    """``wanted`` if it is a path of this dashboard, else its start."""
    parts = urlsplit(wanted)
    if parts.scheme or parts.netloc or not wanted.startswith("/") or not wanted.isprintable():
        return "/"
    # Browsers take // and /\ for the start of another site's address.
    return "/" if wanted[1:2] in ("/", "\\") or "\\" in wanted else wanted


def _letting_in(request: Request, session: Session, wanted: str) -> Response:
    answer = RedirectResponse(_inside(wanted), 303, headers=_NOT_KEPT)
    answer.set_cookie(
        COOKIE,
        session.token,
        expires=session.expires_at,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


def _form(wanted: str, problem: str, status: int, name: str, *, with_oidc: bool) -> HTMLResponse:
    error = f'<p role="alert">{html.escape(problem)}</p>' if problem else ""
    action = html.escape(_login_path(wanted))
    oidc = f"{OIDC}?{urlencode({'next': wanted})}"
    other = f'<a href="{html.escape(oidc)}">Sign in with your company</a>' if with_oidc else ""
    page = _PAGE.format(error=error, action=action, name=html.escape(name), other=other)
    headers = {
        **_NOT_KEPT,
        "Content-Security-Policy": _FORM_POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
    }
    return HTMLResponse(page, status, headers=headers)


_FORM_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · CRM desk</title>
<style>
:root {{ color-scheme: light dark; --back: #f6f7f9; --card: #fff; --text: #1a2233;
  --muted: #5b6475; --line: #cfd5df; --accent: #1f5fd6; --wrong: #b3261e; }}
@media (prefers-color-scheme: dark) {{ :root {{ --back: #10141c; --card: #1a202b;
  --text: #e8ebf1; --muted: #a0a9b8; --line: #3a4352; --accent: #4d86f0; --wrong: #ff9a91; }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }}
form {{ width: 100%; max-width: 23rem; padding: 2rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem; }}
h1 {{ margin: 0; font-size: 1.4rem; }}
p {{ margin: .25rem 0 1.25rem; color: var(--muted); }}
p[role=alert] {{ color: var(--wrong); font-weight: 600; }}
label {{ display: block; margin: 1rem 0 .25rem; font-weight: 600; font-size: .9rem; }}
input {{ width: 100%; padding: .6rem .7rem; font: inherit; color: inherit; background: var(--back);
  border: 1px solid var(--line); border-radius: .5rem; }}
button {{ width: 100%; margin-top: 1.5rem; padding: .7rem; font: inherit; font-weight: 600;
  color: #fff; background: #1f5fd6; border: 0; border-radius: .5rem; cursor: pointer; }}
form a {{ display: block; margin-top: 1rem; text-align: center; color: var(--accent); }}
:focus-visible {{ outline: 2px solid var(--accent); outline-offset: 2px; }}
</style>
</head>
<body>
<form method="post" action="{action}">
<h1>CRM desk</h1>
<p>Sign in to see which CRM feeds your bot.</p>
{error}
<label for="username">User name</label>
<input id="username" name="username" value="{name}" autocomplete="username" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button type="submit">Sign in</button>
{other}
</form>
</body>
</html>
"""
