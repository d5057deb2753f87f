"""What can be done with links, one or many, and what is said before it is done."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.acting import Acting
from core.errors import DeskError
from core.models import Channel, PageLink
from pages.pickers import CHANNEL_NAMES
from pages.session import answered, plain, reading, say_later, signed_in

NAMED = 10
# What is asked; the second one may be followed by a channel.
DELETE, SWITCH_OFF = "delete", "switch-off:"


def sync_links(link_ids: Sequence[str]) -> None:
    """Ask for syncs; the scheduler carries them out."""
    acting = signed_in()
    started = 0
    for link_id in link_ids:
        try:
            acting.sync_link(link_id)
            started += 1
        except DeskError as error:
            say_later(str(error), is_error=True)
    if started:
        say_later("The sync is under way" if started == 1 else f"{started} syncs are under way")


def show_question() -> None:
    """Ask what is to be asked, until it is answered, whatever else runs meanwhile."""
    kind, about = st.session_state["asking"]
    if kind == DELETE:
        ask_before_deleting(about)
    elif kind.startswith(SWITCH_OFF):
        channel = kind.removeprefix(SWITCH_OFF)
        ask_before_switching_off(about, [Channel(channel)] if channel else list(Channel))


@st.dialog("Delete from the desk?", on_dismiss=answered)
def ask_before_deleting(link_ids: Sequence[str]) -> None:
    """What a deletion takes away; then delete."""
    acting, _ = reading()
    links = _found(acting, link_ids)
    _name(links)
    here = [channel for channel in Channel if any(channel in link.channels for link in links)]
    channels = st.multiselect("From", here, default=here, format_func=CHANNEL_NAMES.get)
    if channels:
        _show_impact(acting, links, channels, deleting=True)
    left, right = st.columns(2)
    if left.button("Delete", type="primary", width="stretch", disabled=not channels):
        done = 0
        for link in links:
            try:
                acting.delete_link(link.page_id, link.link.url, channels)
                done += 1
            except DeskError as error:
                say_later(str(error), is_error=True)
        if done:
            say_later("CRM link deleted successfully" if done == 1 else f"{done} CRM links deleted")
        st.rerun()
    if right.button("Keep it" if len(links) == 1 else "Keep them", width="stretch"):
        answered()
        st.rerun()


@st.dialog("Switch off?", on_dismiss=answered)
def ask_before_switching_off(link_ids: Sequence[str], channels: Sequence[Channel]) -> None:
    """What switching off takes away; then switch off."""
    acting, _ = reading()
    links = _found(acting, link_ids)
    _name(links)
    _show_impact(acting, links, channels, deleting=False)
    left, right = st.columns(2)
    if left.button("Switch off", type="primary", width="stretch"):
        done = 0
        for link in links:
            on = [channel for channel in channels if channel in link.channels]
            try:
                acting.set_link_active(link.page_id, link.link.url, on, False)
                done += 1
            except DeskError as error:
                say_later(str(error), is_error=True)
        names = " and ".join(CHANNEL_NAMES[channel] for channel in channels)
        one = links[0].link.name if links else ""
        say_later(f"{one} is off for {names}" if done == 1 else f"{done} links are off")
        answered()
        st.rerun()
    if right.button("Leave it on" if len(links) == 1 else "Leave them on", width="stretch"):
        answered()
        st.rerun()


def _found(acting: Acting, link_ids: Sequence[str]) -> list[PageLink]:
    wanted = set(link_ids)
    links = acting.reading.links.of_company(acting.user.company_id)
    return [link for link in links if link.link.link_id in wanted]


def _name(links: Sequence[PageLink]) -> None:
    for link in links[:NAMED]:
        st.write(f"**{plain(link.link.name)}**")
        st.text(link.link.url)
    if len(links) > NAMED:
        st.caption(f"and {len(links) - NAMED} more")


def _show_impact(
    acting: Acting, links: Sequence[PageLink], channels: Sequence[Channel], *, deleting: bool
) -> None:
    """Which documents go, and which saved questions would be answered differently."""
    desk = acting.reading
    states = desk.leases.of_links(links)
    documents = sum(states.get(link.link.link_id, {}).get("documents", 0) for link in links)
    gone = all(set(link.channels) <= set(channels) for link in links)
    where = " and ".join(CHANNEL_NAMES[channel] for channel in channels)
    if deleting and gone:
        st.warning(f"Its {documents} documents are removed; the bot no longer answers from them.")
    else:
        st.warning(
            f"On {where} the bot no longer answers from its {documents} documents. They stay "
            "stored: switching it on again embeds nothing."
            if not deleting
            else f"On {where} the bot no longer answers from its {documents} documents."
        )
    asked = [
        question
        for link in links
        for question in desk.questions.changed_by(
            acting.user.company_id, link.page_id, link.link.link_id, channels
        )
    ]
    if asked:
        st.write("Saved questions that found something of it when last asked:")
        for question in {one["_id"]: one for one in asked}.values():
            st.text(f"• {question['question']} ({CHANNEL_NAMES[Channel(question['channel'])]})")
    else:
        st.caption("No saved question found anything of it when last asked.")
