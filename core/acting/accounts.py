"""What a person or a script may do with accounts and tokens."""

from __future__ import annotations

from collections.abc import Iterable

from core.acting.user import ActingUser
from core.errors import InvalidRequest
from core.security.roles import Permission, Role
from core.store import Document


class AccountActions(ActingUser):
    """Accounts, sessions and tokens."""

    def accounts(self) -> list[Document]:
        """The company's accounts."""
        self.user.require(Permission.ADMINISTER)
        return self._desk.accounts.all(self.user.company_id)

    def create_account(self, username: str, password: str, role: Role) -> None:
        """Add an account."""
        self.user.require(Permission.ADMINISTER)
        self._desk.accounts.create(self.user.company_id, username, password, role)
        self._note("account.add", username, after={"role": role.value})

    def set_role(self, username: str, role: Role) -> None:
        """Give an account another role."""
        self.user.require(Permission.ADMINISTER)
        before = self._desk.accounts.set_role(self.user.company_id, username, role)
        self._note(
            "account.role", username, before={"role": before.value}, after={"role": role.value}
        )

    def set_password(self, username: str, password: str) -> None:
        """Set someone's password; they are signed out everywhere."""
        self.user.require(Permission.ADMINISTER)
        self._desk.accounts.set_password(self.user.company_id, username, password)
        self._note("account.password", username)

    def change_own_password(self, current: str, password: str) -> None:
        """Change one's own password; all own sessions end, this one too."""
        if self.user.role is None:
            raise InvalidRequest("password", "A service token has no password.")
        self._desk.accounts.verify(self.user.username, current)
        self._desk.accounts.set_password(self.user.company_id, self.user.username, password)
        self._note("account.own_password", self.user.username)

    def end_own_sessions(self) -> None:
        """Sign oneself out everywhere."""
        self._desk.accounts.end_sessions(self.user.username)
        self._note("account.sign_out_everywhere", self.user.username)

    def delete_account(self, username: str) -> None:
        """Delete an account."""
        self.user.require(Permission.ADMINISTER)
        self._desk.accounts.delete(self.user.company_id, username)
        self._note("account.delete", username)

    def tokens(self) -> list[Document]:
        """The company's service tokens, without anything to use them by."""
        self.user.require(Permission.ADMINISTER)
        return self._desk.tokens.all(self.user.company_id)

    def create_token(self, name: str, scopes: Iterable[Permission], days: float) -> str:
        """A new service token, shown this once."""
        self.user.require(Permission.ADMINISTER)
        granted = list(scopes)
        token = self._desk.tokens.create(
            self.user.company_id, name, granted, days=days, created_by=self.user.username
        )
        self._note("token.add", name, after={"scopes": [s.value for s in granted], "days": days})
        return token

    def revoke_token(self, name: str) -> None:
        """End a service token."""
        self.user.require(Permission.ADMINISTER)
        self._desk.tokens.revoke(self.user.company_id, name)
        self._note("token.revoke", name)
