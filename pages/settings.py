"""Settings: pages, accounts, tokens, redaction, configuration, and how the parts are."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.acting import Acting
from pages.pickers import keep_in_url
from pages.session import may_administer, reading
from pages.settings_access import (
    ask_before_deleting_account,
    ask_for_password,
    show_accounts,
    show_audit,
    show_own_password,
    show_tokens,
)
from pages.settings_bot import show_page_bot
from pages.settings_data import (
    rename_page,
    show_configuration,
    show_erasures,
    show_pages,
    show_redaction,
    show_system,
)

# What anyone may look at, and what only administrators may.
SECTIONS: dict[str, tuple[str, Callable[[Acting], None], bool]] = {
    "pages": ("Company and pages", show_pages, False),
    "bot": ("Bot", show_page_bot, True),
    "accounts": ("Accounts", show_accounts, True),
    "tokens": ("Tokens", show_tokens, True),
    "redaction": ("Redaction", show_redaction, False),
    "erasure": ("Erase a person", show_erasures, True),
    "configuration": ("Export and import", show_configuration, True),
    "system": ("System", show_system, False),
    "audit": ("Audit log", show_audit, True),
    "password": ("My password", show_own_password, False),
}

QUESTIONS: dict[str, Callable[..., None]] = {
    "password": ask_for_password,
    "delete account": ask_before_deleting_account,
    "rename page": rename_page,
}


def main() -> None:
    """The page."""
    acting, _ = reading()
    st.title("Settings")
    if "section" not in st.session_state and st.query_params.get("section") in SECTIONS:
        st.session_state["section"] = st.query_params["section"]
    chosen = st.pills(
        "Section",
        list(SECTIONS),
        format_func=lambda name: SECTIONS[name][0],
        key="section",
        default=None if "section" in st.session_state else "pages",
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    section: str = chosen or "pages"
    keep_in_url("section", section if section != "pages" else "")
    _, show, for_admins = SECTIONS[section]
    if for_admins and not may_administer(acting):
        st.info(
            "This is for administrators. Ask one of them, or sign in as one.",
            icon=":material/lock:",
        )
        return
    show(acting)
    question, about = st.session_state.get("asking", ("", ()))
    if question in QUESTIONS:
        QUESTIONS[question](*about)


main()
