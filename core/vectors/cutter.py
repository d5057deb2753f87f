"""Cutting a run's records into chunks, and having those embedded that are new."""

from __future__ import annotations

from collections.abc import Sequence

from core.models import Record
from core.text.chunk import cut_records
from core.vectors.ahead import Ahead
from core.vectors.before import Before
from core.vectors.embed import Embedder


class Cutter:
    """Gives the texts of records' chunks: of those that read as they are served, as they are."""

    def __init__(self, embedder: Embedder, before: Before, ahead: Ahead) -> None:
        self._embedder = embedder
        self._before = before
        self._ahead = ahead

    def __call__(self, records: Sequence[Record]) -> list[tuple[str, ...]]:
        """The texts of each record, in order. What is new is offered to be embedded."""
        known = [self._before.texts_of(record) for record in records]
        fresh = [r for r, texts in zip(records, known, strict=True) if texts is None]
        made = cut_records(fresh, self._embedder.count_tokens) if fresh else []
        # It may turn out that nothing of it is stored: the answer may be cut short, or held.
        if self._ahead.has_room:
            self._ahead.offer(text for texts in made for text in texts)
        following = iter(made)
        return [next(following) if texts is None else texts for texts in known]
