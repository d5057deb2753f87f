"""``/api/dashboard/…``: a page's bot, the messages that came in, and who they are from."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from core.api.access import ActingParam
from core.api.schemas import AnswerBody, CustomerBody, HandoverBody, PageBotBody
from core.api.views import conversation_view, message_view
from core.facebook.messages import State
from core.facebook.page_bots import bot_facts
from core.links.schema import PageId

router = APIRouter(prefix="/dashboard", tags=["the bot on its channels"])


@router.get("/pages/{page_id}/bot")
def page_bot(acting: ActingParam, page_id: PageId) -> dict[str, Any]:
    """How a page's bot behaves; never its token."""
    desk = acting.reading
    desk.companies.page(acting.user.company_id, page_id)
    bot = desk.page_bots.of(acting.user.company_id, page_id)
    return {"page_id": page_id, **bot_facts(bot)}


@router.put("/pages/{page_id}/bot")
def set_page_bot(acting: ActingParam, page_id: PageId, body: PageBotBody) -> dict[str, Any]:
    """Set a page's bot up. A token that is left out, or ``***``, stays as it is stored."""
    bot = acting.set_page_bot(
        page_id,
        mode=body.mode,
        reveals=body.reveals,
        token=body.token,
        handover_words=body.handover_words,
        handover_reply=body.handover_reply,
    )
    return {"message": "Bot saved successfully", "page_id": page_id, **bot_facts(bot)}


@router.get("/messages")
def list_messages(
    acting: ActingParam,
    page_id: PageId | None = None,
    state: State | None = None,
    conversation_id: Annotated[str | None, Query(max_length=100)] = None,
    before: datetime | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """What came in, newest first; ``before`` pages on."""
    found = acting.reading.messages.find(
        acting.user.company_id,
        page_id=page_id,
        state=state,
        conversation_id=conversation_id,
        before=before.timestamp() if before else None,
        limit=limit,
    )
    return {"messages": [message_view(message) for message in found], "total": len(found)}


@router.post("/messages/{message_id}/send", status_code=202)
def send_answer(acting: ActingParam, message_id: str, body: AnswerBody) -> dict[str, Any]:
    """Have an answer sent to a message that waits for a person."""
    acting.send_answer(message_id, body.text)
    return {"message": "The answer is on its way", "message_id": message_id}


@router.post("/messages/{message_id}/dismiss")
def dismiss_message(acting: ActingParam, message_id: str) -> dict[str, Any]:
    """Leave a message without an answer."""
    acting.dismiss_message(message_id)
    return {"message": "The message stays unanswered", "message_id": message_id}


@router.get("/conversations")
def list_conversations(acting: ActingParam, page_id: PageId) -> dict[str, Any]:
    """Who the page talks with, the latest first."""
    found = acting.reading.conversations.of_page(acting.user.company_id, page_id)
    return {"conversations": [conversation_view(one) for one in found], "total": len(found)}


@router.put("/conversations/{conversation_id}/customer")
def tie_conversation(
    acting: ActingParam, conversation_id: str, body: CustomerBody
) -> dict[str, Any]:
    """Say which customer it is: by a record, or by an e-mail address that was verified.

    An empty body unties them.
    """
    tied = acting.tie_conversation(
        conversation_id,
        link_id=body.link_id,
        path=body.path,
        verified_email=body.verified_email,
    )
    return conversation_view(tied)


@router.put("/conversations/{conversation_id}/handover")
def hand_over(acting: ActingParam, conversation_id: str, body: HandoverBody) -> dict[str, Any]:
    """Say whether a person answers here from now on, or the bot."""
    acting.hand_over(conversation_id, body.handed_over)
    return {"conversation_id": conversation_id, "handed_over": body.handed_over}
