"""Saved questions of a page and channel (collection ``saved_questions``).

They are asked together, and each is compared with what was found the last time: so that people see
what a change of links or of records did to the bot's answers. One that says what it expects is a
regression test: it is asked after each sync that changed the page, and an alert goes out when it
fails that passed before.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.bot.reply import Replier, Reply
from core.errors import InvalidRequest, NotFound
from core.links import Links
from core.models import Channel
from core.store import Database, Document, insert

MAX_QUESTIONS = 200
"""Of each page and channel."""
ASK_SECONDS = 300.0
"""Whoever asks a page's tests has so long, before another scheduler does."""


class Questions:
    """The saved questions."""

    def __init__(
        self,
        database: Database,
        links: Links,
        replier: Replier,
        on_regression: Callable[[Document], None],
    ) -> None:
        self._questions = database["saved_questions"]
        self._due = database["question_runs"]
        self._on_regression = on_regression
        self._links = links
        self._replier = replier

    def add(
        self,
        company_id: str,
        page_id: str,
        channel: Channel,
        question: str,
        username: str,
        *,
        expected_text: str = "",
        expected_path: str = "",
    ) -> str:
        """Keep a question; its id. Asked twice it is kept once, with what is expected now.

        ``expected_text`` has to be in the reply, and a citation has to stand at ``expected_path``.
        Raises NotFound, InvalidRequest.
        """
        self._links.of_page(company_id, page_id)
        text = " ".join(question.split())
        if not text or len(text) > 1000:
            raise InvalidRequest("question", "A question has 1 to 1000 characters.")
        kept = self.of_page(company_id, page_id, channel)
        expected = {"text": expected_text.strip(), "path": expected_path.strip()}
        for other in kept:
            if other["question"] == text:
                fields = {"expected": expected, "passed": None}
                self._questions.update_one({"_id": other["_id"]}, {"$set": fields})
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
                "expected": expected,
                "passed": None,
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
            now: Document = {
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
            question["passed_before"] = question.get("passed")
            question["passed"] = _passes(question.get("expected") or {}, reply)
            fields = {
                "last": now,
                "changes": question["changes"],
                "passed": question["passed"],
            }
            self._questions.update_one({"_id": question["_id"]}, {"$set": fields})
        return questions

    def page_changed(self, company_id: str, page_id: str) -> None:
        """Note that a sync has changed what a page serves: its tests are due."""
        if not any(_is_test(question) for question in self.of_page(company_id, page_id)):
            return
        due = {"company_id": company_id, "page_id": page_id, "due_at": time.time()}
        self._due.update_one({"_id": f"{company_id}/{page_id}"}, {"$set": due}, upsert=True)

    def ask_due(self) -> None:
        """Ask the tests of the pages that have changed; one that fails now raises an alert."""
        now = time.time()
        for due in list(self._due.find({"due_at": {"$lte": now}})):
            mine = self._due.find_one_and_update(
                {"_id": due["_id"], "due_at": due["due_at"]},
                {"$set": {"due_at": now + ASK_SECONDS}},
            )
            if mine is None:
                continue
            company_id, page_id = due["company_id"], due["page_id"]
            for channel in {one["channel"] for one in self.of_page(company_id, page_id)}:
                for question in self.run(company_id, page_id, Channel(channel)):
                    if question["passed_before"] is True and question["passed"] is False:
                        self._on_regression(question)
            # Unless another sync has changed the page meanwhile.
            self._due.delete_many({"_id": due["_id"], "due_at": now + ASK_SECONDS})

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


def _is_test(question: Document) -> bool:
    return any((question.get("expected") or {}).values())


def _passes(expected: Mapping[str, str], reply: Reply) -> bool | None:
    """Whether the reply is as expected; None when nothing is."""
    text, path = expected.get("text", ""), expected.get("path", "")
    if not text and not path:
        return None
    says = " ".join(text.casefold().split()) in " ".join(reply.text.casefold().split())
    return says and (not path or any(one.path == path for one in reply.citations))


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
