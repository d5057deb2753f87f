"""CRM link: add one, or edit one; its connection is tested before it is saved.

What was tested stays in the URL, so that a reload loses nothing.
"""

from __future__ import annotations

import json
from typing import Any

import streamlit as st
from pydantic import ValidationError

from core.acting import Acting
from core.errors import Conflict, DeskError, NotFound
from core.links import masked, public_headers
from core.links.schema import NewLinkBody
from core.models import Channel, CrmLink, PageLink, PaginatorType
from core.security.secrets import MASK
from core.store import Document
from core.text.redact import Action
from pages.link_trial import show_trial
from pages.pickers import CHANNEL_NAMES, keep_in_url, page_names
from pages.session import may_operate, plain, reading, say_later, show_error

PAGINATIONS = {
    PaginatorType.AUTO: "Find out on the first page",
    PaginatorType.SINGLE_PAGE: "A single page",
    PaginatorType.HEADER_LINK: "Link header (Shopify, GitHub)",
    PaginatorType.JSON_LINK: "Address of the next page in the answer",
    PaginatorType.CURSOR: "Cursor in the answer (HubSpot, Stripe)",
    PaginatorType.PAGE_NUMBER: "Page numbers",
    PaginatorType.OFFSET: "Offset and limit",
}
# Field of the pagination: its label, an example, and whether it is a number.
PAGINATION_FIELDS: dict[str, tuple[str, str, bool]] = {
    "next_path": ("Where the next address is", "$.links.next", False),
    "cursor_path": ("Where the cursor is", "$.paging.next.after", False),
    "cursor_param": ("Parameter for the cursor", "after", False),
    "page_param": ("Parameter for the page", "page", False),
    "offset_param": ("Parameter for the offset", "offset", False),
    "limit_param": ("Parameter for the page size", "limit", False),
    "page_size": ("Page size", "100", True),
    "total_path": ("Where the total is", "$.total", False),
}
USED_BY = {
    PaginatorType.JSON_LINK: ("next_path",),
    PaginatorType.CURSOR: ("cursor_path", "cursor_param", "limit_param", "page_size"),
    PaginatorType.PAGE_NUMBER: ("page_param", "limit_param", "page_size", "total_path"),
    PaginatorType.OFFSET: ("offset_param", "limit_param", "page_size", "total_path"),
}
FIELDS = (
    "page",
    "channels",
    "name",
    "url",
    "api_key",
    "drop_key",
    "headers",
    "description",
    "interval",
    "is_active",
    "method",
    "params",
    "body",
    "records",
    "id_field",
    "pagination",
    *PAGINATION_FIELDS,
    "incremental_param",
    "incremental_field",
    "redirects",
    "threshold",
    "redaction",
)


def start_values(link: CrmLink | None, page_id: str, channels: list[Channel]) -> dict[str, Any]:
    """What the fields show at first."""
    own = link or CrmLink(link_id="", name="", url="")
    fetch, pagination = own.fetch, own.fetch.pagination
    values: dict[str, Any] = {
        "page": page_id,
        "channels": channels,
        "name": own.name,
        "url": own.url,
        "api_key": "",
        "drop_key": False,
        "headers": "\n".join(f"{n}: {v}" for n, v in public_headers(own).items()),
        "description": own.description,
        "interval": own.sync_interval_minutes,
        "is_active": own.is_active,
        "method": fetch.method,
        "params": "\n".join(f"{n}={v}" for n, v in masked(fetch.params).items()),
        "body": fetch.body or "",
        "records": fetch.records or "",
        "id_field": fetch.id_field or "",
        "pagination": pagination.type,
        "incremental_param": fetch.incremental.param if fetch.incremental else "",
        "incremental_field": fetch.incremental.field if fetch.incremental else "",
        "redirects": fetch.follow_redirects,
        "threshold": round(100 * (0.5 if own.shrink_threshold is None else own.shrink_threshold)),
        "redaction": [dict(rule) for rule in own.redaction],
    }
    for name in PAGINATION_FIELDS:
        value = getattr(pagination, name)
        values[name] = "" if value is None else str(value)
    return values


