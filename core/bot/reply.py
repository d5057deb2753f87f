"""The reply to a customer's message, made of lines of the CRMs and nothing else.

Extractive: the lines that answer best are quoted, each with where it stands. When nothing that is
stored supports an answer, it says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.models import Channel
from core.text.identity import NAMING_FIELDS
from core.vectors.embed import Embedder
from core.vectors.retrieve import Hit, Retriever

CONTEXT = 5
"""So many chunks are looked at."""
# Below this a chunk is about something else: on the demo data, questions about what is not there
# reach 0.35, those about what is start at 0.4.
LEAST_SCORE = 0.36
# So far behind the best line another one is still quoted.
LINE_SPREAD = 0.22
MAX_LINES = 5
UNKNOWN = "I don't know: nothing in the records supports an answer."

_PATH = re.compile(r"[^\s:]+: ")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_WORD = re.compile(r"[^\W_]+(?:[-.@+][^\W_]+)*", re.UNICODE)


@dataclass(frozen=True)
class Citation:
    """One quoted line: ``number`` stands in the reply, ``line`` is as it was stored."""

    number: int
    link_id: str
    link_name: str
    path: str
    line: str


@dataclass(frozen=True)
class Reply:
    """What the bot would answer, where it has it from, and what it looked at."""

    text: str
    is_known: bool
    citations: list[Citation]
    context: list[Hit]


class Replier:
    """Answers messages on a page and channel."""

    def __init__(self, retriever: Retriever, embedder: Embedder) -> None:
        self._retriever = retriever
        self._embedder = embedder

    def reply(self, company_id: str, page_id: str, channel: Channel, message: str) -> Reply:
        """The reply to ``message``. Raises NotFound (page)."""
        hits = self._retriever.search(company_id, page_id, channel, message, CONTEXT)
        supporting = [hit for hit in hits if _supports(hit, message)]
        if not supporting:
            return Reply(UNKNOWN, False, [], hits)
        citations = self._quote(supporting[0], message)
        text = "\n".join(f"{_spoken(one.line)} [{one.number}]" for one in citations)
        return Reply(text, True, citations, hits)

    def _quote(self, hit: Hit, message: str) -> list[Citation]:
        """The lines of the hit that answer best, after the one that names the record."""
        lines = _units(hit.text)
        vectors = self._embedder.embed([message, *[_spoken(line) for line in lines]])
        scores = [float(score) for score in vectors[1:] @ vectors[0]]
        best = max(scores)
        ranked = sorted(range(len(lines)), key=lambda number: -scores[number])
        chosen = {n for n in ranked[:MAX_LINES] if scores[n] >= best - LINE_SPREAD}
        chosen |= set(_naming(lines)[:2])
        return [
            Citation(number, hit.link_id, hit.link_name, hit.path, lines[index])
            for number, index in enumerate(sorted(chosen), start=1)
        ]


def _supports(hit: Hit, message: str) -> bool:
    if hit.score >= LEAST_SCORE:
        return True
    # An order number or an e-mail that stands in both is enough.
    exact = {w.lower() for w in _WORD.findall(message) if any(c.isdigit() or c == "@" for c in w)}
    return bool(exact & {word.lower() for word in _WORD.findall(hit.text)})


def _units(text: str) -> list[str]:
    """What can be quoted: the lines of a record, the sentences of plain text."""
    lines = [line for line in text.split("\n") if line.strip()]
    if any(_PATH.match(line) for line in lines):
        return lines
    return [piece for piece in _SENTENCE.split(" ".join(lines)) if piece.strip()]


def _naming(lines: list[str]) -> list[int]:
    return [
        number
        for number, line in enumerate(lines)
        if re.split(r"[.\]]", line.partition(": ")[0])[-1].lower() in NAMING_FIELDS
    ]


def _spoken(line: str) -> str:
    """``customers[0].support_level: Gold`` as ``support level: Gold``."""
    path, separator, value = line.partition(": ")
    if not separator or " " in path:
        return line
    parts = [part for part in re.split(r"[.\[\]]", path) if part and not part.isdigit()]
    label = " ".join(parts[1:] or parts).replace("_", " ")
    return f"{label}: {value}"
