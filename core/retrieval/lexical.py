"""The lexical index of one link's records: which record has which word, and as what.

A word in what names a record (its name, an e-mail address, an order number) tells it from others,
a little less so when it names something that the record is about; any other word describes it; one
in a field's name only says what kind of record it is.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import OSA

from core.models import Record
from core.retrieval.words import digits_of, is_code, pair, words
from core.text.identity import NAMING_FIELDS
from core.text.personal import words_of

FIELD, DESCRIBES, REFERS, NAMES = 0.0, 0.015, 0.85, 1.0
"""How much a word counts, by where it stands."""
# A value of more words is a text.
SHORT_VALUE = 6
_NAMING_WORDS = frozenset(
    [
        "id",
        "uuid",
        "guid",
        "gid",
        "key",
        "code",
        "sku",
        "number",
        "no",
        "ref",
        "reference",
        "name",
        "title",
        "handle",
        "username",
        "login",
        "email",
        "mail",
        "phone",
        "mobile",
        "requester",
    ]
)
_OWN_NAMES = {*NAMING_FIELDS} - {"title", "subject"}
# Shorter words have too many neighbours.
LEAST_FUZZY, TWO_ERRORS = 4, 8
MOST_SPELLINGS = 8

Rows = npt.NDArray[np.int32]
Strengths = npt.NDArray[np.float32]


class LinkWords:
    """The words of one generation of a link; row ``n`` is the ``n``-th record."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.size = len(records)
        self._ids: dict[str, int] = {}
        self._arrange(*self._read(enumerate(records)))
        self._telling = self._telling_words()
        self._telling_by_length = _by_length(self._telling)

    def changed(self, kept: Rows, fresh: Iterable[tuple[int, Record]]) -> LinkWords:
        """The words of the link's next generation: the same as if all its records had been read.

        ``kept`` says of each row which of these rows it was, -1 for those that are ``fresh``.
        """
        made = LinkWords(())
        made.size = len(kept)
        made._ids = dict(self._ids)
        columns, rows, strengths = made._read(fresh)
        moved = np.full(self.size, -1, dtype=np.int32)
        moved[kept[kept >= 0]] = np.flatnonzero(kept >= 0)
        own_rows = moved[self._rows]
        own_columns = np.repeat(np.arange(len(self._ids), dtype=np.int64), np.diff(self._starts))
        stays = own_rows >= 0
        made._arrange(
            np.concatenate([own_columns[stays], columns]),
            np.concatenate([own_rows[stays], rows]),
            np.concatenate([self._strengths[stays], strengths]),
        )
        made._telling = made._telling_words()
        made._telling_by_length = _changed_by_length(
            self._telling_by_length, self._telling - made._telling, made._telling - self._telling
        )
        return made

    def _read(
        self, records: Iterable[tuple[int, Record]]
    ) -> tuple[npt.NDArray[np.int64], Rows, Strengths]:
        """Of each word of each record: the word's number, the record's row, how much it counts."""
        columns, rows, strengths = array("q"), array("i"), array("f")
        ids = self._ids
        for row, record in records:
            for word, strength in words_of_record(record).items():
                columns.append(ids.setdefault(word, len(ids)))
                rows.append(row)
                strengths.append(strength)
        return (
            np.asarray(columns, dtype=np.int64),
            np.asarray(rows, dtype=np.int32),
            np.asarray(strengths, dtype=np.float32),
        )

    def _arrange(self, columns: npt.NDArray[np.int64], rows: Rows, strengths: Strengths) -> None:
        """Put the rows of each word together; forget words that no record has."""
        order = np.argsort(columns * max(self.size, 1) + rows, kind="stable")
        self._rows, self._strengths = rows[order], strengths[order]
        counts = np.bincount(columns, minlength=len(self._ids))
        telling = np.zeros(len(self._ids), dtype=np.bool_)
        telling[columns[strengths >= REFERS]] = True
        if not counts.all():
            words_before = list(self._ids)
            alive = np.flatnonzero(counts)
            self._ids = {words_before[old]: new for new, old in enumerate(alive.tolist())}
            counts, telling = counts[alive], telling[alive]
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._is_telling = telling

    def _telling_words(self) -> set[str]:
        return {
            word for word, tells in zip(self._ids, self._is_telling.tolist(), strict=True) if tells
        }

    def __contains__(self, word: str) -> bool:
        return word in self._ids

    def tells_apart(self, word: str) -> bool:
        """Whether the word names some record."""
        return word in self._telling

    def rows_with(self, word: str) -> tuple[Rows, Strengths]:
        """The records that have the word, and how much it counts in each."""
        number = self._ids.get(word)
        if number is None:
            return self._rows[:0], self._strengths[:0]
        start, end = self._starts[number], self._starts[number + 1]
        return self._rows[start:end], self._strengths[start:end]

    def spelled_like(self, word: str) -> dict[str, int]:
        """Words of short values that a misspelling may mean, with the number of errors.

        One letter more, less, other, or two exchanged; two of these in a long word. Digits are
        never taken for others.
        """
        if len(word) < LEAST_FUZZY or (is_code(word) and "@" not in word):
            return {}
        most = 2 if len(word) >= TWO_ERRORS else 1
        found: dict[str, int] = {}
        for length in range(len(word) - most, len(word) + most + 1):
            candidates = self._telling_by_length.get(length, ())
            for other, distance, _ in process.extract(
                word, candidates, scorer=OSA.distance, score_cutoff=most, limit=MOST_SPELLINGS
            ):
                if digits_of(other) == digits_of(word):
                    found[other] = int(distance)
        return found


