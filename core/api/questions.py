"""``/api/dashboard/questions``: saved questions of a page and channel."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from core.api.access import ActingParam
from core.api.schemas import NewQuestion, QuestionRun
from core.api.views import question_view
from core.links.schema import PageId
from core.models import Channel

router = APIRouter(prefix="/dashboard/questions", tags=["saved questions"])


@router.get("")
def list_questions(
    acting: ActingParam, page_id: PageId, channel: Channel | None = None
) -> dict[str, Any]:
    """The saved questions with what was found the last time."""
    found = acting.reading.questions.of_page(acting.user.company_id, page_id, channel)
    return {"questions": [question_view(question) for question in found], "total": len(found)}


@router.post("", status_code=201)
def save_question(acting: ActingParam, body: NewQuestion) -> dict[str, Any]:
    """Keep a question."""
    question_id = acting.save_question(
        body.page_id,
        body.channel,
        body.question,
        expected_text=body.expected_text,
        expected_path=body.expected_path,
    )
    return {"message": "Question saved successfully", "question_id": question_id}


@router.post("/run")
def run_questions(acting: ActingParam, body: QuestionRun) -> dict[str, Any]:
    """Ask all of them again; ``changes`` says what is different from the time before."""
    found = acting.run_questions(body.page_id, body.channel)
    return {"questions": [question_view(question) for question in found], "total": len(found)}


@router.delete("/{question_id}")
def delete_question(acting: ActingParam, question_id: str) -> dict[str, Any]:
    """Forget a question."""
    acting.delete_question(question_id)
    return {"message": "Question deleted successfully", "question_id": question_id}
