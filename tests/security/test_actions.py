"""Every action that pages and calls share, for every role: refused exactly when it should be."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.acting import Acting
from core.errors import DeskError, NotAllowed
from core.facebook.page_bots import Mode, Reveals
from core.links import NewLink
from core.models import Channel
from core.security.accounts import DEFAULT_COMPANY
from core.security.roles import Permission, Role, User
from tests.sync.inside import Inside

ROOT = Path(__file__).parent.parent.parent
READ, SEARCH = Permission.READ, Permission.SEARCH
OPERATE, ADMINISTER = Permission.OPERATE, Permission.ADMINISTER
LINK = NewLink("x", "https://example.com/x")
M = Channel.MESSENGER

# Each action: what it needs, and a call of it that leads to nothing that exists.
ACTIONS: dict[str, tuple[Permission | None, Callable[[Acting], Any]]] = {
    "reading": (READ, lambda a: a.reading),
    "may": (None, lambda a: a.may(READ)),
    "add_link": (OPERATE, lambda a: a.add_link("none", [M], LINK)),
    "update_link": (OPERATE, lambda a: a.update_link("none", [M], LINK, revision=0)),
    "set_link_active": (OPERATE, lambda a: a.set_link_active("none", "x", [M], True)),
    "delete_link": (OPERATE, lambda a: a.delete_link("none", "x", [M])),
    "test_link": (OPERATE, lambda a: a.test_link("none", [M], LINK)),
    "begin_consent": (OPERATE, lambda a: a.begin_consent("none", "https://example.com/")),
    "finish_consent": (OPERATE, lambda a: a.finish_consent("x", "y", "https://example.com/")),
    "upload": (OPERATE, lambda a: a.upload("x", b"")),
    "replace_upload": (OPERATE, lambda a: a.replace_upload("none", "x", b"x")),
    "sync_link": (OPERATE, lambda a: a.sync_link("none")),
    "cancel_run": (OPERATE, lambda a: a.cancel_run("none")),
    "approve_run": (OPERATE, lambda a: a.approve_run("none")),
    "reject_run": (OPERATE, lambda a: a.reject_run("none")),
    "search": (SEARCH, lambda a: a.search("none", M, "x", 1)),
    "reply": (SEARCH, lambda a: a.reply("none", M, "x")),
    "stream_reply": (SEARCH, lambda a: a.stream_reply("none", M, "x")),
    "kept_reply": (READ, lambda a: a.kept_reply("none")),
    "set_page_bot": (
        ADMINISTER,
        lambda a: a.set_page_bot(
            "none",
            mode=Mode.OFF,
            reveals=Reveals.OWN,
            token=None,
            handover_words=[],
            handover_reply="",
        ),
    ),
    "send_answer": (OPERATE, lambda a: a.send_answer("none", "x")),
    "dismiss_message": (OPERATE, lambda a: a.dismiss_message("none")),
    "hand_over": (OPERATE, lambda a: a.hand_over("none", True)),
    "tie_conversation": (OPERATE, lambda a: a.tie_conversation("none")),
    "save_question": (OPERATE, lambda a: a.save_question("none", M, "x")),
    "delete_question": (OPERATE, lambda a: a.delete_question("none")),
    "run_questions": (SEARCH, lambda a: a.run_questions("none", M)),
    "add_page": (OPERATE, lambda a: a.add_page("new", "New")),
    "rename_page": (OPERATE, lambda a: a.rename_page("none", "x")),
    "delete_page": (ADMINISTER, lambda a: a.delete_page("none")),
    "rename_company": (ADMINISTER, lambda a: a.rename_company("x")),
    "set_redaction": (ADMINISTER, lambda a: a.set_redaction({}, [])),
    "erase": (ADMINISTER, lambda a: a.erase("x")),
    "erasures": (ADMINISTER, lambda a: a.erasures()),
    "erasure": (ADMINISTER, lambda a: a.erasure("none")),
    "import_configuration": (ADMINISTER, lambda a: a.import_configuration("", dry_run=True)),
    "export_configuration": (ADMINISTER, lambda a: a.export_configuration()),
    "accounts": (ADMINISTER, lambda a: a.accounts()),
    "create_account": (ADMINISTER, lambda a: a.create_account("x", "short", Role.VIEWER)),
    "set_role": (ADMINISTER, lambda a: a.set_role("none", Role.VIEWER)),
    "set_password": (ADMINISTER, lambda a: a.set_password("none", "x")),
    "change_own_password": (None, lambda a: a.change_own_password("x", "y")),
    "end_own_sessions": (None, lambda a: a.end_own_sessions()),
    "delete_account": (ADMINISTER, lambda a: a.delete_account("none")),
    "tokens": (ADMINISTER, lambda a: a.tokens()),
    "create_token": (ADMINISTER, lambda a: a.create_token("x", [], 1)),
    "revoke_token": (ADMINISTER, lambda a: a.revoke_token("none")),
    "audit": (ADMINISTER, lambda a: a.audit()),
}
CALLERS: dict[str, frozenset[Permission]] = {
    **{role.value: role.permissions for role in Role},
    "a token to read": frozenset({READ}),
    "a token to search": frozenset({SEARCH}),
    "nobody": frozenset(),
}


def test_the_table_names_every_action() -> None:
    public = {
        name
        for name, _ in inspect.getmembers(Acting)
        if not name.startswith("_") and name != "user"
    }
    assert public == set(ACTIONS)


@pytest.mark.parametrize("caller", list(CALLERS))
def test_an_action_is_refused_exactly_when_its_permission_is_missing(
    inside: Inside, caller: str
) -> None:
    user = User(caller, None, DEFAULT_COMPANY, CALLERS[caller])
    acting = Acting(inside.desk, user, "here")
    wrong = []
    for name, (needs, call) in ACTIONS.items():
        try:
            call(acting)
            is_refused = False
        except NotAllowed:
            is_refused = True
        except DeskError:
            is_refused = False
        may = needs is None or needs in CALLERS[caller]
        if is_refused == may:
            wrong.append(name)
    assert wrong == []


def test_no_page_and_no_call_changes_anything_but_through_an_action() -> None:
    """What changes something is called on Acting alone; the desk's parts are for reading."""
    changing = {
        "add",
        "add_page",
        "approve",
        "cancel",
        "create",
        "create_token",
        "delete",
        "delete_page",
        "edit",
        "reject",
        "rename",
        "rename_page",
        "request",
        "request_sync",
        "revoke_token",
        "set_active",
        "set_company",
        "set_option",
        "set_password",
        "set_role",
        "settle",
        "sync_now",
        "tie",
        "update",
    }
    parts = {
        "uploads",
        "inbox",
        "links",
        "runs",
        "companies",
        "accounts",
        "questions",
        "trials",
        "policies",
        "page_bots",
        "conversations",
        "messages",
    }
    files = [*(ROOT / "pages").glob("*.py"), *(ROOT / "core" / "api").glob("*.py")]
    found = [
        f"{file.name}:{node.lineno}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in changing
        and isinstance(node.func.value, ast.Attribute)
        and node.func.value.attr in parts
    ]
    assert found == []
