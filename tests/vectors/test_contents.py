"""The text of a link's generations, as it is stored in parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.desk import Desk
from core.models import Record
from core.settings import Settings
from core.vectors.contents import KEEP_NEWEST, Contents
from core.vectors.part import Entry, Part

LINK = "link-1"


def part(*numbers: int) -> Part:
    return Part.of(
        [
            Entry(
                Record(f"things[]#id={n}", f"things[{n}]", "things[]", (f"id: {n}",), ((n, 1),)),
                ((f"chunk-{n}", f"id: {n}"),),
                0.0,
            )
            for n in numbers
        ]
    )


def chunks(contents: Contents, generation: int) -> list[str]:
    return [chunk for entry in contents.read(LINK, generation) for chunk, _ in entry.chunks]


@pytest.fixture
def database(tmp_path: Path) -> Any:
    return Desk(Settings(data_dir=tmp_path)).database


@pytest.fixture
def contents(database: Any) -> Contents:
    return Contents(database)


def test_what_a_run_that_died_has_left_is_written_over(contents: Contents) -> None:
    contents.write(LINK, 2, [part(7), part(8), part(9)])
    contents.write(LINK, 2, [part(1), part(2)])
    assert chunks(contents, 2) == ["chunk-1", "chunk-2"]


def test_a_run_that_has_lost_its_lease_writes_over_nothing(contents: Contents) -> None:
    contents.write(LINK, 2, [part(1)])

    def lost() -> None:
        # It held the lease when it looked first.
        if asked:
            raise RuntimeError("lost")
        asked.append(True)

    asked: list[bool] = []
    with pytest.raises(RuntimeError, match="lost"):
        contents.write(LINK, 2, [part(9)], lost)
    assert chunks(contents, 2) == ["chunk-1"]


def test_parts_are_read_by_their_ids_alone(contents: Contents, database: Any) -> None:
    contents.write(LINK, 2, [part(3), part(4), part(5)])
    # Nothing is found by these, for which the embedded engine would go through all of a link's.
    unknown = {"link_id": LINK, "generation": 99, "number": 99}
    database["link_contents"].update_many({}, {"$set": unknown})
    assert chunks(contents, 2) == ["chunk-3", "chunk-4", "chunk-5"]
    found = contents.read_documents(LINK, 2, skip=1, limit=1)
    assert [chunk for _, chunk, _ in found] == ["chunk-4"]


def test_parts_from_before_they_had_ids_of_their_own_are_read_and_deleted(
    contents: Contents, database: Any
) -> None:
    contents.write(LINK, 1, [part(1), part(2)])
    parts = database["link_contents"]
    stored = list(parts.find({}))
    parts.delete_many({})
    parts.insert_many(
        [
            {key: value for key, value in one.items() if key not in ("_id", "table", "stretch")}
            for one in reversed(stored)
        ]
    )
    assert chunks(contents, 1) == ["chunk-1", "chunk-2"]
    assert [one.stretch for one in contents.parts(LINK, 1)] == [None, None]
    found = contents.read_documents(LINK, 1, skip=1, limit=5)
    assert [chunk for _, chunk, _ in found] == ["chunk-2"]
    contents.drop_generation(LINK, 1)
    assert not list(parts.find({}))


def test_generations_that_are_not_kept_are_deleted_with_all_their_parts(
    contents: Contents, database: Any
) -> None:
    last = KEEP_NEWEST + 3
    for generation in range(1, last + 1):
        contents.write(LINK, generation, [part(1), part(2)])
        contents.announce(LINK, generation, {"run_id": None})
        contents.prune(LINK, generation)
    stored = sorted(one["generation"] for one in database["link_contents"].find({}))
    assert stored == sorted([*range(4, last + 1)] * 2)
    assert [one["generation"] for one in contents.kept(LINK, last)] == [*range(last, 3, -1)]


def test_a_text_that_is_written_anew_may_have_fewer_parts(contents: Contents) -> None:
    contents.write(LINK, 1, [part(1), part(2), part(3)])
    contents.rewrite(LINK, 1, [part(1, 3)])
    assert chunks(contents, 1) == ["chunk-1", "chunk-3"]


def test_what_came_and_went_is_told_from_the_parts_that_differ(contents: Contents) -> None:
    contents.write(LINK, 1, [part(1, 2), part(3, 4), part(5)])
    contents.write(LINK, 2, [part(1, 2), part(3, 6), part(4, 7)])
    assert contents.moved(LINK, 1, 2) == ({"chunk-5"}, {"chunk-6", "chunk-7"})


def test_nothing_is_told_of_a_generation_that_is_not_kept(
    contents: Contents, database: Any
) -> None:
    contents.write(LINK, 2, [part(1), part(2)])
    contents.write(LINK, 3, [part(1)])
    assert contents.moved(LINK, 1, 3) is None
    # It is being deleted while it is read.
    database["link_contents"].delete_many({"generation": 2, "number": 1})
    assert contents.moved(LINK, 2, 3) is None