def show_fields(acting: Acting, link: PageLink | None, *, has_key: bool) -> None:
    """The form's fields; their values are in the session as ``form-…``."""
    left, right = st.columns(2)
    pages = page_names(acting)
    left.selectbox(
        "Page",
        list(pages),
        format_func=lambda page: pages.get(page, page),
        key="form-page",
        persist_state="session",
        disabled=link is not None,
    )
    right.multiselect(
        "Channels",
        list(Channel),
        format_func=CHANNEL_NAMES.get,
        key="form-channels",
        persist_state="session",
    )
    left.text_input(
        "Name", placeholder="Shopify customers", key="form-name", persist_state="session"
    )
    right.text_input(
        "URL",
        placeholder="https://crm.example.com/api/customers",
        key="form-url",
        persist_state="session",
    )
    left.text_input(
        "API key",
        type="password",
        key="form-api_key",
        persist_state="session",
        placeholder="Stored; leave empty to keep it" if has_key else "",
        help="Sent as Authorization: Bearer. Write-only: it is never shown again.",
    )
    if has_key:
        left.checkbox("Remove the stored key", key="form-drop_key", persist_state="session")
    right.text_area(
        "Headers",
        placeholder="X-Api-Key: …",
        help="One a line, name: value. Secret values are shown as *** and stay as they are.",
        key="form-headers",
        persist_state="session",
    )
    left.text_input("Description", key="form-description", persist_state="session")
    right.number_input(
        "Sync every (minutes)",
        min_value=0.1,
        max_value=10080.0,
        placeholder="As usual",
        key="form-interval",
        persist_state="session",
    )
    with st.expander("How to ask, and where the records are"):
        show_asking()
    with st.expander("What is redacted, and when a person is asked"):
        st.slider(
            "Hold an answer with fewer records than",
            0,
            100,
            format="%d %%",
            key="form-threshold",
            persist_state="session",
            help="Of those that are served now.",
        )
        st.caption(
            "Redaction rules of this link; the first that fits wins. Passwords, tokens, card "
            "numbers and national ids are masked without any rule."
        )
        st.data_editor(
            [{"path": "", "action": ""}] if not _rules() else _rules(),
            num_rows="dynamic",
            key="form-redaction-edits",
            column_config={
                "path": st.column_config.TextColumn(
                    "Field", help="Like customers[].notes, or notes for every field of that name"
                ),
                "action": st.column_config.SelectboxColumn(
                    "What becomes of it", options=[action.value for action in Action]
                ),
            },
        )
    if link is None:
        st.toggle(
            "Active",
            key="form-is_active",
            persist_state="session",
            help="Synced at once, and from then on.",
        )


def _rules() -> list[dict[str, str]]:
    rules: list[dict[str, str]] = st.session_state["form-redaction"]
    return rules


def show_asking() -> None:
    """Method, parameters, pagination, records."""
    left, right = st.columns(2)
    left.segmented_control(
        "Method", ["GET", "POST"], key="form-method", persist_state="session", required=True
    )
    right.text_area(
        "Query parameters",
        placeholder="status=active",
        help="One a line, name=value. Secret values are shown as *** and stay as they are.",
        key="form-params",
        persist_state="session",
    )
    if st.session_state["form-method"] == "POST":
        left.text_area(
            "Body",
            placeholder='{"limit": 100}',
            help="JSON",
            key="form-body",
            persist_state="session",
        )
    left.text_input(
        "Records",
        placeholder="$.data.customers[*]",
        help="A JSONPath (RFC 9535); without one they are found.",
        key="form-records",
        persist_state="session",
    )
    right.text_input(
        "ID field",
        placeholder="id",
        help="What tells records apart; without one it is found.",
        key="form-id_field",
        persist_state="session",
    )
    chosen = left.selectbox(
        "Pagination",
        list(PAGINATIONS),
        format_func=PAGINATIONS.get,
        key="form-pagination",
        persist_state="session",
    )
    for name in USED_BY.get(chosen, ()):
        label, example, _ = PAGINATION_FIELDS[name]
        right.text_input(label, placeholder=example, key=f"form-{name}", persist_state="session")
    left.toggle(
        "Follow redirects",
        key="form-redirects",
        persist_state="session",
        help="Each address is checked; the key and the headers go to no other host.",
    )
    left.text_input(
        "Ask only for changes: parameter",
        placeholder="updated_since",
        help="Sent with the greatest value seen of the field; needs the field.",
        key="form-incremental_param",
        persist_state="session",
    )
    right.text_input(
        "Ask only for changes: field",
        placeholder="updated_at",
        key="form-incremental_field",
        persist_state="session",
    )


