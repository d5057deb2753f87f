"""Adding and editing links: tested before they are saved, in a real browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.product import Client
from tests.servers.crm import Answer, Crm, customers
from tests.waiting import until


def fill(page: Page, label: str, text: str) -> None:
    field = page.get_by_label(label, exact=True)
    field.fill(text)
    field.blur()


def test_a_link_is_added_after_its_connection_was_tested(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, customers("John Doe", "Jane Roe"))
    page.goto(f"/links?page={page_id}")
    expect(page.get_by_text("No CRM link feeds this channel yet")).to_be_visible()
    page.get_by_role("button", name="Add CRM link").click()
    expect(page.get_by_role("heading", name="Add a CRM link")).to_be_visible()
    fill(page, "Name", "Shop customers")
    fill(page, "URL", url)
    fill(page, "API key", "secret-key-1")
    fill(page, "Headers", "X-Api-Key: secret-key-2\nAccept-Language: en")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("200 OK: 2 records on 1 page")).to_be_visible()
    expect(
        page.get_by_text("Records found at customers[]; pagination: a single page")
    ).to_be_visible()
    expect(page.get_by_text("customers[1].name: Jane Roe")).to_be_visible()
    expect(page.get_by_text("Looks personal: 2 × e-mail.")).to_be_visible()
    assert api.get("/dashboard/crm-links", page_id=page_id).json()["total"] == 0
    # What was tested is not lost by a reload, its key included.
    page.reload()
    expect(page.get_by_label("URL", exact=True)).to_have_value(url)
    expect(page.get_by_text("200 OK: 2 records on 1 page")).to_be_visible()
    page.get_by_role("button", name="Add link").click()
    expect(page.get_by_text("2 records in 2 documents")).to_be_visible()
    expect(page.get_by_text("Serving")).to_be_visible()
    expect(page.get_by_text("secret-key")).to_have_count(0)
    asked = crm.asked(path)[-1].headers
    assert (asked["Authorization"], asked["X-Api-Key"]) == ("Bearer secret-key-1", "secret-key-2")


def test_saving_untested_tests_first_and_a_failure_can_be_saved_anyway(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, Answer("no", 401))
    page.goto(f"/link_form?page={page_id}")
    fill(page, "Name", "Locked shop")
    fill(page, "URL", url)
    page.get_by_role("button", name="Add link").click()
    expect(page.get_by_text("The CRM does not accept the key.", exact=True)).to_be_visible()
    expect(page.get_by_text("Who can fix it: Whoever edits the link here")).to_be_visible()
    assert api.get("/dashboard/crm-links", page_id=page_id).json()["total"] == 0
    page.get_by_role("button", name="Save it anyway").click()
    expect(page.get_by_role("heading", name="CRM links")).to_be_visible()
    assert api.get("/dashboard/crm-links", page_id=page_id).json()["total"] == 1


def test_what_is_wrong_with_a_new_link_is_said_and_what_was_typed_stays(
    page: Page, page_id: str
) -> None:
    page.goto(f"/link_form?page={page_id}")
    fill(page, "URL", "https://127.0.0.1/customers")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("Name: must not be empty")).to_be_visible()
    fill(page, "Name", "Customers")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("127.0.0.1 is a private address.")).to_be_visible()
    expect(page.get_by_label("URL", exact=True)).to_have_value("https://127.0.0.1/customers")
    fill(page, "Headers", "no colon here")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("“no colon here” has no “:” in it")).to_be_visible()


def test_an_edit_shows_what_it_would_change_and_keeps_the_key(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, customers("John Doe", "Jane Roe"))
    link = api.add_link(page_id, url, api_key="secret-key-1", name="Shop")
    api.ended_run(link["link_id"])
    crm.serve(path, customers("John Doe"))
    page.goto(f"/links?page={page_id}")
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Edit").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Shop")
    expect(page.get_by_label("API key", exact=True)).to_have_value("")
    fill(page, "Name", "Renamed shop")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("Changes against what is served (1)")).to_be_visible()
    expect(page.get_by_text("customers[cust-2]: removed")).to_be_visible()
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Renamed shop", exact=True)).to_be_visible()
    run = api.ended_run(link["link_id"], 2)
    assert run["trigger"] == "edited"
    assert crm.asked(path)[-1].headers["Authorization"] == "Bearer secret-key-1"


def test_an_edit_of_something_that_somebody_changed_meanwhile_says_so(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, customers("John Doe"))
    link = api.add_link(page_id, url, name="Shop")
    page.goto(f"/link_form?edit={link['link_id']}")
    fill(page, "Name", "My name for it")
    body = {"page_id": page_id, "channels": ["messenger"], "url": url, "revision": 0}
    path_ = f"/dashboard/crm-links/{link['link_id']}"
    assert api.put(path_, body | {"name": "Their name"}).status_code == 200
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("was changed by admin while you were editing it")).to_be_visible()
    assert api.link(page_id, link["link_id"])["name"] == "Their name"
    page.get_by_role("button", name="Load it as it is now").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Their name")


def test_redaction_rules_of_a_link_are_previewed(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    answer = {"people": [{"id": 1, "name": "Ann", "card": "4111 1111 1111 1111"}]}
    url = crm.serve(path, answer)
    page.goto(f"/link_form?page={page_id}")
    fill(page, "Name", "People")
    fill(page, "URL", url)
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("people[0].card: [masked: card number]")).to_be_visible()
    expect(page.get_by_text("4111")).to_have_count(0)


def test_steps_and_rules_of_a_link_are_previewed(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    people = [{"id": 1, "full": "Ann", "age": 40}, {"id": 2, "full": "Ben", "age": 7}]
    url = crm.serve(path, {"people": people})
    link = api.add_link(
        page_id,
        url,
        transform=[{"do": "rename", "field": "full", "to": "name"}],
        validation={"ranges": {"age": {"min": 18}}, "max_bad_share": 1},
    )
    assert api.ended_run(link["link_id"])["state"] == "succeeded"
    page.goto(f"/links?page={page_id}")
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Edit").click()
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("people[0].name: Ann")).to_be_visible()
    expect(page.get_by_text("age is below 18")).to_be_visible()
    expect(page.get_by_text("Ben")).to_have_count(0)


def test_the_form_works_with_the_keyboard_alone(
    page: Page, api: Client, page_id: str, crm: Crm, path: str
) -> None:
    url = crm.serve(path, customers("John Doe"))
    page.goto(f"/link_form?page={page_id}")
    page.get_by_label("Name", exact=True).focus()
    page.keyboard.type("Typed shop")
    page.get_by_label("URL", exact=True).focus()
    page.keyboard.type(url)
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Add link").focus()
    page.keyboard.press("Enter")
    until(
        lambda: api.get("/dashboard/crm-links", page_id=page_id).json()["total"] == 1,
        "the link to be saved",
    )
