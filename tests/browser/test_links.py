"""The Links screen, clicked through as support staff would."""

from __future__ import annotations

import threading

from playwright.sync_api import Page, expect

from tests.product import Client
from tests.servers.crm import Answer, Crm, customers
from tests.waiting import until

NASTY = "<b>x</b> **bold** [link](javascript:alert(1)) $a$ :red[y] `code` <script>alert(1)</script>"


def test_a_link_is_added_and_seen_syncing_without_a_reload(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, customers("John Doe", "Jane Roe"))
    page.goto(f"/?page={page_id}")
    expect(page.get_by_text("No CRM link feeds this channel yet")).to_be_visible()
    page.get_by_role("button", name="Add CRM link").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("Shop customers")
    dialog.get_by_label("URL", exact=True).fill(url)
    dialog.get_by_label("API key", exact=True).fill("secret-key-1")
    dialog.get_by_label("Headers", exact=True).fill("X-Api-Key: secret-key-2\nAccept-Language: en")
    dialog.get_by_role("button", name="Add link").click()
    expect(page.get_by_text("Shop customers")).to_be_visible()
    expect(page.get_by_text("2 records in 2 documents")).to_be_visible()
    expect(page.get_by_text("Serving")).to_be_visible()
    expect(page.get_by_text("secret-key")).to_have_count(0)
    asked = crm.asked(path)[0].headers
    assert (asked["Authorization"], asked["X-Api-Key"]) == ("Bearer secret-key-1", "secret-key-2")


def test_what_is_wrong_with_a_new_link_is_said_and_what_was_typed_stays(
    page: Page, page_id: str
) -> None:
    page.goto(f"/?page={page_id}")
    page.get_by_role("button", name="Add CRM link").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("URL", exact=True).fill("https://127.0.0.1/customers")
    dialog.get_by_role("button", name="Add link").click()
    expect(dialog.get_by_text("Name: must not be empty")).to_be_visible()
    dialog.get_by_label("Name", exact=True).fill("Customers")
    dialog.get_by_role("button", name="Add link").click()
    expect(dialog.get_by_text("127.0.0.1 is a private address.")).to_be_visible()
    expect(dialog.get_by_label("URL", exact=True)).to_have_value("https://127.0.0.1/customers")
    dialog.get_by_label("Headers", exact=True).fill("no colon here")
    dialog.get_by_role("button", name="Add link").click()
    expect(dialog.get_by_text("“no colon here” has no “:” in it")).to_be_visible()


def test_a_toggle_switches_one_channel_and_the_choice_stays(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, customers("John Doe"))
    link = api.add_link(page_id, url, ["facebook", "messenger"])
    page.goto(f"/?page={page_id}")
    # The input itself is hidden under the drawn switch.
    page.get_by_text("Facebook comments", exact=True).last.click()
    until(
        lambda: (
            api.link(page_id, link["link_id"])["channel_status"]
            == {"facebook": False, "messenger": True}
        ),
        "the switch to be stored",
    )
    page.reload()
    expect(page.get_by_role("switch", name="Facebook comments")).not_to_be_checked()
    expect(page.get_by_role("switch", name="Messenger")).to_be_checked()


def test_a_sync_is_started_and_watched_while_the_page_stays_usable(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe")))
    api.ended_run(link["link_id"])
    gate = threading.Event()
    crm.serve(path, Answer(customers("John Doe", "Jane Roe"), wait_for=gate))
    page.goto(f"/?page={page_id}")
    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_text("Sync: fetch")).to_be_visible()
    page.get_by_role("button", name="Add CRM link").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    gate.set()
    expect(page.get_by_text("2 records in 2 documents")).to_be_visible()


def test_a_link_is_deleted_after_a_confirmation_only(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe")), name="Old shop")
    api.ended_run(link["link_id"])
    page.goto(f"/?page={page_id}")
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Its 1 documents are removed")).to_be_visible()
    dialog.get_by_role("button", name="Keep it").click()
    expect(dialog).to_have_count(0)
    assert api.get("/dashboard/crm-links", page_id=page_id).json()["total"] == 1
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No CRM link feeds this channel yet")).to_be_visible()
    assert api.get("/dashboard/crm-links", page_id=page_id).json()["total"] == 0


def test_a_failing_link_says_why_and_what_to_do(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    api.add_link(page_id, crm.serve(path, Answer("no", 401)))
    page.goto(f"/?page={page_id}")
    expect(page.get_by_text("Failed, will retry").first).to_be_visible()
    expect(page.get_by_text("401 Unauthorized The CRM does not accept the key")).to_be_visible()


def test_names_and_descriptions_are_shown_as_plain_text(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, customers("John Doe"))
    api.add_link(page_id, url, name=NASTY, description=NASTY)
    page.goto(f"/?page={page_id}")
    expect(page.get_by_text(NASTY)).to_have_count(2)


def test_page_and_channel_stay_in_the_address(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    api.add_link(page_id, crm.serve(path, customers("John Doe")), ["facebook"], name="Only here")
    page.goto(f"/?page={page_id}&channel=messenger")
    expect(page.get_by_text("No CRM link feeds this channel yet")).to_be_visible()
    page.goto(f"/?page={page_id}&channel=facebook")
    expect(page.get_by_text("Only here")).to_be_visible()
