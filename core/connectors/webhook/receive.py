"""Taking in an event: who it is from, what happened, and that it is kept."""

from __future__ import annotations

from core.connectors.interface import opened
from core.connectors.webhook.events import event_name
from core.connectors.webhook.inbox import Inbox
from core.connectors.webhook.signatures import Delivery, Scheme, verify
from core.errors import Conflict, InvalidRequest, NotFound, SyncError
from core.links import Links
from core.models import CrmLink, LinkType
from core.security.secrets import SecretBox
from core.text.decode import parse_json


def receive(links: Links, inbox: Inbox, box: SecretBox, link_id: str, delivery: Delivery) -> bool:
    """Store a delivery for the link's next run; False when the same event has come before.

    Raises NotFound (no such webhook link), NotSignedIn (the signature), Conflict (switched off:
    most senders try again later), InvalidRequest (no JSON).
    """
    link = links.find(link_id)
    if link is None or link.link.type is not LinkType.WEBHOOK:
        raise NotFound(
            "There is no webhook link of this id.", action="Check the address: its link's form."
        )
    event = verify(_scheme(link.link), delivery, _secrets(link.link, box))
    if not link.is_active:
        raise Conflict(
            f"{link.link.name} is switched off.", action="Switch it on, then send again."
        )
    try:
        text = delivery.body.decode()
        body = parse_json(text)
    except (UnicodeDecodeError, SyncError):
        raise InvalidRequest("body", "The event is not JSON.", action="Send JSON.") from None
    return inbox.add(link_id, event, event_name(delivery.headers, body), text)


def _scheme(link: CrmLink) -> Scheme:
    return Scheme(link.options.get("scheme") or Scheme.STANDARD)


def _secrets(link: CrmLink, box: SecretBox) -> list[str]:
    found = [opened(link, name, box) for name in ("secret", "previous_secret")]
    return [secret for secret in found if secret]
