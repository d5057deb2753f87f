"""Links: which CRM links feed a page's channel; switch, sync, delete, one or many."""

from __future__ import annotations

import streamlit as st

from core.acting import Acting
from core.desk import Desk
from core.errors import DeskError
from core.leases import NEVER
from core.links import public_headers
from core.models import Channel, PageLink
from core.status import STATUSES, failure_in_words, sync_status
from core.store import Document
from pages.link_actions import DELETE, SWITCH_OFF, show_question, sync_links
from pages.looks import LOOKS, show_moment, show_status
from pages.pickers import ALL, CHANNEL_NAMES, pick, pick_channel, pick_page, write_filter
from pages.session import ago, ask, live, may_operate, plain, reading, say_later, signed_in, visible

PER_PAGE = 12
WIDTHS = [0.35, 2.9, 1.5, 1.4, 1.5, 1.9, 1.8]


def toggle_key(row: str, channel: Channel, *, active: bool) -> str:
    """The key of a row's toggle: another one whenever the stored value changed elsewhere.

    A browser that has not heard of that change yet may still send the old value, which under the
    same key would count as a click.
    """
    name = f"on-{row}-{channel.value}"
    told, number = st.session_state.get(f"told-{name}", (active, 0))
    if told != active:
        number += 1
    st.session_state[f"told-{name}"] = (active, number)
    return f"{name}-{number}"


def switch(link: PageLink, channel: Channel, row: str, key: str) -> None:
    """Called as a row's toggle is clicked."""
    acting = signed_in()
    told = f"told-on-{row}-{channel.value}"
    number = st.session_state[told][1]
    if not st.session_state[key]:
        # What it takes away is shown first; meanwhile the toggle stands as before.
        st.session_state[told] = (True, number + 1)
        ask(SWITCH_OFF + channel.value, link.link.link_id)
        st.session_state["asks-anew"] = True
        return
    st.session_state[told] = (True, number)
    try:
        acting.set_link_active(link.page_id, link.link.url, [channel], True)
        say_later(f"{link.link.name} is on for {CHANNEL_NAMES[channel]}")
    except DeskError as error:
        say_later(str(error), is_error=True)


def sync_one(link_id: str) -> None:
    """Called as a row's sync button is clicked."""
    sync_links([link_id])


def cancel(run_id: str) -> None:
    """Called as a row's cancel button is clicked."""
    try:
        signed_in().cancel_run(run_id)
        say_later("The run is being cancelled")
    except DeskError as error:
        say_later(str(error), is_error=True)


def choose(link_id: str, key: str) -> None:
    """Called as something of a row's menu is chosen."""
    chosen = st.session_state[key]
    if chosen == "Delete":
        ask(DELETE, link_id)
        st.session_state["asks-anew"] = True
    elif chosen:
        st.session_state["to-open"] = (chosen, link_id)


def pick_key(link: PageLink) -> str:
    """The key of a row's checkbox."""
    number, _ = st.session_state.get("picks", (0, False))
    return f"pick-{number}-{link.link.link_id}-{link.legacy}"


def pick_all(is_picked: bool) -> None:
    """Called as all rows are to be selected, or none."""
    # Fresh checkboxes: what browsers still send of the ones before means nothing any more.
    number, _ = st.session_state.get("picks", (0, False))
    st.session_state["picks"] = (number + 1, is_picked)


