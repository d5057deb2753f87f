"""The part of a link's form that only its type has: what is asked, and who is asking."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.acting import Acting
from core.connectors.api.consent import is_granted
from core.connectors.registry import connector_of
from core.connectors.webhook.signatures import Scheme
from core.desk import Desk
from core.errors import DeskError
from core.models import CrmLink, LinkType, PageLink
from core.security.secrets import MASK
from pages.session import plain, show_error, visible

TYPE_NAMES = {
    LinkType.API: "REST API",
    LinkType.GRAPHQL: "GraphQL",
    LinkType.WEBHOOK: "Webhook",
    LinkType.DATABASE: "Database",
    LinkType.FILE: "File",
}
AUTHS = {
    "bearer": "Bearer token",
    "basic": "User and password",
    "query": "Key in the address",
    "oauth2": "OAuth 2.0",
}
SCHEMES = {
    Scheme.STANDARD: "Standard Webhooks",
    Scheme.SHOPIFY: "Shopify",
    Scheme.HUBSPOT: "HubSpot v3",
    Scheme.STRIPE: "Stripe",
    Scheme.GITHUB: "GitHub-style (X-Hub-Signature-256)",
    Scheme.SECRET: "The secret itself",
}
UPLOAD = "upload:"
_ACCESS = (
    "auth",
    "username",
    "key_param",
    "token_url",
    "client_id",
    "client_secret",
    "token_auth",
    "scope",
    "authorize_url",
    "refresh_token",
)
OPTIONS: dict[LinkType, tuple[str, ...]] = {
    LinkType.API: _ACCESS,
    LinkType.GRAPHQL: (*_ACCESS, "query", "variables", "cursor_variable"),
    LinkType.WEBHOOK: (
        "scheme",
        "secret",
        "previous_secret",
        "record_path",
        "id_path",
        "delete_events",
    ),
    LinkType.DATABASE: ("query", "max_rows"),
    LinkType.FILE: (*_ACCESS, "upload_id"),
}
NAMES = tuple(dict.fromkeys(name for names in OPTIONS.values() for name in names))


def start_options(link: CrmLink) -> dict[str, Any]:
    """What the fields show at first; secrets are empty."""
    secret = connector_of(link.type).secret_options
    values: dict[str, Any] = dict.fromkeys(NAMES, "")
    values |= {"auth": "bearer", "scheme": Scheme.STANDARD, "token_auth": "basic"}
    values |= {n: v for n, v in link.options.items() if n not in secret and n in values}
    values["scheme"] = Scheme(values["scheme"])
    values["variables"] = json.dumps(values["variables"], indent=1) if values["variables"] else ""
    values["delete_events"] = "\n".join(values["delete_events"] or ())
    values["max_rows"] = str(values["max_rows"] or "")
    return values


def described_options(kind: LinkType, stored: Mapping[str, Any]) -> dict[str, Any]:
    """The options that the fields describe; ``stored`` are those of the link, if there is one.

    Raises ValueError.
    """
    form = {name: st.session_state.get(f"form-opt-{name}") for name in OPTIONS[kind]}
    secret = connector_of(kind).secret_options
    options: dict[str, Any] = {}
    for name, value in form.items():
        if name in secret:
            if value or stored.get(name):
                options[name] = value or MASK
        elif value:
            options[name] = value
    if kind in (LinkType.API, LinkType.GRAPHQL, LinkType.FILE):
        used = _used_by(str(options.get("auth", "bearer")))
        options = {n: v for n, v in options.items() if n not in _ACCESS or n in used}
    if "variables" in options:
        try:
            options["variables"] = json.loads(options["variables"])
        except json.JSONDecodeError as error:
            raise ValueError(f"Variables: not valid JSON: {error}") from None
    if "delete_events" in options:
        options["delete_events"] = [e for e in options["delete_events"].splitlines() if e.strip()]
    if "max_rows" in options:
        if not options["max_rows"].strip().isdigit():
            raise ValueError("Row limit: a number is expected.")
        options["max_rows"] = int(options["max_rows"])
    if kind is LinkType.FILE and not str(st.session_state["form-url"]).startswith(UPLOAD):
        options.pop("upload_id", None)
    return options


def _used_by(auth: str) -> set[str]:
    used = {"basic": {"username"}, "query": {"key_param"}, "oauth2": set(_ACCESS[3:])}
    return {"auth"} | used.get(auth, set())


def text(label: str, name: str, **more: Any) -> None:
    """A field of one option."""
    st.text_input(label, key=f"form-opt-{name}", persist_state="session", **more)


def secret_text(label: str, name: str, stored: Mapping[str, Any], **more: Any) -> None:
    """A write-only field."""
    kept = "Stored; leave empty to keep it" if stored.get(name) else ""
    text(label, name, type="password", placeholder=kept, **more)


def show_access(stored: Mapping[str, Any]) -> None:
    """How the CRM knows who asks."""
    auth = st.selectbox(
        "Access",
        list(AUTHS),
        format_func=AUTHS.get,
        key="form-opt-auth",
        persist_state="session",
    )
    if auth == "basic":
        text("User name", "username", help="The API key is the password.")
    elif auth == "query":
        text("Parameter for the key", "key_param", placeholder="api_key")
    elif auth == "oauth2":
        text("Token address", "token_url", placeholder="https://crm.example.com/oauth/token")
        text("Client ID", "client_id")
        secret_text("Client secret", "client_secret", stored)
        with st.expander("More on OAuth 2.0"):
            text("Scope", "scope")
            st.segmented_control(
                "ID and secret go",
                ["basic", "body"],
                format_func={"basic": "into a header", "body": "into the form"}.get,
                key="form-opt-token_auth",
                persist_state="session",
                required=True,
            )
            text(
                "Consent address",
                "authorize_url",
                placeholder="https://crm.example.com/oauth/authorize",
                help="When a person has to agree: save the link, then press Connect.",
            )
            secret_text("Refresh token", "refresh_token", stored)


def show_graphql() -> None:
    """The query."""
    st.text_area(
        "Query",
        key="form-opt-query",
        persist_state="session",
        height=180,
        placeholder="query ($after: String) {\n  customers(first: 100, after: $after) {\n"
        "    nodes { id name email }\n    pageInfo { hasNextPage endCursor }\n  }\n}",
    )
    left, right = st.columns(2)
    with left:
        st.text_area(
            "Variables", key="form-opt-variables", persist_state="session", placeholder="{}"
        )
    with right:
        text("Variable for the cursor", "cursor_variable", placeholder="after")


def show_webhook(link: PageLink | None, stored: Mapping[str, Any], public_url: str) -> None:
    """Where events go, and how they prove themselves."""
    if link:
        st.caption("The CRM sends its events to")
        st.code(f"{public_url}/api/webhooks/crm/{link.link.link_id}", language=None)
    else:
        st.info(
            "Save the link: its form then shows the address for the CRM's webhook settings.",
            icon=":material/info:",
        )
    left, right = st.columns(2)
    with left:
        st.selectbox(
            "Signature",
            list(SCHEMES),
            format_func=SCHEMES.get,
            key="form-opt-scheme",
            persist_state="session",
        )
        secret_text("Secret", "secret", stored)
        secret_text(
            "Previous secret",
            "previous_secret",
            stored,
            help="Holds beside the secret, so that none of the events is lost in a change.",
        )
    with right:
        text("Record", "record_path", placeholder="As usual for the sender", help="A JSONPath.")
        text("ID in the record", "id_path", placeholder="$.id", help="A JSONPath.")
        st.text_area(
            "Events that delete",
            key="form-opt-delete_events",
            persist_state="session",
            placeholder="Those named …delete or …deleted",
            help="One a line.",
        )


def show_database() -> None:
    """The query."""
    st.text_area(
        "Query",
        key="form-opt-query",
        persist_state="session",
        height=140,
        placeholder="SELECT id, name, email FROM customers",
        help="It runs in a session that can only read.",
    )
    text("Row limit", "max_rows", placeholder="As much as is allowed")


def show_file(acting: Acting, stored: Mapping[str, Any]) -> None:
    """An upload; access, when it is a web address."""
    file = st.file_uploader(
        "Upload a file",
        type=["csv", "tsv", "json", "jsonl", "ndjson", "xlsx", "xml", "txt", "md"],
        key="form-upload",
        max_upload_size=max(1, acting.reading.settings.max_upload_bytes // 2**20),
        help="JSON, JSON lines, CSV, XLSX, XML or plain text. Or enter a web address above.",
    )
    if file is not None and st.session_state.get("form-uploaded") != file.file_id:
        try:
            upload = acting.upload(file.name, file.getvalue())
        except DeskError as error:
            show_error(error)
            return
        st.session_state["form-uploaded"] = file.file_id
        st.session_state["form-upload-result"] = (upload["_id"], upload["name"])
        st.rerun()
    if st.session_state.get("form-opt-upload_id"):
        st.caption(plain(f"Reads the upload {st.session_state['form-opt-upload_id']}"))
    if not str(st.session_state["form-url"]).startswith(UPLOAD):
        show_access(stored)


def take_upload(link: PageLink | None) -> None:
    """Put what was uploaded into the fields, before they are drawn."""
    if found := st.session_state.pop("form-upload-result", None):
        st.session_state["form-opt-upload_id"] = found[0]
        if link is None or not link.link.url.startswith(UPLOAD):
            st.session_state["form-url"] = f"{UPLOAD}{found[1]}"


def show_consent(desk: Desk, link: PageLink) -> None:
    """Whether somebody has agreed at the CRM, and the way there."""
    if not link.link.options.get("authorize_url"):
        return
    with desk.fetching() as context:
        granted = is_granted(link.link, context)
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        if granted:
            st.success("Connected: somebody has agreed at the CRM.", icon=":material/link:")
        else:
            st.warning("Nobody has agreed at the CRM yet.", icon=":material/link_off:")
        st.link_button(
            "Connect again" if granted else "Connect",
            f"/oauth/connect?link_id={link.link.link_id}",
            icon=":material/open_in_new:",
        )


def address_label(kind: LinkType) -> tuple[str, str]:
    """What the link's URL is called, and an example of one."""
    return {
        LinkType.API: ("URL", "https://crm.example.com/api/customers"),
        LinkType.GRAPHQL: ("URL", "https://crm.example.com/graphql"),
        LinkType.WEBHOOK: ("Whom the events come from", "https://shop.example.com"),
        LinkType.DATABASE: ("Database", "postgresql://reader@db.example.com:5432/shop"),
        LinkType.FILE: ("File", "https://files.example.com/customers.csv"),
    }[kind]


def key_label(kind: LinkType) -> str:
    """What the link's key is called."""
    return "Password" if kind is LinkType.DATABASE else "API key"


def public_address(desk: Desk) -> str:
    """The dashboard's address, as others know it."""
    if desk.settings.public_url:
        return desk.settings.public_url.rstrip("/")
    url = st.context.url or ""
    return visible("/".join(url.split("/")[:3]))
