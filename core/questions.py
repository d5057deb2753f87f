"""Saved questions of a page and channel (collection ``saved_questions``).

They are asked together, and each is compared with what was found the last time: so that people see
what a change of links or of records did to the bot's answers.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence
from typing import Any

from core.bot.reply import Replier
from core.errors import InvalidRequest, NotFound
from core.links import Links
from core.models import Channel
from core.store import Database, Document, insert

MAX_QUESTIONS = 200
"""Of each page and channel."""


class Questions:
    """The saved questions."""

    def __init__(self, database: Database, links: Links, replier: Replier) -> None:
        self._questions = database["saved_questions"]
        self._links = links
        self._replier = replier

    def add(
        self, company_id: str, page_id: str, channel: Channel, question: str, username: str
    ) -> str:
        """Keep a question; its id. Asked twice it is kept once. Raises NotFound, InvalidRequest."""
        self._links.of_page(company_id, page_id)
        text = " ".join(question.split())
        if not text or len(text) > 1000:
            raise InvalidRequest("question", "A question has 1 to 1000 characters.")
        kept = self.of_page(company_id, page_id, channel)
        for other in kept:
            if other["question"] == text:
                return str(other["_id"])
        if len(kept) >= MAX_QUESTIONS:
            raise InvalidRequest(
                "question",
                f"This page and channel has {MAX_QUESTIONS} saved questions already.",
                action="Delete one first.",
            )
        question_id = "question-" + secrets.token_hex(8)
        insert(
            self._questions,
            {
                "_id": question_id,
                "company_id": company_id,
                "page_id": page_id,
                "channel": channel.value,
                "question": text,
                "created_by": username,
                "created_at": time.time(),
                "last": None,
                "changes": [],
            },
        )
        return question_id

    def of_page(
        self, company_id: str, page_id: str, channel: Channel | None = None
    ) -> list[Document]:
        """The questions of a page, or of one of its channels, oldest first."""
        query: dict[str, Any] = {"page_id": page_id, "company_id": company_id}
        if channel:
            query["channel"] = channel.value
        return list(self._questions.find(query).sort("created_at", 1))

    def delete(self, company_id: str, question_id: str) -> None:
        """Forget a question. Raises NotFound."""
        query = {"_id": question_id, "company_id": company_id}
        if not self._questions.delete_many(query).deleted_count:
            raise NotFound(f"There is no saved question {question_id}.", action="Nothing to do.")

    def run(self, company_id: str, page_id: str, channel: Channel) -> list[Document]:
        """Ask all of them now; each with ``last`` and the ``changes`` since the time before."""
        questions = self.of_page(company_id, page_id, channel)
        for question in questions:
            reply = self._replier.reply(company_id, page_id, channel, question["question"])
            now = {
                "at": time.time(),
                "reply": reply.text,
                "known": reply.is_known,
                "hits": [
                    {
                        "link_id": hit.link_id,
                        "link_name": hit.link_name,
                        "path": hit.path,
                        "score": hit.score,
                        "text_hash": hashlib.sha256(hit.text.encode()).hexdigest()[:16],
                    }
                    for hit in reply.context
                ],
            }
            question["changes"] = what_changed(question["last"], now)
            question["last"] = now
            fields = {"last": now, "changes": question["changes"]}
            self._questions.update_one({"_id": question["_id"]}, {"$set": fields})
        return questions

    def changed_by(
        self, company_id: str, page_id: str, link_id: str, channels: Sequence[Channel]
    ) -> list[Document]:
        """The questions on these channels that found something of the link when last asked."""
        return [
            question
            for question in self.of_page(company_id, page_id)
            if question["channel"] in channels
            and any(hit["link_id"] == link_id for hit in (question["last"] or {}).get("hits", ()))
        ]


def what_changed(before: Document | None, now: Document) -> list[str]:
    """In words, what is different from the time before; nothing when there was none."""
    if before is None:
        return []
    changes = []
    if before["reply"] != now["reply"]:
        changes.append(f"The reply was: {before['reply']}")
    was = {(hit["link_id"], hit["path"]): hit for hit in before["hits"]}
    fresh = {(hit["link_id"], hit["path"]): hit for hit in now["hits"]}
    for key, hit in fresh.items():
        where = f"{hit['link_name']}, {hit['path']}"
        if key not in was:
            changes.append(f"Found now: {where}")
        elif was[key]["text_hash"] != hit["text_hash"]:
            changes.append(f"Reads differently: {where}")
    changes += [
        f"No longer found: {hit['link_name']}, {hit['path']}"
        for key, hit in was.items()
        if key not in fresh
    ]
    return changes
