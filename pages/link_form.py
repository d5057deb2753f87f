"""CRM link: add one, or edit one; its connection is tested before it is saved.

What was tested stays in the URL, so that a reload loses nothing.
"""

from __future__ import annotations

import streamlit as st
from pydantic import ValidationError

from core.acting import Acting
from core.connectors.registry import connector_of
from core.errors import Conflict, DeskError, NotFound
from core.links.schema import NewLinkBody
from core.models import Channel, CrmLink, PageLink
from core.store import Document
from pages.link_fields import described, show_fields, start_values
from pages.link_trial import show_trial
from pages.pickers import keep_in_url, page_names
from pages.session import may_operate, plain, reading, say_later, show_error


def tell(error: Exception) -> None:
    """What is wrong with the form."""
    if isinstance(error, ValidationError):
        for item in error.errors():
            name = str(item["loc"][0]) if item["loc"] else "link"
            label = "URL" if name == "url" else name.replace("_", " ").capitalize()
            if name == "api_key":
                label = "API key"
            st.error(plain(f"{label}: {item['msg'].removeprefix('Value error, ')}"))
    elif isinstance(error, DeskError):
        show_error(error)
    else:
        st.error(plain(str(error)))


def save(acting: Acting, body: NewLinkBody, link: PageLink | None, trial_id: str | None) -> None:
    """Save the link, and go to where it is listed."""
    new = body.to_new_link()
    try:
        if link is None:
            acting.add_link(body.page_id, body.channels, new, trial_id=trial_id)
        else:
            acting.update_link(
                link.link.link_id,
                body.channels,
                new,
                revision=st.session_state["form-revision"],
                trial_id=trial_id,
            )
    except Conflict as error:
        show_error(error)
        if link is not None:
            st.button("Load it as it is now", icon=":material/refresh:", on_click=start_again)
        return
    except DeskError as error:
        show_error(error)
        return
    forget_form()
    say_later("CRM link added successfully" if link is None else "CRM link changed successfully")
    st.switch_page("links.py", query_params={"page": body.page_id})


def start_again() -> None:
    """Called as the form is to show what is stored now."""
    keep_in_url("trial", "")
    forget_form()


def forget_form() -> None:
    """Start with fresh values the next time."""
    for key in [key for key in st.session_state if str(key).startswith("form-")]:
        del st.session_state[key]


def fill(
    acting: Acting, link: PageLink | None, trial: Document | None, draft: CrmLink | None
) -> None:
    """Put the first values into the fields, once for each link and tab."""
    of = link.link.link_id if link else "new"
    if st.session_state.get("form-of") == of and "form-name" in st.session_state:
        return
    forget_form()
    pages = page_names(acting)
    asked = st.query_params.get("page", "")
    page_id = link.page_id if link else asked if asked in pages else next(iter(pages))
    channel = st.query_params.get("channel", "")
    first = [Channel(channel)] if channel in set(Channel) else [Channel.MESSENGER]
    channels = list(link.channels) if link else first
    shown = link.link if link else None
    if trial and draft:
        page_id, shown = trial["page_id"], draft
        channels = [Channel(channel) for channel in trial["channels"]]
    for name, value in start_values(shown, page_id, channels).items():
        st.session_state[f"form-{name}"] = value
    st.session_state["form-of"] = of
    st.session_state["form-revision"] = link.link.revision if link else 0
    if trial and draft:
        st.session_state["form-trial"] = trial["_id"]


def _stored(draft: CrmLink | None, link: PageLink | None) -> CrmLink | None:
    """What the form's masks stand for: what was tested, else what is stored."""
    if draft and (draft.api_key or not (link and link.link.api_key)):
        return draft
    return link.link if link else None


def main() -> None:
    """The page."""
    acting, desk = reading()
    company_id = acting.user.company_id
    edited = st.query_params.get("edit", "")
    link = desk.links.get(company_id, edited) if edited else None
    st.title("Edit CRM link" if link else "Add a CRM link")
    if not may_operate(acting):
        st.info("Your role may look at links, but not change them.", icon=":material/lock:")
        st.page_link("links.py", label="To the CRM links", icon=":material/link:")
        return
    if not page_names(acting):
        st.info("A link belongs to a page: add the page first.", icon=":material/info:")
        st.page_link("settings.py", label="Add a page", icon=":material/add:")
        return
    trial_id = st.query_params.get("trial")
    trial = draft = None
    if trial_id:
        try:
            trial = desk.trials.get(company_id, trial_id)
            draft = desk.trials.draft(trial)
        except NotFound:
            keep_in_url("trial", "")
            trial_id = None
    fill(acting, link, trial, draft)
    stored = _stored(draft, link)
    show_fields(acting, desk, link, stored)
    can_be_tried = connector_of(st.session_state["form-type"]).can_be_tried
    with st.container(horizontal=True):
        test = can_be_tried and st.button("Test connection", icon=":material/network_check:")
        label = "Save changes" if link else "Add link"
        wants_save = st.button(label, type="primary", icon=":material/save:")
        leave = st.button("Back to the links", type="tertiary")
    if leave:
        forget_form()
        st.switch_page("links.py")
    if not (test or wants_save or trial_id):
        if can_be_tried:
            st.caption("The connection is tested before anything is saved.")
        return
    try:
        body = described(stored)
    except (ValidationError, ValueError) as error:
        tell(error)
        return
    if wants_save and not can_be_tried:
        save(acting, body, link, trial_id)
        return
    fingerprint = body.model_dump_json()
    is_tested = st.session_state.get("form-tested") == fingerprint
    if wants_save and is_tested and trial and trial["state"] == "done":
        save(acting, body, link, trial_id)
        return
    if (
        test
        or (wants_save and not is_tested)
        or (wants_save and trial and trial["state"] != "done")
    ):
        try:
            trial_id = acting.test_link(
                body.page_id,
                body.channels,
                body.to_new_link(),
                link.link.link_id if link else None,
                trial_id=trial_id,
            )
        except DeskError as error:
            tell(error)
            return
        st.session_state["form-tested"] = fingerprint
        st.session_state["form-saving"] = wants_save
        keep_in_url("trial", trial_id)
        trial = desk.trials.get(company_id, trial_id)
    elif trial and "form-tested" not in st.session_state:
        # After a reload: the fields show what was tested.
        st.session_state["form-tested"] = fingerprint
        is_tested = True
    if not trial_id:
        return
    is_current = st.session_state.get("form-tested") == fingerprint
    if not is_current:
        st.caption("The form has changed since the test below.")
    ended = show_trial(trial_id)
    if not ended:
        return
    if st.session_state.get("form-saving") and is_current:
        st.session_state["form-saving"] = False
        if ended["state"] == "done":
            save(acting, body, link, trial_id)
            return
    if ended["state"] == "failed" and is_current:
        st.caption("Saved like this, it is tried again at its interval.")
        if st.button("Save it anyway", icon=":material/save:"):
            save(acting, body, link, trial_id)


main()
