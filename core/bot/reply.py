"""The reply to a customer's message, made of lines of the CRMs and nothing else.

Extractive: the lines that answer best are quoted, each with where it stands. When nothing that is
stored supports an answer, it says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from core.bot.merge import MergedLine, Source, merge, plain_name
from core.models import Channel
from core.text.identity import NAMING_FIELDS
from core.text.personal import words_of
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
    merged: list[MergedLine] = field(default_factory=list)
    """What all links say of the customer, when the answer is about one that several know."""


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
        best = supporting[0]
        merged = self.merged(company_id, page_id, channel, best)
        quote = self._quote_merged(merged, message) if merged else None
        citations = quote or self._quote(best, message)
        text = "\n".join(_sentence(one, citations, merged) for one in citations)
        return Reply(text, True, citations, hits, merged)

    def merged(self, company_id: str, page_id: str, channel: Channel, hit: Hit) -> list[MergedLine]:
        """What all links say of a hit's customer; nothing when no other link knows them."""
        found = self._retriever.about_the_same(company_id, page_id, channel, hit)
        if len(found) < 2:
            return []
        return merge(
            [
                Source(link.link.link_id, link.link.name, entry.record, entry.updated_at)
                for link, entry in found
            ]
        )

    def _quote_merged(self, merged: list[MergedLine], message: str) -> list[Citation]:
        """The lines that answer best; of a field that links contradict each other in, all."""
        chosen = self._best([one.line for one in merged], message)
        fields = {plain_name(merged[n].field) for n in chosen if merged[n].contradicts}
        chosen |= {
            n for n, one in enumerate(merged) if one.contradicts and plain_name(one.field) in fields
        }
        return [
            Citation(number, one.link_id, one.link_name, one.path, one.line)
            for number, one in enumerate((merged[n] for n in sorted(chosen)), start=1)
        ]

    def _quote(self, hit: Hit, message: str) -> list[Citation]:
        """The lines of the hit that answer best, after the one that names the record."""
        lines = _units(hit.text)
        chosen = self._best(lines, message)
        return [
            Citation(number, hit.link_id, hit.link_name, hit.path, lines[index])
            for number, index in enumerate(sorted(chosen), start=1)
        ]

    def _best(self, lines: list[str], message: str) -> set[int]:
        """Which lines answer best, and those that name the record."""
        vectors = self._embedder.embed([message, *[_spoken(line) for line in lines]])
        scores = [float(score) for score in vectors[1:] @ vectors[0]]
        best = max(scores)
        ranked = sorted(range(len(lines)), key=lambda number: -scores[number])
        chosen = {n for n in ranked[:MAX_LINES] if scores[n] >= best - LINE_SPREAD}
        return chosen | set(_asked_for(lines, message)[:MAX_LINES]) | set(_naming(lines)[:2])


def _supports(hit: Hit, message: str) -> bool:
    if hit.score >= LEAST_SCORE:
        return True
    # An order number or an e-mail that stands in both is enough.
    exact = {w.lower() for w in _WORD.findall(message) if any(c.isdigit() or c == "@" for c in w)}
    return bool(exact & {word.lower() for word in _WORD.findall(hit.text)})


def _sentence(one: Citation, citations: list[Citation], merged: list[MergedLine]) -> str:
    """The line as it is said; one that another link contradicts names its link."""
    quoted = next((m for m in merged if (m.line, m.link_id) == (one.line, one.link_id)), None)
    says = f" ({one.link_name})" if quoted and quoted.contradicts and len(citations) > 1 else ""
    return f"{_spoken(one.line)}{says} [{one.number}]"


def _units(text: str) -> list[str]:
    """What can be quoted: the lines of a record, the sentences of plain text."""
    lines = [line for line in text.split("\n") if line.strip()]
    if any(_PATH.match(line) for line in lines):
        return lines
    return [piece for piece in _SENTENCE.split(" ".join(lines)) if piece.strip()]


def _asked_for(lines: list[str], message: str) -> list[int]:
    """The lines whose field the message names: a value like Gold says nothing of a plan."""
    words = {word.lower().rstrip("s") for word in _WORD.findall(message)}
    asked = []
    for number, line in enumerate(lines):
        path, separator, _ = line.partition(": ")
        own = {word.rstrip("s") for word in words_of(re.split(r"[.\]]", path)[-1]).split()}
        if separator and any(len(word) > 2 for word in own & words):
            asked.append(number)
    return asked


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
