"""What stands for all lines of records, and for where they stand."""

from __future__ import annotations

import hashlib

from core.models import Record

_BITS = 256


class TextHash:
    """The sum of the records' SHA-256: what changes is taken away and added, nothing else is read.

    A sum of hashes is no protection from somebody who looks for two answers that have the same; who
    sends the answers would gain nothing by that but not being synced.
    """

    def __init__(self, known: str | None = None) -> None:
        self._sum = int(known, 16) if known else 0

    def __str__(self) -> str:
        return f"{self._sum:0{_BITS // 4}x}"

    def add(self, record: Record) -> None:
        """Count a record in."""
        self._sum = (self._sum + _hash_of(record)) % (1 << _BITS)

    def remove(self, record: Record) -> None:
        """Count a record no more."""
        self._sum = (self._sum - _hash_of(record)) % (1 << _BITS)


def _hash_of(record: Record) -> int:
    at = [(first, count) for first, count in record.at]
    text = "\n".join((record.path, str(at), *record.lines, ""))
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