def words_of_record(record: Record) -> Mapping[str, float]:
    """Every word once, with the most that it counts."""
    found: dict[str, float] = {}
    cut = len(record.pattern)
    for line in record.lines:
        for word, counts in _words_of_line(line, cut):
            if found.get(word, -1.0) < counts:
                found[word] = counts
    return found


def _words_of_line(line: str, cut: int) -> list[tuple[str, float]]:
    """The words of a line, whose field's name begins at ``cut``."""
    path, separator, value = line[cut:].partition(": ")
    if not separator:
        path, value = "", line
    label = line.partition(": ")[0] if separator else ""
    found = [(word, FIELD) for word in _words_of_path(label)]
    strength = DESCRIBES
    if separator and len(value.split()) <= SHORT_VALUE:
        strength = _strength_of_field(path.removeprefix("."))
    own = list(words(value))
    if strength >= REFERS:
        # A whole name says more than its parts: another record may have one of each.
        own += [pair(one, other) for one, other in pairwise(own) if _makes_pair(one, other)]
    exact = max(strength, REFERS)
    found += [(word, exact if is_code(word) else strength) for word in own]
    return found


def _makes_pair(one: str, other: str) -> bool:
    return one.isalpha() and other.isalpha()


def _strength_of_field(path: str) -> float:
    if path.lower() in _OWN_NAMES:
        return NAMES
    known = _strengths.get(path)
    if known is None:
        last = words_of(path.rpartition(".")[2]).rpartition(" ")[2]
        known = REFERS if last in _NAMING_WORDS else DESCRIBES
        if len(_strengths) < REMEMBERED:
            _strengths[path] = known
    return known


# Records of a link have the same few fields: each is looked at once.
REMEMBERED = 100_000
_paths: dict[str, tuple[str, ...]] = {}
_strengths: dict[str, float] = {}


def _words_of_path(path: str) -> tuple[str, ...]:
    known = _paths.get(path)
    if known is None:
        known = tuple(word for word in words(words_of(path)) if not word.isdigit())
        if len(_paths) < REMEMBERED:
            _paths[path] = known
    return known


def _by_length(vocabulary: Iterable[str]) -> Mapping[int, list[str]]:
    grouped: dict[int, list[str]] = defaultdict(list)
    for word in sorted(vocabulary):
        if " " not in word and len(word) >= LEAST_FUZZY - 1 and (not is_code(word) or "@" in word):
            grouped[len(word)].append(word)
    return dict(grouped)


def _changed_by_length(
    before: Mapping[int, list[str]], gone: set[str], come: set[str]
) -> Mapping[int, list[str]]:
    """The same without some words, and with others; lists of other lengths are not made anew."""
    after = dict(before)
    for length in {len(word) for word in gone}:
        after[length] = [word for word in after.get(length, ()) if word not in gone]
    for length, words_come in _by_length(come).items():
        after[length] = sorted([*after.get(length, ()), *words_come])
    return after
