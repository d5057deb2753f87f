"""Starting points for well-known CRMs: usable once their gaps are filled in."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from core.connectors.presets import PRESETS, Preset
from core.links.schema import NewLinkBody
from tests.product import Client
from tests.servers.crm import Answer, Crm, Request

GAP = re.compile(r"\{\w+\}")
SIZE = 3
PEOPLE = [{"id": f"id-{n}", "Id": f"id-{n}", "name": f"Person {n}"} for n in range(7)]


def filled(preset: Preset, url: str) -> dict[str, Any]:
    """The preset's fields with its gaps filled in, at another address."""
    text = GAP.sub("mine", json.dumps({n: v for n, v in preset.fields.items() if n != "options"}))
    fields: dict[str, Any] = json.loads(text)
    options = dict(preset.fields.get("options") or {})
    fields["options"] = {n: GAP.sub("mine", v) if n != "query" else v for n, v in options.items()}
    fields["headers"] = dict.fromkeys(fields.get("headers") or {}, "token-1")
    query = urlsplit(fields["url"]).query
    fields["url"] = f"{url}?{query}" if query else url
    return fields


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_it_describes_a_link(preset: Preset) -> None:
    fields = filled(preset, "https://crm.example.com/x")
    options = fields["options"]
    if preset.fields["type"] == "webhook":
        options["secret"] = "secret-1"
    if options.get("auth") == "oauth2":
        options |= {"client_id": "x"}
    NewLinkBody.model_validate({"page_id": "1", "channels": ["messenger"]} | fields)
    assert preset.source.startswith("https://")
    assert preset.hint


def cursor(answer: Any, name: str) -> Any:
    """Pages that a parameter with a number leads through."""

    def respond(request: Request) -> Answer:
        start = int(request.query.get(name) or 0)
        more = start + SIZE < len(PEOPLE)
        return Answer(answer(PEOPLE[start : start + SIZE], start + SIZE if more else None))

    return respond


def by_last_id(request: Request) -> Answer:
    """Stripe's way."""
    ids = [person["id"] for person in PEOPLE]
    after = request.query.get("starting_after")
    start = ids.index(after) + 1 if after else 0
    return Answer({"data": PEOPLE[start : start + SIZE], "has_more": start + SIZE < len(PEOPLE)})


def by_header(key: str | None) -> Any:
    def respond(request: Request) -> Answer:
        start = int(request.query.get("page_info") or 0)
        following = f"http://{request.headers['Host']}{request.path}?page_info={start + SIZE}"
        more = start + SIZE < len(PEOPLE)
        page = PEOPLE[start : start + SIZE]
        headers = {"Link": f'<{following}>; rel="next"'} if more else {}
        return Answer({key: page} if key else page, headers=headers)

    return respond


def graphql(request: Request) -> Answer:
    start = int(json.loads(request.body)["variables"].get("after") or 0)
    more = start + SIZE < len(PEOPLE)
    info = {"hasNextPage": more, "endCursor": str(start + SIZE)}
    nodes = PEOPLE[start : start + SIZE]
    return Answer({"data": {"customers": {"nodes": nodes, "pageInfo": info}}})


# How each CRM answers, by its documentation.
ANSWERS: dict[str, Any] = {
    "Shopify: customers": by_header("customers"),
    "Shopify: orders": by_header("orders"),
    "Shopify: customers by GraphQL": graphql,
    "WooCommerce: customers": by_header(None),
    "Stripe: customers": by_last_id,
    **dict.fromkeys(
        ("HubSpot: contacts", "HubSpot: companies", "HubSpot: deals"),
        cursor(
            lambda page, more: (
                {"results": page} | ({"paging": {"next": {"after": str(more)}}} if more else {})
            ),
            "after",
        ),
    ),
    "Pipedrive: persons": cursor(
        lambda page, more: {"data": page, "additional_data": {"next_cursor": more and str(more)}},
        "cursor",
    ),
}


@pytest.mark.parametrize("name", list(ANSWERS))
def test_it_fetches_every_page_of_an_answer_like_that_crms(
    api: Client, crm: Crm, page_id: str, path: str, name: str
) -> None:
    preset = next(one for one in PRESETS if one.name == name)
    fields = filled(preset, crm.serve(path, ANSWERS[name]))
    url = fields.pop("url")
    link = api.add_link(page_id, url, api_key="key-1", **fields)
    run = api.ended_run(link["link_id"])
    assert (run["state"], run["counts"]["records"]) == ("succeeded", 7), run["error"]
