"""What a run will store is embedded while it still does other things."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import closing

import numpy as np
import pytest

from core.text.chunk import text_hash_of
from core.vectors.ahead import WINDOW, Ahead
from core.vectors.documents import Vector
from core.vectors.embed import Embedder
from tests.waiting import until


def nothing_stored(_: Sequence[str]) -> Mapping[str, Vector]:
    return {}


def never() -> None:
    """Does not stop the run."""


def hashes_of(texts: Sequence[str]) -> list[str]:
    return [text_hash_of(text) for text in texts]


def test_each_text_gets_its_own_vector_and_is_embedded_once(embedder: Embedder) -> None:
    texts = [f"Person {number} lives in Bonn" for number in range(30)]
    with closing(Ahead(embedder, nothing_stored)) as ahead:
        ahead.offer(texts)
        ahead.offer(reversed(texts))
        vectors = ahead.vectors(hashes_of(texts), never)
        assert ahead.embedded == len(texts)
    expected = embedder.embed(texts)
    assert min(np.dot(a, b) for a, b in zip(vectors, expected, strict=True)) > 0.999


def test_what_is_stored_already_is_not_embedded(embedder: Embedder) -> None:
    known = np.ones(384, dtype=np.float32)
    stored = {text_hash_of("known"): known}
    with closing(
        Ahead(embedder, lambda hashes: {h: stored[h] for h in hashes if h in stored})
    ) as ahead:
        ahead.offer(["known", "unknown"])
        found = ahead.vectors(hashes_of(["known", "unknown"]), never)
        assert found[0] is known
        assert ahead.embedded == 1


def test_what_is_waited_for_comes_before_what_was_offered_earlier(embedder: Embedder) -> None:
    looked_up: list[str] = []
    may_begin = threading.Event()

    def stored(hashes: Sequence[str]) -> Mapping[str, Vector]:
        may_begin.wait(30)
        looked_up.extend(hashes)
        return {}

    with closing(Ahead(embedder, stored)) as ahead:
        ahead.offer(["the first"])
        ahead.offer(f"Person {number}" for number in range(4 * WINDOW))
        ahead.offer(["the last"])
        last = text_hash_of("the last")
        waiting = threading.Thread(target=lambda: ahead.vectors([last], never))
        waiting.start()
        until(lambda: next(iter(ahead._queue)) == last, "it to be put first")
        may_begin.set()
        waiting.join(60)
        assert not waiting.is_alive()
        assert looked_up.index(last) <= 1 + WINDOW


def test_a_store_that_fails_ends_the_wait_with_its_error(embedder: Embedder) -> None:
    def broken(_: Sequence[str]) -> Mapping[str, Vector]:
        raise OSError("the store is gone")

    with closing(Ahead(embedder, broken)) as ahead:
        ahead.offer(["text"])
        with pytest.raises(OSError, match="the store is gone"):
            ahead.vectors(hashes_of(["text"]), never)


def test_a_run_that_is_cut_off_does_not_wait_any_longer(embedder: Embedder) -> None:
    def cut_off() -> None:
        raise RuntimeError("cancelled")

    def slow(_: Sequence[str]) -> Mapping[str, Vector]:
        closed.wait(60)
        return {}

    closed = threading.Event()
    ahead = Ahead(embedder, slow)
    ahead.offer(["text"])
    with pytest.raises(RuntimeError, match="cancelled"):
        ahead.vectors(hashes_of(["text"]), cut_off)
    ahead.close()
    closed.set()
    until(lambda: "ahead" not in {t.name for t in threading.enumerate()}, "its thread to end")
