"""The vectors that a mirror keeps in memory, and its collections that are too large for that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromadb.api.models.Collection import Collection

from core.batched import batched
from core.desk import Desk
from core.models import Channel, Chunk, CrmLink, PageLink, Record
from core.security.accounts import DEFAULT_COMPANY
from core.settings import Settings
from core.vectors import exact
from core.vectors.mirror import Mirror
from core.vectors.part import Part, entry_of

PAGE = "1"
CHANNEL = Channel.MESSENGER
PART = 10


def vector_for(number: int) -> Any:
    row = np.random.default_rng(number).normal(size=384).astype(np.float32)
    return row / np.linalg.norm(row)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(Settings(data_dir=tmp_path))
    made.companies.add_page(DEFAULT_COMPANY, PAGE, "Page")
    links = [CrmLink(name, name, f"https://crm.example.com/{name}") for name in ("one", "two")]

    def add(company: Any) -> None:
        company["pages"][0]["messenger_crm_links"] = [link.to_document() for link in links]

    made.companies.edit(DEFAULT_COMPANY, add)
    made.links.reconcile()
    yield made
    made.mirror.close()


def publish(desk: Desk, link_id: str, generation: int, numbers: Sequence[int]) -> None:
    """Serve these as the link's records, as if a sync had stored them."""
    link = desk.links.get(DEFAULT_COMPANY, link_id)
    entries, chunks = [], []
    stored = desk.documents.present(link_id)
    for number in numbers:
        lines = (f"things[].n: {number}",)
        record = Record(f"id={number}", f"things[{number}]", "things[]", lines, ())
        chunk = Chunk(f"{link_id}-{number}", record.key, record.path, lines[0], str(number))
        entries.append(entry_of(record, [chunk], 0.0))
        if chunk.chunk_id not in stored:
            chunks.append(chunk)
    rows = [vector_for(int(chunk.text_hash)) for chunk in chunks]
    if chunks:
        desk.documents.insert(link, generation, "made up", chunks, rows)
    parts = [Part.of(batch) for batch in batched(entries, PART)]
    desk.contents.write(link_id, generation, parts)
    states = desk.database["link_states"]
    served = {"live_generation": generation, "documents": len(numbers)}
    states.update_one({"_id": link_id}, {"$set": served})


def links_of(desk: Desk) -> list[PageLink]:
    return desk.links.of_page(DEFAULT_COMPANY, PAGE)


def nearest(mirror: Mirror, desk: Desk, number: int, k: int = 1) -> list[str]:
    found = mirror.search(DEFAULT_COMPANY, PAGE, CHANNEL, links_of(desk), vector_for(number), k)
    return [one.chunk_id for one in found]


def everything(link_id: str, numbers: Iterable[int]) -> set[str]:
    return {f"{link_id}-{number}" for number in numbers}


def no_reading(*_: Any, **__: Any) -> None:
    raise AssertionError("the collection is read")


