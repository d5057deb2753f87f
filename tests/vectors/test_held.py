"""Vectors in memory: whatever was added and removed before, the nearest are the nearest."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.vectors.held import LEAST_GROUP, HeldVectors

WIDTH = 16
LINKS = ("one", "two", "three")


def vector_for(chunk_id: str) -> Any:
    """Always the same for an id; those of a link are somewhat alike."""
    link_id, _, number = chunk_id.partition("/")
    common = np.random.default_rng(LINKS.index(link_id)).normal(size=WIDTH)
    row = common + np.random.default_rng(100 + int(number)).normal(size=WIDTH)
    return (row / np.linalg.norm(row)).astype(np.float32)


def add(held: HeldVectors, ids: list[str]) -> None:
    if ids:
        links = [chunk_id.partition("/")[0] for chunk_id in ids]
        held.add(links, ids, np.stack([vector_for(one) for one in ids]))


def expected(ids: list[str], vector: Any) -> dict[str, tuple[float, float]]:
    """For each chunk its similarity and nearness, from the rule alone."""
    scores = {}
    for link_id in LINKS:
        own = [one for one in ids if one.startswith(f"{link_id}/")]
        rows = {one: vector_for(one).astype(np.float64) for one in own}
        has_mean = len(own) >= LEAST_GROUP
        mean = np.mean(list(rows.values()), axis=0) if has_mean else np.zeros(WIDTH)
        for one, row in rows.items():
            distance = max(float(np.linalg.norm(row - mean)), 0.2) if has_mean else 1.0
            similar = float(row @ vector)
            scores[one] = (similar, (similar + float((row - mean) @ vector) / distance) / 2)
    return scores


CHUNKS = st.builds("{}/{}".format, st.sampled_from(LINKS), st.integers(0, 150))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(CHUNKS, max_size=120, unique=True)),
        st.tuples(st.just("remove"), st.lists(CHUNKS, max_size=60, unique=True)),
        st.tuples(st.just("forget"), st.sampled_from(LINKS)),
    ),
    min_size=1,
    max_size=8,
)


@given(STEPS, st.integers(1, 20))
def test_after_any_changes_the_nearest_are_as_of_what_is_there(
    steps: list[tuple[str, Any]], k: int
) -> None:
    held, there = HeldVectors(), dict.fromkeys([f"one/{number}" for number in range(60)])
    add(held, list(there))
    for what, changed in steps:
        if what == "add":
            add(held, changed)
            there |= dict.fromkeys(changed)
            continue
        ids = changed if what == "remove" else held.ids_of(changed)
        assert what == "remove" or ids == {one for one in there if one.startswith(f"{changed}/")}
        held.remove(ids)
        there = {one: None for one in there if one not in set(ids)}
    held.settle()
    assert held.ids() == set(there)
    vector = vector_for("two/7")
    scores = expected(list(there), vector)
    found = held.nearest(vector, k)
    best = sorted((nearness for _, nearness in scores.values()), reverse=True)[:k]
    np.testing.assert_allclose([one.nearness for one in found], best, atol=1e-4)
    for one in found:
        np.testing.assert_allclose((one.similarity, one.nearness), scores[one.chunk_id], atol=1e-4)


def test_what_is_asked_for_by_id_is_there_though_far_away_and_the_unknown_is_not() -> None:
    held = HeldVectors()
    assert held.nearest(vector_for("one/1"), 3) == []
    add(held, [f"one/{number}" for number in range(10)])
    held.settle()
    far = min(range(10), key=lambda number: vector_for(f"one/{number}") @ vector_for("one/1"))
    found = held.nearest(vector_for("one/1"), 1, also=[f"one/{far}", "one/999"])
    assert [one.chunk_id for one in found] == ["one/1", f"one/{far}"]
