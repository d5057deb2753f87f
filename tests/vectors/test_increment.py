"""Putting an increment on top of what is served: as if everything had been written anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from core.batched import batched
from core.models import Record
from core.text.changes import describe_changes
from core.text.chunk import chunk_of
from core.text.spool import Piece, Totals
from core.text.text_hash import TextHash
from core.vectors import increment
from core.vectors.increment import OnTop, put_on_top
from core.vectors.part import Entry, Part, entry_of

PATTERN = "people[]"
SIZE = 3
# Of each record: the number that it is known by, and a text for each of its lines but the first.
PEOPLE = st.lists(
    st.tuples(st.integers(0, 30), st.lists(st.sampled_from("abc"), max_size=2)),
    max_size=20,
    unique_by=lambda person: person[0],
)
PLACES_OF_OTHERS = st.lists(st.integers(0, 20), max_size=2)


def person(number: int, texts: Sequence[str]) -> Record:
    lines = (f"{PATTERN}.id: {number}", *(f"{PATTERN}.note: {text}" for text in texts))
    return Record(f"{PATTERN}#id={number}", "?", PATTERN, lines, ((0, len(lines)),), f"{texts}")


def other(number: int) -> Record:
    lines = (f"totals.of_{number}: 1", f"totals.and_{number}: 2")
    return Record(f"#{number}", f"totals{number}", "", lines, ((0, 2),))


def placed(records: Sequence[Record]) -> list[Record]:
    """The records as an answer has them that lists them in this order."""
    found: list[Record] = []
    number = line = 0
    for record in records:
        path = record.path
        if record.pattern:
            path, number = f"people[{number}]", number + 1
        at = ((line, len(record.lines)),)
        found.append(Record(record.key, path, record.pattern, record.lines, at, record.raw))
        line += len(record.lines)
    return found


def texts_of(record: Record) -> tuple[str, ...]:
    """A chunk for every two lines."""
    lines = record.lines
    return tuple("\n".join(lines[at : at + 2]) for at in range(0, len(lines), 2))


def entry(record: Record, at: float) -> Entry:
    return entry_of(record, [chunk_of(record, t, "link", "model") for t in texts_of(record)], at)


def text_hash(records: Sequence[Record]) -> str:
    own = TextHash()
    for record in records:
        own.add(record)
    return str(own)


def put(served: Sequence[Part], records: Sequence[Record], come: Sequence[Record]) -> OnTop:
    pieces = [Piece(record, texts_of(record)) for record in come]
    with mock.patch.object(increment, "PART", SIZE):
        return put_on_top(
            served,
            pieces,
            PATTERN,
            "id",
            text_hash=text_hash(records),
            link_id="link",
            model="model",
            now=2.0,
            check=lambda: None,
        )


def parts_of(records: Sequence[Record]) -> list[Part]:
    return [Part.of(batch) for batch in batched((entry(r, 1.0) for r in records), SIZE)]


@given(PEOPLE, PLACES_OF_OTHERS, st.lists(PEOPLE, min_size=1, max_size=3))
def test_it_is_as_if_everything_had_been_written_anew(
    people: list[tuple[int, list[str]]],
    others: list[int],
    increments: list[list[tuple[int, list[str]]]],
) -> None:
    listed = [person(*one) for one in people]
    for number, place in enumerate(others):
        listed.insert(min(place, len(listed)), other(number))
    records = placed(listed)
    parts = parts_of(records)
    for come in increments:
        fresh = {record.key: record for record in (person(*one) for one in come)}
        own = [record for record in records if record.pattern]
        wanted = placed(
            [fresh.get(record.key, record) for record in own]
            + [record for record in fresh.values() if record.key not in {o.key for o in own}]
            + [record for record in records if not record.pattern]
        )
        found = put(parts, records, [*fresh.values(), other(9)])

        entries = [one for part in found.parts for one in part.entries(with_raw=True)]
        assert [(one.record, one.record.raw) for one in entries] == [(r, r.raw) for r in wanted]
        assert [one.chunks for one in entries] == [entry(r, 0.0).chunks for r in wanted]
        by_key = {record.key: record for record in records}
        before = {key: record.lines for key, record in by_key.items()}
        same = {record.key for record in wanted if before.get(record.key) == record.lines}
        known = {one.record.key: one.updated_at for part in parts for one in part.entries()}
        assert [one.updated_at for one in entries] == [
            known[one.record.key] if one.record.key in same else 2.0 for one in entries
        ]
        lines = sum(len(record.lines) for record in wanted)
        count = sum(bool(record.pattern) for record in wanted)
        assert found.totals == Totals(count, lines, text_hash(wanted))
        had = {chunk for record in records for chunk, _ in entry(record, 0.0).chunks}
        has = {chunk for record in wanted for chunk, _ in entry(record, 0.0).chunks}
        assert (found.new, found.gone) == (has - had, sorted(had - has))
        assert found.changes == describe_changes(by_key, wanted)
        assert all(part.records <= SIZE for part in found.parts)
        written = [
            chunk for part in found.made for one in part.entries() for chunk, _ in one.chunks
        ]
        assert len(written) == len(set(written))
        assert found.new <= set(written)
        records, parts = wanted, found.parts


def test_parts_in_which_nothing_changed_are_not_read() -> None:
    records = placed([person(number, ["a"]) for number in range(4 * SIZE)])
    unreadable = [
        Part(part.records, part.documents, b"?", b"?", part.keys, part.stretch)
        for part in parts_of(records)
    ]
    unreadable[1] = parts_of(records)[1]
    found = put(unreadable, records, [person(SIZE + 1, ["b"])])
    assert [part is was for part, was in zip(found.parts, unreadable, strict=True)] == [
        True,
        False,
        True,
        True,
    ]
    assert found.changes.lines == [f"people[{SIZE + 1}].note: a → b"]


def test_new_records_fill_the_last_part_up() -> None:
    records = placed([person(number, []) for number in range(SIZE)])
    parts = parts_of(records)
    for number in range(SIZE, 3 * SIZE):
        parts = put(parts, records, [person(number, [])]).parts
        records = placed([*records, person(number, [])])
    assert [part.records for part in parts] == [SIZE, SIZE, SIZE]


def test_what_all_amounts_to_stays_unknown_when_it_was_not_known() -> None:
    records = placed([person(1, [])])
    found = put_on_top(
        parts_of(records),
        [Piece(person(1, ["a"]), ("a",))],
        PATTERN,
        "id",
        text_hash=None,
        link_id="link",
        model="model",
        now=2.0,
        check=lambda: None,
    )
    assert found.totals == Totals(1, 2, None)


def test_a_part_that_is_filled_up_after_it_was_made_is_written_once() -> None:
    records = placed([person(1, ["a"]), person(2, ["a"]), other(1), other(2)])
    entries = [entry(record, 1.0) for record in records]
    parts = [Part.of(entries[:2]), Part.of(entries[2:])]
    found = put(parts, records, [person(2, ["b"])])
    assert [part.records for part in found.parts] == [3, 1]
    assert [part.records for part in found.made] == [3, 1]


def test_of_several_versions_of_a_record_the_last_counts() -> None:
    records = placed([person(number, ["a"]) for number in range(4)])
    # As they were told apart in their own answer, where no id was unique.
    come = [replace(person(2, [text]), key=f"{PATTERN}#{text}") for text in ("b", "c")]
    found = put(parts_of(records), records, come)
    entries = [one for part in found.parts for one in part.entries()]
    assert [one.record.key for one in entries] == [record.key for record in records]
    assert entries[2].record.lines[1] == f"{PATTERN}.note: c"
    assert entries[2].chunks == entry(person(2, ["c"]), 0.0).chunks
