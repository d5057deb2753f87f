"""How near a record is to a question: what its words say and what its vector says, as one score.

The words give evidence: a rare one that tells a record from the others counts most, an order number
or an e-mail address decides alone. The vector gives the cosine similarity, for paraphrases, typos
and other languages. They are put together like two witnesses who may each be right:
``1 - (1 - similarity) * (1 - lexical)``. Neither can drag down what the other one is sure of, which
is what ranks do when they are added up (reciprocal-rank fusion: hit@1 0.76 where words alone had
1.00; see docs/retrieval.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from core.retrieval.lexical import LinkWords
from core.retrieval.words import is_code, pair, says_nothing, words

# What a word adds that only one record of thousands has; half as frequent words add their share.
WEIGHT = 4.8
# A word of one in three records is no rarity, however few records there are.
LEAST_RECORDS = 100
# But a code is one even there: it is compared as if among so many.
CODE_RECORDS = 5000
CODE_WEIGHT = 8.0
LEAST_CODE = 3
# A word that is spelled like another is that one with this confidence, by the number of errors.
SPELLING = {1: 0.75, 2: 0.5}

Evidence = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Spelling:
    """A word of the records that a word of the question stands for."""

    word: str
    weight: float


@dataclass(frozen=True)
class Question:
    """A question's words, each with the words of the records that it stands for, and their weight.

    ``unknown`` are the words that no record has, spelled like this or nearly; ``telling`` those
    that name a record, whether it may answer or not.
    """

    text: str
    meant: Mapping[str, Sequence[Spelling]]
    unknown: frozenset[str]
    telling: frozenset[str]


def understand(text: str, indexes: Sequence[LinkWords]) -> Question:
    """The question as the records of these links know its words."""
    size = sum(index.size for index in indexes)
    meant: dict[str, list[Spelling]] = {}
    unknown = set()
    spoken = list(words(text))
    empty = {word for word in spoken if says_nothing(word, text)}
    said = [word for word in spoken if word not in empty]
    # "Ann Lee or Jo Ray" has no Lee Jo in it.
    pairs = [pair(one, other) for one, other in pairwise(spoken) if not {one, other} & empty]
    for word in dict.fromkeys([*said, *pairs]):
        spelled = {word: 1.0}
        if not any(word in index for index in indexes):
            # A misspelled name is found by its parts.
            spelled = (
                {}
                if " " in word
                else {
                    other: SPELLING[errors]
                    for index in indexes
                    for other, errors in index.spelled_like(word).items()
                }
            )
        if not spelled:
            unknown |= {word} if " " not in word else set()
            continue
        meant[word] = [
            Spelling(other, share * _weight(other, _frequency(other, indexes), size))
            for other, share in spelled.items()
        ]
    telling = frozenset(word for word in meant if any(index.tells_apart(word) for index in indexes))
    return Question(text, meant, frozenset(unknown), telling)


def evidence(question: Question, index: LinkWords) -> Evidence:
    """How much the question's words say for each record of a link; 0 for nothing."""
    total = np.zeros(index.size, dtype=np.float32)
    for spellings in question.meant.values():
        if len(spellings) == 1:
            rows, strengths = index.rows_with(spellings[0].word)
            total[rows] += strengths * spellings[0].weight
            continue
        # However a word is spelled, it counts once.
        most = np.zeros(index.size, dtype=np.float32)
        for spelling in spellings:
            rows, strengths = index.rows_with(spelling.word)
            most[rows] = np.maximum(most[rows], strengths * spelling.weight)
        total += most
    return total


def fused(similarity: float, said: float) -> float:
    """One score from 0 to 1 of a cosine similarity and the words' evidence."""
    return 1.0 - (1.0 - min(max(similarity, 0.0), 1.0)) * math.exp(-said)


def _frequency(word: str, indexes: Sequence[LinkWords]) -> int:
    return sum(len(index.rows_with(word)[0]) for index in indexes)


def _weight(word: str, frequency: int, size: int) -> float:
    code = is_code(word) and len(word) >= LEAST_CODE
    among = max(size, CODE_RECORDS if code else LEAST_RECORDS)
    rarity = math.log((among + 1) / (frequency + 0.5)) / math.log(among + 1)
    return (CODE_WEIGHT if code else WEIGHT) * max(rarity, 0.0) ** 2
