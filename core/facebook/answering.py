"""Working a message off: find the answer, and suggest it or send it, once.

Before an answer goes out it is written down that it will (state ``sending``). A process that dies
then leaves a message of which nobody knows whether the answer is out: whoever takes it up asks
Facebook first.
"""

from __future__ import annotations

import re

import structlog

from core.bot.provenance import Provenance
from core.bot.reply import Replier
from core.errors import ChannelFailed, DeskError
from core.facebook.conversations import Conversations, scope_of
from core.facebook.graph import Graph
from core.facebook.messages import Messages, State
from core.facebook.page_bots import Mode, PageBot, PageBots
from core.models import Channel
from core.store import Document

AT_ONCE = 20
"""So many messages are worked off in a row before something else gets its turn."""

_CITATION = re.compile(r"\s*\[\d+\]")

log = structlog.get_logger()


class Answering:
    """The bot at work."""

    def __init__(
        self,
        bots: PageBots,
        conversations: Conversations,
        messages: Messages,
        graph: Graph,
        replier: Replier,
        provenance: Provenance,
    ) -> None:
        self._bots = bots
        self._conversations = conversations
        self._messages = messages
        self._graph = graph
        self._replier = replier
        self._provenance = provenance

    def work_off(self) -> int:
        """Answer what waits; how many messages it took up."""
        for number in range(AT_ONCE):
            message = self._messages.claim()
            if message is None:
                return number
            try:
                self._take_up(message)
            except DeskError as error:
                self._failed(message, error)
            except Exception as error:
                log.exception("A message could not be answered", message=message["_id"])
                self._failed(
                    message,
                    ChannelFailed(
                        f"Something went wrong inside the product ({type(error).__name__}).",
                        permanent=False,
                        action="Its log has the details.",
                    ),
                )
        return AT_ONCE

    def _take_up(self, message: Document) -> None:
        bot = self._bots.of(message["company_id"], message["page_id"])
        if message["state"] == State.SENDING.value:
            self._send(bot, message, message["reply"], perhaps_sent=True)
            return
        if bot.mode is Mode.OFF:
            self._messages.settle(message, State.UNANSWERED, reason="The page's bot is off.")
            return
        conversation = self._conversations.get(message["company_id"], message["conversation_id"])
        if conversation["handed_over"] or bot.hands_over(message["text"]):
            self._hand_over(bot, message, is_new=not conversation["handed_over"])
            return
        if not message["text"].strip():
            reason = "There is no text in it: a picture, a sticker or a file."
            self._messages.settle(message, State.UNANSWERED, reason=reason)
            return
        self._answer(bot, conversation, message)

    def _answer(self, bot: PageBot, conversation: Document, message: Document) -> None:
        company_id, page_id = message["company_id"], message["page_id"]
        channel = Channel(message["channel"])
        scope = scope_of(bot, conversation, channel)
        reply = self._replier.reply(company_id, page_id, channel, message["text"], scope)
        reply_id = self._provenance.keep(
            company_id,
            page_id,
            channel,
            message["text"],
            reply,
            asked_by="customer",
            about=conversation["_id"],
        )
        found = {"reply_id": reply_id, "reply": for_customers(reply.text)}
        if not reply.is_known:
            # Not every comment is a question: to say so under each would be worse than silence.
            reason = "The records that may answer here say nothing about it."
            self._messages.settle(message, State.UNANSWERED, reason=reason, reply_id=reply_id)
        elif bot.mode is Mode.SUGGEST:
            self._messages.settle(message, State.SUGGESTED, **found)
        else:
            self._messages.settle(message, State.SENDING, **found)
            self._send(bot, message | found, found["reply"], perhaps_sent=False)

    def _hand_over(self, bot: PageBot, message: Document, *, is_new: bool) -> None:
        self._conversations.hand_over(message["conversation_id"], handed_over=True)
        if is_new and bot.handover_reply and bot.mode is Mode.SEND:
            token = self._bots.token(bot)
            if not self._graph.sent_before(token, message, bot.handover_reply):
                self._graph.send(token, message, bot.handover_reply)
        reason = "The customer asks for a person." if is_new else "A person answers here."
        self._messages.settle(message, State.HANDED_OVER, reason=reason)

    def _send(self, bot: PageBot, message: Document, text: str, *, perhaps_sent: bool) -> None:
        token = self._bots.token(bot)
        sent_id = self._graph.sent_before(token, message, text) if perhaps_sent else None
        sent_id = sent_id or self._graph.send(token, message, text)
        self._messages.settle(message, State.SENT, sent_id=sent_id, reason="")

    def _failed(self, message: Document, error: DeskError) -> None:
        log.warning("A message is not answered yet", message=message["_id"], reason=error.message)
        if error.permanent or not self._messages.try_again(message, str(error)):
            self._messages.settle(message, State.FAILED, reason=str(error))


def for_customers(text: str) -> str:
    """A reply without the numbers of its citations, which mean nothing on Facebook."""
    return _CITATION.sub("", text)
