"""Accounts, passwords, sessions and service tokens."""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pymongo.errors import DuplicateKeyError

from core.errors import Conflict, InvalidRequest, NotAllowed, NotFound, NotSignedIn
from core.security.throttle import LoginThrottle
from core.store import Database, Document, insert

DEFAULT_COMPANY = "company-001"
TOKEN_PREFIX = "crm_"  # noqa: S105  (how a service token starts)
# NIST SP 800-63B asks for length, not for kinds of characters.
MIN_PASSWORD = 10
_USERNAME = re.compile(r"[^\s/\\][^\x00-\x1f\x7f/\\]{0,63}")


class Permission(StrEnum):
    """What one may do."""

    READ = "read"
    """See links, runs, text, settings."""
    SEARCH = "search"
    """Ask questions, as the bot does."""
    OPERATE = "write"
    """Change links, start syncs, decide on held runs."""
    ADMINISTER = "administer"
    """Accounts, tokens, redaction, configuration."""


class Role(StrEnum):
    """What an account may do; each role includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Whether this role may do what ``other`` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)

    @property
    def permissions(self) -> frozenset[Permission]:
        """What an account of this role may do."""
        granted = {Permission.READ, Permission.SEARCH}
        if self.includes(Role.OPERATOR):
            granted.add(Permission.OPERATE)
        if self.includes(Role.ADMIN):
            granted.add(Permission.ADMINISTER)
        return frozenset(granted)


TOKEN_SCOPES = (Permission.READ, Permission.SEARCH, Permission.OPERATE)
"""What a service token can be made for; writing includes reading, none administers."""

_NEEDS = {
    Permission.READ: "to read the desk",
    Permission.SEARCH: "to search and reply",
    Permission.OPERATE: "the role operator, or a token with the scope write",
    Permission.ADMINISTER: "the role admin",
}


@dataclass(frozen=True)
class User:
    """Who is asking: an account, or a service token (``role`` is None then)."""

    username: str
    role: Role | None
    company_id: str
    permissions: frozenset[Permission]

    def may(self, permission: Permission) -> bool:
        """Whether this is permitted."""
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise NotAllowed unless this is permitted."""
        if not self.may(permission):
            is_now = self.role.value if self.role else "a token with other scopes"
            raise NotAllowed(
                f"This needs {_NEEDS[permission]}; {self.username} is {is_now}.",
                action="Ask an administrator of your desk.",
            )


@dataclass(frozen=True)
class Session:
    """A fresh session: the token is shown to its owner once and stored hashed."""

    token: str
    expires_at: datetime
    user: User