def show_link(acting: Acting, desk: Desk, link: PageLink, state: Document, *, page: bool) -> None:
    """One row; ``page`` says that the page's name is shown too."""
    own = link.link
    row = f"{own.link_id}-{link.legacy}"
    may_change = may_operate(acting)
    with st.container(border=True):
        cells = st.columns(WIDTHS, vertical_alignment="center")
        cells[0].checkbox(
            f"Select {plain(own.name)}",
            value=st.session_state.get("picks", (0, False))[1],
            key=pick_key(link),
            label_visibility="collapsed",
        )
        with cells[1]:
            st.markdown(f"**{plain(own.name)}**")
            st.text(visible(own.url))
            about = [f"{link.page_name} ({link.page_id})"] if page else []
            about += [own.description] if own.description else []
            if about:
                st.caption(plain(" · ".join(about)))
        with cells[2]:
            show_status(sync_status(link, state, desk.settings))
            kind = f"{own.type.value.upper()} · legacy" if link.legacy else own.type.value.upper()
            st.caption(kind, help=_secrets_in_words(link))
        records, documents = state.get("records", 0), state.get("documents", 0)
        cells[3].caption(f"{records:,} records in {documents:,} documents")
        with cells[4]:
            synced, due_at = state.get("last_success_at"), state.get("due_at") or NEVER
            show_moment(f"synced {ago(synced)}", synced)
            if link.is_active and due_at < NEVER and not state.get("lease_holder"):
                show_moment(f"next sync {ago(due_at)}" if due_at > 0 else "due", due_at)
        with cells[5]:
            for name, active in link.channels.items():
                key = toggle_key(row, name, active=active)
                st.toggle(
                    CHANNEL_NAMES[name],
                    value=active,
                    key=key,
                    on_change=switch,
                    args=(link, name, row, key),
                    disabled=not may_change,
                )
        with cells[6]:
            st.button(
                "Sync now",
                key=f"sync-{row}",
                icon=":material/sync:",
                width="stretch",
                on_click=sync_one,
                args=(own.link_id,),
                disabled=not may_change or not link.is_active,
            )
            st.menu_button(
                "More",
                ["Edit", "CRM text", "Sync logs", "Delete"] if may_change else ["CRM text"],
                key=f"more-{row}",
                width="stretch",
                on_click=choose,
                args=(own.link_id, f"more-{row}"),
            )
        show_problem(link, state)
        show_progress(desk, link, state, may_change=may_change)


def _secrets_in_words(link: PageLink) -> str | None:
    facts = ["API key stored"] if link.link.api_key else []
    facts += [f"{name}: {value}" for name, value in public_headers(link.link).items()]
    return plain(" · ".join(facts)) or None


def show_problem(link: PageLink, state: Document) -> None:
    """Why the link's last sync failed, and what to do."""
    error = state.get("last_error")
    if not error or not link.is_active:
        return
    st.warning(plain(failure_in_words(error)), icon=":material/error:")
    if error["kind"] == "shrink":
        st.page_link(
            "logs.py",
            label="Approve or reject it in the sync logs",
            icon=":material/front_hand:",
            query_params={"log_link": link.link.link_id, "state": "held"},
        )


def show_progress(desk: Desk, link: PageLink, state: Document, *, may_change: bool) -> None:
    """How the link's sync under way is getting on: step, progress, the last line of its log."""
    if not state.get("lease_holder") and not state.get("pending_run"):
        return
    run = desk.runs.latest(link.link.link_id)
    if run is None or run["state"] not in ("queued", "running"):
        return
    progress = run["progress"]
    share = progress["done"] / progress["total"] if progress and progress["total"] else 0.0
    counted = f" {progress['done']} of {progress['total']}" if progress else ""
    waiting = "waiting for the scheduler" if run["state"] == "queued" else run["step"] or "starting"
    left, right = st.columns([6, 1], vertical_alignment="center")
    left.progress(min(1.0, share), text=f"Sync: {waiting}{counted}")
    if run["lines"]:
        left.caption(plain(run["lines"][-1]["text"]))
    right.button(
        "Cancel",
        key=f"cancel-{run['_id']}",
        icon=":material/cancel:",
        on_click=cancel,
        args=(run["_id"],),
        disabled=not may_change or run["cancel_requested"],
    )


def show_bulk(acting: Acting, links: list[PageLink]) -> None:
    """What can be done with the selected links."""
    usually = st.session_state.get("picks", (0, False))[1]
    chosen = [link for link in links if st.session_state.get(pick_key(link), usually)]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{len(chosen)} selected" if chosen else f"{len(links)} shown", width="content")
        st.button("Select all shown", on_click=pick_all, args=(True,), type="tertiary")
        if not chosen:
            return
        ids = [link.link.link_id for link in chosen]
        st.button("Clear", on_click=pick_all, args=(False,), type="tertiary")
        if not may_operate(acting):
            return
        if st.button("Sync selected", icon=":material/sync:"):
            sync_links(ids)
        if st.button("Switch on", icon=":material/toggle_on:"):
            switch_on(acting, chosen)
        if st.button("Switch off", icon=":material/toggle_off:"):
            ask(SWITCH_OFF, *ids)
            st.rerun()
        if st.button("Delete selected", icon=":material/delete:"):
            ask(DELETE, *ids)
            st.rerun()


