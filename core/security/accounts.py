"""Accounts, passwords and sessions."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pymongo.errors import DuplicateKeyError

from core.errors import NotAllowed, NotSignedIn
from core.store import Database

DEFAULT_COMPANY = "company-001"


class Role(StrEnum):
    """What an account may do; each role includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Whether this role may do what ``other`` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True)
class User:
    """Who is asking."""

    username: str
    role: Role
    company_id: str

    def require(self, role: Role) -> None:
        """Raise NotAllowed unless the account's role includes ``role``."""
        if not self.role.includes(role):
            raise NotAllowed(
                f"This needs the role {role.value}; {self.username} is {self.role.value}.",
                action="Ask an administrator of your desk.",
            )


@dataclass(frozen=True)
class Session:
    """A fresh session: the token is shown to its owner once and stored hashed."""

    token: str
    expires_at: datetime
    user: User


class Accounts:
    """Accounts (collection ``accounts``) and their sessions (collection ``sessions``)."""

    def __init__(self, database: Database, session_hours: float) -> None:
        self._accounts = database["accounts"]
        self._sessions = database["sessions"]
        self._session_seconds = session_hours * 3600
        # OWASP's and RFC 9106's low-memory profile: 3 passes over 64 MiB, about 50 ms.
        self._hasher = PasswordHasher()
        # Verified when the account is unknown, so that both wrong cases take as long.
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))

    def ensure_admin(
        self, username: str, password: str | None, announce: Callable[[str, str], None]
    ) -> None:
        """Create the first administrator if there are no accounts at all.

        Without ``password`` one is generated and handed to ``announce(username, password)``,
        which is the only time it can be read.
        """
        if self._accounts.find_one({}, {"_id": 1}) is not None:
            return
        chosen = password or secrets.token_urlsafe(12)
        try:
            self._accounts.insert_one(
                {
                    "_id": username,
                    "password_hash": self._hasher.hash(chosen),
                    "role": Role.ADMIN.value,
                    "company_id": DEFAULT_COMPANY,
                    "created_at": datetime.now(UTC),
                }
            )
        except DuplicateKeyError:
            return  # another process was first
        if password is None:
            announce(username, chosen)

    def sign_in(self, username: str, password: str) -> Session:
        """A new session. Raises NotSignedIn, alike for an unknown user and a wrong password."""
        account = self._accounts.find_one({"_id": username})
        stored = account["password_hash"] if account else self._nobody
        try:
            self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            account = None
        if account is None:
            raise NotSignedIn(
                "User name or password is wrong.",
                action="Check both; an administrator can set a new password.",
            )
        user = User(account["_id"], Role(account["role"]), account["company_id"])
        now = time.time()
        self._sessions.delete_many({"expires_at": {"$lte": now}})
        token = secrets.token_urlsafe(32)
        expires = now + self._session_seconds
        self._sessions.insert_one(
            {"_id": _token_hash(token), "username": user.username, "expires_at": expires}
        )
        return Session(token, datetime.fromtimestamp(expires, UTC), user)

    def user_of(self, token: str | None) -> User:
        """Whose session ``token`` is. Raises NotSignedIn when it is missing, unknown or over."""
        session = self._sessions.find_one({"_id": _token_hash(token)}) if token else None
        if session is None or session["expires_at"] <= time.time():
            raise NotSignedIn(
                "You are not signed in, or your session is over.",
                action="Sign in; scripts get a token from POST /api/auth/login and send it as "
                "'Authorization: Bearer <token>'.",
            )
        account = self._accounts.find_one({"_id": session["username"]})
        if account is None:
            raise NotSignedIn("The account is gone.", action="Ask an administrator.")
        return User(account["_id"], Role(account["role"]), account["company_id"])

    def sign_out(self, token: str | None) -> None:
        """End the session; unknown tokens are fine."""
        if token:
            self._sessions.delete_many({"_id": _token_hash(token)})


def _token_hash(token: str) -> str:
    # Tokens have 256 random bits: a plain hash can't be turned back, and is quick to look up.
    return hashlib.sha256(token.encode()).hexdigest()
