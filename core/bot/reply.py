"""The reply to a customer's message, made of lines of the CRMs and nothing else.

The records that support an answer are found, and worded: by quoting the lines that say what is
asked, or by a model (see core.bot.wording) from these records alone. When nothing that is stored
supports an answer, it says so, in the message's language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import structlog

from core.bot.context import Context, delimit
from core.bot.extract import (
    COMPARING_SPREAD,
    LINE_SPREAD,
    Quotable,
    choose,
    is_naming,
    similarities,
    spoken,
    units,
)
from core.bot.languages import unknown
from core.bot.merge import MergedLine, Source, merge
from core.bot.support import names_the_absent, rest_of, subjects
from core.bot.wording import Model, Sentence
from core.errors import ModelFailed
from core.models import Channel
from core.retrieval.retrieve import EVERYTHING, Hit, Retriever, Scope, Search
from core.retrieval.words import words
from core.text.matching import plain_name
from core.vectors.embed import Embedder

CANDIDATES = 24
"""So many records are looked at."""
CONTEXT = 8
"""So many of them an answer is made of, at most."""
MAX_TOKENS = 2000
"""So many tokens of these, together."""
# Where the words name nobody, a line has to say what is asked, in a record that is about it: chosen
# on the benchmark's questions (other seeds) and the demo's help pages.
RECORD_SHARE = 0.8
LEAST_SUPPORT = 0.56
MOST_LINES = 120

log = structlog.get_logger()


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
    worded_by: str = "quotes"
    """The model that worded it, or ``quotes``."""
    reply_id: str = ""
    """Under which it was kept (see core.bot.provenance)."""


class Replier:
    """Answers messages on a page and channel."""

    def __init__(self, retriever: Retriever, embedder: Embedder, model: Model) -> None:
        self._retriever = retriever
        self._embedder = embedder
        self._model = model

    def reply(
        self,
        company_id: str,
        page_id: str,
        channel: Channel,
        message: str,
        scope: Scope = EVERYTHING,
    ) -> Reply:
        """The reply to ``message`` from the records of ``scope``. Raises NotFound (page)."""
        *_, reply = self.stream(company_id, page_id, channel, message, scope)
        assert isinstance(reply, Reply)
        return reply

    def stream(
        self,
        company_id: str,
        page_id: str,
        channel: Channel,
        message: str,
        scope: Scope = EVERYTHING,
    ) -> Iterator[str | Reply]:
        """The reply's sentences or lines as they are worded, and at the end the whole of it."""
        search = self._retriever.search(
            company_id, page_id, channel, message, CANDIDATES, scope=scope
        )
        about = self._supporting(search)
        others = [hit for hit in search.hits if hit not in about]
        context = self._retriever.within([*about, *others][:CONTEXT], MAX_TOKENS)
        if not about:
            yield unknown(message)
            yield Reply(unknown(message), False, [], context)
            return
        alone = len(about) == 1
        merged = self.merged(company_id, page_id, channel, about[0], scope) if alone else []
        if self._model.name:
            try:
                yield from self._worded(message, context, merged)
            except ModelFailed as error:
                log.warning("The reply is quoted", reason=str(error))
            else:
                return
        citations, said = self._quote(search, about, merged)
        yield from said
        yield Reply("\n".join(said), True, citations, context, merged)

    def _worded(
        self, message: str, context: list[Hit], merged: list[MergedLine]
    ) -> Iterator[str | Reply]:
        """The model's sentences that hold, then the reply. Raises ModelFailed before the first."""
        given = delimit(_with_other_links(context, merged))
        said: list[str] = []
        citations: list[Citation] = []
        try:
            for sentence in self._model.sentences(message, given):
                said.append(sentence.text)
                citations += _cited(sentence, given)
                yield sentence.text
        except ModelFailed:
            if not said:
                raise
            log.warning("The model broke off in the middle of a reply")
        text = " ".join(said) or unknown(message)
        if not said:
            yield text
        citations = list(dict.fromkeys(citations))
        yield Reply(text, bool(said), citations, context, merged, self._model.name or "")

    def merged(
        self,
        company_id: str,
        page_id: str,
        channel: Channel,
        hit: Hit,
        scope: Scope = EVERYTHING,
    ) -> list[MergedLine]:
        """What all links say of a hit's customer; nothing when no other link knows them."""
        found = self._retriever.about_the_same(company_id, page_id, channel, hit, scope)
        if len(found) < 2:
            return []
        return merge(
            [
                Source(link.link.link_id, link.link.name, entry.record, entry.updated_at)
                for link, entry in found
            ]
        )

    def _supporting(self, search: Search) -> list[Hit]:
        """The hits that the answer is made of, the best first."""
        if not search.hits or names_the_absent(search):
            return []
        named = subjects(search)
        if named:
            return named
        # A record's vector is of all its lines: what is asked may be said by one of them.
        lines = [
            (hit, line) for hit in search.hits for line in units(hit.text) if not is_naming(line)
        ][:MOST_LINES]
        if not lines:
            return []
        scores = similarities([line for _, line in lines], search.question.text, self._embedder)
        # A line of two words may be like anything: its record has to be about the question, too.
        supports = [
            line_score + RECORD_SHARE * lines[n][0].score for n, line_score in enumerate(scores)
        ]
        best = max(range(len(lines)), key=lambda n: supports[n])
        return [lines[best][0]] if supports[best] >= LEAST_SUPPORT else []

    def _quote(
        self, search: Search, about: list[Hit], merged: list[MergedLine]
    ) -> tuple[list[Citation], list[str]]:
        """The lines that answer, with their numbers, and how they are said."""
        quoted: list[tuple[Quotable, str]] = []
        asked = rest_of(search.question, about)
        spread = LINE_SPREAD if len(about) < 2 else COMPARING_SPREAD
        whole = [units(hit.text) for hit in about]
        chosen = [choose(lines, asked, self._embedder, spread) for lines in whole]
        # What is said of one of several records is said of all: so they can be compared.
        fields = {
            _field_of(lines[n]) for lines, own in zip(whole, chosen, strict=True) for n in own
        }
        for hit, lines, own in zip(about, whole, chosen, strict=True):
            if merged:
                quoted += self._merged_lines(merged, asked)
                break
            own |= {n for n, line in enumerate(lines) if _field_of(line) in fields - {""}}
            quoted += [
                (Quotable(hit.link_id, hit.link_name, hit.path, lines[n]), "") for n in sorted(own)
            ]
        citations = [
            Citation(number, one.link_id, one.link_name, one.path, one.line)
            for number, (one, _) in enumerate(quoted, start=1)
        ]
        said = [
            f"{spoken(one.line)}{by} [{one.number}]"
            for one, (_, by) in zip(citations, quoted, strict=True)
        ]
        return citations, said

    def _merged_lines(self, merged: list[MergedLine], asked: str) -> list[tuple[Quotable, str]]:
        """The lines that answer; of a field that links contradict each other in, all."""
        chosen = choose([one.line for one in merged], asked, self._embedder)
        fields = {plain_name(merged[n].field) for n in chosen if merged[n].contradicts}
        chosen |= {
            n for n, one in enumerate(merged) if one.contradicts and plain_name(one.field) in fields
        }
        return [
            (
                Quotable(one.link_id, one.link_name, one.path, one.line),
                f" ({one.link_name})" if one.contradicts else "",
            )
            for one in (merged[n] for n in sorted(chosen))
        ]


