"""Choosing a page, a channel and a link; the choice stays in the URL."""

from __future__ import annotations

import streamlit as st

from core.desk import Desk
from core.models import Channel, PageLink
from core.security.accounts import User

CHANNEL_NAMES = {
    Channel.FACEBOOK: "Facebook comments",
    Channel.MESSENGER: "Messenger",
}


def pick_page(desk: Desk, user: User) -> str:
    """The chosen page's id; stops with what to do when there is none yet."""
    pages = {p["page_id"]: p["page_name"] for p in desk.companies.get(user.company_id)["pages"]}
    if not pages:
        st.info(
            "There is no Facebook page yet. Add the first one, then its CRM links.",
            icon=":material/info:",
        )
        st.page_link("companies.py", label="Add a page", icon=":material/add:")
        st.stop()
    chosen: str = st.selectbox(
        "Page",
        list(pages),
        format_func=lambda page_id: f"{pages.get(page_id, '')} ({page_id})",
        key="page",
        bind="query-params",
    )
    return chosen


def pick_channel(*, all_channels: bool = False) -> Channel | None:
    """The chosen channel; None for all, where that is offered."""
    options: list[str] = (["all"] if all_channels else []) + [c.value for c in Channel]
    chosen = st.selectbox(
        "Channel",
        options,
        format_func=lambda name: "All channels" if name == "all" else CHANNEL_NAMES[Channel(name)],
        key="channel_or_all" if all_channels else "channel",
        bind="query-params",
    )
    return None if chosen == "all" else Channel(chosen)


def pick_link(links: list[PageLink]) -> PageLink:
    """The chosen link of a page; stops with what to do when there is none."""
    if not links:
        st.info("This page has no CRM link yet.", icon=":material/info:")
        st.page_link("links.py", label="Add a CRM link", icon=":material/add:")
        st.stop()
    by_id = {link.link.link_id: link for link in links}
    chosen = st.selectbox(
        "CRM link",
        list(by_id),
        format_func=lambda link_id: by_id[link_id].link.name,
        key="link",
        bind="query-params",
    )
    return by_id[chosen]
