"""Starting points for well-known CRMs: what fills the form, with the gaps to be filled in by hand.

Each follows the CRM's documentation (``source``). A gap is written ``{like_this}`` in the address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Preset:
    """One starting point. ``fields`` are those of a link (see core.links.schema)."""

    name: str
    fields: Mapping[str, Any]
    source: str
    hint: str = field(default="")


def _hubspot(kind: str, properties: str) -> dict[str, Any]:
    return {
        "type": "api",
        "name": f"HubSpot {kind}",
        "url": f"https://api.hubapi.com/crm/v3/objects/{kind}?limit=100&properties={properties}",
        "records": "$.results[*]",
        "id_field": "id",
        "pagination": {
            "type": "cursor",
            "cursor_path": "$.paging.next.after",
            "cursor_param": "after",
        },
    }


def _shopify(kind: str, query: str) -> dict[str, Any]:
    return {
        "type": "api",
        "name": f"Shopify {kind}",
        "url": f"https://{{shop}}.myshopify.com/admin/api/2026-10/{kind}.json?{query}",
        "headers": {"X-Shopify-Access-Token": ""},
        "records": f"$.{kind}[*]",
        "id_field": "id",
        "pagination": {"type": "header_link"},
        "incremental": {"param": "updated_at_min", "field": "updated_at"},
    }


_HUBSPOT = "https://developers.hubspot.com/docs/api/crm/contacts"
_HUBSPOT_HINT = "The API key is the access token of a private app."
_SHOPIFY = "https://shopify.dev/docs/api/admin-rest"
_SHOPIFY_HINT = "Put the shop's name into the address, and the app's token into the header."

PRESETS: tuple[Preset, ...] = (
    Preset("Shopify: customers", _shopify("customers", "limit=250"), _SHOPIFY, _SHOPIFY_HINT),
    Preset("Shopify: orders", _shopify("orders", "status=any&limit=250"), _SHOPIFY, _SHOPIFY_HINT),
    Preset(
        "Shopify: customers by GraphQL",
        {
            "type": "graphql",
            "name": "Shopify customers",
            "url": "https://{shop}.myshopify.com/admin/api/2026-10/graphql.json",
            "headers": {"X-Shopify-Access-Token": ""},
            "records": "$.data.customers.nodes[*]",
            "options": {
                "query": "query ($after: String) {\n"
                "  customers(first: 100, after: $after) {\n"
                "    nodes { id displayName numberOfOrders }\n"
                "    pageInfo { hasNextPage endCursor }\n"
                "  }\n"
                "}"
            },
        },
        "https://shopify.dev/docs/api/admin-graphql",
        _SHOPIFY_HINT,
    ),
    Preset(
        "Shopify: webhook",
        {
            "type": "webhook",
            "name": "Shopify events",
            "url": "https://{shop}.myshopify.com",
            "options": {"scheme": "shopify"},
        },
        "https://shopify.dev/docs/apps/build/webhooks",
        "The secret is the app's client secret.",
    ),
    Preset(
        "HubSpot: contacts",
        _hubspot("contacts", "firstname,lastname,email,phone,company"),
        _HUBSPOT,
        _HUBSPOT_HINT,
    ),
    Preset(
        "HubSpot: companies",
        _hubspot("companies", "name,domain,phone,city,country"),
        _HUBSPOT,
        _HUBSPOT_HINT,
    ),
    Preset(
        "HubSpot: deals",
        _hubspot("deals", "dealname,amount,dealstage,closedate"),
        _HUBSPOT,
        _HUBSPOT_HINT,
    ),
    Preset(
        "Salesforce: contacts",
        {
            "type": "api",
            "name": "Salesforce contacts",
            "url": "https://{domain}.my.salesforce.com/services/data/v65.0/query"
            "?q=SELECT+Id,Name,Email,Phone,Account.Name+FROM+Contact",
            "records": "$.records[*]",
            "id_field": "Id",
            "pagination": {"type": "json_link", "next_path": "$.nextRecordsUrl"},
            "options": {
                "auth": "oauth2",
                "token_url": "https://{domain}.my.salesforce.com/services/oauth2/token",
                "client_id": "",
            },
        },
        "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/",
        "A connected app with the client credentials flow; its domain goes into both addresses.",
    ),
    Preset(
        "Zendesk: end users",
        {
            "type": "api",
            "name": "Zendesk users",
            "url": "https://{subdomain}.zendesk.com/api/v2/users.json"
            "?role=end-user&page%5Bsize%5D=100",
            "records": "$.users[*]",
            "id_field": "id",
            "pagination": {"type": "json_link", "next_path": "$.links.next"},
            "options": {"auth": "basic", "username": "{email}/token"},
        },
        "https://developer.zendesk.com/api-reference/ticketing/users/users/",
        "The user name is your e-mail address and /token, the API key is the token.",
    ),
    Preset(
        "Pipedrive: persons",
        {
            "type": "api",
            "name": "Pipedrive persons",
            "url": "https://{company}.pipedrive.com/api/v2/persons?limit=500",
            "headers": {"x-api-token": ""},
            "records": "$.data[*]",
            "id_field": "id",
            "pagination": {
                "type": "cursor",
                "cursor_path": "$.additional_data.next_cursor",
                "cursor_param": "cursor",
            },
        },
        "https://developers.pipedrive.com/docs/api/v1/Persons",
        "The token goes into the header.",
    ),
    Preset(
        "Stripe: customers",
        {
            "type": "api",
            "name": "Stripe customers",
            "url": "https://api.stripe.com/v1/customers?limit=100",
            "records": "$.data[*]",
            "id_field": "id",
            "pagination": {
                "type": "cursor",
                "cursor_path": "$.data[-1].id",
                "cursor_param": "starting_after",
            },
        },
        "https://docs.stripe.com/api/customers/list",
        "The API key is a restricted key that may read customers.",
    ),
    Preset(
        "WooCommerce: customers",
        {
            "type": "api",
            "name": "WooCommerce customers",
            "url": "https://{shop}/wp-json/wc/v3/customers?per_page=100",
            "id_field": "id",
            "pagination": {"type": "header_link"},
            "options": {"auth": "basic", "username": "ck_…"},
        },
        "https://woocommerce.github.io/woocommerce-rest-api-docs/",
        "The user name is the consumer key, the API key the consumer secret.",
    ),
)


def preset(name: str) -> Preset | None:
    """The starting point of this name."""
    return next((one for one in PRESETS if one.name == name), None)
