"""OAuth 2.0 tokens (RFC 6749; collection ``oauth_tokens``): got once, kept encrypted, shared.

However many runs need a token at once, one asks for it and the others wait for that one's: a
second refresh with a refresh token that rotates would void the first.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

from authlib.common.urls import add_params_to_qs
from authlib.oauth2.auth import encode_client_secret_basic
from authlib.oauth2.rfc6749.parameters import prepare_token_request
from pymongo.errors import DuplicateKeyError

from core.connectors.http import Answer, GuardedSession
from core.connectors.interface import Context
from core.errors import AuthorizationRefused, ServerFailed
from core.store import Database, insert

# Used no longer than until so many seconds before it ends: a request takes its time, too.
LEEWAY = 60.0
# Of a token whose lifetime is not told.
USUAL_SECONDS = 3600.0
# Asking takes no longer; a process that died while asking does not block the others.
BUSY_SECONDS = 45.0
MAX_BYTES = 256 * 1024


@dataclass(frozen=True)
class Grant:
    """What a token is asked for with. ``by_person``: a person grants it in the browser."""

    link_id: str
    token_url: str
    client_id: str
    client_secret: str
    scope: str | None
    refresh_token: str | None
    by_person: bool
    in_body: bool = False
    """Whether id and secret go into the body, as some CRMs want it, and not into a header."""

    @property
    def key(self) -> str:
        """Links with the same client share a token; what a person granted belongs to one link."""
        own = self.link_id if self.by_person else ""
        parts = (self.token_url, self.client_id, self.client_secret, self.scope or "")
        whole = json.dumps([*parts, self.refresh_token or "", own])
        return hashlib.sha256(whole.encode()).hexdigest()


def forget_link(database: Database, link_id: str) -> None:
    """Drop the tokens that were got for a link which is gone; others of its client ask anew."""
    database["oauth_tokens"].delete_many({"link_id": link_id})
    database["oauth_states"].delete_many({"link_id": link_id})


class Tokens:
    """The tokens that the links of this installation have."""

    def __init__(self, context: Context) -> None:
        self._tokens = context.database["oauth_tokens"]
        self._context = context

    def token(self, grant: Grant) -> str:
        """A token that is good for a while. Raises AuthorizationRefused, FetchError."""
        while True:
            stored = self._tokens.find_one({"_id": grant.key}) or self._new(grant)
            if _is_good(stored):
                return self._context.box.open(stored["access"])
            now = time.time()
            mine = self._tokens.find_one_and_update(
                {"_id": grant.key, "busy_until": {"$lte": now}},
                {"$set": {"busy_until": now + BUSY_SECONDS}},
            )
            if mine is None:
                self._context.watch.wait(0.1)
                continue
            try:
                if _is_good(mine):  # somebody got it between the look and the claim
                    return self._context.box.open(mine["access"])
                return self._ask(grant, mine)
            finally:
                self._tokens.update_one({"_id": grant.key}, {"$set": {"busy_until": 0.0}})

    def forget(self, grant: Grant, token: str) -> None:
        """``token`` was refused: the next one is asked for, unless somebody has done so already."""
        stored = self._tokens.find_one({"_id": grant.key})
        if stored and stored.get("access") and self._context.box.open(stored["access"]) == token:
            self._tokens.update_one(
                {"_id": grant.key, "access": stored["access"]}, {"$set": {"expires_at": 0.0}}
            )

    def redeem(self, grant: Grant, code: str, redirect_uri: str, verifier: str) -> None:
        """Turn the code that a person's consent gave into tokens. Raises as ``token`` does."""
        if self._tokens.find_one({"_id": grant.key}) is None:
            self._new(grant)
        body = prepare_token_request(
            "authorization_code", code=code, redirect_uri=redirect_uri, code_verifier=verifier
        )
        self._store(grant, self._request(grant, body))

    def is_granted(self, grant: Grant) -> bool:
        """Whether a person has consented already."""
        stored = self._tokens.find_one({"_id": grant.key})
        return bool(stored and (stored.get("refresh") or stored.get("access")))

    def _new(self, grant: Grant) -> dict[str, Any]:
        stored = {"_id": grant.key, "busy_until": 0.0, "expires_at": 0.0, "link_id": grant.link_id}
        try:
            insert(self._tokens, dict(stored))
        except DuplicateKeyError:
            return self._tokens.find_one({"_id": grant.key}) or stored
        return stored

    def _ask(self, grant: Grant, stored: dict[str, Any]) -> str:
        refresh = grant.refresh_token
        if stored.get("refresh"):
            refresh = self._context.box.open(stored["refresh"])
        if refresh:
            body = prepare_token_request("refresh_token", refresh_token=refresh)
        elif grant.by_person:
            raise AuthorizationRefused(
                "Nobody has granted the access yet.",
                action="Open the link's form and press Connect, or enter a refresh token.",
            )
        else:
            body = prepare_token_request("client_credentials", scope=grant.scope or "")
        return self._store(grant, self._request(grant, body))

    def _request(self, grant: Grant, body: str) -> dict[str, Any]:
        headers = {
            "Accept": "application/json",
            "User-Agent": "crm-desk",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        if grant.client_secret and not grant.in_body:
            _, headers, body = encode_client_secret_basic(
                grant, "POST", grant.token_url, headers, body
            )
        else:
            own = [("client_id", grant.client_id), ("client_secret", grant.client_secret)]
            body = add_params_to_qs(body, [(name, value) for name, value in own if value])
        session = GuardedSession(self._context.guard, self._context.watch)
        try:
            answer = session.send(
                "POST", grant.token_url, headers, body=body.encode(), max_bytes=MAX_BYTES
            )
        finally:
            session.close()
        return _token_in(answer)

    def _store(self, grant: Grant, token: dict[str, Any]) -> str:
        access = str(token["access_token"])
        try:
            lifetime = float(token.get("expires_in") or USUAL_SECONDS)
        except (TypeError, ValueError):
            lifetime = USUAL_SECONDS
        fields: dict[str, Any] = {
            "access": self._context.box.seal(access),
            "expires_at": time.time() + max(lifetime, LEEWAY + 1),
        }
        if token.get("refresh_token"):
            fields["refresh"] = self._context.box.seal(str(token["refresh_token"]))
        self._tokens.update_one({"_id": grant.key}, {"$set": fields})
        return access


def _is_good(stored: dict[str, Any]) -> bool:
    return bool(stored.get("access")) and stored["expires_at"] - LEEWAY > time.time()


def _token_in(answer: Answer) -> dict[str, Any]:
    if answer.status >= 500 or answer.status == 429:
        raise ServerFailed(
            f"The token address answered {answer.status}.",
            action="The CRM has a problem of its own; it is tried again.",
        )
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    said = said if isinstance(said, dict) else {}
    if answer.status >= 400 or not isinstance(said.get("access_token"), str):
        # RFC 6749, 5.2: a short word. Anything else may hold what was sent, secret included.
        word = said.get("error")
        why = f": {word}" if isinstance(word, str) and word.isascii() and len(word) < 60 else ""
        raise AuthorizationRefused(
            f"The CRM gives no token ({answer.status}{why}).",
            action="Check the client's id and secret; if a person granted the access, it was "
            "taken back or has ended: connect again.",
        )
    return said