def test_what_changed_is_in_memory_without_being_read_from_the_collection(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(desk, "one", 1, range(80))
    publish(desk, "two", 1, range(200, 210))
    assert nearest(desk.mirror, desk, 7) == ["one-7"]
    monkeypatch.setattr(Collection, "get", no_reading)
    publish(desk, "one", 2, range(10, 90))
    desk.mirror.follow(links_of(desk))
    assert nearest(desk.mirror, desk, 85) == ["one-85"]
    assert nearest(desk.mirror, desk, 205) == ["two-205"]
    kept = everything("one", range(10, 90)) | everything("two", range(200, 210))
    assert set(nearest(desk.mirror, desk, 7, 1000)) == kept
    monkeypatch.undo()
    assert desk.mirror.check(links_of(desk)) == []


def test_parts_that_both_generations_have_are_not_read(desk: Desk) -> None:
    publish(desk, "one", 1, range(8 * PART))
    assert nearest(desk.mirror, desk, 7) == ["one-7"]
    numbers = [*range(8 * PART - 1), 500]
    publish(desk, "one", 2, numbers)
    parts = desk.database["link_contents"]
    parts.update_many({"number": {"$lt": 7}}, {"$set": {"entries": b"unreadable"}})
    assert nearest(desk.mirror, desk, 500) == ["one-500"]
    assert set(nearest(desk.mirror, desk, 7, 1000)) == everything("one", numbers)


def test_a_process_that_starts_compares_what_another_has_left(desk: Desk) -> None:
    publish(desk, "one", 1, range(8 * PART))
    assert nearest(desk.mirror, desk, 7) == ["one-7"]
    held = desk.mirror.collection(DEFAULT_COMPANY, PAGE, CHANNEL)
    # Killed on its way to a generation that has gone since: as many as there should be, but others.
    held.delete(ids=["one-3"])
    strange = [vector_for(900).tolist()]
    held.upsert(
        ids=["one-900"], embeddings=strange, documents=["x"], metadatas=[{"link_id": "one"}]
    )
    desk.mirror.close()
    publish(desk, "one", 2, range(1, 8 * PART))
    again = Desk(desk.settings)
    try:
        assert set(nearest(again.mirror, again, 3, 1000)) == everything("one", range(1, 8 * PART))
        assert again.mirror.check(links_of(again)) == []
    finally:
        again.mirror.close()


def test_a_link_that_serves_no_more_is_not_in_memory_either(desk: Desk) -> None:
    publish(desk, "one", 1, range(5))
    publish(desk, "two", 1, range(200, 210))
    assert len(nearest(desk.mirror, desk, 3, 100)) == 15
    desk.database["link_states"].update_one({"_id": "two"}, {"$set": {"live_generation": 0}})
    assert set(nearest(desk.mirror, desk, 205, 100)) == everything("one", range(5))


def test_a_change_that_fails_half_way_leaves_nothing_wrong_in_memory(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(desk, "one", 1, range(80))
    assert nearest(desk.mirror, desk, 7) == ["one-7"]
    publish(desk, "one", 2, range(10, 90))
    insert = Collection.upsert

    def failing_once(*args: Any, **fields: Any) -> None:
        monkeypatch.setattr(Collection, "upsert", insert)
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(Collection, "upsert", failing_once)
    assert set(nearest(desk.mirror, desk, 85, 1000)) == everything("one", range(10, 90))
    assert desk.mirror.check(links_of(desk)) == []


@pytest.fixture
def large(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """One whose page has too many vectors to be searched exactly, and was asked before."""
    monkeypatch.setattr(exact, "MOST", 20)
    publish(desk, "one", 1, range(80))
    assert nearest(desk.mirror, desk, 7) == ["one-7"]
    return desk


def test_of_too_many_the_index_is_asked_and_what_it_needs_is_not_counted_each_time(
    large: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = large
    with monkeypatch.context() as patch:
        patch.setattr(Collection, "count", no_reading)
        assert nearest(desk.mirror, desk, 8) == ["one-8"]
    publish(desk, "one", 2, range(1, 90))
    assert nearest(desk.mirror, desk, 85) == ["one-85"]
    assert "one-0" not in nearest(desk.mirror, desk, 0, 50)


def test_a_collection_that_grows_too_large_gets_an_index_that_can_be_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "MOST", 100)
    publish(desk, "one", 1, range(90))
    assert nearest(desk.mirror, desk, 7) == ["one-7"]
    neighbours = neighbours_of(desk)
    publish(desk, "one", 2, range(300))
    missed = [
        number for number in range(300) if nearest(desk.mirror, desk, number) != [f"one-{number}"]
    ]
    assert missed == []
    assert neighbours_of(desk) > neighbours
    assert desk.mirror.check(links_of(desk)) == []


def neighbours_of(desk: Desk) -> int:
    """How dense the index of the page's collection is made."""
    collection = desk.mirror.collection(DEFAULT_COMPANY, PAGE, CHANNEL)
    return int(collection.configuration_json["hnsw"]["max_neighbors"])


def test_a_large_collection_that_somebody_deleted_is_made_again(large: Desk) -> None:
    held = large.mirror.collection(DEFAULT_COMPANY, PAGE, CHANNEL)
    large.mirror._chroma.open().delete_collection(held.name)
    assert nearest(large.mirror, large, 8) == ["one-8"]
