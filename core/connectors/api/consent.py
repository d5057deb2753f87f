"""A person grants a link access to a CRM (OAuth 2.0, authorization code flow with PKCE).

``begin`` gives the CRM's page to send the person to; ``finish`` turns what they bring back into
tokens. What is under way is in the collection ``oauth_states``: a state works once, for ten
minutes, for the person and the link that it was made for.
"""

from __future__ import annotations

import hashlib
import secrets
import time

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from core.connectors.api.auth import grant_of
from core.connectors.api.oauth import Tokens
from core.connectors.interface import Context
from core.errors import AuthorizationRefused, InvalidRequest
from core.models import CrmLink
from core.store import insert

MINUTES = 10


def begin(link: CrmLink, username: str, redirect_uri: str, context: Context) -> str:
    """The address to send the person to. Raises InvalidRequest when the link needs no consent."""
    if link.options.get("auth") != "oauth2" or not link.options.get("authorize_url"):
        raise InvalidRequest(
            "link_id",
            f"{link.name} needs nobody's consent.",
            action="Enter the address of the CRM's consent page in the link's form.",
        )
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    states = context.database["oauth_states"]
    states.delete_many({"ends_at": {"$lt": time.time()}})
    insert(
        states,
        {
            "_id": _hashed(state),
            "link_id": link.link_id,
            "username": username,
            "verifier": context.box.seal(verifier),
            "ends_at": time.time() + MINUTES * 60,
        },
    )
    uri: str = prepare_grant_uri(
        str(link.options["authorize_url"]),
        client_id=str(link.options["client_id"]),
        response_type="code",
        redirect_uri=redirect_uri,
        scope=link.options.get("scope"),
        state=state,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
    )
    return uri


def link_of_state(state: str, username: str, context: Context) -> tuple[str, str]:
    """The link that a state is for, and its verifier; it is used up. Raises AuthorizationRefused.

    The lookup takes it away, so that a second use finds nothing.
    """
    states = context.database["oauth_states"]
    found = states.find_one({"_id": _hashed(state)})
    is_first = bool(found) and states.delete_many({"_id": _hashed(state)}).deleted_count == 1
    if not found or not is_first or found["ends_at"] < time.time() or found["username"] != username:
        raise AuthorizationRefused(
            "This consent was not asked for here, or it took too long.",
            action="Open the link's form and press Connect again.",
        )
    return str(found["link_id"]), context.box.open(found["verifier"])


def finish(link: CrmLink, code: str, verifier: str, redirect_uri: str, context: Context) -> None:
    """Get the tokens that the consent is good for. Raises AuthorizationRefused, FetchError."""
    Tokens(context).redeem(grant_of(link, context), code, redirect_uri, verifier)


def is_granted(link: CrmLink, context: Context) -> bool:
    """Whether somebody has consented, as far as is known."""
    return Tokens(context).is_granted(grant_of(link, context))


def _hashed(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
