"""What came in on the pages' channels, and what became of it (collection ``bot_messages``).

A message is stored once, by Facebook's id, and acknowledged; a scheduler works it off. Whoever
takes one leaves a moment in it until which nobody else does: a scheduler that dies loses none.
"""

from __future__ import annotations

import hashlib
import time
from enum import StrEnum
from typing import Any

from pymongo.errors import DuplicateKeyError

from core.errors import Conflict, NotFound
from core.facebook.events import Incoming
from core.store import Database, Document, insert

WORK_SECONDS = 60.0
KEEP_DAYS = 90
# Facebook lets a page answer a message for 24 hours.
ANSWER_SECONDS = 24 * 3600.0
FIRST_WAIT, LONGEST_WAIT = 2.0, 300.0


class State(StrEnum):
    """Where a message stands."""

    WAITING = "waiting"
    SENDING = "sending"
    """An answer is on its way, or was when a scheduler died."""
    SENT = "sent"
    SUGGESTED = "suggested"
    """An answer waits for a person to send it."""
    UNANSWERED = "unanswered"
    """The records answer nothing: a person does."""
    HANDED_OVER = "handed_over"
    DISMISSED = "dismissed"
    FAILED = "failed"


OPEN = (State.WAITING, State.SENDING)
FOR_PEOPLE = (State.SUGGESTED, State.UNANSWERED, State.HANDED_OVER, State.FAILED)


class Messages:
    """The messages of all pages."""

    def __init__(self, database: Database) -> None:
        self._messages = database["bot_messages"]

    def take_in(self, company_id: str, conversation_id: str, message: Incoming) -> bool:
        """Store a message; False when it had come before."""
        now = time.time()
        digest = hashlib.sha256(f"{message.page_id}\n{message.message_id}".encode()).hexdigest()
        document: Document = {
            "_id": f"message-{digest[:24]}",
            "company_id": company_id,
            "page_id": message.page_id,
            "channel": message.channel.value,
            "conversation_id": conversation_id,
            "message_id": message.message_id,
            "sender_id": message.sender_id,
            "sender_name": message.sender_name,
            "text": message.text,
            "at": now,
            "state": State.WAITING.value,
            "due_at": now,
            "attempts": 0,
            "reply_id": None,
            "reply": "",
            "sent_id": None,
            "reason": "",
        }
        try:
            insert(self._messages, document)
        except DuplicateKeyError:
            return False
        return True

    def claim(self) -> Document | None:
        """A message that waits for the bot, for this process alone; None when there is none."""
        now = time.time()
        for state in OPEN:
            query = {"state": state.value, "due_at": {"$lte": now}}
            for found in list(self._messages.find(query).sort("due_at", 1).limit(5)):
                mine = self._messages.find_one_and_update(
                    {"_id": found["_id"], "state": state.value, "due_at": found["due_at"]},
                    {"$set": {"due_at": now + WORK_SECONDS}},
                )
                if mine is not None:
                    return found
        return None

    def settle(self, message: Document, state: State, **fields: Any) -> None:
        """Say what became of a message."""
        values = {"state": state.value, **fields}
        self._messages.update_one({"_id": message["_id"]}, {"$set": values})

    def try_again(self, message: Document, reason: str) -> bool:
        """Put a message off; False when it is too late for an answer."""
        now = time.time()
        attempts = int(message["attempts"]) + 1
        if now - message["at"] > ANSWER_SECONDS:
            return False
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempts - 1, 10))
        fields = {"attempts": attempts, "due_at": now + wait, "reason": reason}
        self._messages.update_one({"_id": message["_id"]}, {"$set": fields})
        return True

    def get(self, company_id: str, message_id: str) -> Document:
        """A message. Raises NotFound."""
        found = self._messages.find_one({"_id": message_id, "company_id": company_id})
        if found is None:
            raise NotFound(f"There is no message {message_id}.", action="Look at the list again.")
        return found

    def find(
        self,
        company_id: str,
        *,
        page_id: str | None = None,
        state: State | None = None,
        conversation_id: str | None = None,
        before: float | None = None,
        limit: int = 50,
    ) -> list[Document]:
        """Messages, newest first; ``before`` (seconds since 1970) pages on."""
        query: dict[str, Any] = {"company_id": company_id}
        if conversation_id:
            query = {"conversation_id": conversation_id, "company_id": company_id}
        elif page_id:
            query = {"page_id": page_id, "company_id": company_id}
        if state:
            query["state"] = state.value
        if before is not None:
            query["at"] = {"$lt": before}
        return list(self._messages.find(query).sort("at", -1).limit(limit))

    def send(self, company_id: str, message_id: str, text: str) -> Document:
        """Have a person's answer sent. Raises NotFound, and Conflict when one is out already."""
        message = self.get(company_id, message_id)
        fields = {
            "state": State.SENDING.value,
            "reply": text,
            "due_at": time.time(),
            "attempts": 0,
            "reason": "",
        }
        states = [state.value for state in FOR_PEOPLE]
        changed = self._messages.update_one(
            {"_id": message_id, "state": {"$in": states}}, {"$set": fields}
        )
        if not changed.matched_count:
            raise Conflict("This message is answered already.", action="Look at the list again.")
        return message

    def dismiss(self, company_id: str, message_id: str) -> None:
        """Leave a message without an answer. Raises NotFound, Conflict."""
        self.get(company_id, message_id)
        states = [state.value for state in FOR_PEOPLE]
        changed = self._messages.update_one(
            {"_id": message_id, "state": {"$in": states}},
            {"$set": {"state": State.DISMISSED.value}},
        )
        if not changed.matched_count:
            raise Conflict("This message is answered already.", action="Look at the list again.")

    def prune(self) -> None:
        """Forget what is older than ``KEEP_DAYS``."""
        self._messages.delete_many({"at": {"$lt": time.time() - KEEP_DAYS * 86400}})
