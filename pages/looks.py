"""How statuses and run states look: their words, colours and icons."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.session import exact

LOOKS: dict[str, tuple[str, Any, str]] = {
    "serving": ("Serving", "green", ":material/check_circle:"),
    "syncing": ("Syncing", "blue", ":material/sync:"),
    "waiting": ("Not synced yet", "gray", ":material/hourglass_empty:"),
    "stale": ("Stale", "orange", ":material/schedule:"),
    "held": ("Held: needs a person", "orange", ":material/front_hand:"),
    "retrying": ("Failed, will retry", "orange", ":material/replay:"),
    "failing": ("Failing", "red", ":material/error:"),
    "off": ("Off", "gray", ":material/toggle_off:"),
}
RUN_COLORS = {
    "queued": "gray",
    "running": "blue",
    "succeeded": "green",
    "unchanged": "green",
    "held": "orange",
    "failed": "red",
    "cancelled": "gray",
    "interrupted": "orange",
}


def show_status(status: str) -> None:
    """A link's status as a badge."""
    label, color, icon = LOOKS[status]
    st.badge(label, color=color, icon=icon)


def show_moment(text: str, seconds: float | None) -> None:
    """A relative time, with the exact one on hover."""
    st.caption(text, help=exact(seconds), width="content")
