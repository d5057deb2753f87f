"""Signing in with OpenID Connect (Authorization Code flow with PKCE), at the same door.

The provider vouches for who somebody is; what they may do is their role here, from the groups that
the provider names and ``OIDC_ROLES`` maps. Without a mapped group nobody gets in.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from authlib.integrations.starlette_client import OAuth
from httpx import HTTPError
from joserfc.errors import JoseError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.desk import Desk
from core.errors import NotSignedIn
from core.security.accounts import DEFAULT_COMPANY, Session
from core.security.installation import hash_key
from core.security.roles import Role
from core.settings import Settings

PATH = "/login/oidc"
CALLBACK = "/login/oidc/callback"

log = structlog.get_logger()


class OidcRefused(Exception):
    """The sign-in came to nothing; the message is for the person who tried."""


def oidc_app(
    desk: Desk,
    letting_in: Callable[[Request, Session, str], Response],
    turning_away: Callable[[str], Response],
) -> Starlette:
    """The two addresses of the flow.

    ``letting_in(request, session, wanted)`` and ``turning_away(words)`` make the answers.
    """
    settings = desk.settings
    secret = settings.oidc_client_secret
    oauth = OAuth()
    oauth.register(
        name="desk",
        client_id=settings.oidc_client_id,
        client_secret=secret.get_secret_value() if secret else None,
        server_metadata_url=f"{str(settings.oidc_issuer).rstrip('/')}"
        "/.well-known/openid-configuration",
        client_kwargs={
            "scope": settings.oidc_scopes,
            "code_challenge_method": "S256",
            "trust_env": False,
            "timeout": 15,
        },
    )

    async def start(request: Request) -> Response:
        request.session["wanted"] = request.query_params.get("next", "/")
        try:
            answer: Response = await oauth.desk.authorize_redirect(
                request, _callback_url(settings, request)
            )
        except (HTTPError, OSError, ValueError) as error:
            log.error("The identity provider does not answer", error=type(error).__name__)
            return turning_away("The identity provider does not answer. Try again shortly.")
        return answer

    async def callback(request: Request) -> Response:
        wanted = str(request.session.pop("wanted", "/"))
        try:
            token = await oauth.desk.authorize_access_token(request)
            session = await run_in_threadpool(_session_of, desk, token.get("userinfo") or {})
        except OidcRefused as refused:
            return turning_away(str(refused))
        except NotSignedIn as refused:
            return turning_away(refused.message)
        except Exception as error:
            # Whatever is wrong with what the provider, or somebody else, sent: nobody gets in.
            if not isinstance(error, JoseError | HTTPError | OSError | ValueError | KeyError):
                log.warning("A sign-in by OIDC failed", error=type(error).__name__)
            return turning_away("The identity provider did not confirm the sign-in. Try again.")
        answer: Response = letting_in(request, session, wanted)
        return answer

    key = hmac.digest(hash_key(desk.database, desk.box), b"oidc session", "sha256").hex()
    return Starlette(
        routes=[Route(PATH, start), Route(CALLBACK, callback)],
        middleware=[
            Middleware(
                SessionMiddleware,
                secret_key=key,
                session_cookie="crm_desk_oidc",
                max_age=600,
                same_site="lax",
            )
        ],
    )


def _session_of(desk: Desk, claims: Mapping[str, Any]) -> Session:
    settings = desk.settings
    name = claims.get(settings.oidc_username_claim)
    if not isinstance(name, str) or not name.strip() or len(name) > 64:
        raise OidcRefused("The identity provider does not say who you are.")
    if settings.oidc_username_claim == "email" and claims.get("email_verified") is False:
        raise OidcRefused("Your e-mail address is not verified there.")
    return desk.accounts.sign_in_as(DEFAULT_COMPANY, name.strip(), _role(settings, claims))


def _role(settings: Settings, claims: Mapping[str, Any]) -> Role:
    groups = claims.get(settings.oidc_groups_claim) or []
    names = {groups} if isinstance(groups, str) else {str(group) for group in groups}
    granted = [Role(role) for group, role in settings.oidc_roles.items() if group in names]
    if not granted:
        raise OidcRefused("None of your groups has a role on this desk. Ask an administrator.")
    return max(granted, key=list(Role).index)


def _callback_url(settings: Settings, request: Request) -> str:
    base = settings.public_url or str(request.base_url)
    return base.rstrip("/") + CALLBACK
