"""Why the bot said this: every reply with what it was made of (collection ``replies``).

That is the question, the lines, their links, runs and age, and the model that worded it.

Kept for ``KEEP_DAYS``. "Erase this person" takes them out of here, too.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict
from typing import Any

from core.bot.reply import Reply
from core.errors import NotFound
from core.models import Channel
from core.retrieval.retrieve import Hit
from core.store import Database, Document, insert
from core.vectors.contents import Contents

KEEP_DAYS = 90


class Provenance:
    """The replies that were given."""

    def __init__(self, database: Database, contents: Contents) -> None:
        self._replies = database["replies"]
        self._contents = contents

    def keep(
        self,
        company_id: str,
        page_id: str,
        channel: Channel,
        message: str,
        reply: Reply,
        *,
        asked_by: str,
        about: str | None = None,
    ) -> str:
        """Keep a reply; its id. ``about`` is the conversation that it belongs to."""
        reply_id = "reply-" + secrets.token_hex(8)
        now = time.time()
        served = {(hit.link_id, hit.generation) for hit in reply.context}
        runs = {link_id: self._contents.run_of(link_id, number) for link_id, number in served}
        insert(
            self._replies,
            {
                "_id": reply_id,
                "company_id": company_id,
                "page_id": page_id,
                "channel": channel.value,
                "at": now,
                "asked_by": asked_by,
                "conversation_id": about,
                "message": message,
                "reply": reply.text,
                "known": reply.is_known,
                "worded_by": reply.worded_by,
                "citations": [asdict(one) for one in reply.citations],
                "context": [_context_of(hit, runs[hit.link_id], now) for hit in reply.context],
            },
        )
        return reply_id

    def get(self, company_id: str, reply_id: str) -> Document:
        """A reply. Raises NotFound."""
        found = self._replies.find_one({"_id": reply_id, "company_id": company_id})
        if found is None:
            raise NotFound(
                f"There is no reply {reply_id}.",
                action=f"Replies are kept for {KEEP_DAYS} days.",
            )
        return found

    def latest(
        self, company_id: str, page_id: str | None = None, channel: str | None = None, *, limit: int
    ) -> list[Document]:
        """The replies given last, newest first."""
        query: dict[str, Any] = {"company_id": company_id}
        if page_id:
            query = {"page_id": page_id, "company_id": company_id}
        if channel:
            query["channel"] = channel
        return list(self._replies.find(query).sort("at", -1).limit(limit))


def prune_replies(database: Database) -> None:
    """Forget what is older than ``KEEP_DAYS``."""
    database["replies"].delete_many({"at": {"$lt": time.time() - KEEP_DAYS * 86400}})


def _context_of(hit: Hit, run_id: str | None, now: float) -> Document:
    synced = hit.synced_at.timestamp() if hit.synced_at else None
    return {
        "link_id": hit.link_id,
        "link_name": hit.link_name,
        "path": hit.path,
        "text": hit.text,
        "score": hit.score,
        "generation": hit.generation,
        "run_id": run_id,
        "synced_at": synced,
        "age_seconds": None if synced is None else round(now - synced, 1),
        "stale": hit.stale,
        "failing": hit.failing,
    }