class Accounts:
    """Accounts, their sessions, and service tokens (collections of these names)."""

    def __init__(self, database: Database, session_hours: float) -> None:
        self._accounts = database["accounts"]
        self._sessions = database["sessions"]
        self._tokens = database["tokens"]
        self._session_seconds = session_hours * 3600
        self._throttle = LoginThrottle(database)
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
            self._insert(DEFAULT_COMPANY, username, chosen, Role.ADMIN)
        except DuplicateKeyError:
            return  # another process was first
        if password is None:
            announce(username, chosen)

    def all(self, company_id: str) -> list[Document]:
        """The company's accounts, without their password hashes, by name."""
        fields = {"_id": 1, "role": 1, "created_at": 1, "last_sign_in_at": 1}
        found = self._accounts.find({"company_id": company_id}, fields)
        return sorted(found, key=lambda account: str(account["_id"]).lower())

    def create(self, company_id: str, username: str, password: str, role: Role) -> None:
        """Add an account. Raises InvalidRequest, Conflict when the name is taken."""
        if not _USERNAME.fullmatch(username) or username.startswith("token:"):
            raise InvalidRequest(
                "username", "A user name has 1 to 64 characters, without / or line breaks."
            )
        _check_password(password)
        try:
            self._insert(company_id, username, password, role)
        except DuplicateKeyError:
            raise Conflict(
                f"There is an account {username} already.", action="Choose another name."
            ) from None

    def set_role(self, company_id: str, username: str, role: Role) -> Role:
        """Give an account another role; the one before. Raises NotFound, Conflict (last admin)."""
        account = self._account(company_id, username)
        if role is not Role.ADMIN:
            self._keep_an_admin(company_id, username)
        self._accounts.update_one({"_id": username}, {"$set": {"role": role.value}})
        return Role(account["role"])

    def set_password(self, company_id: str, username: str, password: str) -> None:
        """Set a new password; all sessions of the account end. Raises NotFound, InvalidRequest."""
        self._account(company_id, username)
        _check_password(password)
        hashed = self._hasher.hash(password)
        self._accounts.update_one({"_id": username}, {"$set": {"password_hash": hashed}})
        self.end_sessions(username)

    def verify(self, username: str, password: str) -> None:
        """Raise InvalidRequest unless that is the account's password."""
        account = self._accounts.find_one({"_id": username})
        try:
            stored = (account and account["password_hash"]) or self._nobody
            self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            raise InvalidRequest(
                "current_password", "The current password is wrong.", action="Type it again."
            ) from None

    def delete(self, company_id: str, username: str) -> None:
        """Delete an account; its sessions end. Raises NotFound, Conflict (last admin)."""
        self._account(company_id, username)
        self._keep_an_admin(company_id, username)
        self._accounts.delete_many({"_id": username, "company_id": company_id})
        self.end_sessions(username)

    def end_sessions(self, username: str) -> None:
        """Sign the account out everywhere."""
        self._sessions.delete_many({"username": username})

    def sign_in(self, username: str, password: str, address: str) -> Session:
        """A new session for somebody at ``address``.

        Raises NotSignedIn, alike for an unknown user and a wrong password, and TooManyAttempts,
        alike for both too.
        """
        self._throttle.check(username, address)
        account = self._accounts.find_one({"_id": username})
        stored = (account and account["password_hash"]) or self._nobody
        try:
            self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            account = None
        if account is None:
            self._throttle.failed(username, address)
            raise NotSignedIn(
                "User name or password is wrong.",
                action="Check both; an administrator can set a new password.",
            )
        self._throttle.succeeded(username)
        return self._session(account)

    def sign_in_as(self, company_id: str, username: str, role: Role) -> Session:
        """A new session for someone whom an identity provider vouches for.

        The account is made when there is none, without a password, and has the role that the
        provider gives. Raises NotSignedIn when another company has an account of that name.
        """
        account = self._accounts.find_one({"_id": username})
        if account is None:
            with contextlib.suppress(DuplicateKeyError):
                self._insert(company_id, username, None, role)
        elif account["company_id"] != company_id:
            raise NotSignedIn("This account belongs elsewhere.", action="Ask an administrator.")
        else:
            self._accounts.update_one({"_id": username}, {"$set": {"role": role.value}})
        account = self._accounts.find_one({"_id": username})
        assert account is not None
        return self._session(account)

    def _session(self, account: Document) -> Session:
        user = _user(account)
        username = user.username
        now = time.time()
        self._sessions.delete_many({"expires_at": {"$lte": now}})
        self._accounts.update_one({"_id": username}, {"$set": {"last_sign_in_at": now}})
        token = secrets.token_urlsafe(32)
        expires = now + self._session_seconds
        insert(
            self._sessions,
            {"_id": _token_hash(token), "username": user.username, "expires_at": expires},
        )
        return Session(token, datetime.fromtimestamp(expires, UTC), user)

    def user_of(self, token: str | None) -> User:
        """Whose session or service token this is. Raises NotSignedIn: missing, unknown or over."""
        if token and token.startswith(TOKEN_PREFIX):
            return self._user_of_service_token(token)
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
        return _user(account)

    def sign_out(self, token: str | None) -> None:
        """End the session; unknown tokens are fine."""
        if token:
            self._sessions.delete_many({"_id": _token_hash(token)})

    def create_token(
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
        if not _USERNAME.fullmatch(name):
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
                "_id": _token_hash(token),
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

    def tokens(self, company_id: str) -> list[Document]:
        """The company's service tokens, by name, without anything to use them by."""
        found = self._tokens.find({"company_id": company_id}, {"_id": 0})
        return sorted(found, key=lambda token: str(token["name"]).lower())

    def revoke_token(self, company_id: str, name: str) -> None:
        """End a service token. Raises NotFound."""
        query = {"company_id": company_id, "name": name}
        if not self._tokens.delete_many(query).deleted_count:
            raise NotFound(f"There is no token {name}.", action="GET /api/tokens lists them.")

    def _user_of_service_token(self, token: str) -> User:
        found = self._tokens.find_one({"_id": _token_hash(token)})
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

    def _insert(self, company_id: str, username: str, password: str | None, role: Role) -> None:
        insert(
            self._accounts,
            {
                "_id": username,
                "password_hash": self._hasher.hash(password) if password else None,
                "role": role.value,
                "company_id": company_id,
                "created_at": datetime.now(UTC),
            },
        )

    def _account(self, company_id: str, username: str) -> Document:
        account = self._accounts.find_one({"_id": username, "company_id": company_id})
        if account is None:
            raise NotFound(
                f"There is no account {username}.", action="GET /api/accounts lists them."
            )
        return account

    def _keep_an_admin(self, company_id: str, username: str) -> None:
        admins = self._accounts.find({"company_id": company_id, "role": Role.ADMIN.value})
        if {account["_id"] for account in admins} == {username}:
            raise Conflict(
                f"{username} is the only administrator.",
                action="Make someone else an administrator first.",
            )


def _user(account: Document) -> User:
    role = Role(account["role"])
    return User(account["_id"], role, account["company_id"], role.permissions)


def _check_password(password: str) -> None:
    if not MIN_PASSWORD <= len(password) <= 1000:
        raise InvalidRequest(
            "password", f"A password has at least {MIN_PASSWORD} characters, at most 1000."
        )


def _token_hash(token: str) -> str:
    # Tokens have 256 random bits: a plain hash can't be turned back, and is quick to look up.
    return hashlib.sha256(token.encode()).hexdigest()
