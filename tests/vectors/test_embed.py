"""Embedding: many texts at once, and many callers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from core.vectors.embed import HALF_BATCH, Embedder

TEXTS = [f"customers[].name: Person {n}" + " of the long names" * (n % 7) for n in range(90)]


def test_each_text_gets_its_own_vector_whatever_their_lengths(embedder: Embedder) -> None:
    assert len(TEXTS) > 2 * HALF_BATCH
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (90, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for number in (0, 1, 44, 89):
        alone = embedder.embed([TEXTS[number]])[0]
        # Which texts share a batch changes the last digits alone.
        assert float(alone @ vectors[number]) > 0.999
        assert int(np.argmax(vectors @ alone)) == number


def test_no_text_at_all_gives_no_vector(embedder: Embedder) -> None:
    assert embedder.embed([]).shape[0] == 0


def test_many_callers_at_once_get_their_own_vectors(embedder: Embedder) -> None:
    with ThreadPoolExecutor(8) as callers:
        found = list(callers.map(lambda text: embedder.embed([text])[0], TEXTS))
    together = embedder.embed(TEXTS)
    assert all(float(a @ b) > 0.999 for a, b in zip(found, together, strict=True))


def test_tokens_are_counted_without_the_models_marks(embedder: Embedder) -> None:
    assert embedder.count_tokens(["hello", "hello world", ""]) == [1, 2, 0]
    long = "word " * 1000
    assert embedder.count_tokens([long]) == [1000]
    assert embedder.count_tokens([]) == []
