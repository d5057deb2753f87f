"""Webhook links: signed events become records, each once, none lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from standardwebhooks import Webhook

from core.connectors.webhook.signatures import TOLERANCE_SECONDS
from core.models import ENDED
from tests.product import Client, Product
from tests.waiting import until

SECRET = "whsec_" + base64.b64encode(b"a secret of 32 bytes, more or so").decode()
OTHER = "whsec_" + base64.b64encode(b"another secret of some 32 bytes.").decode()

Sign = Callable[[str, str, bytes, float], dict[str, str]]


def hmac_of(secret: str, signed: bytes) -> bytes:
    return hmac.new(secret.encode(), signed, hashlib.sha256).digest()


def standard(secret: str, _: str, body: bytes, at: float) -> dict[str, str]:
    moment = datetime.fromtimestamp(at, UTC)
    name = "msg_" + hashlib.sha256(body).hexdigest()[:12]
    signature = Webhook(secret).sign(name, moment, body.decode())
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": signature,
    }


def shopify(secret: str, _: str, body: bytes, at: float) -> dict[str, str]:
    return {"X-Shopify-Hmac-Sha256": base64.b64encode(hmac_of(secret, body)).decode()}


def hubspot(secret: str, url: str, body: bytes, at: float) -> dict[str, str]:
    stamp = str(int(at * 1000))
    signed = b"POST" + url.encode() + body + stamp.encode()
    signature = base64.b64encode(hmac_of(secret, signed)).decode()
    return {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": stamp}


def stripe(secret: str, _: str, body: bytes, at: float) -> dict[str, str]:
    signature = hmac_of(secret, f"{int(at)}.".encode() + body).hex()
    return {"Stripe-Signature": f"t={int(at)},v1={'0' * 64},v1={signature}"}


def github(secret: str, _: str, body: bytes, at: float) -> dict[str, str]:
    return {"X-Hub-Signature-256": "sha256=" + hmac_of(secret, body).hex()}


def plain(secret: str, _: str, body: bytes, at: float) -> dict[str, str]:
    return {"X-Webhook-Secret": secret}


SCHEMES: dict[str, Sign] = {
    "standard": standard,
    "shopify": shopify,
    "hubspot": hubspot,
    "stripe": stripe,
    "github": github,
    "secret": plain,
}
TIMED = ("standard", "hubspot", "stripe")


def event(scheme: str, record_id: str, name: str, *, deleted: bool = False) -> Any:
    """An event of a customer, the way the scheme's senders write it."""
    record = {"id": record_id, "name": name}
    word = "deleted" if deleted else "updated"
    if scheme == "standard":
        return {"type": f"customer.{word}", "data": record}
    if scheme == "stripe":
        return {"id": f"evt_{name}", "type": f"customer.{word}", "data": {"object": record}}
    if scheme == "hubspot":
        kind = "contact.deletion" if deleted else "contact.propertyChange"
        change = {"objectId": int(record_id), "subscriptionType": kind}
        return [change if deleted else change | {"propertyName": "name", "propertyValue": name}]
    return record | ({"event": "customers/delete"} if deleted else {})


class Sender:
    """Posts events to a link."""

    def __init__(self, product: Product, link_id: str, scheme: str, secret: str = SECRET) -> None:
        self.url = f"{product.address}/api/webhooks/crm/{link_id}"
        self.scheme = scheme
        self.secret = secret
        self.session = requests.Session()
        self.session.trust_env = False

    def send(self, value: Any, at: float | None = None, **headers: str) -> requests.Response:
        body = json.dumps(value).encode()
        sign = SCHEMES[self.scheme]
        signed = sign(self.secret, self.url, body, time.time() if at is None else at)
        return self.session.post(self.url, data=body, headers=signed | headers, timeout=30)


