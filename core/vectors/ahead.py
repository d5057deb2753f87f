"""Embedding what a run will store, while it still fetches, compares and writes.

The embedder is by far the slowest of a run's parts: it is given texts as soon as they are known.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from core.text.chunk import text_hash_of
from core.vectors.documents import WRITE_BATCH, Vector
from core.vectors.embed import Embedder, Embedding

# Vectors that wait to be stored, and texts that wait to be embedded: 15 MB.
MOST_WAITING = 10_000
# Texts are put in order of length so many at a time: a batch is padded to its longest text.
WINDOW = 600

Lookup = Callable[[Sequence[str]], Mapping[str, Vector]]
"""The vectors that are stored already, by text hash."""


class Ahead:
    """Embeds texts in the order in which they are offered, in a thread of its own.

    Texts are known by their hashes; one that is offered twice is embedded once. To be closed.
    """

    def __init__(self, embedder: Embedder, stored: Lookup) -> None:
        self._embedder = embedder
        self._stored = stored
        self._changed = threading.Condition()
        self._queue: OrderedDict[str, str] = OrderedDict()
        self._window: list[tuple[str, str]] = []
        self._waiting: set[str] = set()
        self._vectors: dict[str, Vector] = {}
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._closed = False
        self.embedded = 0
        """How many texts had to be embedded."""

    @property
    def has_room(self) -> bool:
        """Whether more should be offered before some of it is taken."""
        return len(self._waiting) + len(self._vectors) < MOST_WAITING

    def offer(self, texts: Iterable[str]) -> None:
        """Have ``texts`` embedded, unless they are already, or will be."""
        with self._changed:
            for text in texts:
                text_hash = text_hash_of(text)
                if text_hash not in self._waiting and text_hash not in self._vectors:
                    self._waiting.add(text_hash)
                    self._queue[text_hash] = text
            if self._queue and self._thread is None:
                self._thread = threading.Thread(target=self._work, name="ahead", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def vectors(self, hashes: Sequence[str], check: Callable[[], None]) -> list[Vector]:
        """The vectors of texts that were offered, as soon as there are all of them.

        ``check`` is called while waiting, and may raise to stop. Raises what embedding raised.
        """
        with self._changed:
            # What is waited for comes first: it may have been offered last.
            for text_hash in reversed(hashes):
                if text_hash in self._queue:
                    self._queue.move_to_end(text_hash, last=False)
            while not self._error and any(h in self._waiting for h in hashes):
                self._changed.wait(0.5)
                check()
            if self._error:
                raise self._error
            return [self._vectors[h] for h in hashes]

    def forget(self, hashes: Collection[str]) -> None:
        """Let go of vectors that are stored now."""
        with self._changed:
            for text_hash in hashes:
                self._vectors.pop(text_hash, None)

    def close(self) -> None:
        """Embed no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        try:
            last: tuple[list[str], Embedding] | None = None
            # Small batches leave others their turn; one begins before the last has ended.
            while True:
                texts = self._next_batch(wait=last is None)
                if not texts and last is None:
                    return
                begun = self._begin(texts) if texts else None
                if last:
                    self._finish(*last)
                last = begun
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _next_batch(self, *, wait: bool) -> dict[str, str]:
        """What is embedded next, by text hash; nothing when it is closed, or there is nothing."""
        with self._changed:
            if not self._window:
                while wait and not self._queue and not self._closed:
                    self._changed.wait()
                window = [self._queue.popitem(False) for _ in range(min(WINDOW, len(self._queue)))]
                self._window = sorted(window, key=lambda one: -len(one[1]))
            if self._closed:
                return {}
            return dict(self._window.pop() for _ in range(min(WRITE_BATCH, len(self._window))))

    def _begin(self, texts: dict[str, str]) -> tuple[list[str], Embedding]:
        stored = self._stored(list(texts))
        self._keep(stored)
        missing = [text_hash for text_hash in texts if text_hash not in stored]
        return missing, self._embedder.start([texts[h] for h in missing])

    def _finish(self, hashes: list[str], embedding: Embedding) -> None:
        if hashes:
            self._keep(dict(zip(hashes, embedding.result(), strict=True)))
            self.embedded += len(hashes)

    def _keep(self, vectors: Mapping[str, Vector]) -> None:
        with self._changed:
            self._vectors |= vectors
            self._waiting -= vectors.keys()
            self._changed.notify_all()
