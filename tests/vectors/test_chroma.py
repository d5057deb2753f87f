"""Chroma's files: whose they are, and what is in them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.vectors.chroma import Chroma
from tests.product import ROOT

SECRET = b"ann.erased@example.com "
# What the next process finds nearest to some of the vectors, by Chroma's index.
ASKING = """
import json, sys
from pathlib import Path
from core.vectors.chroma import Chroma
vectors = json.loads(sys.stdin.read())
collection = Chroma(Path(sys.argv[1]), None).open().get_collection("people")
found = collection.query(query_embeddings=vectors, n_results=1)
print(json.dumps([collection.count(), *(ids[0] for ids in found["ids"])]))
"""


@pytest.fixture
def chroma(tmp_path: Path) -> Iterator[Chroma]:
    opened = Chroma(tmp_path, None)
    yield opened
    opened.close()


def collection_of(chroma: Chroma) -> Any:
    return chroma.open().create_collection("people", embedding_function=None)


def add(collection: Any, vectors: Any, first: int) -> None:
    collection.upsert(ids=[f"{first + n}" for n in range(len(vectors))], embeddings=vectors)


def test_a_new_index_leaves_nothing_of_this_process_s_memory_on_disk(
    chroma: Chroma, tmp_path: Path
) -> None:
    vectors = np.random.default_rng(3).normal(size=(5, 384)).astype(np.float32)
    add(collection_of(chroma), vectors, 0)
    rooms = [path for path in tmp_path.rglob("*.bin") if path.name != "header.bin"]
    assert {path.name for path in rooms} >= {"length.bin", "data_level0.bin"}
    for _ in range(2):
        # What happens to be there differs from run to run.
        for path in rooms:
            size = path.stat().st_size
            path.write_bytes((SECRET * (size // len(SECRET) + 1))[:size])
            chroma.wipe()
            assert path.read_bytes() == bytes(size)


def test_an_index_that_was_wiped_is_written_and_read_as_ever(
    chroma: Chroma, tmp_path: Path
) -> None:
    vectors = np.random.default_rng(4).normal(size=(1505, 384)).astype(np.float32)
    collection = collection_of(chroma)
    for first, last in ((0, 5), (5, 1205), (1205, 1505)):
        add(collection, vectors[first:last], first)
        chroma.wipe()
    chroma.close()
    asked = (0, 4, 700, 1204, 1504)
    said = subprocess.run(
        [sys.executable, "-c", ASKING, str(tmp_path)],
        cwd=ROOT,
        input=json.dumps([vectors[number].tolist() for number in asked]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(said.stdout) == [1505, *(str(number) for number in asked)]