def add(api: Client, page_id: str, scheme: str, **options: Any) -> dict[str, Any]:
    options = {"scheme": scheme, "secret": SECRET} | options
    return api.add_link(
        page_id, "https://shop.example.com", type="webhook", options=options, name=scheme
    )


def served(api: Client, page_id: str) -> str:
    return "\n".join(api.texts(page_id))


@pytest.fixture(params=list(SCHEMES))
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_signed_events_add_change_and_delete_records(
    product: Product, api: Client, page_id: str, scheme: str
) -> None:
    link = add(api, page_id, scheme)
    sender = Sender(product, link["link_id"], scheme)
    for record_id, name in (("1", "John Doe"), ("2", "Jane Roe")):
        answer = sender.send(event(scheme, record_id, name))
        assert (answer.status_code, answer.json()["is_duplicate"]) == (202, False), answer.text
    until(lambda: "John Doe" in (text := served(api, page_id)) and "Jane Roe" in text, "both")
    sender.send(event(scheme, "1", "John Smith"))
    until(lambda: "John Smith" in served(api, page_id), "the change")
    assert "John Doe" not in served(api, page_id)
    sender.send(event(scheme, "2", "Jane Roe", deleted=True))
    until(lambda: "Jane Roe" not in served(api, page_id), "the deletion")
    sender.send(event(scheme, "1", "John Smith", deleted=True))
    until(lambda: served(api, page_id) == "", "the last one to go")

    def are_over() -> bool:
        return all(run["state"] in ENDED for run in api.runs(link["link_id"]))

    until(are_over, "the runs to end")
    assert {run["state"] for run in api.runs(link["link_id"])} <= {"succeeded", "unchanged"}
    assert api.search(page_id, "Who is John Smith?") == []


def test_what_is_signed_wrongly_or_not_at_all_is_refused(
    product: Product, api: Client, page_id: str, scheme: str
) -> None:
    link = add(api, page_id, scheme)
    value = event(scheme, "1", "Mallory")
    assert Sender(product, link["link_id"], scheme, OTHER).send(value).status_code == 401
    honest = Sender(product, link["link_id"], scheme)
    assert honest.session.post(honest.url, json=value, timeout=30).status_code == 401
    if scheme != "secret":
        # A signature of another body.
        body = json.dumps(value).encode()
        signed = SCHEMES[scheme](SECRET, honest.url, body, time.time())
        forged = body.replace(b"Mallory", b"Forged!")
        answer = honest.session.post(honest.url, data=forged, headers=signed, timeout=30)
        assert answer.status_code == 401
    assert SECRET not in answer_text(api, page_id)
    assert served(api, page_id) == ""


def answer_text(api: Client, page_id: str) -> str:
    return api.get("/dashboard/crm-links", page_id=page_id).text + api.get("/configuration").text


@pytest.mark.parametrize("timed", TIMED)
def test_one_that_is_older_than_five_minutes_is_refused(
    product: Product, api: Client, page_id: str, timed: str
) -> None:
    link = add(api, page_id, timed)
    sender = Sender(product, link["link_id"], timed)
    value = event(timed, "1", "John Doe")
    for at in (time.time() - TOLERANCE_SECONDS - 30, time.time() + TOLERANCE_SECONDS + 30):
        assert sender.send(value, at).status_code == 401
    assert sender.send(value, time.time() - TOLERANCE_SECONDS + 60).status_code == 202


def test_one_that_comes_again_is_taken_once(
    product: Product, api: Client, page_id: str, scheme: str
) -> None:
    link = add(api, page_id, scheme)
    sender = Sender(product, link["link_id"], scheme)
    first = event(scheme, "1", "John Doe")
    assert sender.send(first).json() == {"accepted": True, "is_duplicate": False}
    until(lambda: "John Doe" in served(api, page_id), "the record")
    sender.send(event(scheme, "1", "John Smith"))
    until(lambda: "John Smith" in served(api, page_id), "the change")
    # Played again, with an id of its own where the id is not signed: it changes nothing back.
    again = sender.send(first, **{"X-Shopify-Webhook-Id": "another"})
    assert again.json() == {"accepted": True, "is_duplicate": True}
    assert "John Smith" in served(api, page_id)


