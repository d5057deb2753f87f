"""Links: which CRM links feed a page's channel; add, switch, delete, sync."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st
from pydantic import ValidationError

from core.api.schemas import NewLinkBody
from core.api.views import sync_status
from core.errors import DeskError
from core.leases import NEVER
from core.links import public_headers
from core.models import Channel, PageLink
from core.security.accounts import Role
from core.store import Document
from pages.pickers import CHANNEL_NAMES, pick_channel, pick_page
from pages.session import ago, may_change, plain, show_error, signed_in

PER_PAGE = 20
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

desk, user = signed_in()


@st.dialog("Add a CRM link")
def add_link(page_id: str, channel: Channel) -> None:
    signed_in()
    with st.form("add-link", border=False):
        name = st.text_input("Name", placeholder="Shopify customers")
        url = st.text_input("URL", placeholder="https://crm.example.com/api/customers")
        channels = st.multiselect(
            "Channels", list(Channel), default=[channel], format_func=lambda c: CHANNEL_NAMES[c]
        )
        api_key = st.text_input(
            "API key", type="password", help="Sent as Authorization: Bearer. Never shown again."
        )
        headers = st.text_area(
            "Headers",
            placeholder="X-Api-Key: …",
            help="One a line, name: value. Secrets are hidden.",
        )
        description = st.text_input("Description")
        with st.expander("How to ask, and where the records are"):
            params = st.text_area(
                "Query parameters", placeholder="status=active", help="One a line, name=value."
            )
            records = st.text_input(
                "Records", placeholder="$.data.customers[*]", help="A JSONPath; else it is found."
            )
            id_field = st.text_input(
                "ID field", placeholder="id", help="What tells records apart; else it is found."
            )
            pagination = st.text_input(
                "Pagination",
                placeholder='{"type": "cursor", "cursor_path": "$.next", "cursor_param": "after"}',
                help="JSON, as the REST API takes it; else it is found.",
            )
            threshold = st.slider(
                "Hold an answer with fewer records than", 0, 100, 50, format="%d %%"
            )
        is_active = st.toggle("Active", value=True)
        if not st.form_submit_button("Add link", type="primary"):
            return
    try:
        body = NewLinkBody.model_validate(
            {
                "page_id": page_id,
                "channels": [c.value for c in channels],
                "name": name,
                "url": url,
                "api_key": api_key or None,
                "headers": _parse_pairs(headers, ":", "Headers"),
                "params": _parse_pairs(params, "=", "Query parameters"),
                "records": records or None,
                "id_field": id_field or None,
                "pagination": json.loads(pagination) if pagination.strip() else None,
                "shrink_threshold": threshold / 100,
                "description": description,
                "is_active": is_active,
            }
        )
        desk.links.add(user.company_id, page_id, body.channels, body.to_new_link())
    except ValidationError as error:
        for item in error.errors():
            field = str(item["loc"][0]).replace("_", " ").capitalize() if item["loc"] else "Link"
            st.error(plain(f"{field}: {item['msg'].removeprefix('Value error, ')}"))
    except json.JSONDecodeError as error:
        st.error(plain(f"Pagination: not valid JSON: {error}"))
    except ValueError as error:
        st.error(plain(str(error)))
    except DeskError as error:
        show_error(error)
    else:
        st.toast("CRM link added successfully", icon=":material/check:")
        st.rerun()


def _parse_pairs(text: str, separator: str, field: str) -> dict[str, str]:
    pairs = {}
    for line in filter(str.strip, text.splitlines()):
        name, found, value = line.partition(separator)
        if not found:
            raise ValueError(f"{field}: “{name.strip()}” has no “{separator}” in it.")
        pairs[name.strip()] = value.strip()
    return pairs


@st.dialog("Delete this CRM link?")
def delete_link(link: PageLink, documents: int) -> None:
    signed_in()
    st.write(f"**{plain(link.link.name)}**")
    st.text(link.link.url)
    channels = st.multiselect(
        "From", list(link.channels), default=list(link.channels), format_func=CHANNEL_NAMES.get
    )
    if set(channels) == set(link.channels):
        st.warning(f"Its {documents} documents are removed; the bot no longer answers from them.")
    left, right = st.columns(2)
    if left.button("Delete", type="primary", width="stretch", disabled=not channels):
        try:
            desk.links.delete(user.company_id, link.page_id, link.link.url, channels)
        except DeskError as error:
            show_error(error)
            return
        st.toast("CRM link deleted successfully", icon=":material/check:")
        st.rerun()
    if right.button("Keep it", width="stretch"):
        st.rerun()


def switch(link: PageLink, channel: Channel, key: str) -> None:
    """Called as a row's toggle is clicked."""
    _, someone = signed_in()
    if not may_change(someone):
        return
    try:
        desk.links.set_active(
            someone.company_id, link.page_id, link.link.url, [channel], st.session_state[key]
        )
    except DeskError as error:
        st.session_state["links-error"] = str(error)


