"""Is a webhook from who it says? The schemes of the CRMs, each as its documentation has it.

A scheme that signs the time is held to ``TOLERANCE_SECONDS``. One that signs an id of the event
names the event by it; otherwise the signed body names it, since an id that is not signed could be
changed by whoever plays an old event again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from standardwebhooks import Webhook, WebhookVerificationError

from core.errors import NotSignedIn

TOLERANCE_SECONDS = 300.0


class Scheme(StrEnum):
    """How a sender proves itself."""

    STANDARD = "standard"
    SHOPIFY = "shopify"
    HUBSPOT = "hubspot"
    STRIPE = "stripe"
    GITHUB = "github"
    SECRET = "secret"  # noqa: S105  the name of a scheme


@dataclass(frozen=True)
class Delivery:
    """What came in. Header names are in lower case; ``url`` is the one that the sender knows."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def verify(scheme: Scheme, delivery: Delivery, secrets: Sequence[str]) -> str:
    """The event's name, the same for the same event. Raises NotSignedIn.

    Any of ``secrets`` will do: during a rotation there are two.
    """
    check = _CHECKS[scheme]
    for secret in secrets:
        name = check(delivery, secret)
        if name is not None:
            return name
    raise NotSignedIn(
        "The signature does not fit, or is too old.",
        action="Check the link's secret and scheme, and the sender's clock.",
    )


def _standard(delivery: Delivery, secret: str) -> str | None:
    """See https://github.com/standard-webhooks/standard-webhooks for the format."""
    headers = delivery.headers
    try:
        Webhook(secret).verify(delivery.body, dict(headers))
    except (WebhookVerificationError, ValueError, binascii.Error):
        return None
    return headers["webhook-id"]


def _shopify(delivery: Delivery, secret: str) -> str | None:
    """See https://shopify.dev/docs/apps/build/webhooks/subscribe/https for the format."""
    expected = base64.b64encode(_sha256(secret, delivery.body)).decode()
    return _named(delivery) if _same(delivery, "x-shopify-hmac-sha256", expected) else None


def _hubspot(delivery: Delivery, secret: str) -> str | None:
    """See https://developers.hubspot.com/docs/api/webhooks/validating-requests."""
    at = delivery.headers.get("x-hubspot-request-timestamp", "")
    if not _is_recent(at, per_second=1000):
        return None
    signed = f"{delivery.method}{delivery.url}".encode() + delivery.body + at.encode()
    expected = base64.b64encode(_sha256(secret, signed)).decode()
    return _named(delivery) if _same(delivery, "x-hubspot-signature-v3", expected) else None


def _stripe(delivery: Delivery, secret: str) -> str | None:
    """See https://docs.stripe.com/webhooks#verify-manually for the format."""
    pairs = [
        part.strip().partition("=")
        for part in delivery.headers.get("stripe-signature", "").split(",")
    ]
    at = next((value for name, _, value in pairs if name == "t"), "")
    if not _is_recent(at, per_second=1):
        return None
    expected = _sha256(secret, f"{at}.".encode() + delivery.body).hex()
    given = [value for name, _, value in pairs if name == "v1"]
    fits = [hmac.compare_digest(expected.encode(), value.encode()) for value in given]
    return _named(delivery) if any(fits) else None


def _github(delivery: Delivery, secret: str) -> str | None:
    """See https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries."""
    expected = "sha256=" + _sha256(secret, delivery.body).hex()
    return _named(delivery) if _same(delivery, "x-hub-signature-256", expected) else None


def _secret(delivery: Delivery, secret: str) -> str | None:
    """The secret itself, as ``X-Webhook-Secret`` or a bearer token."""
    bearer = delivery.headers.get("authorization", "").removeprefix("Bearer ")
    given = delivery.headers.get("x-webhook-secret", bearer)
    return _named(delivery) if hmac.compare_digest(given.encode(), secret.encode()) else None


_CHECKS: Mapping[Scheme, Callable[[Delivery, str], str | None]] = {
    Scheme.STANDARD: _standard,
    Scheme.SHOPIFY: _shopify,
    Scheme.HUBSPOT: _hubspot,
    Scheme.STRIPE: _stripe,
    Scheme.GITHUB: _github,
    Scheme.SECRET: _secret,
}


def _sha256(secret: str, signed: bytes) -> bytes:
    return hmac.new(secret.encode(), signed, hashlib.sha256).digest()


def _same(delivery: Delivery, header: str, expected: str) -> bool:
    return hmac.compare_digest(delivery.headers.get(header, "").encode(), expected.encode())


def _named(delivery: Delivery) -> str:
    return "sha256-" + hashlib.sha256(delivery.body).hexdigest()


def _is_recent(at: str, *, per_second: int) -> bool:
    if not at.isascii() or not at.isdigit() or len(at) > 20:
        return False
    return abs(time.time() - int(at) / per_second) <= TOLERANCE_SECONDS
