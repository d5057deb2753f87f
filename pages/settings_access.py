"""Settings about who may come in: accounts, service tokens, one's own password, the audit log."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from core.acting import Acting
from core.errors import DeskError
from core.security.accounts import MIN_PASSWORD
from core.security.roles import TOKEN_SCOPES, Permission, Role
from pages.session import (
    answered,
    ask,
    cell,
    exact,
    local,
    plain,
    say_later,
    show_error,
    signed_in,
    visible,
)

ROLES = {
    Role.VIEWER: "Viewer: looks and asks",
    Role.OPERATOR: "Operator: also links, syncs, approvals",
    Role.ADMIN: "Admin: also accounts and settings",
}
SCOPES = {
    Permission.READ: "Read",
    Permission.SEARCH: "Search and reply",
    Permission.OPERATE: "Write: links and syncs",
}
AUDIT_SHOWN = 100


def show_accounts(acting: Acting) -> None:
    """The accounts, and adding one."""
    accounts = acting.accounts()
    for account in accounts:
        name = str(account["_id"])
        with st.container(border=True):
            left, right = st.columns([2, 3], vertical_alignment="center")
            left.markdown(f"**{plain(name)}**")
            seen = account.get("last_sign_in_at")
            left.caption(
                f"last signed in {local(seen):%d %b %Y, %H:%M}" if seen else "never signed in",
                help=exact(seen),
            )
            with right, st.container(horizontal=True, vertical_alignment="bottom"):
                key = f"role-{name}"
                st.session_state[key] = Role(account["role"])
                st.selectbox(
                    f"Role of {plain(name)}",
                    list(ROLES),
                    format_func=ROLES.get,
                    key=key,
                    on_change=change_role,
                    args=(name, key),
                    label_visibility="collapsed",
                )
                st.button(
                    "Set password",
                    key=f"password-{name}",
                    icon=":material/key:",
                    on_click=ask,
                    args=("password", name),
                )
                st.button(
                    "Delete",
                    key=f"delete-{name}",
                    icon=":material/delete:",
                    on_click=ask,
                    args=("delete account", name),
                )
    st.subheader("Add an account")
    with st.form("add-account", clear_on_submit=False):
        name = st.text_input("User name")
        password = st.text_input(
            "Password", type="password", help=f"At least {MIN_PASSWORD} characters."
        )
        role = st.selectbox("Role", list(ROLES), format_func=ROLES.get)
        if st.form_submit_button("Add account", type="primary"):
            try:
                acting.create_account(name.strip(), password, role)
            except DeskError as error:
                show_error(error)
            else:
                say_later(f"Account {name} added")
                st.rerun()


def change_role(username: str, key: str) -> None:
    """Called as another role is chosen."""
    try:
        signed_in().set_role(username, st.session_state[key])
        say_later(f"{username} is {st.session_state[key].value} now")
    except DeskError as error:
        say_later(str(error), is_error=True)


@st.dialog("Set a password", on_dismiss=answered)
def ask_for_password(username: str) -> None:
    """A new password for someone."""
    acting = signed_in()
    st.write(f"For **{plain(username)}**, who is then signed out everywhere.")
    password = st.text_input("New password", type="password")
    if st.button("Set it", type="primary"):
        try:
            acting.set_password(username, password)
        except DeskError as error:
            show_error(error)
            return
        answered()
        say_later(f"{username} has a new password")
        st.rerun()


@st.dialog("Delete this account?", on_dismiss=answered)
def ask_before_deleting_account(username: str) -> None:
    """Delete someone's account."""
    acting = signed_in()
    st.write(f"**{plain(username)}** is signed out everywhere and can't sign in any more.")
    if st.button("Delete account", type="primary"):
        try:
            acting.delete_account(username)
        except DeskError as error:
            show_error(error)
            return
        answered()
        say_later(f"Account {username} deleted")
        st.rerun()


