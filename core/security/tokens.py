"""Service tokens: what scripts and the bot are known by. And how any token is stored: hashed."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Iterable

from core.errors import Conflict, InvalidRequest, NotFound, NotSignedIn
from core.security.roles import TOKEN_SCOPES, Permission, User
from core.store import Database, Document, insert

TOKEN_PREFIX = "crm_"  # noqa: S105  (how a service token starts)
NAME = re.compile(r"[^\s/\\][^\x00-\x1f\x7f/\\]{0,63}")
"""What accounts and tokens can be called."""


class ServiceTokens:
    """The service tokens of all companies (collection ``tokens``)."""

    def __init__(self, database: Database) -> None:
        self._tokens = database["tokens"]

    def create(
        self,
        company_id: str,
        name: str,
        scopes: Iterable[Permission],
        *,
        days: float,
        created_by: str,
    ) -> str:
        """A new service token, shown this once. Raises InvalidRequest, Conflict (name)."""
        granted = sorted({Permission(scope) for scope in scopes})
        if not NAME.fullmatch(name):
            raise InvalidRequest("name", "A token's name has 1 to 64 characters.")
        if not granted or not set(granted) <= set(TOKEN_SCOPES):
            raise InvalidRequest("scopes", "A token needs one or more of: read, search, write.")
        if not 0 < days <= 3650:
            raise InvalidRequest("days", "A token lasts for more than 0 and at most 3650 days.")
        if self._tokens.find_one({"company_id": company_id, "name": name}):
            raise Conflict(f"There is a token {name} already.", action="Choose another name.")
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        now = time.time()
        insert(
            self._tokens,
            {
                "_id": token_hash(token),
                "company_id": company_id,
                "name": name,
                "scopes": [scope.value for scope in granted],
                "created_by": created_by,
                "created_at": now,
                "expires_at": now + days * 86400,
                "last_used_at": None,
            },
        )
        return token

    def all(self, company_id: str) -> list[Document]:
        """The company's service tokens, by name, without anything to use them by."""
        found = self._tokens.find({"company_id": company_id}, {"_id": 0})
        return sorted(found, key=lambda token: str(token["name"]).lower())

    def revoke(self, company_id: str, name: str) -> None:
        """End a service token. Raises NotFound."""
        query = {"company_id": company_id, "name": name}
        if not self._tokens.delete_many(query).deleted_count:
            raise NotFound(f"There is no token {name}.", action="GET /api/tokens lists them.")

    def user_of(self, token: str) -> User:
        """Whose token this is. Raises NotSignedIn: unknown, revoked or over."""
        found = self._tokens.find_one({"_id": token_hash(token)})
        now = time.time()
        if found is None or found["expires_at"] <= now:
            raise NotSignedIn(
                "This service token is unknown, revoked or expired.",
                action="An administrator makes a new one under Settings.",
            )
        # A day's precision is enough, and spares a write with every call.
        if now - (found["last_used_at"] or 0.0) > 3600:
            self._tokens.update_one({"_id": found["_id"]}, {"$set": {"last_used_at": now}})
        scopes = {Permission(scope) for scope in found["scopes"]}
        if Permission.OPERATE in scopes:
            # Whoever changes links is told what became of them.
            scopes.add(Permission.READ)
        return User(f"token:{found['name']}", None, found["company_id"], frozenset(scopes))


def token_hash(token: str) -> str:
    """What a token is stored and looked up by."""
    # Tokens have 256 random bits: a plain hash can't be turned back, and is quick to look up.
    return hashlib.sha256(token.encode()).hexdigest()
