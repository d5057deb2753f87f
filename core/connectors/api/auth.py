"""What proves to a REST API who asks: headers and parameters made from a link's options."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from core.connectors.api.oauth import Grant, Tokens
from core.connectors.interface import Context, opened
from core.models import CrmLink


@dataclass(frozen=True)
class Access:
    """Headers and query parameters; ``renew`` forgets a token that turned out to have ended."""

    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    renew: Callable[[], Access] | None = None


def access_of(link: CrmLink, context: Context) -> Access:
    """What the link's requests carry. Raises FetchError when no token is to be had."""
    kind = link.options.get("auth") or "bearer"
    if kind == "oauth2":
        return _oauth2(link, context)
    key = context.box.open(link.api_key) if link.api_key else ""
    if kind == "basic":
        pair = f"{link.options.get('username') or ''}:{key}".encode()
        return Access({"Authorization": "Basic " + base64.b64encode(pair).decode()})
    if not key:
        return Access()
    if kind == "query":
        return Access(params={str(link.options["key_param"]): key})
    return Access({"Authorization": f"Bearer {key}"})


def grant_of(link: CrmLink, context: Context) -> Grant:
    """How the link's token is asked for."""
    options = link.options
    return Grant(
        link_id=link.link_id,
        token_url=str(options["token_url"]),
        client_id=str(options["client_id"]),
        client_secret=opened(link, "client_secret", context.box) or "",
        scope=options.get("scope"),
        refresh_token=opened(link, "refresh_token", context.box),
        by_person=bool(options.get("authorize_url")),
        in_body=options.get("token_auth") == "body",
    )


def _oauth2(link: CrmLink, context: Context) -> Access:
    tokens, grant = Tokens(context), grant_of(link, context)

    def with_token(token: str) -> Access:
        def renew() -> Access:
            tokens.forget(grant, token)
            return with_token(tokens.token(grant))

        return Access({"Authorization": f"Bearer {token}"}, renew=renew)

    return with_token(tokens.token(grant))