def show_tokens(acting: Acting) -> None:
    """The service tokens, and making one."""
    if fresh := st.session_state.pop("fresh-token", None):
        st.success("Copy it now: it is not shown again.", icon=":material/key:")
        st.code(fresh, language=None)
    tokens = acting.tokens()
    if not tokens:
        st.info("No token yet. The bot and scripts use one to call the API.")
    for token in tokens:
        name = str(token["name"])
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(name)}**", width="content")
            for scope in token["scopes"]:
                st.badge(SCOPES[Permission(scope)], color="blue")
            used = token["last_used_at"]
            st.caption(
                plain(
                    f"by {token['created_by']}, expires {local(token['expires_at']):%d %b %Y}, "
                    + (f"last used {local(used):%d %b %Y, %H:%M}" if used else "never used")
                ),
                help=exact(token["expires_at"]),
            )
            st.button(
                "Revoke",
                key=f"revoke-{name}",
                icon=":material/block:",
                on_click=revoke,
                args=(name,),
            )
    st.subheader("Make a token")
    with st.form("add-token"):
        name = st.text_input("Token name", placeholder="messenger-bot")
        scopes = st.multiselect(
            "May", list(TOKEN_SCOPES), default=[Permission.SEARCH], format_func=SCOPES.get
        )
        days = st.number_input("Days until it expires", min_value=1, max_value=3650, value=365)
        if st.form_submit_button("Make token", type="primary"):
            try:
                st.session_state["fresh-token"] = acting.create_token(
                    name.strip(), scopes, float(days)
                )
            except DeskError as error:
                show_error(error)
            else:
                st.rerun()


def revoke(name: str) -> None:
    """Called as a token is to end."""
    try:
        signed_in().revoke_token(name)
        say_later(f"Token {name} revoked")
    except DeskError as error:
        say_later(str(error), is_error=True)


def show_own_password(acting: Acting) -> None:
    """A new password for oneself."""
    with st.form("own-password"):
        current = st.text_input("Current password", type="password")
        password = st.text_input(
            "New password", type="password", help=f"At least {MIN_PASSWORD} characters."
        )
        st.caption("You are signed out everywhere, and sign in again with the new one.")
        if st.form_submit_button("Change password", type="primary"):
            try:
                acting.change_own_password(current, password)
            except DeskError as error:
                show_error(error)
            else:
                st.rerun()

    st.button(
        "Sign out everywhere",
        icon=":material/logout:",
        on_click=sign_out_everywhere,
        help="Ends all your sessions, on every device; this one too.",
    )


def sign_out_everywhere() -> None:
    """Called as all own sessions are to end."""
    signed_in().end_own_sessions()


def show_audit(acting: Acting) -> None:
    """Who changed what, newest first."""
    left, right = st.columns(2)
    who = left.text_input("Who", key="audit-who", placeholder="Anybody")
    subject = right.text_input("What", key="audit-subject", placeholder="The id of a link, page, …")
    before = st.session_state.get("audit-before")
    entries = acting.audit(
        who=who or None, subject=subject or None, before=before, limit=AUDIT_SHOWN
    )
    if not entries:
        st.info("No entry matches.", icon=":material/filter_alt_off:")
    else:
        table = pd.DataFrame(
            [
                {
                    "When": local(entry["at"]).replace(tzinfo=None),
                    "Who": cell(entry["who"]),
                    "Did": entry["action"],
                    "To": cell(entry["subject"]),
                    "Before": visible(json.dumps(entry["before"], ensure_ascii=False, default=str))
                    if entry["before"]
                    else "",
                    "After": visible(json.dumps(entry["after"], ensure_ascii=False, default=str))
                    if entry["after"]
                    else "",
                    "From": entry["origin"],
                }
                for entry in entries
            ]
        )
        st.dataframe(
            table,
            hide_index=True,
            height=600 if len(entries) > 15 else "content",
            column_config={
                "When": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm:ss", width=170),
                "Before": st.column_config.TextColumn(width="medium"),
                "After": st.column_config.TextColumn(width="medium"),
            },
            alt="The audit log, newest first",
        )
    with st.container(horizontal=True):
        if before and st.button("Newest", icon=":material/first_page:"):
            del st.session_state["audit-before"]
            st.rerun()
        if len(entries) == AUDIT_SHOWN and st.button("Older", icon=":material/chevron_right:"):
            st.session_state["audit-before"] = entries[-1]["at"]
            st.rerun()
