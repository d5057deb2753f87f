"""What a link serves, as far as its next run has to know it: no text, but what stands for it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from core.models import Record
from core.text.chunk import whole_text
from core.vectors.part import Entry


class Before:
    """The records that are served, by key and by text.

    ``is_same_model`` says that the chunks were cut and embedded for the model that is used now.
    """

    def __init__(
        self, entries: Iterable[Entry], check: Callable[[], None], *, is_same_model: bool
    ) -> None:
        self.is_same_model = is_same_model
        self._by_key: dict[str, tuple[bytes, float]] = {}
        # None stands for one chunk that is the whole record.
        self._texts: dict[bytes, tuple[str, ...] | None] = {}
        for entry in entries:
            check()
            text = _digest(entry.record.lines)
            self._by_key[entry.record.key] = (text, entry.updated_at)
            if is_same_model:
                texts = tuple(text for _, text in entry.chunks)
                is_whole = texts == (whole_text(entry.record.lines),)
                self._texts[text] = None if is_whole else texts

    def __len__(self) -> int:
        return len(self._by_key)

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def texts_of(self, record: Record) -> tuple[str, ...] | None:
        """How a record that reads alike was cut; None when there is none."""
        text = _digest(record.lines)
        if text not in self._texts:
            return None
        texts = self._texts[text]
        return (whole_text(record.lines),) if texts is None else texts

    def same_since(self, record: Record) -> float | None:
        """Since when the record reads as it does, in seconds since 1970; None if it is changed."""
        text, updated_at = self._by_key.get(record.key, (b"", 0.0))
        return updated_at if text == _digest(record.lines) else None


def _digest(lines: Sequence[str]) -> bytes:
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).digest()
