"""One user at the desk: who they are, and what is noted of what they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.security.roles import Permission, User

if TYPE_CHECKING:
    from core.desk import Desk


class ActingUser:
    """One user at the desk. ``origin`` is where they are: an address, or ``dashboard``."""

    def __init__(self, desk: Desk, user: User, origin: str) -> None:
        self._desk = desk
        self.user = user
        self._origin = origin

    @property
    def reading(self) -> Desk:
        """The desk, for reading. Raises NotAllowed."""
        self.user.require(Permission.READ)
        return self._desk

    def may(self, permission: Permission) -> bool:
        """Whether the user may do such things."""
        return self.user.may(permission)

    def _note(
        self,
        action: str,
        subject: str,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        self._desk.audit.write(self.user, self._origin, action, subject, before=before, after=after)
