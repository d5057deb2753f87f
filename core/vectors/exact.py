"""Searching all the vectors of a collection, exactly.

Chroma's index is approximate, and of records that are much alike it misses the odd one out: of 20
customers that were added to 6,000 alike ones, it found 6 by their own name (measured; 17 with its
costliest settings), and of a million vectors 82 % of the ten nearest. Multiplying with all of them
takes 1 to 2 ms for the thousands, and a tenth of a second for the million.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from core.batched import batched
from core.vectors.documents import Vector
from core.vectors.held import HeldVectors, Likeness

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

MOST = 1_000_000
"""Of larger collections Chroma's index is asked: a vector held takes 1.5 kB, and some 80 ns."""
HELD = 1_200_000
"""So many vectors of the collections that were asked last stay in memory: 1.8 GB at most."""
READ = 5000


def is_too_large(count: int) -> bool:
    """Whether of a collection of so many vectors Chroma's index is asked."""
    return count > MOST


class ExactVectors:
    """The vectors of the collections that were asked last.

    A ``stamp`` stands for what a collection holds: with another one it is compared anew.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[str, tuple[Hashable, HeldVectors]] = OrderedDict()

    def nearest(
        self,
        collection: Collection,
        stamp: Hashable,
        vector: Vector,
        k: int,
        also: Iterable[str] = (),
    ) -> list[Likeness] | None:
        """The ``k`` nearest ids, and ``also`` these, best first; None when there are too many."""
        if is_too_large(collection.count()):
            return None
        return self._of(collection, stamp).nearest(vector, k, also)

    def nearest_held(
        self, name: str, stamp: Hashable, vector: Vector, k: int, also: Iterable[str] = ()
    ) -> list[Likeness] | None:
        """The same of a collection that is in memory with this stamp; None when it is not."""
        known, held = self._held.get(name, (None, None))
        if held is None or known != stamp:
            return None
        self._held.move_to_end(name)
        return held.nearest(vector, k, also)

    def keep_up(self, collection: Collection, stamp: Hashable) -> None:
        """Compare a collection that was asked before, so that the next question need not wait."""
        if collection.name in self._held and not is_too_large(collection.count()):
            self._of(collection, stamp)

    def take(self, name: str, stamp: Hashable) -> HeldVectors | None:
        """What is held of a collection with this stamp, for whoever changes it; else None.

        It is held no more, until it is given back: a change that fails half way leaves nothing.
        """
        known, held = self._held.get(name, (None, None))
        if held is None or known != stamp:
            return None
        del self._held[name]
        return held

    def give_back(self, name: str, stamp: Hashable, held: HeldVectors) -> None:
        """Hold what was taken and changed like the collection."""
        if not is_too_large(len(held)):
            held.settle()
            self._hold(name, stamp, held)

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()

    def _of(self, collection: Collection, stamp: Hashable) -> HeldVectors:
        known, held = self._held.get(collection.name, (None, None))
        if held is None or known != stamp:
            # Not held while it changes, as above.
            self._held.pop(collection.name, None)
            held = held or HeldVectors()
            _compare(held, collection)
        self._hold(collection.name, stamp, held)
        return held

    def _hold(self, name: str, stamp: Hashable, held: HeldVectors) -> None:
        self._held[name] = (stamp, held)
        self._held.move_to_end(name)
        while len(self._held) > 1 and sum(len(one) for _, one in self._held.values()) > HELD:
            self._held.popitem(last=False)


def _compare(held: HeldVectors, collection: Collection) -> None:
    """Hold what the collection holds; what is held already is not fetched again."""
    listed: list[str] = []
    # Of too many at once Chroma makes a statement with too many variables for SQLite (see mirror).
    for start in range(0, collection.count(), READ):
        listed += collection.get(include=[], limit=READ, offset=start)["ids"]
    held.remove(held.ids().difference(listed))
    new = [chunk_id for chunk_id in listed if chunk_id not in held]
    held.reserve(len(new))
    for ids in batched(new, READ):
        found = collection.get(ids=ids, include=["embeddings", "metadatas"])
        links = [str(about["link_id"]) for about in found["metadatas"] or []]
        held.add(links, found["ids"], np.asarray(found["embeddings"], dtype=np.float32))
    held.settle()
