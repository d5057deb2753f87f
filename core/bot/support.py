"""Which of the records that were found support an answer; none of them, when it is not there.

Three questions are put to what was found: does the question name somebody or something that no
record has; whom do its words name; and if nobody, is there a line that says what it asks?
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from core.retrieval.fusion import Question
from core.retrieval.lexical import REFERS, words_of_record
from core.retrieval.retrieve import Hit, Search
from core.retrieval.words import digits_of, is_code, says_nothing, words

MOST_SUBJECTS = 3
# Words that say less than this name nobody: "gold" alone is no name.
LEAST_EVIDENCE = 0.5
# Records that the words fit nearly as well are meant, too.
TIE = 0.98
# A number is one of an order or a customer from so many digits on: 2026 is a year.
CODE_DIGITS = 5

_CAPITALIZED = re.compile(r"[^\W\d_][\w'’]*", re.UNICODE)


def names_the_absent(search: Search) -> bool:
    """Whether the question is about an address, a number or a name that no record has."""
    question = search.question
    top = search.hits[0] if search.hits else None
    matched = matched_words(question, top) if top else frozenset[str]()
    unknown = [word for word in question.unknown if _is_exact(word)]
    if unknown and not any(_is_exact(word) for word in matched):
        return True
    # Of records that may not answer here, another customer's say, no hit is: nor is their answer.
    found = frozenset[str]().union(*(matched_words(question, hit) for hit in search.hits))
    if any((" " in word or _is_exact(word)) and word not in found for word in question.telling):
        return True
    for name in _names(question.text):
        known = [word for word in name if word in question.meant]
        missing = [word for word in name if word in question.unknown]
        if missing and (known or not matched) and set(known) & matched != set(name):
            return True
    return False


def subjects(search: Search) -> list[Hit]:
    """The records that the question's words name, the best first: two, when it compares two."""
    chosen: list[Hit] = []
    covered: set[str] = set()
    sets: list[frozenset[str]] = []
    for hit in search.hits:
        if hit.evidence < LEAST_EVIDENCE:
            continue
        matched = matched_words(search.question, hit)
        is_new = bool(matched - covered)
        is_tie = any(
            matched == other and hit.link_id == one.link_id and hit.evidence >= TIE * one.evidence
            for one, other in zip(chosen, sets, strict=True)
        )
        if matched and (is_new or is_tie):
            chosen.append(hit)
            sets.append(matched)
            covered |= matched
        if len(chosen) == MOST_SUBJECTS:
            break
    return chosen


def matched_words(question: Question, hit: Hit) -> frozenset[str]:
    """The words of the question that name the record of a hit."""
    if hit.entry is None:
        return frozenset()
    own = words_of_record(hit.entry.record)
    return frozenset(
        word
        for word, spellings in question.meant.items()
        if any(own.get(spelling.word, 0.0) >= REFERS for spelling in spellings)
    )


def rest_of(question: Question, hits: Iterable[Hit]) -> str:
    """What the question asks of those it names: its words without the ones that name them."""
    named = frozenset[str]().union(*(matched_words(question, hit) for hit in hits))
    kept = [piece for piece in question.text.split() if not named & set(words(piece))]
    telling = [w for piece in kept for w in words(piece) if not says_nothing(w, piece)]
    return " ".join(kept) if telling else ""


def _is_exact(word: str) -> bool:
    digits = len(digits_of(word))
    return "@" in word or digits >= CODE_DIGITS or (digits >= 3 and is_code(word) and "-" in word)


def _names(text: str) -> list[Sequence[str]]:
    """Words with a capital letter that stand side by side, as the index knows them."""
    found: list[list[str]] = []
    current: list[str] = []
    last_end = -2
    for match in _CAPITALIZED.finditer(text):
        piece = match[0].removesuffix("'s").removesuffix("’s")
        own = list(words(piece))
        apart = match.start() != last_end + 1
        if not piece[0].isupper() or not own or says_nothing(own[0], text):
            found.append(current)
            current, last_end = [], -2
            continue
        if apart:
            found.append(current)
            current = []
        current.append(own[0])
        last_end = match.end()
    found.append(current)
    return [name for name in found if len(name) > 1]
