"""The fields of a link's form, and the link that they describe."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from core.acting import Acting
from core.connectors.presets import PRESETS, preset
from core.desk import Desk
from core.links import masked, public_headers
from core.links.schema import NewLinkBody
from core.models import Channel, CrmLink, LinkType, PageLink, PaginatorType
from core.security.secrets import MASK
from pages.link_asking import PAGINATION_FIELDS, described_pagination, pairs, show_asking
from pages.link_records import (
    edited_redaction,
    edited_rows,
    rule_rows,
    rules_of_rows,
    show_redaction,
    show_rules,
    show_steps,
    step_rows,
    steps_of_rows,
)
from pages.link_source import (
    TYPE_NAMES,
    address_label,
    described_options,
    key_label,
    public_address,
    show_access,
    show_consent,
    show_database,
    show_file,
    show_graphql,
    show_webhook,
    start_options,
    take_upload,
)
from pages.pickers import CHANNEL_NAMES, page_names
from pages.session import plain

CUSTOM = "Custom"

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
    "type",
    "match_key",
    "bad_share",
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
        "match_key": own.match_key or "",
        "type": own.type,
        "threshold": round(100 * (0.5 if own.shrink_threshold is None else own.shrink_threshold)),
        "redaction": [dict(rule) for rule in own.redaction],
        "steps": step_rows(own.transform),
        "rules": rule_rows(own.validation),
        "bad_share": round(100 * float(own.validation.get("max_bad_share", 0.1))),
    }
    values |= {f"opt-{name}": value for name, value in start_options(own).items()}
    for name in PAGINATION_FIELDS:
        value = getattr(pagination, name)
        values[name] = "" if value is None else str(value)
    return values


def use_preset() -> None:
    """Fill the form from a starting point; called when one is chosen."""
    chosen = preset(st.session_state["form-preset"])
    if chosen is None:
        return
    given = chosen.fields
    pagination = given.get("pagination") or {}
    values: dict[str, Any] = {
        "type": LinkType(given["type"]),
        "name": given["name"],
        "url": given["url"],
        "headers": "\n".join(f"{name}: {v}" for name, v in (given.get("headers") or {}).items()),
        "records": given.get("records", ""),
        "id_field": given.get("id_field", ""),
        "pagination": PaginatorType(pagination.get("type", "auto")),
        "incremental_param": (given.get("incremental") or {}).get("param", ""),
        "incremental_field": (given.get("incremental") or {}).get("field", ""),
    }
    values |= {name: str(pagination.get(name, "")) for name in PAGINATION_FIELDS}
    own = CrmLink(
        link_id="", name="", url="", type=values["type"], options=given.get("options", {})
    )
    values |= {f"opt-{name}": value for name, value in start_options(own).items()}
    for name, value in values.items():
        st.session_state[f"form-{name}"] = value


def show_fields(acting: Acting, desk: Desk, link: PageLink | None, stored: CrmLink | None) -> None:
    """The form's fields; their values are in the session as ``form-…``."""
    take_upload(link)
    if link is None:
        show_start()
    else:
        show_consent(desk, link)
    kind: LinkType = st.session_state["form-type"]
    options = stored.options if stored else {}
    has_key = bool(stored and stored.api_key)
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
    label, example = address_label(kind)
    right.text_input(label, placeholder=example, key="form-url", persist_state="session")
    if kind is LinkType.GRAPHQL:
        show_graphql()
    elif kind is LinkType.WEBHOOK:
        show_webhook(link, options, public_address(desk))
    elif kind is LinkType.DATABASE:
        show_database()
    elif kind is LinkType.FILE:
        show_file(acting, options)
    left, right = st.columns(2)
    with left:
        if kind in (LinkType.API, LinkType.GRAPHQL):
            show_access(options)
        show_key(kind, has_key=has_key)
    with right:
        if kind in (LinkType.API, LinkType.GRAPHQL, LinkType.FILE):
            st.text_area(
                "Headers",
                placeholder="X-Api-Key: …",
                help="One a line, name: value. Secret values are shown as *** and are kept.",
                key="form-headers",
                persist_state="session",
            )
    left, right = st.columns(2)
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
    with st.expander("Steps that change records"):
        show_steps()
    with st.expander("Rules for records"):
        show_rules()
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
        show_redaction()
    if link is None:
        st.toggle(
            "Active",
            key="form-is_active",
            persist_state="session",
            help="Synced at once, and from then on.",
        )


def show_start() -> None:
    """The type, or a starting point that fills the form."""
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    left.segmented_control(
        "Source",
        list(TYPE_NAMES),
        format_func=TYPE_NAMES.get,
        key="form-type",
        persist_state="session",
        required=True,
    )
    names = [CUSTOM, *(one.name for one in PRESETS)]
    right.selectbox("Start from", names, key="form-preset", on_change=use_preset)
    chosen = preset(st.session_state.get("form-preset", CUSTOM))
    if chosen:
        st.caption(plain(f"{chosen.hint} More: {chosen.source}"))


def show_key(kind: LinkType, *, has_key: bool) -> None:
    """The link's key, where it has one."""
    needs_none = kind is LinkType.WEBHOOK or st.session_state.get("form-opt-auth") == "oauth2"
    is_upload = str(st.session_state["form-url"]).startswith("upload:")
    if (needs_none and kind is not LinkType.DATABASE) or (kind is LinkType.FILE and is_upload):
        return
    st.text_input(
        key_label(kind),
        type="password",
        key="form-api_key",
        persist_state="session",
        placeholder="Stored; leave empty to keep it" if has_key else "",
        help="Write-only: it is never shown again.",
    )
    if has_key:
        st.checkbox("Remove the stored key", key="form-drop_key", persist_state="session")


def described(stored: CrmLink | None) -> NewLinkBody:
    """The link that the form describes; ``stored`` is what its masks stand for.

    Raises ValidationError, ValueError.
    """
    has_key = bool(stored and stored.api_key)
    form: dict[str, Any] = {name: st.session_state.get(f"form-{name}") for name in FIELDS}
    pagination = described_pagination()
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
            "headers": pairs(form["headers"], ":", "Headers"),
            "description": form["description"],
            "is_active": form["is_active"] is not False,
            "sync_interval_minutes": form["interval"],
            "shrink_threshold": (form["threshold"] or 0) / 100,
            "method": form["method"],
            "params": pairs(form["params"], "=", "Query parameters"),
            "body": body,
            "records": form["records"] or None,
            "id_field": form["id_field"] or None,
            "pagination": pagination,
            "incremental": incremental,
            "follow_redirects": bool(form["redirects"]),
            "redaction": edited_redaction(),
            "type": form["type"],
            "options": described_options(form["type"], stored.options if stored else {}),
            "transform": steps_of_rows(edited_rows("steps")),
            "validation": rules_of_rows(edited_rows("rules"), form["bad_share"] or 0),
            "match_key": form["match_key"] or None,
        }
    )
