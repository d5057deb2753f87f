"""Accounts, passwords and sessions."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pymongo.errors import DuplicateKeyError

from core.errors import Conflict, InvalidRequest, NotFound, NotSignedIn
from core.security.roles import Role, User
from core.security.throttle import LoginThrottle
from core.security.tokens import NAME, TOKEN_PREFIX, ServiceTokens, token_hash
from core.store import Database, Document, insert

DEFAULT_COMPANY = "company-001"
# NIST SP 800-63B asks for length, not for kinds of characters.
MIN_PASSWORD = 10


@dataclass(frozen=True)
class Session:
    """A fresh session: the token is shown to its owner once and stored hashed."""

    token: str
    expires_at: datetime
    user: User


class Accounts:
    """Accounts and their sessions (collections of these names)."""

    def __init__(self, database: Database, session_hours: float, tokens: ServiceTokens) -> None:
        self._accounts = database["accounts"]
        self._sessions = database["sessions"]
        self._tokens = tokens
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
        if not NAME.fullmatch(username) or username.startswith("token:"):
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
            {"_id": token_hash(token), "username": user.username, "expires_at": expires},
        )
        return Session(token, datetime.fromtimestamp(expires, UTC), user)

    def user_of(self, token: str | None) -> User:
        """Whose session or service token this is. Raises NotSignedIn: missing, unknown or over."""
        if token and token.startswith(TOKEN_PREFIX):
            return self._tokens.user_of(token)
        session = self._sessions.find_one({"_id": token_hash(token)}) if token else None
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
            self._sessions.delete_many({"_id": token_hash(token)})

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
