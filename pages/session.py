"""Who is looking at the page, and what may be shown of the data."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import streamlit as st

from core.api.door import COOKIE
from core.desk import Desk, get_desk
from core.errors import DeskError, NotSignedIn
from core.security.accounts import Role, User


def signed_in() -> tuple[Desk, User]:
    """The desk and the user; without a session the browser is sent to the login.

    Called at each rerun, of a page and of each of its fragments: the page's WebSocket outlives a
    logout.
    """
    desk = get_desk()
    try:
        return desk, desk.accounts.user_of(st.context.cookies.get(COOKIE))
    except NotSignedIn:
        st.logout()
        st.stop()


def may_change(user: User) -> bool:
    """Whether the user may change links and start syncs."""
    return user.role.includes(Role.OPERATOR)


def plain(text: str) -> str:
    """``text`` for a place that renders Markdown, shown as it is."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))


def plain_badge(text: str) -> str:
    """``text`` for a badge, which escapes square brackets by itself."""
    return plain(text).replace("\\[", "[").replace("\\]", "]")


def show_error(error: DeskError) -> None:
    """An error in the operator's words."""
    st.error(plain(str(error)), icon=":material/error:")


def ago(seconds: float | None) -> str:
    """A moment (seconds since 1970) as people say it."""
    if not seconds:
        return "never"
    distance = datetime.now(UTC).timestamp() - seconds
    words = _span(abs(distance))
    if abs(distance) < 2:
        return "now"
    return f"{words} ago" if distance > 0 else f"in {words}"


def _span(seconds: float) -> str:
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return f"{int(seconds)} s"