def sync_now(link: PageLink) -> None:
    """Called as a row's sync button is clicked."""
    _, someone = signed_in()
    try:
        someone.require(Role.OPERATOR)
        desk.links.sync_now(someone.company_id, link.link.link_id)
    except DeskError as error:
        st.session_state["links-error"] = str(error)


def show_link(link: PageLink, state: Document) -> None:
    """One row."""
    own = link.link
    label, color, icon = LOOKS[sync_status(desk, link, state)]
    with st.container(border=True):
        head, actions = st.columns([4, 5], vertical_alignment="center")
        with head:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{plain(own.name)}**", width="content")
                st.badge(label, color=color, icon=icon)
                if link.legacy:
                    st.badge("Legacy", color="gray")
            st.text(own.url)
            if own.description:
                st.caption(plain(own.description))
        with actions, st.container(horizontal=True, horizontal_alignment="right"):
            for name, active in link.channels.items():
                key = f"on-{own.link_id}-{name.value}-{link.legacy}"
                # The stored value wins over what this browser showed last.
                st.session_state[key] = active
                st.toggle(
                    CHANNEL_NAMES[name],
                    key=key,
                    on_change=switch,
                    args=(link, name, key),
                    disabled=not may_change(user),
                )
            st.button(
                "Sync now",
                key=f"sync-{own.link_id}-{link.legacy}",
                icon=":material/sync:",
                on_click=sync_now,
                args=(link,),
                disabled=not may_change(user) or not link.is_active,
            )
            if st.button(
                "Delete",
                key=f"delete-{own.link_id}-{link.legacy}",
                icon=":material/delete:",
                disabled=not may_change(user),
            ):
                st.session_state["deleting"] = (link, state.get("documents", 0))
                st.rerun()
        show_state(link, state)


def show_state(link: PageLink, state: Document) -> None:
    """What a row says about the link's sync."""
    due_at = state.get("due_at") or NEVER
    facts = [
        f"{state.get('records', 0)} records in {state.get('documents', 0)} documents",
        f"synced {ago(state.get('last_success_at'))}",
    ]
    if link.is_active and due_at < NEVER and not state.get("lease_holder"):
        facts.append(f"next sync {ago(due_at)}" if due_at > 0 else "due")
    if link.link.api_key:
        facts.append("API key stored")
    facts += [f"{name}: {value}" for name, value in public_headers(link.link).items()]
    st.caption(plain(" · ".join(facts)))
    error = state.get("last_error")
    if error and link.is_active:
        st.warning(plain(f"{error['message']} {error['action']}"), icon=":material/error:")
        if error["kind"] == "shrink":
            st.page_link(
                "logs.py",
                label="Approve or reject it in the sync logs",
                icon=":material/front_hand:",
                query_params={"log_page": link.page_id, "state": "held"},
            )
    if not state.get("lease_holder") and not state.get("pending_run"):
        return
    run = desk.runs.latest(link.link.link_id)
    if run is None or run["state"] not in ("queued", "running"):
        return
    progress = run["progress"]
    share = progress["done"] / progress["total"] if progress and progress["total"] else 0.0
    counted = f" {progress['done']} of {progress['total']}" if progress else ""
    waiting = "waiting for the scheduler" if run["state"] == "queued" else run["step"] or "starting"
    st.progress(share, text=f"Sync: {waiting}{counted}")


@st.fragment(run_every=2.0)
def show_links(page_id: str, channel: Channel | None) -> None:
    """The rows; asks the store again every two seconds."""
    _, someone = signed_in()
    if problem := st.session_state.pop("links-error", None):
        st.error(plain(problem), icon=":material/error:")
    links = desk.links.of_page(someone.company_id, page_id)
    if channel:
        links = [link for link in links if channel in link.channels]
    if not links:
        st.info(
            "No CRM link feeds this channel yet. Add one: its records are fetched at once, and the "
            "bot answers from them a few seconds later.",
            icon=":material/info:",
        )
        return
    active = sum(link.is_active for link in links)
    st.caption(f"{len(links)} links, {active} active")
    number = 1
    if len(links) > PER_PAGE:
        number = st.pagination(-(-len(links) // PER_PAGE), key="links-page")
    shown = links[(number - 1) * PER_PAGE : number * PER_PAGE]
    states = desk.leases.states([link.link.link_id for link in shown])
    for link in shown:
        show_link(link, states.get(link.link.link_id, {}))


st.title("CRM links")
left, middle, right = st.columns([2, 2, 1], vertical_alignment="bottom")
with left:
    chosen_page = pick_page(desk, user)
with middle:
    chosen_channel = pick_channel(all_channels=True)
with right:
    if st.button(
        "Add CRM link",
        type="primary",
        icon=":material/add:",
        width="stretch",
        disabled=not may_change(user),
    ):
        add_link(chosen_page, chosen_channel or Channel.MESSENGER)
if deleting := st.session_state.pop("deleting", None):
    delete_link(*deleting)
show_links(chosen_page, chosen_channel)
