"""What Facebook's webhooks say: a message in Messenger, a comment on a post of the page.

The fields are those of `developers.facebook.com/docs/messenger-platform/reference/webhook-events/
messages` and `developers.facebook.com/docs/graph-api/webhooks/reference/page` (field ``feed``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.models import Channel

MAX_TEXT = 8000
"""In characters; Facebook's own limit is lower."""


@dataclass(frozen=True)
class Incoming:
    """Somebody's message to a page. ``message_id`` is Facebook's: a comment's answers go to it."""

    page_id: str
    channel: Channel
    message_id: str
    sender_id: str
    sender_name: str
    text: str


def incoming(body: Any) -> Iterator[Incoming]:
    """The messages and comments in a webhook's body, but for the page's own.

    What is not as documented is left out: Facebook adds fields and kinds of events at any time.
    """
    if not isinstance(body, Mapping) or body.get("object") != "page":
        return
    for entry in _mappings(body.get("entry")):
        page_id = str(entry.get("id") or "")
        for event in _mappings(entry.get("messaging")):
            yield from _message(page_id, event)
        for change in _mappings(entry.get("changes")):
            if change.get("field") == "feed":
                yield from _comment(page_id, _mapping(change.get("value")))


def _message(page_id: str, event: Mapping[str, Any]) -> Iterator[Incoming]:
    message = _mapping(event.get("message"))
    message_id = str(message.get("mid") or "")
    sender_id = str(_mapping(event.get("sender")).get("id") or "")
    if message_id and sender_id and sender_id != page_id and not message.get("is_echo"):
        text = str(message.get("text") or "")[:MAX_TEXT]
        yield Incoming(page_id, Channel.MESSENGER, message_id, sender_id, "", text)


def _comment(page_id: str, value: Mapping[str, Any]) -> Iterator[Incoming]:
    sender = _mapping(value.get("from"))
    sender_id, comment_id = str(sender.get("id") or ""), str(value.get("comment_id") or "")
    is_new = value.get("item") == "comment" and value.get("verb") == "add"
    if is_new and comment_id and sender_id and sender_id != page_id:
        name, text = str(sender.get("name") or "")[:200], str(value.get("message") or "")[:MAX_TEXT]
        yield Incoming(page_id, Channel.FACEBOOK, comment_id, sender_id, name, text)


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