def described(*, has_key: bool) -> NewLinkBody:
    """The link that the form describes. Raises ValidationError, ValueError."""
    form: dict[str, Any] = {name: st.session_state.get(f"form-{name}") for name in FIELDS}
    pagination: dict[str, Any] = {"type": form["pagination"]}
    for name in USED_BY.get(form["pagination"], ()):
        if value := str(form[name] or "").strip():
            number = PAGINATION_FIELDS[name][2]
            pagination[name] = int(value) if number and value.isdigit() else value
    incremental = None
    if form["incremental_param"] or form["incremental_field"]:
        incremental = {"param": form["incremental_param"], "field": form["incremental_field"]}
    body = None
    if form["method"] == "POST" and form["body"]:
        try:
            body = json.loads(form["body"])
        except json.JSONDecodeError as error:
            raise ValueError(f"Body: not valid JSON: {error}") from None
    api_key = form["api_key"] or (MASK if has_key and not form["drop_key"] else None)
    return NewLinkBody.model_validate(
        {
            "page_id": form["page"],
            "channels": [channel.value for channel in form["channels"] or ()],
            "name": form["name"],
            "url": form["url"],
            "api_key": api_key,
            "headers": _pairs(form["headers"], ":", "Headers"),
            "description": form["description"],
            "is_active": form["is_active"] is not False,
            "sync_interval_minutes": form["interval"],
            "shrink_threshold": (form["threshold"] or 0) / 100,
            "method": form["method"],
            "params": _pairs(form["params"], "=", "Query parameters"),
            "body": body,
            "records": form["records"] or None,
            "id_field": form["id_field"] or None,
            "pagination": pagination,
            "incremental": incremental,
            "follow_redirects": bool(form["redirects"]),
            "redaction": edited_rules(),
        }
    )


def edited_rules() -> list[dict[str, str]]:
    """The rules as the table shows them now."""
    rules: list[dict[str, Any]] = [dict(rule) for rule in _rules()] or [{"path": "", "action": ""}]
    edits = st.session_state.get("form-redaction-edits") or {}
    for index, changes in (edits.get("edited_rows") or {}).items():
        rules[int(index)] |= changes
    gone = set(edits.get("deleted_rows") or ())
    kept = [rule for index, rule in enumerate(rules) if index not in gone]
    kept += [dict(rule) for rule in edits.get("added_rows") or ()]
    return [
        {"path": rule.get("path") or "", "action": rule.get("action") or Action.MASK.value}
        for rule in kept
        if rule.get("path")
    ]


def _pairs(text: str | None, separator: str, field: str) -> dict[str, str]:
    pairs = {}
    for line in filter(str.strip, (text or "").splitlines()):
        name, found, value = line.partition(separator)
        if not found:
            raise ValueError(f"{field}: “{name.strip()}” has no “{separator}” in it.")
        pairs[name.strip()] = value.strip()
    return pairs


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
    has_key = bool((draft and draft.api_key) or (link and link.link.api_key))
    show_fields(acting, link, has_key=has_key)
    with st.container(horizontal=True):
        test = st.button("Test connection", icon=":material/network_check:")
        label = "Save changes" if link else "Add link"
        wants_save = st.button(label, type="primary", icon=":material/save:")
        leave = st.button("Back to the links", type="tertiary")
    if leave:
        forget_form()
        st.switch_page("links.py")
    if not (test or wants_save or trial_id):
        st.caption("The connection is tested before anything is saved.")
        return
    try:
        body = described(has_key=has_key)
    except (ValidationError, ValueError) as error:
        tell(error)
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
