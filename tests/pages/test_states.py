"""Each screen: empty, while something runs, when something fails, and without permission."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import pages.session
from core.errors import StoreAway
from core.models import Channel
from core.security.accounts import DEFAULT_COMPANY
from core.security.roles import Role
from tests.pages.conftest import NAVIGATION, Open
from tests.servers.crm import Answer, Crm, customers
from tests.sync.inside import PAGE, Inside

SCREENS = {
    "overview.py": "Overview",
    "logs.py": "Sync logs",
    "links.py": "CRM links",
    "crm_text.py": "CRM text",
    "ask.py": "Ask",
    "conversations.py": "Conversations",
    "settings.py": "Settings",
    "link_form.py": "Add a CRM link",
}
NASTY = "<script>alert(1)</script> **b** $x$ :red[y] [a](http://x.example) =1+1 \u202eabc\u0007"


def shown(page: AppTest) -> str:
    """All the text on the screen."""
    kinds = ("title", "header", "subheader", "markdown", "text", "caption", "info", "warning")
    kinds += ("error", "success", "code")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(page, kind))


def button(page: AppTest, label: str) -> Any:
    return next(one for one in page.button if one.label == label)


@pytest.mark.parametrize("file", list(SCREENS))
@pytest.mark.parametrize("role", list(Role))
def test_every_screen_opens_for_every_role_when_there_is_nothing(
    open_page: Open, file: str, role: Role
) -> None:
    page = open_page(file, role)
    assert [title.value for title in page.title] == [SCREENS[file]]
    assert not page.exception
    # Whoever finds nothing is told so, and what to do.
    assert page.info or page.success or page.caption


@pytest.mark.parametrize("file", list(SCREENS))
def test_no_screen_shows_anything_without_a_session(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    open_page(file)
    monkeypatch.setattr(pages.session, "session_token", lambda: None)
    page = AppTest.from_file(NAVIGATION, default_timeout=30).run()
    assert not page.title
    assert not page.button


@pytest.mark.parametrize("file", list(SCREENS))
def test_a_store_that_is_away_is_an_error_in_plain_words(
    open_page: Open, with_page: str, inside: Inside, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreAway("The document store does not answer.", action="Check MONGODB_URI.")

    # The real store has no switch for this; the screens are what is tested here.
    monkeypatch.setattr(inside.desk.companies, "get", away)
    page = open_page(file)
    assert not page.exception
    assert "The document store does not answer" in "".join(e.value for e in page.error).replace(
        "\\", ""
    )


def test_a_viewer_sees_the_links_and_can_change_nothing(
    open_page: Open, inside: Inside, crm: Crm, path: str
) -> None:
    link = inside.add_link(crm.serve(path, customers("John Doe")))
    inside.desk.scheduler().run_once()
    page = open_page("links.py", Role.VIEWER, page=PAGE)
    assert "Customers" in shown(page)
    assert all(toggle.disabled for toggle in page.toggle)
    assert button(page, "Sync now").disabled
    assert button(page, "Add CRM link").disabled
    form = open_page("link_form.py", Role.VIEWER, edit=link.link.link_id)
    assert "Your role may look at links, but not change them." in shown(form)
    assert not form.text_input


@pytest.mark.parametrize("section", ["accounts", "tokens", "configuration", "audit", "erasure"])
@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_sections_for_administrators_say_so_to_everybody_else(
    open_page: Open, section: str, role: Role
) -> None:
    page = open_page("settings.py", role, section=section)
    assert "This is for administrators" in shown(page)
    assert not page.text_input


def test_a_page_that_was_opened_before_a_role_was_lost_can_do_nothing_any_more(
    open_page: Open, inside: Inside, crm: Crm, path: str
) -> None:
    inside.add_link(crm.serve(path, customers("John Doe")))
    page = open_page("links.py", Role.OPERATOR, page=PAGE)
    inside.desk.accounts.set_role(DEFAULT_COMPANY, "a-operator", Role.VIEWER)
    before = len(inside.desk.runs.find(DEFAULT_COMPANY))
    page = button(page, "Sync now").click().run()
    assert len(inside.desk.runs.find(DEFAULT_COMPANY)) == before
    assert not page.exception


def test_links_show_a_sync_under_way_with_its_step_and_how_to_cancel_it(
    open_page: Open, inside: Inside, crm: Crm, path: str
) -> None:
    inside.add_link(crm.serve(path, customers("John Doe")))
    page = open_page("links.py", page=PAGE)
    assert "Not synced yet" in shown(page)
    assert button(page, "Cancel")
    page = button(page, "Cancel").click().run()
    assert inside.desk.runs.find(DEFAULT_COMPANY)[0]["state"] == "cancelled"


def test_a_failed_link_says_why_on_every_screen_that_shows_it(
    open_page: Open, inside: Inside, crm: Crm, path: str
) -> None:
    inside.add_link(crm.serve(path, Answer("no", 401)))
    inside.desk.scheduler().run_once()
    run = inside.desk.runs.find(DEFAULT_COMPANY)[0]
    assert "The CRM does not accept the key" in shown(open_page("overview.py"))
    assert "401 Unauthorized" in shown(open_page("links.py", page=PAGE)).replace("\\", "")
    opened = shown(open_page("logs.py", run=run["_id"]))
    assert "The CRM does not accept the key" in opened
    assert "Whoever edits the link here" in opened
    assert "The sync logs say why" in shown(open_page("crm_text.py", page=PAGE))


def test_a_run_that_is_gone_says_so(open_page: Open, with_page: str) -> None:
    page = open_page("logs.py", run="run-0000")
    assert "This run is not kept any more." in shown(page)


def test_a_link_that_is_gone_says_so(open_page: Open, with_page: str) -> None:
    page = open_page("link_form.py", edit="link-0000")
    assert "There is no CRM link link-0000" in page.error[0].value.replace("\\", "")


def test_hostile_text_is_plain_text_on_every_screen(
    open_page: Open, inside: Inside, crm: Crm, path: str
) -> None:
    link = inside.add_link(crm.serve(path, customers(NASTY, "Ben B")), description=NASTY)
    inside.desk.scheduler().run_once()
    crm.serve(path, customers(NASTY + "2", "Ben B"))
    inside.desk.links.sync_now(DEFAULT_COMPANY, link.link.link_id)
    inside.desk.scheduler().run_once()
    inside.desk.questions.add(DEFAULT_COMPANY, PAGE, Channel.MESSENGER, NASTY, "x")
    run = inside.desk.runs.find(DEFAULT_COMPANY)[0]
    link_id = link.link.link_id
    for page in (
        open_page("links.py", page=PAGE),
        open_page("logs.py", run=run["_id"]),
        open_page("crm_text.py", page=PAGE, view="record"),
        open_page("crm_text.py", page=PAGE, view="compare"),
        open_page("crm_text.py", page=PAGE),
        open_page("ask.py", page=PAGE, channel="messenger", q="Who is the customer?"),
        open_page("link_form.py", edit=link_id),
        open_page("settings.py", section="audit"),
    ):
        assert not page.exception
        for element in (*page.markdown, *page.caption, *page.warning, *page.info, *page.error):
            # In Markdown every sign of it is escaped, and no address becomes a link.
            assert "<script>" not in element.value
            assert "**b**" not in element.value
            assert "](http" not in element.value
            assert "http://x" not in element.value.replace("\\", "")
        for text in shown(page), *(str(t.value) for t in page.dataframe):
            assert "\u202e" not in text
            assert "\u0007" not in text
