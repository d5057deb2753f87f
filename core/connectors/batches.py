"""Records that a source gives in batches, as the parts of one answer."""

from __future__ import annotations

import contextlib
import pickle
import zlib
from collections.abc import Generator, Iterator
from typing import Any

from core.connectors.interface import Fetched
from core.text.decode import Json, Pairs


class Batches:
    """What a source gives, each batch asked for when its turn comes.

    What came is held compressed, so that it can be gone through again without asking again.
    ``source`` is closed when no more is wanted.
    """

    def __init__(
        self, name: str, batches: Generator[list[Any]], source: contextlib.ExitStack
    ) -> None:
        self._name = name
        self._batches = batches
        self._source = source
        self._come: list[bytes] = []

    def __iter__(self) -> Iterator[Json]:
        """The batches after those that began the answer."""
        for held in self._come:
            yield self._part(pickle.loads(zlib.decompress(held)))  # noqa: S301 - made below
        for batch in self._batches:
            self._come.append(zlib.compress(pickle.dumps(batch), 1))
            yield self._part(batch)

    def close(self) -> None:
        """Let go of the source, and of what came."""
        self._come = []
        self._batches.close()
        self._source.close()

    def begin(self, fetched: Fetched) -> bool:
        """Make the first batch the answer, and the others its further parts; False without one."""
        try:
            first = next(self._batches, None)
        except BaseException:
            self.close()
            raise
        fetched.answer = self._part(first or [])
        fetched.further, fetched.grows = self, (self._name,)
        return first is not None

    def _part(self, records: list[Any]) -> Json:
        return Json(Pairs([(self._name, records)]))
