"""Searching all the vectors of a collection, exactly.

Chroma's index is approximate, and of records that are much alike it misses the odd one out: of 20
customers that were added to 6,000 alike ones, it found 6 by their own name (measured; 17 with its
costliest settings). Multiplying with all of them takes 1 to 2 ms there, as long as the index does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.vectors.documents import Vector

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

MOST = 200_000
"""Of larger collections Chroma's index is asked: to multiply with all takes longer there."""
HELD = 400_000
"""So many vectors of the collections that were asked last stay in memory: 600 MB."""
READ = 2000


@dataclass(frozen=True)
class _Held:
    stamp: Hashable
    ids: list[str]
    rows: Mapping[str, int]
    matrix: npt.NDArray[np.float32]


class ExactVectors:
    """The vectors of the collections that were asked last."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def nearest(
        self,
        collection: Collection,
        stamp: Hashable,
        vector: Vector,
        k: int,
        also: Iterable[str] = (),
    ) -> list[tuple[str, float]] | None:
        """The ``k`` nearest ids, and ``also`` these, with their cosine similarity.

        None when there are too many. ``stamp`` stands for what the collection holds: with another
        one it is read anew.
        """
        if collection.count() > MOST:
            return None
        held = self._of(collection, stamp)
        scores = held.matrix @ vector
        best = np.argpartition(-scores, k - 1)[:k] if k < len(scores) else np.arange(len(scores))
        asked = [row for one in also if (row := held.rows.get(one)) is not None]
        chosen = np.union1d(best, np.asarray(asked, dtype=best.dtype))
        ordered = chosen[np.argsort(-scores[chosen], kind="stable")]
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
            held = _read(collection, stamp, held)
            self._held[collection.name] = held
        self._held.move_to_end(collection.name)
        while len(self._held) > 1 and sum(len(one.ids) for one in self._held.values()) > HELD:
            self._held.popitem(last=False)
        return held


def _read(collection: Collection, stamp: Hashable, before: _Held | None) -> _Held:
    """The collection's vectors; what was there before is not fetched again.

    An id stands for a text (see core.text.chunk), so that its vector never changes.
    """
    ids = list(collection.get(include=[])["ids"])
    known = before.rows if before is not None else {}
    new = [chunk_id for chunk_id in ids if chunk_id not in known]
    if before is None or len(new) > len(ids) // 2:
        found = collection.get(include=["embeddings"])
        ids = list(found["ids"])
        matrix = np.asarray(found["embeddings"], dtype=np.float32)
        return _Held(stamp, ids, {one: row for row, one in enumerate(ids)}, matrix)
    kept = [chunk_id for chunk_id in ids if chunk_id in known]
    parts = [before.matrix[[known[chunk_id] for chunk_id in kept]]]
    ids = kept
    for start in range(0, len(new), READ):
        found = collection.get(ids=new[start : start + READ], include=["embeddings"])
        ids = ids + list(found["ids"])
        parts.append(np.asarray(found["embeddings"], dtype=np.float32))
    return _Held(stamp, ids, {one: row for row, one in enumerate(ids)}, np.concatenate(parts))