def _field_of(line: str) -> str:
    """The field of a line, in any record of its kind; empty for plain text."""
    path, separator, _ = line.partition(": ")
    return re.sub(r"\d+", "", path) if separator and " " not in path else ""


def _with_other_links(context: list[Hit], merged: list[MergedLine]) -> list[Hit]:
    """The hits, and what other links say of the first one's customer as hits of their own."""
    present = {(hit.link_id, hit.path) for hit in context}
    others: dict[tuple[str, str], list[MergedLine]] = {}
    for line in merged:
        if (line.link_id, line.path) not in present:
            others.setdefault((line.link_id, line.path), []).append(line)
    more = [
        replace(
            context[0],
            text="\n".join(line.line for line in lines),
            link_id=link_id,
            link_name=lines[0].link_name,
            path=path,
            entry=None,
        )
        for (link_id, path), lines in others.items()
    ]
    return [context[0], *more, *context[1:]]


def _cited(sentence: Sentence, given: Context) -> list[Citation]:
    """For each record that a sentence cites, the line of it that says most of the sentence."""
    own = set(words(sentence.text))
    cited = []
    for number in sentence.numbers:
        hit = given.hits[number]
        lines = units(hit.text) or [hit.text]
        line = max(lines, key=lambda one: len(own & set(words(one))))
        cited.append(Citation(number, hit.link_id, hit.link_name, hit.path, line))
    return cited


def kept_as(reply: Reply, reply_id: str) -> Reply:
    """The reply with the id under which it was kept."""
    return replace(reply, reply_id=reply_id)
