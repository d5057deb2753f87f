"""The Links screen, clicked through as support staff would."""

from __future__ import annotations

import threading

from playwright.sync_api import Page, expect

from tests.product import Client
from tests.servers.crm import Answer, Crm, customers
from tests.waiting import until


def menu(page: Page, choice: str) -> None:
    """Choose something of the first row's menu."""
    page.get_by_role("button", name="More").first.click()
    page.get_by_role("menuitem", name=choice).click()


NASTY = "<b>x</b> **bold** [link](javascript:alert(1)) $a$ :red[y] `code` <script>alert(1)</script>"


def test_a_toggle_switches_one_channel_and_the_choice_stays(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, customers("John Doe"))
    link = api.add_link(page_id, url, ["facebook", "messenger"])
    page.goto(f"/links?page={page_id}")
    # The input itself is hidden under the drawn switch.
    page.get_by_text("Facebook comments", exact=True).last.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("On Facebook comments the bot no longer answers")).to_be_visible()
    dialog.get_by_role("button", name="Switch off").click()
    expect(page.get_by_text("Customers is off for Facebook comments")).to_be_visible()
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
    page.goto(f"/links?page={page_id}")
    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_text("Sync: fetch")).to_be_visible()
    menu(page, "Delete")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    gate.set()
    expect(page.get_by_text("2 records in 2 documents")).to_be_visible()


def test_a_link_is_deleted_after_a_confirmation_only(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe")), name="Old shop")
    api.ended_run(link["link_id"])
    page.goto(f"/links?page={page_id}")
    menu(page, "Delete")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Its 1 documents are removed")).to_be_visible()
    dialog.get_by_role("button", name="Keep it").click()
    expect(dialog).to_have_count(0)
    assert api.get("/dashboard/crm-links", page_id=page_id).json()["total"] == 1
    menu(page, "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No CRM link feeds this channel yet")).to_be_visible()
    assert api.get("/dashboard/crm-links", page_id=page_id).json()["total"] == 0


def test_a_failing_link_says_why_and_what_to_do(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    api.add_link(page_id, crm.serve(path, Answer("no", 401)))
    page.goto(f"/links?page={page_id}")
    expect(page.get_by_text("Failed, will retry").first).to_be_visible()
    expect(page.get_by_text("401 Unauthorized. The CRM does not accept the key")).to_be_visible()


def test_names_and_descriptions_are_shown_as_plain_text(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, customers("John Doe"))
    api.add_link(page_id, url, name=NASTY, description=NASTY)
    page.goto(f"/links?page={page_id}")
    expect(page.get_by_text(NASTY, exact=True)).to_have_count(2)
    expect(page.get_by_text(NASTY)).to_have_count(3)


def test_page_and_channel_stay_in_the_address(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    api.add_link(page_id, crm.serve(path, customers("John Doe")), ["facebook"], name="Only here")
    page.goto(f"/links?page={page_id}&channel=messenger")
    expect(page.get_by_text("No CRM link feeds this channel yet")).to_be_visible()
    page.goto(f"/links?page={page_id}&channel=facebook")
    expect(page.get_by_text("Only here", exact=True)).to_be_visible()


def test_many_links_are_switched_synced_and_deleted_at_once(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    for number in range(3):
        crm.serve(f"{path}/{number}", customers("John Doe"))
        link = api.add_link(page_id, f"http://{crm.host}{path}/{number}", name=f"Shop {number}")
        api.ended_run(link["link_id"])
    page.goto(f"/links?page={page_id}")
    page.get_by_role("button", name="Select all shown").click()
    expect(page.get_by_text("3 selected")).to_be_visible()
    page.get_by_role("button", name="Sync selected").click()
    expect(page.get_by_text("3 syncs are under way")).to_be_visible()
    page.get_by_role("button", name="Switch off").click()
    page.get_by_role("dialog").get_by_role("button", name="Switch off").click()
    expect(page.get_by_text("3 links are off")).to_be_visible()
    counts = api.get("/dashboard/crm-links", page_id=page_id).json()
    assert (counts["total"], counts["active_count"]) == (3, 0)
    page.get_by_role("button", name="Switch on", exact=True).click()
    until(
        lambda: api.get("/dashboard/crm-links", page_id=page_id).json()["active_count"] == 3,
        "all to be on",
    )
    page.get_by_role("button", name="Delete selected").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No CRM link feeds this channel yet")).to_be_visible()


def test_a_deletion_says_which_saved_questions_it_would_change(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    link = api.add_link(page_id, crm.serve(path, customers("John Doe")))
    api.ended_run(link["link_id"])
    body = {"page_id": page_id, "channel": "messenger"}
    question = body | {"question": "Who is John?"}
    assert api.post("/dashboard/questions", question).status_code == 201
    assert api.post("/dashboard/questions/run", body).status_code == 200
    page.goto(f"/links?page={page_id}")
    menu(page, "Delete")
    expect(page.get_by_role("dialog").get_by_text("• Who is John? (Messenger)")).to_be_visible()


def test_a_running_sync_is_cancelled_in_its_row(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    gate = threading.Event()
    crm.serve(path, Answer(customers("John Doe"), wait_for=gate))
    link = api.add_link(page_id, f"http://{crm.host}{path}")
    page.goto(f"/links?page={page_id}")
    expect(page.get_by_text("Starting CRM data fetch")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    assert api.ended_run(link["link_id"])["state"] == "cancelled"
    gate.set()


def test_links_are_filtered_by_name_and_status_and_the_address_says_so(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    good = api.add_link(page_id, crm.serve(path, customers("John Doe")), name="Good shop")
    api.add_link(page_id, crm.serve(f"{path}/x", Answer("no", 401)), name="Bad shop")
    api.ended_run(good["link_id"])
    page.goto(f"/links?page={page_id}&status=retrying")
    expect(page.get_by_text("Bad shop", exact=True)).to_be_visible()
    expect(page.get_by_text("Good shop", exact=True)).to_have_count(0)
    page.goto(f"/links?page={page_id}&find=good")
    expect(page.get_by_text("Good shop", exact=True)).to_be_visible()
    expect(page.get_by_text("Bad shop", exact=True)).to_have_count(0)
    page.get_by_label("Name or address", exact=True).fill("nothing like it")
    page.get_by_label("Name or address", exact=True).press("Enter")
    expect(page.get_by_text("No link matches the filter.")).to_be_visible()
    assert "find=nothing" in page.url
