"""How the bot of each page behaves (collection ``page_bots``)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from core.errors import InvalidRequest
from core.retrieval.words import words
from core.security.secrets import MASK, SecretBox
from core.store import Database, insert

MAX_WORDS = 50


class Mode(StrEnum):
    """What the bot does with a message."""

    OFF = "off"
    SUGGEST = "suggest"
    """It writes answers; a person sends them."""
    SEND = "send"


class Reveals(StrEnum):
    """Whose records may answer."""

    OWN = "own"
    """The customer's own, in chat, once it is known who they are; else nothing personal."""
    ANY = "any"
    """Anybody's: for pages whose records are nobody's secret."""


@dataclass(frozen=True)
class PageBot:
    """A page's bot. ``token`` is encrypted."""

    mode: Mode = Mode.OFF
    reveals: Reveals = Reveals.OWN
    token: str | None = None
    handover_words: tuple[str, ...] = (
        "human",
        "real person",
        "talk to somebody",
        "talk to someone",
    )
    handover_reply: str = ""
    """Sent when a person takes over; empty for nothing."""

    def hands_over(self, text: str) -> bool:
        """Whether a message asks for a person."""
        said = f" {' '.join(words(text))} "
        return any(f" {' '.join(words(asked))} " in said for asked in self.handover_words)


class PageBots:
    """The bots of all pages."""

    def __init__(self, database: Database, box: SecretBox) -> None:
        self._bots = database["page_bots"]
        self._box = box

    def of(self, company_id: str, page_id: str) -> PageBot:
        """The page's bot; it is off until somebody sets it up."""
        found = self._bots.find_one({"_id": _id(company_id, page_id)})
        if found is None:
            return PageBot()
        return PageBot(
            mode=Mode(found["mode"]),
            reveals=Reveals(found["reveals"]),
            token=found.get("token"),
            handover_words=tuple(found["handover_words"]),
            handover_reply=found["handover_reply"],
        )

    def set(
        self,
        company_id: str,
        page_id: str,
        *,
        mode: Mode,
        reveals: Reveals,
        token: str | None,
        handover_words: Sequence[str],
        handover_reply: str,
    ) -> PageBot:
        """Set the page's bot up; a masked ``token`` stays as stored. Raises InvalidRequest."""
        before = self.of(company_id, page_id)
        sealed = before.token if token == MASK else self._box.seal(token) if token else None
        if mode is not Mode.OFF and not sealed:
            raise InvalidRequest(
                "token",
                "The bot needs the page's access token.",
                action="Enter it, or switch the bot off.",
            )
        asked = [" ".join(word.split()) for word in handover_words if any(words(word))]
        if len(asked) > MAX_WORDS:
            raise InvalidRequest("handover_words", f"No more than {MAX_WORDS} words, please.")
        bot = PageBot(mode, reveals, sealed, tuple(asked), handover_reply.strip())
        stored = {**asdict(bot), "handover_words": asked}
        document = {"_id": _id(company_id, page_id), "company_id": company_id, "page_id": page_id}
        self._bots.delete_many({"_id": document["_id"]})
        insert(self._bots, document | stored)
        return bot

    def token(self, bot: PageBot) -> str:
        """The page's token, in clear. Raises SecretUnreadable."""
        return self._box.open(bot.token or "")

    def drop(self, company_id: str, page_id: str) -> None:
        """Forget a page's bot."""
        self._bots.delete_many({"_id": _id(company_id, page_id)})


def bot_facts(bot: PageBot) -> Mapping[str, Any]:
    """The bot as people see it: without its token."""
    return {
        "mode": bot.mode.value,
        "reveals": bot.reveals.value,
        "token": MASK if bot.token else None,
        "handover_words": list(bot.handover_words),
        "handover_reply": bot.handover_reply,
    }


_SEPARATOR = re.compile(r"[\n,;]+")


def split_words(text: str) -> list[str]:
    """Handover words as people list them: by commas or lines."""
    return [word.strip() for word in _SEPARATOR.split(text) if word.strip()]


def _id(company_id: str, page_id: str) -> str:
    return f"{company_id}/{page_id}"
