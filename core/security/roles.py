"""What who is asking may do: roles of accounts, scopes of service tokens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.errors import NotAllowed


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
