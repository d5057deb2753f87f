"""Who is looking at the page, and what may be shown of the data."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import ParamSpec
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st
import structlog
from pymongo.errors import PyMongoError

from core.acting import Acting
from core.api.access import origin_of
from core.api.door import COOKIE
from core.desk import Desk, get_desk
from core.errors import DeskError, NotSignedIn
from core.security.roles import Permission
from core.text.spreadsheet import safe_cell

P = ParamSpec("P")

log = structlog.get_logger()


def signed_in() -> Acting:
    """The desk, as far as the user may use it; without a session the browser goes to the login.

    Called at each rerun, of a page and of each of its fragments: the page's WebSocket outlives a
    logout.
    """
    desk = get_desk()
    try:
        user = desk.accounts.user_of(session_token())
    except NotSignedIn:
        st.logout()
        st.stop()
    return Acting(desk, user, origin_of(st.context.ip_address))


def session_token() -> str | None:
    """The browser's session token."""
    return st.context.cookies.get(COOKIE)


def live(seconds: float) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Makes a part of a page look again every so many seconds, its errors in plain words."""

    def refreshing(show: Callable[P, None]) -> Callable[P, None]:
        @st.fragment(run_every=seconds)
        @functools.wraps(show)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
            with plainly():
                show(*args, **kwargs)

        return guarded

    return refreshing


@contextmanager
def plainly() -> Iterator[None]:
    """Shows what goes wrong in the operator's words."""
    try:
        yield
    except DeskError as error:
        show_error(error)
    except PyMongoError as error:
        log.error("The document store failed", error=type(error).__name__)
        st.error(
            "The document store does not answer; nothing was changed. Try again shortly.",
            icon=":material/error:",
        )


def later() -> Callable[[], tuple[Acting, Desk]]:
    """For downloads, which are made when they are clicked, where no page is running any more."""
    token, origin = session_token(), origin_of(st.context.ip_address)

    def again() -> tuple[Acting, Desk]:
        desk = get_desk()
        acting = Acting(desk, desk.accounts.user_of(token), origin)
        return acting, acting.reading

    return again


def reading() -> tuple[Acting, Desk]:
    """Who is looking, and the desk to read from; see ``signed_in``."""
    acting = signed_in()
    return acting, acting.reading


def may_operate(acting: Acting) -> bool:
    """Whether the user may change links and start syncs."""
    return acting.may(Permission.OPERATE)


def may_administer(acting: Acting) -> bool:
    """Whether the user may change accounts and settings."""
    return acting.may(Permission.ADMINISTER)


def plain(text: str) -> str:
    """``text`` for a place that renders Markdown, shown as it is."""
    escaped = re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(visible(text).split()))
    # Addresses would become links even so; taken apart, they are text.
    return _LINKED.sub(r":small[\1]", escaped)


_LINKED = re.compile(r"((?<=http)\\:|(?<=https)\\:|(?<=www)\\\.|\\@)", re.I)


def plain_badge(text: str) -> str:
    """``text`` for a badge, which escapes square brackets by itself."""
    return plain(text).replace("\\[", "[").replace("\\]", "]")


# What turns the direction of the text around it, or can't be seen at all.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060-\u2069\ufeff]")


def visible(text: str) -> str:
    """``text`` with control and direction characters spelled out, so that none of them acts."""
    return _INVISIBLE.sub(lambda hit: f"\\u{ord(hit[0]):04x}", text)


def cell(text: str) -> object:
    """``text`` for a cell of a table, whose toolbar can export it to a spreadsheet."""
    return safe_cell(visible(text))


def ask(question: str, *about: str) -> None:
    """Have the page ask a question, in a dialog, until it is answered.

    Kept in the session: a dialog that hangs on a button's click alone is gone with any other rerun.
    """
    st.session_state["asking"] = (question, about)


def answered() -> None:
    """The question is answered, or was dismissed."""
    st.session_state.pop("asking", None)


def show_error(error: DeskError) -> None:
    """An error in the operator's words."""
    st.error(plain(str(error)), icon=":material/error:")


def say(text: str) -> None:
    """What an action did."""
    st.toast(plain(text), icon=":material/check:")


def say_later(text: str, *, is_error: bool = False) -> None:
    """What an action did, said after the rerun that follows it."""
    st.session_state.setdefault("said", []).append((text, is_error))


def say_what_waits() -> None:
    """Say what ``say_later`` was told."""
    for text, is_error in st.session_state.pop("said", []):
        icon = ":material/error:" if is_error else ":material/check:"
        st.toast(plain(text), icon=icon, duration="long" if is_error else "short")


def ago(seconds: float | None) -> str:
    """A moment (seconds since 1970) as people say it."""
    if not seconds:
        return "never"
    distance = datetime.now(UTC).timestamp() - seconds
    words = _span(abs(distance))
    if abs(distance) < 2:
        return "now"
    return f"{words} ago" if distance > 0 else f"in {words}"


def exact(seconds: float | None) -> str | None:
    """The moment on the viewer's clock, for a hover; None for never."""
    return f"{local(seconds):%a %d %b %Y, %H:%M:%S %Z}" if seconds else None


def local(seconds: float) -> datetime:
    """The moment in the viewer's time zone."""
    return datetime.fromtimestamp(seconds, _zone())


def clock(seconds: float) -> str:
    """The time of day on the viewer's clock."""
    return f"{local(seconds):%H:%M:%S}"


def _zone() -> ZoneInfo:
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _span(seconds: float) -> str:
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return f"{int(seconds)} s"
