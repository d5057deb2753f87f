"""Pages run by Streamlit's AppTest, over the real store, mirror and model in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import pages.session
from core.security.accounts import DEFAULT_COMPANY
from core.security.roles import Role
from tests.sync.inside import PAGE, Inside

PASSWORD = "a long enough password"
NAVIGATION = Path(__file__).parent.parent.parent / "pages" / "navigation.py"

Open = Callable[..., AppTest]


@pytest.fixture
def open_page(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a screen as a role: ``open_page("links.py", Role.VIEWER, page="123")``."""
    monkeypatch.setattr(pages.session, "get_desk", lambda: inside.desk)

    def open_as(file: str, role: Role = Role.ADMIN, **query: str) -> AppTest:
        name = f"a-{role.value}"
        if not any(a["_id"] == name for a in inside.desk.accounts.all(DEFAULT_COMPANY)):
            inside.desk.accounts.create(DEFAULT_COMPANY, name, PASSWORD, role)
        token = inside.desk.accounts.sign_in(name, PASSWORD, "here").token
        monkeypatch.setattr(pages.session, "session_token", lambda: token)
        opened = AppTest.from_file(NAVIGATION, default_timeout=30).run()
        for key, value in query.items():
            opened.query_params[key] = value
        return opened.switch_page(file).run()

    return open_as


@pytest.fixture
def with_page(inside: Inside) -> str:
    """A page without links; its id."""
    inside.desk.companies.add_page(DEFAULT_COMPANY, PAGE, "Page")
    return PAGE
