"""Cutting records into chunks that fit the embedding model whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from core.models import Chunk, Record
from core.text.identity import NAMING_FIELDS

CountTokens = Callable[[Sequence[str]], list[int]]

# The model reads 256 tokens, two of which are its own marks; what is longer it drops silently.
MAX_TOKENS = 254
# What names a long record is repeated in each of its chunks, as long as it stays this short.
MAX_HEADER_TOKENS = 80


def cut_records(records: Sequence[Record], count_tokens: CountTokens) -> list[tuple[str, ...]]:
    """The texts of each record's chunks, in order.

    A chunk never mixes two records. A long record is cut on line borders and every part repeats
    the lines that name it; only a single line that is too long is cut inside, and every part
    repeats its path. ``count_tokens`` gives the tokens of each text, without the model's marks.
    """
    wholes = [whole_text(record.lines) for record in records]
    cut: list[tuple[str, ...]] = []
    for record, whole, count in zip(records, wholes, count_tokens(wholes), strict=True):
        if count <= MAX_TOKENS:
            cut.append((whole,) if whole else ())
            continue
        lines = [line for line in record.lines if line.strip()]
        cut.append(tuple(_parts(record, lines, count_tokens(lines), count_tokens)))
    return cut


def whole_text(lines: Iterable[str]) -> str:
    """The text of a record that fits into one chunk: its lines without the blank ones."""
    return "\n".join(filter(str.strip, lines))


def text_hash_of(text: str) -> str:
    """What a chunk's text is known by, whatever record it is of."""
    return hashlib.sha256(text.encode()).hexdigest()


def chunk_of(record: Record, text: str, link_id: str, model: str) -> Chunk:
    """A piece of a record as a chunk."""
    text_hash = text_hash_of(text)
    # The id says: this text, of this record, of this link, as this model sees it.
    identity = "\n".join((link_id, record.key, text_hash, model))
    chunk_id = hashlib.sha256(identity.encode()).hexdigest()[:32]
    return Chunk(chunk_id, record.key, record.path, text, text_hash)


def _parts(
    record: Record, lines: list[str], counts: list[int], count_tokens: CountTokens
) -> list[str]:
    header, header_tokens = _header(record, lines, counts)
    room = MAX_TOKENS - header_tokens
    parts: list[str] = []
    current: list[str] = []
    used = 0

    def close() -> None:
        nonlocal current, used
        if current:
            parts.append("\n".join([*header, *current]))
        current, used = [], 0

    for line, count in zip(lines, counts, strict=True):
        if line in header:
            continue
        if count > room:
            close()
            parts.extend("\n".join([*header, piece]) for piece in _cut(line, room, count_tokens))
            continue
        if used + count > room:
            close()
        current.append(line)
        used += count
    close()
    # Two parts of one record may read alike (a long run of the same value): one is enough.
    return list(dict.fromkeys(parts)) or ["\n".join(header)]


def _header(record: Record, lines: list[str], counts: list[int]) -> tuple[list[str], int]:
    if not record.pattern:
        return [], 0
    cut = len(record.pattern) + 1
    header: list[str] = []
    tokens = 0
    for line, count in zip(lines, counts, strict=True):
        name, separator, _ = line[cut:].partition(": ")
        if separator and name.lower() in NAMING_FIELDS and tokens + count <= MAX_HEADER_TOKENS:
            header.append(line)
            tokens += count
    return header, tokens


def _cut(line: str, room: int, count_tokens: CountTokens) -> list[str]:
    """Pieces of one long line, each with the line's path before it."""
    name, separator, value = line.partition(": ")
    label = name + separator
    if not separator or count_tokens([label])[0] > room // 2:
        label, value = "", line
    pieces: list[str] = []
    start = 0
    while start < len(value):
        size = min(len(value) - start, room * 8)
        while size > 1 and count_tokens([label + value[start : start + size]])[0] > room:
            size = max(1, int(size * 0.8))
        if start + size < len(value):
            space = value.rfind(" ", start + size // 2, start + size)
            size = space - start + 1 if space > start else size
        piece = value[start : start + size]
        if piece.strip():
            pieces.append(label + piece.strip())
        start += size
    return pieces
