"""Who a page talks with (collection ``conversations``).

It says which customer somebody is, if that is known, and whether a person has taken over. A
page-scoped id says nothing of a customer. An operator ties it to a record, or a script that has
verified an e-mail address does; then the records that name this customer may answer, and no others.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.errors import DuplicateKeyError

from core.errors import InvalidRequest, NotFound
from core.facebook.events import Incoming
from core.facebook.page_bots import PageBot, Reveals
from core.models import Channel, Record
from core.retrieval.retrieve import EVERYTHING, Scope
from core.store import Database, Document, insert
from core.text.matching import identities


class Conversations:
    """The conversations of all pages."""

    def __init__(self, database: Database) -> None:
        self._conversations = database["conversations"]

    def begin(self, company_id: str, message: Incoming) -> str:
        """Note that somebody wrote; the conversation's id."""
        conversation_id = id_of(message.page_id, message.sender_id)
        fields: Document = {"last_at": time.time()}
        if message.sender_name:
            fields |= {"name": message.sender_name}
        query = {"_id": conversation_id}
        if not self._conversations.update_one(query, {"$set": fields}).matched_count:
            document: Document = {
                "_id": conversation_id,
                "company_id": company_id,
                "page_id": message.page_id,
                "sender_id": message.sender_id,
                "name": "",
                "customer": None,
                "handed_over": False,
            }
            with contextlib.suppress(DuplicateKeyError):  # they wrote twice at once
                insert(self._conversations, document | fields)
        return conversation_id

    def get(self, company_id: str, conversation_id: str) -> Document:
        """A conversation. Raises NotFound."""
        query = {"_id": conversation_id, "company_id": company_id}
        found = self._conversations.find_one(query)
        if found is None:
            raise NotFound(
                f"There is no conversation {conversation_id}.", action="Look at the messages."
            )
        return found

    def find(self, company_id: str, page_id: str, sender_id: str) -> Document | None:
        """The conversation with somebody, if they ever wrote."""
        query = {"_id": id_of(page_id, sender_id), "company_id": company_id}
        return self._conversations.find_one(query)

    def of_page(self, company_id: str, page_id: str) -> list[Document]:
        """The page's conversations, the latest first."""
        query = {"page_id": page_id, "company_id": company_id}
        return list(self._conversations.find(query).sort("last_at", -1).limit(500))

    def hand_over(self, conversation_id: str, handed_over: bool) -> None:
        """Say whether a person answers here from now on, or the bot."""
        self._conversations.update_one(
            {"_id": conversation_id}, {"$set": {"handed_over": handed_over}}
        )

    def tie(
        self, conversation_id: str, known_by: Sequence[str], label: str, by: str, how: str
    ) -> None:
        """Say which customer it is; without ``known_by`` that nobody knows any more."""
        customer = None
        if known_by:
            customer = {
                "known_by": sorted(known_by),
                "label": label,
                "by": by,
                "how": how,
                "at": time.time(),
            }
        self._conversations.update_one({"_id": conversation_id}, {"$set": {"customer": customer}})


def id_of(page_id: str, sender_id: str) -> str:
    """The id of the conversation of a page with somebody."""
    digest = hashlib.sha256(f"{page_id}\n{sender_id}".encode()).hexdigest()
    return f"conversation-{digest[:24]}"


def known_by_record(record: Record, match_key: str | None) -> list[str]:
    """What tells the customer of a record. Raises InvalidRequest when nothing does.

    A phone number only where there is nothing better: families and companies share them.
    """
    known_by = sorted(identities(record, match_key))
    found = [one for one in known_by if not one.startswith("phone:")] or known_by
    if not found:
        raise InvalidRequest(
            "path",
            "This record has no e-mail address, phone number or key that names a customer.",
            action="Choose one that has, or give the link a match key.",
        )
    return found


def scope_of(bot: PageBot, conversation: Mapping[str, Any], channel: Channel) -> Scope:
    """Which records may answer in a conversation.

    A comment can be read by all: it gets nothing personal, whoever wrote it.
    """
    if bot.reveals is Reveals.ANY:
        return EVERYTHING
    customer = conversation.get("customer")
    if customer and channel is Channel.MESSENGER:
        return Scope(known_by=frozenset(customer["known_by"]), personal=False)
    return Scope(personal=False)
