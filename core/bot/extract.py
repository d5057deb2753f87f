"""An answer of quoted lines: those of a record that say what is asked, after what names it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.retrieval.words import says_nothing, words
from core.text.identity import NAMING_FIELDS
from core.text.personal import words_of
from core.vectors.embed import Embedder

# So far behind the best line another one is still quoted.
LINE_SPREAD = 0.12
# What several records are compared by may be named by a word that no line has.
COMPARING_SPREAD = 0.24
MAX_LINES = 4
# Where nothing particular is asked, or nobody can tell what, the record is quoted.
MAX_RECORD_LINES = 10
LEAST_LINE = 0.35

_PATH = re.compile(r"[^\s:]+: ")
_HEADING = re.compile(r".{1,60}[^.!?:;,]")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class Quotable:
    """A line that may be quoted, and where it stands."""

    link_id: str
    link_name: str
    path: str
    line: str


def units(text: str) -> list[str]:
    """What can be quoted: the lines of a record, the sentences of plain text."""
    lines = [line for line in text.split("\n") if line.strip()]
    if any(_PATH.match(line) for line in lines):
        return lines
    heading = lines[0] if len(lines) > 1 and _HEADING.fullmatch(lines[0]) else ""
    said = [piece for piece in _SENTENCE.split(" ".join(lines[bool(heading) :])) if piece.strip()]
    return [f"{heading}\n{said[0]}", *said[1:]] if heading and said else said


def choose(
    lines: Sequence[str], asked: str, embedder: Embedder, spread: float = LINE_SPREAD
) -> set[int]:
    """Which lines answer what is asked, with those that name the record.

    ``asked`` is the question without the words that name the record; empty for all of it.
    """
    naming = {n for n, line in enumerate(lines) if is_naming(line)}
    said = [n for n, line in enumerate(lines) if not line.endswith((": ", ": null"))]
    if not asked:
        return {*said[:MAX_RECORD_LINES]}
    by_field = [n for n in _asked_for(lines, asked) if n not in naming][:MAX_LINES]
    if by_field:
        return {*by_field, *sorted(naming)[:2]}
    scores = similarities(lines, asked, embedder)
    best = max((scores[n] for n in said), default=0.0)
    if best < LEAST_LINE:
        return {*said[:MAX_RECORD_LINES]}
    ranked = sorted(said, key=lambda n: -scores[n])
    chosen = {n for n in ranked[:MAX_LINES] if scores[n] >= best - spread}
    # What names a record is near to any question about it: the best of the others stay in, too.
    others = [n for n in ranked if n not in naming][:MAX_LINES]
    chosen |= {n for n in others if scores[n] >= scores[others[0]] - spread}
    return chosen | {*sorted(naming)[:2]}


def similarities(lines: Sequence[str], asked: str, embedder: Embedder) -> list[float]:
    """How near each line is to what is asked: the whole of it, or its field's name alone."""
    whole = [spoken(line) for line in lines]
    labels = [text.partition(": ")[0] for text in whole]
    different = list(dict.fromkeys([*whole, *labels]))
    vectors = embedder.embed([asked, *different])
    near = dict(zip(different, (float(one) for one in vectors[1:] @ vectors[0]), strict=True))
    return [max(near[text], near[label]) for text, label in zip(whole, labels, strict=True)]


def spoken(line: str) -> str:
    """``customers[0].support_level: Gold`` as ``support level: Gold``."""
    path, separator, value = line.partition(": ")
    if not separator or " " in path:
        return line
    parts = [part for part in re.split(r"[.\[\]]", path) if part and not part.isdigit()]
    label = " ".join(parts[1:] or parts).replace("_", " ")
    return f"{label}: {value}"


def is_naming(line: str) -> bool:
    """Whether a line names its record."""
    return _last_field(line).lower() in NAMING_FIELDS


def _asked_for(lines: Sequence[str], asked: str) -> list[int]:
    """The lines whose field the question names: a value like Gold says nothing of a plan."""
    wanted = {word for word in words(asked) if len(word) > 2 and not says_nothing(word, asked)}
    found = []
    for number, line in enumerate(lines):
        own = set(words(words_of(_last_field(line)))) if ": " in line else set()
        if own & wanted and not line.endswith((": ", ": null")):
            found.append(number)
    return found


def _last_field(line: str) -> str:
    return re.split(r"[.\]]", line.partition(": ")[0])[-1]