def switch_on(acting: Acting, links: list[PageLink]) -> None:
    """Switch links on, on all the channels they are on."""
    done = 0
    for link in links:
        try:
            acting.set_link_active(link.page_id, link.link.url, list(link.channels), True)
            done += 1
        except DeskError as error:
            say_later(str(error), is_error=True)
    say_later(f"{done} links are on")
    st.rerun()


@live(2.0)
def show_links(page_id: str, channel: Channel | None, status: str, needle: str) -> None:
    """The rows; asks the store again every two seconds."""
    acting, desk = reading()
    company_id = acting.user.company_id
    if page_id == ALL:
        links = desk.links.of_company(company_id)
    else:
        links = desk.links.of_page(company_id, page_id)
    if channel:
        links = [link for link in links if channel in link.channels]
    if not links:
        st.info(
            "No CRM link feeds this channel yet. Add one: its records are fetched at once, and the "
            "bot answers from them a few seconds later.",
            icon=":material/info:",
        )
        return
    states: dict[str, Document] = {}
    active = sum(link.is_active for link in links)
    total = len(links)
    if needle:
        wanted = needle.casefold()
        links = [x for x in links if wanted in f"{x.link.name} {x.link.url}".casefold()]
    if status != ALL:
        states = desk.leases.of_company(company_id)
        links = [
            x
            for x in links
            if sync_status(x, states.get(x.link.link_id, {}), desk.settings) == status
        ]
    st.caption(
        f"{total:,} links, {active:,} active"
        + (f", {len(links):,} match" if links != total and (needle or status != ALL) else "")
    )
    if not links:
        st.info("No link matches the filter.", icon=":material/filter_alt_off:")
        return
    number = 1
    if len(links) > PER_PAGE:
        number = st.pagination(
            -(-len(links) // PER_PAGE), key="links-page", persist_state="session"
        )
    shown = links[(number - 1) * PER_PAGE : number * PER_PAGE]
    if not states:
        states = desk.leases.of_links(shown)
    show_bulk(acting, shown)
    for link in shown:
        show_link(acting, desk, link, states.get(link.link.link_id, {}), page=page_id == ALL)
    if any(name in st.session_state for name in ("to-open", "asks-anew", "said")):
        # Dialogs, messages and other pages belong to the whole page, not to this part of it.
        st.rerun()


def open_chosen() -> None:
    """Go where a row's menu leads."""
    where, link_id = st.session_state.pop("to-open")
    link = signed_in().reading.links.get(signed_in().user.company_id, link_id)
    if where == "Edit":
        st.switch_page("link_form.py", query_params={"edit": link_id})
    elif where == "CRM text":
        st.switch_page("crm_text.py", query_params={"page": link.page_id, "link": link_id})
    elif where == "Sync logs":
        st.switch_page("logs.py", query_params={"log_link": link_id})


user, _ = reading()
if "to-open" in st.session_state:
    open_chosen()
left, right = st.columns([4, 1], vertical_alignment="bottom")
left.title("CRM links")
with right:
    add = st.button(
        "Add CRM link",
        type="primary",
        icon=":material/add:",
        width="stretch",
        disabled=not may_operate(user),
    )
first, second, third, fourth = st.columns([2, 2, 1.5, 2], vertical_alignment="bottom")
with first:
    chosen_page = pick_page(user, all_pages=True)
with second:
    chosen_channel = pick_channel(all_channels=True)
with third:
    words = {name: LOOKS[name][0] for name in STATUSES}
    chosen_status = pick("Status", {ALL: "Any status"} | words, key="status")
with fourth:
    chosen_needle = write_filter("Name or address", key="find", placeholder="Filter")
if add:
    query = {} if chosen_page == ALL else {"page": chosen_page}
    if chosen_channel:
        query["channel"] = chosen_channel.value
    st.switch_page("link_form.py", query_params=query)
st.session_state.pop("asks-anew", None)
if "asking" in st.session_state:
    show_question()
show_links(chosen_page, chosen_channel, chosen_status, chosen_needle)