def test_of_the_same_event_sent_at_once_one_is_taken(
    product: Product, api: Client, page_id: str, scheme: str
) -> None:
    link = add(api, page_id, scheme)

    def send(number: int) -> tuple[str, bool]:
        record_id = str(number % 4)
        body = event(scheme, record_id, f"Person {record_id}")
        answer = Sender(product, link["link_id"], scheme).send(body)
        assert answer.status_code == 202, answer.text
        return record_id, answer.json()["is_duplicate"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(32)))
    assert sorted(one for one, is_duplicate in answers if not is_duplicate) == ["0", "1", "2", "3"]
    until(lambda: all(f"Person {n}" in served(api, page_id) for n in range(4)), "the records")


def test_both_secrets_hold_during_a_rotation(product: Product, api: Client, page_id: str) -> None:
    link = add(api, page_id, "github", secret=SECRET, previous_secret=OTHER)
    assert link["options"] == {"scheme": "github", "secret": "***", "previous_secret": "***"}
    for number, secret in enumerate((SECRET, OTHER)):
        sender = Sender(product, link["link_id"], "github", secret)
        assert sender.send(event("github", str(number), f"Person {number}")).status_code == 202


def test_a_link_that_is_off_or_unknown_or_of_another_type_takes_nothing(
    product: Product, api: Client, page_id: str
) -> None:
    link = add(api, page_id, "github")
    body = {"page_id": page_id, "url": link["url"], "channels": ["messenger"], "is_active": False}
    assert api.put("/dashboard/crm-links/status", body).status_code == 200
    sender = Sender(product, link["link_id"], "github")
    assert sender.send(event("github", "1", "John Doe")).status_code == 409
    assert Sender(product, "link-none", "github").send({}).status_code == 404
    other = api.add_link(page_id, "https://crm.example.com/none", is_active=False)
    assert Sender(product, other["link_id"], "github").send({}).status_code == 404


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_signed_but_no_json_is_refused(
    product: Product, api: Client, page_id: str, body: bytes
) -> None:
    link = add(api, page_id, "github")
    sender = Sender(product, link["link_id"], "github")
    answer = sender.session.post(
        sender.url, data=body, headers=github(SECRET, "", body, 0), timeout=30
    )
    assert answer.status_code == 422, answer.text


def test_an_event_without_a_record_is_told_in_the_log_and_holds_up_nothing(
    product: Product, api: Client, page_id: str
) -> None:
    link = add(api, page_id, "github")
    sender = Sender(product, link["link_id"], "github")
    sender.send({"ping": "hello"})
    sender.send(event("github", "1", "John Doe"))
    until(lambda: "John Doe" in served(api, page_id), "the record")

    def is_told() -> bool:
        lines = [
            line["text"]
            for run in api.runs(link["link_id"])
            for line in api.get(f"/dashboard/sync/runs/{run['run_id']}").json()["lines"]
        ]
        return any("An event could not be used" in line and "$.id" in line for line in lines)

    # What is served is published before the run's log is written.
    until(is_told, "the log to tell")


def test_paths_and_deleting_events_can_be_declared(
    product: Product, api: Client, page_id: str
) -> None:
    link = add(
        api,
        page_id,
        "github",
        record_path="$.payload.customer",
        id_path="$.number",
        delete_events=["gone"],
    )
    sender = Sender(product, link["link_id"], "github")
    record = {"number": 7, "name": "John Doe"}
    sender.send({"event": "came", "payload": {"customer": record}})
    until(lambda: "John Doe" in served(api, page_id), "the record")
    sender.send({"event": "gone", "payload": {"customer": record}})
    until(lambda: served(api, page_id) == "", "the deletion")
