"""The form of each type of link, filled in by hand in a real browser."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import requests
from playwright.sync_api import Page, expect

from tests.browser.test_link_form import fill
from tests.connectors.test_graphql import QUERY, relay
from tests.product import Client, Product
from tests.servers.crm import Crm, customers
from tests.servers.oauth import Authorization
from tests.waiting import until


def choose_type(page: Page, page_id: str, name: str) -> None:
    page.goto(f"/link_form?page={page_id}")
    page.get_by_role("radio", name=name).click()


def pick(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option, exact=True).click()


def test_graphql(page: Page, api: Client, page_id: str, crm: Crm, path: str) -> None:
    choose_type(page, page_id, "GraphQL")
    fill(page, "Name", "People")
    fill(page, "URL", crm.serve(path, relay))
    fill(page, "API key", "key-1")
    fill(page, "Query", "query { customers {")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("is not GraphQL")).to_be_visible()
    fill(page, "Query", QUERY)
    fill(page, "Variables", '{"first": 10}')
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("200 OK: 25 records on 3 pages")).to_be_visible()
    expect(page.get_by_text("data.customers.nodes[0].name: Person 0")).to_be_visible()
    page.get_by_role("button", name="Add link").click()
    expect(page.get_by_text("25 records")).to_be_visible()
    assert json.loads(crm.asked(path)[0].body)["variables"] == {"first": 10}


def test_webhook(page: Page, product: Product, api: Client, page_id: str) -> None:
    choose_type(page, page_id, "Webhook")
    expect(page.get_by_role("button", name="Test connection")).to_have_count(0)
    fill(page, "Name", "Shop events")
    fill(page, "Whom the events come from", "https://shop.example.com")
    pick(page, "Signature", "The secret itself")
    page.get_by_role("button", name="Add link").click()
    expect(page.get_by_text("secret", exact=False).first).to_be_visible()
    fill(page, "Secret", "webhook-secret-1")
    page.get_by_role("button", name="Add link").click()
    expect(page.get_by_role("heading", name="CRM links")).to_be_visible()
    link = api.get("/dashboard/crm-links", page_id=page_id).json()["crm_links"][0]
    page.goto(f"/link_form?edit={link['link_id']}")
    address = f"{product.address}/api/webhooks/crm/{link['link_id']}"
    expect(page.get_by_text(address)).to_be_visible()
    expect(page.get_by_label("Secret", exact=True)).to_have_value("")
    answer = requests.post(
        address,
        json={"id": 1, "name": "John Doe"},
        headers={"X-Webhook-Secret": "webhook-secret-1"},
        timeout=30,
    )
    assert answer.status_code == 202
    until(lambda: "John Doe" in "".join(api.texts(page_id)), "the event to be served")


def test_database(page: Page, product: Product, api: Client, page_id: str) -> None:
    folder = Path(product.environment["SQLITE_DIR"])
    folder.mkdir(exist_ok=True)
    connection = sqlite3.connect(folder / f"form-{page_id}.sqlite")
    connection.execute("CREATE TABLE people (id INTEGER, name TEXT)")
    connection.execute("INSERT INTO people VALUES (1, 'John Doe')")
    connection.commit()
    connection.close()
    choose_type(page, page_id, "Database")
    fill(page, "Name", "People")
    fill(page, "Database", f"sqlite:///form-{page_id}.sqlite")
    fill(page, "Query", "DELETE FROM people")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("The query is refused.")).to_be_visible()
    fill(page, "Query", "SELECT * FROM people")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("Connected: 1 records on 1 page")).to_be_visible()
    expect(page.get_by_text("rows[0].name: John Doe")).to_be_visible()
    page.get_by_role("button", name="Add link").click()
    expect(page.get_by_text("1 records")).to_be_visible()


def test_file(page: Page, api: Client, page_id: str) -> None:
    choose_type(page, page_id, "File")
    fill(page, "Name", "Price list")
    # A file that is chosen while the page is drawn anew would go with the old one.
    page.get_by_test_id("stStatusWidget").wait_for(state="hidden")
    page.locator("input[type=file]").set_input_files(
        {"name": "prices.csv", "mimeType": "text/csv", "buffer": b"sku;price\nA-1;9.99\nB-2;5\n"}
    )
    expect(page.get_by_label("File", exact=True)).to_have_value("upload:prices.csv")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("Read: 2 records on 1 page")).to_be_visible()
    expect(page.get_by_text("rows[0].price: 9.99")).to_be_visible()
    page.get_by_role("button", name="Add link").click()
    expect(page.get_by_role("heading", name="CRM links")).to_be_visible()
    link = api.get("/dashboard/crm-links", page_id=page_id).json()["crm_links"][0]
    page.goto(f"/link_form?edit={link['link_id']}")
    expect(page.get_by_text("Reads the upload upload-")).to_be_visible()
    page.locator("input[type=file]").set_input_files(
        {"name": "new.csv", "mimeType": "text/csv", "buffer": b"sku;price\nA-1;11\n"}
    )
    until(
        lambda: page.get_by_text(link["options"]["upload_id"]).count() == 0,
        "the new upload to be named",
    )
    page.get_by_role("button", name="Save changes").click()
    until(lambda: "11" in "".join(api.texts(page_id)), "the new file to be served")


def test_oauth_with_a_consent(page: Page, api: Client, page_id: str, crm: Crm, path: str) -> None:
    authorization = Authorization(crm, path)
    url = authorization.protect(customers("John Doe"))
    options = authorization.options(authorize_url=authorization.authorize_url)
    link = api.add_link(page_id, url, options=options)
    page.goto(f"/link_form?edit={link['link_id']}")
    expect(page.get_by_text("Nobody has agreed at the CRM yet.")).to_be_visible()
    expect(page.get_by_role("link", name="Connect")).to_have_attribute(
        "href", f"/oauth/connect?link_id={link['link_id']}"
    )
    expect(page.get_by_label("Client ID", exact=True)).to_have_value("desk-client")
    expect(page.get_by_label("Client secret", exact=True)).to_have_value("")
    expect(page.get_by_label("API key", exact=True)).to_have_count(0)


def test_a_starting_point_fills_the_form(page: Page, page_id: str) -> None:
    page.goto(f"/link_form?page={page_id}")
    pick(page, "Start from", "HubSpot: contacts")
    expect(page.get_by_label("Name", exact=True)).to_have_value("HubSpot contacts")
    expect(page.get_by_text("access token of a private app")).to_be_visible()
    pick(page, "Start from", "Zendesk: end users")
    expect(page.get_by_label("User name", exact=True)).to_have_value("{email}/token")
    pick(page, "Start from", "Shopify: customers by GraphQL")
    expect(page.get_by_label("Query", exact=True)).to_contain_text("displayName")
