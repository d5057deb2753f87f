"""Exact search: what is stored is found, however much else is like it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings

from core.vectors import exact
from core.vectors.exact import ExactVectors

ALIKE, ODD = 3000, 20


def unit(rows: Any) -> Any:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture
def vectors() -> tuple[Any, Any]:
    """Many that are nearly the same, and a few others."""
    source = np.random.default_rng(7)
    center = source.normal(size=384)
    alike = unit(center + 0.05 * source.normal(size=(ALIKE, 384)))
    return alike, unit(source.normal(size=(ODD, 384)))


@pytest.fixture
def collection(tmp_path: Path, vectors: tuple[Any, Any]) -> Any:
    client = chromadb.PersistentClient(str(tmp_path), settings=Settings(anonymized_telemetry=False))
    made = client.get_or_create_collection("alike", embedding_function=None)
    for start in range(0, ALIKE, 500):
        rows = vectors[0][start : start + 500]
        ids = [f"alike-{start + n}" for n in range(len(rows))]
        made.upsert(ids=ids, embeddings=rows, metadatas=[{"link_id": "many"}] * len(ids))
    return made


def test_the_odd_ones_out_are_found_as_soon_as_they_are_stored(
    collection: Any, vectors: tuple[Any, Any]
) -> None:
    search = ExactVectors()
    for number, vector in enumerate(vectors[1]):
        about = [{"link_id": "few"}]
        collection.upsert(ids=[f"odd-{number}"], embeddings=[vector], metadatas=about)
        found = search.nearest(collection, number, vector, 3)
        assert found is not None
        assert found[0].chunk_id == f"odd-{number}"
        assert found[0].similarity == pytest.approx(1.0, abs=1e-5)


def test_it_gives_the_true_nearest_best_first(collection: Any, vectors: tuple[Any, Any]) -> None:
    search = ExactVectors()
    for vector in vectors[1]:
        similar = vectors[0] @ vector
        apart = vectors[0] - vectors[0].mean(axis=0)
        distances = np.maximum(np.linalg.norm(apart, axis=1), 0.2)
        scores = (similar + apart @ vector / distances) / 2
        true = [f"alike-{index}" for index in np.argsort(-scores)[:10]]
        found = search.nearest(collection, "all", vector, 10)
        assert found is not None
        assert [one.chunk_id for one in found] == true
        assert [one.nearness for one in found] == pytest.approx(sorted(scores)[:-11:-1], abs=1e-4)
    every = search.nearest(collection, "all", vectors[1][0], ALIKE * 2)
    assert every is not None
    assert len(every) == ALIKE


def test_what_was_changed_is_read_anew_and_what_was_not_is_not(
    collection: Any, vectors: tuple[Any, Any]
) -> None:
    search = ExactVectors()
    vector = vectors[0][0]
    assert (search.nearest(collection, 1, vector, 1) or [])[0].chunk_id == "alike-0"
    collection.delete(ids=["alike-0"])
    # The stamp says that nothing has changed: the collection is not read.
    assert (search.nearest(collection, 1, vector, 1) or [])[0].chunk_id == "alike-0"
    assert (search.nearest(collection, 2, vector, 1) or [])[0].chunk_id != "alike-0"


def test_of_too_many_the_index_is_asked_and_no_more_than_allowed_are_held(
    collection: Any, vectors: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "MOST", ALIKE - 1)
    assert ExactVectors().nearest(collection, 1, vectors[0][0], 1) is None


def test_what_was_asked_for_is_there_however_far_away(
    collection: Any, vectors: tuple[Any, Any]
) -> None:
    vector = vectors[0][7]
    found = ExactVectors().nearest(collection, 1, vector, 1, also=["alike-2999", "unknown"])
    assert found is not None
    assert {one.chunk_id for one in found} == {"alike-7", "alike-2999"}
    far = next(one for one in found if one.chunk_id == "alike-2999")
    assert far.similarity == pytest.approx(float(vectors[0][2999] @ vector), abs=1e-5)
