"""What is held of a link's generation is made of the one before, as if all had been read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.batched import batched
from core.desk import Desk
from core.models import CrmLink, PageLink, Record
from core.retrieval.live import LiveLink, LiveRecords
from core.settings import Settings
from core.vectors.contents import Contents
from core.vectors.part import Entry, Part

LINK = PageLink("company-001", "1", "Page", CrmLink("link-1", "L", "https://crm.example/"), {})
PART = 3

Person = tuple[int, str]
"""A number, and what there is to tell of it."""


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    return Desk(Settings(data_dir=tmp_path)).contents


def publish(contents: Contents, generation: int, people: Sequence[Person]) -> dict[str, Any]:
    entries = []
    for place, (number, told) in enumerate(people):
        lines = (
            f"people[].id: p-{number}",
            f"people[].name: Person{number} Smith",
            f"people[].email: mail{number}@example.com",
            f"people[].plan: {told}",
        )
        at = ((4 * place, 4),)
        record = Record(f"people[]#id=p-{number}", f"people[{place}]", "people[]", lines, at)
        entries.append(Entry(record, ((f"chunk-{number}-{told}", "\n".join(lines)),), 0.0))
    parts = [Part.of(batch) for batch in batched(entries, PART)]
    contents.write("link-1", generation, parts)
    return {"live_generation": generation}


def seen(live: LiveLink) -> dict[str, Any]:
    """All that can be asked of a link's records, as it does not matter how it is kept."""
    words = ["smith", "p-1", "person1", "person7", "gold", "silver", "mail2@example.com", "plan"]
    words += ["copper", "p-9"]
    found = [live.words.rows_with(word) for word in words]
    return {
        "entries": list(live.entries),
        "rows": live.rows,
        "words": [(word in live.words, live.words.tells_apart(word)) for word in words],
        "rows_with": [(rows.tolist(), strengths.tolist()) for rows, strengths in found],
        "spelled": [live.words.spelled_like(word) for word in ("smiht", "persn", "mial2")],
        "by_identity": {name: sorted(rows) for name, rows in live.by_identity.items()},
        "size": live.words.size,
    }


START: list[Person] = [(number, ("gold", "silver")[number % 2]) for number in range(10)]
NEXT: dict[str, list[Person]] = {
    "one changed": [*START[:4], (4, "copper"), *START[5:]],
    "the first gone": START[1:],
    "all reordered": START[::-1],
    "one new": [*START, (10, "gold")],
    "one new in the middle": [*START[:5], (11, "bronze"), *START[5:]],
    "all gone": [],
    "all others": [(number, "tin") for number in range(20, 25)],
    "nothing": START,
}


@pytest.mark.parametrize("people", NEXT.values(), ids=NEXT)
def test_it_is_as_if_all_had_been_read(contents: Contents, people: list[Person]) -> None:
    live = LiveRecords(contents)
    live.of(LINK, publish(contents, 1, START))
    state = publish(contents, 2, people)
    assert seen(live.of(LINK, state)) == seen(LiveRecords(contents).of(LINK, state))
    # And back again.
    state = publish(contents, 3, START)
    assert seen(live.of(LINK, state)) == seen(LiveRecords(contents).of(LINK, state))


def test_parts_that_are_held_are_not_read(tmp_path: Path) -> None:
    desk = Desk(Settings(data_dir=tmp_path))
    live = LiveRecords(desk.contents)
    live.of(LINK, publish(desk.contents, 1, START))
    state = publish(desk.contents, 2, [*START[:9], (9, "copper")])
    desk.database["link_contents"].update_many(
        {"number": {"$lt": 3}}, {"$set": {"entries": b"unreadable"}}
    )
    found = live.of(LINK, state)
    assert found.words.rows_with("copper")[0].tolist() == [9]
    assert len(found.entries) == 10


def test_a_part_that_could_not_be_read_is_read_with_the_next_generation(tmp_path: Path) -> None:
    desk = Desk(Settings(data_dir=tmp_path))
    live = LiveRecords(desk.contents)
    state = publish(desk.contents, 1, START)
    parts = desk.database["link_contents"]
    parts.delete_many({"number": 1})
    assert len(live.of(LINK, state).entries) == len(START) - PART
    state = publish(desk.contents, 2, START)
    assert seen(live.of(LINK, state)) == seen(LiveRecords(desk.contents).of(LINK, state))


def test_another_match_key_is_looked_for_in_all_records(contents: Contents) -> None:
    live = LiveRecords(contents)
    state = publish(contents, 1, START)
    live.of(LINK, state)
    other = replace(LINK, link=replace(LINK.link, match_key="plan"))
    fresh = LiveRecords(contents).of(other, state)
    assert len(fresh.by_identity["key:gold"]) == 5
    assert seen(live.of(other, state)) == seen(fresh)


def test_parts_from_before_they_had_digests_are_read(tmp_path: Path) -> None:
    desk = Desk(Settings(data_dir=tmp_path))
    parts = desk.database["link_contents"]
    live = LiveRecords(desk.contents)
    for generation in (1, 2):
        state = publish(desk.contents, generation, START)
        stored = list(parts.find({"generation": generation}))
        parts.delete_many({"generation": generation})
        old = [{k: v for k, v in one.items() if k not in ("_id", "table")} for one in stored]
        parts.insert_many(old)
        assert seen(live.of(LINK, state)) == seen(LiveRecords(desk.contents).of(LINK, state))
