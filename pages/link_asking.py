"""The part of a link's form about how its CRM is asked, and where the records are."""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.models import LinkType, PaginatorType

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


def show_asking() -> None:
    """Method, parameters, pagination, records; only where something is asked for by HTTP."""
    left, right = st.columns(2)
    kind = st.session_state["form-type"]
    if kind is LinkType.API:
        left.segmented_control(
            "Method", ["GET", "POST"], key="form-method", persist_state="session", required=True
        )
    if kind in (LinkType.WEBHOOK, LinkType.DATABASE):
        show_finding(left, right)
        return
    right.text_area(
        "Query parameters",
        placeholder="status=active",
        help="One a line, name=value. Secret values are shown as *** and stay as they are.",
        key="form-params",
        persist_state="session",
    )
    if kind is LinkType.API and st.session_state["form-method"] == "POST":
        left.text_area(
            "Body",
            placeholder='{"limit": 100}',
            help="JSON",
            key="form-body",
            persist_state="session",
        )
    show_finding(left, right)
    if kind is not LinkType.API:
        return
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


def show_finding(left: DeltaGenerator, right: DeltaGenerator) -> None:
    """Where the records are in what came."""
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
    left.text_input(
        "Shared key",
        placeholder="customer_number",
        help="The field with a key that the same customer has in other links. E-mail addresses "
        "and phone numbers are matched by themselves.",
        key="form-match_key",
        persist_state="session",
    )


def described_pagination() -> dict[str, Any]:
    """The pagination that the fields describe."""
    chosen = st.session_state["form-pagination"]
    pagination: dict[str, Any] = {"type": chosen}
    for name in USED_BY.get(chosen, ()):
        if value := str(st.session_state.get(f"form-{name}") or "").strip():
            number = PAGINATION_FIELDS[name][2]
            pagination[name] = int(value) if number and value.isdigit() else value
    return pagination


def pairs(text: str | None, separator: str, field: str) -> dict[str, str]:
    """Names and values, one a line. Raises ValueError, naming ``field``."""
    found = {}
    for line in filter(str.strip, (text or "").splitlines()):
        name, is_there, value = line.partition(separator)
        if not is_there:
            raise ValueError(f"{field}: “{name.strip()}” has no “{separator}” in it.")
        found[name.strip()] = value.strip()
    return found
