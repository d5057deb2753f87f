"""The sample company: two pages and four links to the sample CRM."""

from __future__ import annotations

import os

from core.demo.server import BEARER, DEFAULT_PORT, HEADER, PORT_VARIABLE
from core.desk import Desk
from core.errors import Conflict
from core.links import NewLink
from core.models import Channel
from core.security.accounts import DEFAULT_COMPANY

SHOP, GARDEN = "123456789", "987654321"
BOTH = (Channel.FACEBOOK, Channel.MESSENGER)


def demo_environment() -> dict[str, str]:
    """The environment the demo runs in: data of its own, and the sample CRM allowed."""
    port = os.environ.setdefault(PORT_VARIABLE, str(DEFAULT_PORT))
    os.environ.setdefault("DATA_DIR", "demo-data")
    allowed = os.environ.get("CRM_ALLOWED_HOSTS", "")
    os.environ["CRM_ALLOWED_HOSTS"] = ",".join(filter(None, [allowed, f"127.0.0.1:{port}"]))
    return dict(os.environ)


def seed(desk: Desk) -> None:
    """Write the sample company down; what is there already stays as it is."""
    base = f"http://127.0.0.1:{os.environ[PORT_VARIABLE]}"
    for page_id, name in ((SHOP, "My Facebook Page"), (GARDEN, "Green Garden Centre")):
        try:
            desk.companies.add_page(DEFAULT_COMPANY, page_id, name)
        except Conflict:
            continue
        for channels, link in _links(base)[page_id]:
            desk.links.add(DEFAULT_COMPANY, page_id, channels, link)


def _links(base: str) -> dict[str, list[tuple[tuple[Channel, ...], NewLink]]]:
    customers = NewLink(
        "Shop customers",
        f"{base}/shop/customers.json",
        api_key=BEARER,
        description="Sample CRM, with a bearer token",
    )
    orders = NewLink(
        "Shop orders",
        f"{base}/shop/orders.json",
        api_key=BEARER,
        headers={"X-Shop-Access-Token": HEADER},
        description="Sample CRM, with a bearer token and a custom header",
    )
    faq = NewLink("Help pages", f"{base}/help/faq.txt", description="Sample CRM, plain text")
    contacts = NewLink(
        "Garden contacts",
        f"{base}/crm/contacts",
        headers={"X-Api-Key": HEADER, "Accept-Language": "en"},
        description="Sample CRM, with custom headers",
    )
    return {
        SHOP: [((Channel.MESSENGER,), customers), ((Channel.MESSENGER,), orders), (BOTH, faq)],
        GARDEN: [(BOTH, contacts)],
    }
