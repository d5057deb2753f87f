"""Searching all the vectors of a collection, exactly.

Chroma's index is approximate, and of records that are much alike it misses the odd one out: of 20
customers that were added to 6,000 alike ones, it found 6 by their own name (measured; 17 with its
costliest settings). Multiplying with all of them takes 1 to 2 ms there, as long as the index does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.vectors.documents import Vector

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

MOST = 50_000
"""Of larger collections Chroma's index is asked: reading them anew after a change takes seconds."""
HELD = 200_000
"""So many vectors of the collections that were asked last stay in memory: 300 MB."""


@dataclass(frozen=True)
class _Held:
    stamp: Hashable
    ids: list[str]
    matrix: npt.NDArray[np.float32]


class ExactVectors:
    """The vectors of the collections that were asked last."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def nearest(
        self, collection: Collection, stamp: Hashable, vector: Vector, k: int
    ) -> list[tuple[str, float]] | None:
        """The ``k`` nearest ids with their cosine similarity; None when there are too many.

        ``stamp`` stands for what the collection holds: with another one it is read anew.
        """
        if collection.count() > MOST:
            return None
        held = self._of(collection, stamp)
        scores = held.matrix @ vector
        best = np.argpartition(-scores, k - 1)[:k] if k < len(scores) else np.arange(len(scores))
        ordered = best[np.argsort(-scores[best], kind="stable")]
        return [(held.ids[index], float(scores[index])) for index in ordered]

    def keep_up(self, collection: Collection, stamp: Hashable) -> None:
        """Read a collection that was asked before anew, so that the next question need not wait."""
        if collection.name in self._held and collection.count() <= MOST:
            self._of(collection, stamp)

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()

    def _of(self, collection: Collection, stamp: Hashable) -> _Held:
        held = self._held.get(collection.name)
        if held is None or held.stamp != stamp:
            found = collection.get(include=["embeddings"])
            embeddings = found["embeddings"]
            held = _Held(stamp, list(found["ids"]), np.asarray(embeddings, dtype=np.float32))
            self._held[collection.name] = held
        self._held.move_to_end(collection.name)
        while len(self._held) > 1 and sum(len(one.ids) for one in self._held.values()) > HELD:
            self._held.popitem(last=False)
        return held
