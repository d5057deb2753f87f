"""Choosing a page, a channel and a link; the choice stays in the URL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import streamlit as st

from core.acting import Acting
from core.models import Channel, PageLink

CHANNEL_NAMES = {
    Channel.FACEBOOK: "Facebook comments",
    Channel.MESSENGER: "Messenger",
}
ALL = "all"


def pick(label: str, options: Mapping[str, str], *, key: str) -> str:
    """The chosen one of ``options`` (value to what is shown); stays in the URL as ``?key=value``.

    Streamlit's own binding puts what is shown into the URL, which a new name would break.
    """
    first = next(iter(options))
    asked, last = st.query_params.get(key), f"{key}-in-url"
    if asked in options and asked != st.session_state.get(last):
        st.session_state[key] = asked
    elif st.session_state.get(key) not in options:
        st.session_state.pop(key, None)
    # Streamlit tells options apart by what is shown: two links of one name need more.
    often = Counter(options.values())
    shown = {
        value: name if often[name] == 1 else f"{name} ({value})" for value, name in options.items()
    }
    chosen: str = st.selectbox(
        label,
        list(shown),
        format_func=lambda value: shown.get(value, value),
        key=key,
        persist_state="session",
    )
    st.session_state[last] = chosen
    keep_in_url(key, chosen if chosen != first else "")
    return chosen


def keep_in_url(key: str, value: str) -> None:
    """Put ``?key=value`` into the URL, or take it out when ``value`` is empty."""
    if value:
        if st.query_params.get(key) != value:
            st.query_params[key] = value
    elif key in st.query_params:
        del st.query_params[key]


def write_filter(label: str, *, key: str, placeholder: str = "") -> str:
    """A text to filter by; stays in the URL."""
    if key not in st.session_state and key in st.query_params:
        st.session_state[key] = st.query_params[key]
    text: str = st.text_input(
        label,
        key=key,
        placeholder=placeholder,
        persist_state="session",
        icon=":material/search:",
        type="default",
    )
    keep_in_url(key, text)
    return text


def page_names(acting: Acting) -> dict[str, str]:
    """The company's pages: id to what is shown."""
    pages = acting.reading.companies.get(acting.user.company_id)["pages"]
    return {page["page_id"]: f"{page['page_name']} ({page['page_id']})" for page in pages}


def pick_page(acting: Acting, *, all_pages: bool = False) -> str:
    """The chosen page's id, or ``all``; stops with what to do when there is no page yet."""
    pages = page_names(acting)
    if not pages:
        st.info(
            "There is no Facebook page yet. Add the first one, then its CRM links.",
            icon=":material/info:",
        )
        st.page_link("settings.py", label="Add a page", icon=":material/add:")
        st.stop()
    return pick("Page", ({ALL: "All pages"} if all_pages else {}) | pages, key="page")


def pick_channel(*, all_channels: bool = False) -> Channel | None:
    """The chosen channel; None for all, where that is offered."""
    every = {ALL: "All channels"} if all_channels else {}
    options = every | {channel.value: name for channel, name in CHANNEL_NAMES.items()}
    chosen = pick("Channel", options, key="channel")
    return None if chosen == ALL else Channel(chosen)


def pick_link(links: list[PageLink]) -> PageLink:
    """The chosen link of a page; stops with what to do when there is none."""
    if not links:
        st.info("This page has no CRM link yet.", icon=":material/info:")
        st.page_link("links.py", label="Add a CRM link", icon=":material/add:")
        st.stop()
    by_id = {link.link.link_id: link for link in links}
    names = {link_id: link.link.name for link_id, link in by_id.items()}
    return by_id[pick("CRM link", names, key="link")]
