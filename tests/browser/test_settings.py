"""Settings, section by section."""

from __future__ import annotations

from pathlib import Path

import yaml
from playwright.sync_api import Locator, Page, expect

from tests.product import Client, Product
from tests.servers.crm import Crm, customers

PASSWORD = "a long enough password"


def row(page: Page, words: str) -> Locator:
    """The framed row with these words."""
    blocks = page.locator("[data-testid=stVerticalBlock], [data-testid=stHorizontalBlock]")
    with_button = blocks.filter(has=page.get_by_role("button")).filter(has_text=words)
    return with_button.last


def test_a_page_is_added_renamed_and_deleted(page: Page, api: Client) -> None:
    number = f"9{api.add_page()}"
    name = f"Browser <i>page</i> {number}"
    page.goto("/settings")
    page.get_by_role("button", name="Add page").click()
    expect(page.get_by_text("Page ID must not be empty")).to_be_visible()
    page.get_by_label("Page ID", exact=True).fill(number)
    page.get_by_label("Page name", exact=True).fill(name)
    page.get_by_role("button", name="Add page").click()
    expect(page.get_by_text("Page added")).to_be_visible()
    pages = api.get("/dashboard/pages").json()["pages"]
    assert {"page_id": number, "page_name": name} in pages
    page.goto(f"/ask?page={number}")
    expect(page.get_by_role("combobox", name="Page", exact=True)).to_have_value(
        f"{name} ({number})"
    )
    page.goto(f"/settings?find_page={number}")
    # The last thing on the page: from then on nothing moves away under a click.
    expect(page.get_by_role("button", name="Add page")).to_be_visible()
    page.get_by_test_id("stStatusWidget").wait_for(state="hidden")
    # By its key: the company's own Rename is drawn before those of the pages.
    page.locator(f".st-key-rename-{number}").get_by_role("button").click()
    page.get_by_label("New name", exact=True).fill(f"Other name {number}")
    page.get_by_label("New name", exact=True).blur()
    page.get_by_role("button", name="Rename it").click()
    expect(page.get_by_text("Page renamed")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_test_id("stStatusWidget").wait_for(state="hidden")
    expect(page.get_by_text(f"Other name {number}").first).to_be_visible()
    page.locator(f".st-key-delete-{number}").get_by_role("button").click()
    expect(page.get_by_text("Page deleted")).to_be_visible()
    assert number not in api.get("/dashboard/pages").text


def test_an_account_is_added_and_signs_in_with_its_role(
    page: Page, product: Product, api: Client
) -> None:
    page.goto("/settings?section=accounts")
    page.get_by_label("User name", exact=True).fill("viewer-vera")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Add account").click()
    expect(page.get_by_text("Account viewer-vera added")).to_be_visible()
    assert product.sign_in("viewer-vera", PASSWORD)
    row(page, "viewer-vera").get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("viewer-vera")).to_be_visible()
    dialog.get_by_role("button", name="Delete account").click()
    expect(page.get_by_text("Account viewer-vera deleted")).to_be_visible()


def test_a_token_is_made_shown_once_and_revoked(page: Page, api: Client) -> None:
    page.goto("/settings?section=tokens")
    page.get_by_label("Token name", exact=True).fill("browser-bot")
    page.get_by_role("button", name="Make token").click()
    expect(page.get_by_text("Copy it now: it is not shown again.")).to_be_visible()
    expect(page.get_by_text("crm_")).to_be_visible()
    page.reload()
    expect(page.get_by_text("browser-bot")).to_be_visible()
    expect(page.get_by_text("crm_")).to_have_count(0)
    row(page, "browser-bot").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Token browser-bot revoked")).to_be_visible()
    assert "browser-bot" not in api.get("/tokens").text


def test_what_is_redacted_is_chosen_by_kind(page: Page, api: Client) -> None:
    page.goto("/settings?section=redaction")
    field = page.get_by_role("combobox", name="E-mails")
    field.click()
    page.get_by_role("option", name="Mask", exact=True).click()
    page.get_by_role("button", name="Save rules").click()
    expect(page.get_by_text("Redaction rules saved")).to_be_visible()
    try:
        assert api.get("/redaction").json()["kinds"]["email"] == "mask"
    finally:
        api.put("/redaction", {})


def test_the_configuration_is_exported_and_imported(
    page: Page, api: Client, page_id: str, crm: Crm, path: str, tmp_path: Path
) -> None:
    api.add_link(page_id, crm.serve(path, customers("John")), api_key="secret-key-66", name="Old")
    page.goto("/settings?section=configuration")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download configuration").click()
    file = tmp_path / "crm-desk.yaml"
    downloading.value.save_as(file)
    assert "secret-key-66" not in file.read_text()
    document = yaml.safe_load(file.read_text())
    own = [one for one in document["pages"] if one["page_id"] == page_id]
    own[0]["links"][0]["name"] = "New"
    file.write_text(yaml.safe_dump({"version": 1, "pages": own}))
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("1 changes")).to_be_visible()
    page.get_by_role("button", name="Import it").click()
    expect(page.get_by_text("Imported: 1 changes")).to_be_visible()
    links = api.get("/dashboard/crm-links", page_id=page_id).json()["crm_links"]
    assert [link["name"] for link in links] == ["New"]


def test_the_audit_log_and_the_parts_are_shown(page: Page, api: Client) -> None:
    api.add_page()
    page.goto("/settings?section=audit")
    cells = page.get_by_test_id("stDataFrame").locator("[role=gridcell]")
    expect(cells.filter(has_text="page.add").first).to_have_count(1)
    page.goto("/settings?section=system")
    expect(page.get_by_text("Answers (embedded, in DATA_DIR/store).")).to_be_visible()
    expect(page.get_by_text("all-MiniLM-L6-v2 (loaded)")).to_be_visible()


def test_the_own_password_is_changed(page: Page, product: Product, api: Client) -> None:
    page.goto("/settings?section=password")
    page.get_by_label("Current password", exact=True).fill("wrong")
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("The current password is wrong.")).to_be_visible()
