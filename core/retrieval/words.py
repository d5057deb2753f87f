"""The words of records and questions, as the lexical index compares them.

Case and accents do not matter. An e-mail address, an order number and the like are one word, and
their parts are words, too; a phone number is its digits, however it is written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from stop_words import get_stop_words

LANGUAGES = ("en", "de", "es", "fr", "it", "pt", "nl")
"""Whose words like "the" and "who" say nothing about a record."""

_PHONE = re.compile(r"(?<![\w.])\+?\(?\d[\d\s()./-]{5,}\d(?![\w])")
_COMPOUND = re.compile(r"[^\W_]+(?:[-._@+'’/#&]+[^\W_]+)*", re.UNICODE)
_PART = re.compile(r"[^\W_]+", re.UNICODE)
_ASCII = re.compile(r"[\x00-\x7f]*")
# Chinese, Japanese and Korean are written without spaces: their words are pairs of characters.
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]{2,}")
_LEAST_PHONE_DIGITS = 7


def folded(text: str) -> str:
    """``text`` without case and accents."""
    if _ASCII.fullmatch(text):
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def words(text: str) -> Iterator[str]:
    """The words of ``text``: compounds whole and in parts, numbers of phones as digits."""
    plain = folded(text)
    for match in _PHONE.finditer(plain):
        digits = "".join(char for char in match[0] if char.isdigit())
        if len(digits) >= _LEAST_PHONE_DIGITS:
            yield digits
    for match in _COMPOUND.finditer(plain):
        compound = match[0]
        parts = _PART.findall(compound)
        if len(parts) > 1:
            yield compound
        for part in parts:
            yield from _pairs(part)


def pair(one: str, other: str) -> str:
    """Two words that stand side by side as one, in whatever order: "Doe, Jane" is Jane Doe."""
    return " ".join(sorted((one, other)))


def is_code(word: str) -> bool:
    """Whether a word is meant exactly: an e-mail address, or one with digits, like an order's."""
    # Nearly all words are letters alone.
    return not word.isalpha() and ("@" in word or any(char.isdigit() for char in word))


@cache
def _function_words() -> frozenset[str]:
    found = (word for language in LANGUAGES for word in get_stop_words(language))
    return frozenset(part for word in found for part in words(word))


def says_nothing(word: str, text: str) -> bool:
    """Whether a word of ``text`` is one like "the" or "who"; "Will" within a sentence is a name."""
    if word not in _function_words():
        return False
    spelled = re.search(rf"(?<!^)(?<![.!?] ){re.escape(word)}\b", text, re.IGNORECASE)
    return not (spelled and spelled[0].istitle())


def digits_of(word: str) -> str:
    """The digits in a word: two codes that differ in them are never the same."""
    return "".join(char for char in word if char.isdigit())


def _pairs(part: str) -> Iterator[str]:
    unspaced = _UNSPACED.search(part)
    if unspaced is None:
        yield singular(part)
        return
    run = unspaced[0]
    yield from (run[index : index + 2] for index in range(len(run) - 1))


def singular(word: str) -> str:
    """``orders`` as ``order``; the same for questions and records, so that it need not be right."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
