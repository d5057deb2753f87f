"""An answer that comes in parts is prepared exactly as if it had come at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.models import CrmLink, FetchOptions, Record
from core.text.decode import Json, Pairs, parse_json
from core.text.erased import ErasedValues
from core.text.prepare import Prepared, prepare
from core.text.redact import Action, Policy, Redactor, Rule
from core.text.select import Parts
from core.text.spool import Piece

SCALARS = st.sampled_from([None, True, 1, 2, "x", "secret", "a b", ""])
NAMES = st.sampled_from(["id", "name", "orders", "tags", "e", "f"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.dictionaries(NAMES, VALUES, max_size=4)
ELEMENTS = st.one_of(RECORDS, RECORDS, RECORDS, VALUES)
PAGES = st.lists(st.lists(ELEMENTS, max_size=4), min_size=2, max_size=4)
AROUND = st.dictionaries(st.sampled_from(["pre", "paging", "vendors"]), VALUES, max_size=2)
PLACES = st.sampled_from([(), ("data",), ("data", "list")])
FILTER = ({"do": "filter", "field": "name", "condition": "present"}, {"do": "drop_empties"})


def cut(records: Sequence[Record]) -> list[tuple[str, ...]]:
    """A chunk for every two lines, so that records have several."""
    return [
        tuple("\n".join(record.lines[at : at + 2]) for at in range(0, len(record.lines), 2))
        for record in records
    ]


def link(steps: Sequence[dict[str, Any]], selector: str | None) -> CrmLink:
    own = CrmLink.from_document(
        "1", {"_id": "l", "link_id": "l", "name": "L", "url": "https://crm.example/", "type": "api"}
    )
    return replace(own, fetch=FetchOptions(records=selector), transform=tuple(steps))


def decoded(value: Any) -> Any:
    return parse_json(json.dumps(value))


def around(places: Parts, elements: list[Any], before: Any, behind: Any) -> Any:
    """The array at its place, with other members on both of its sides."""
    value: Any = decoded(elements)
    for key in reversed(places):
        value = Pairs([*decoded(before), (str(key), value), *decoded(behind)])
    return value


def prepared(
    own: CrmLink, erased: Sequence[str], first: Any, parts: Sequence[Any], grows: Parts | None
) -> Prepared:
    policy = Policy((Rule("f", Action.DROP), Rule("e", Action.MASK)))
    return prepare(
        Json(first),
        own,
        redactor=lambda: Redactor(policy, b"key", lambda: None),
        cut=cut,
        erased=ErasedValues(erased),
        further=[Json(part) for part in parts],
        grows=grows,
    )


def told(result: Prepared) -> list[Any]:
    """All that is known of the records, with each line's place."""
    return [_told(piece) for piece in result.records]


def _told(piece: Piece) -> Any:
    record = piece.record
    places = [at for first, count in record.at for at in range(first, first + count)]
    return record.key, record.path, record.pattern, record.lines, places, piece.texts


@given(
    places=PLACES,
    pages=PAGES,
    before=AROUND,
    behind=AROUND,
    steps=st.sampled_from([(), FILTER]),
    erased=st.sampled_from([(), ("secret",)]),
    selects=st.booleans(),
)
def test_parts_make_the_records_that_the_whole_would_make(
    places: Parts,
    pages: list[list[Any]],
    before: dict[str, Any],
    behind: dict[str, Any],
    steps: Sequence[dict[str, Any]],
    erased: Sequence[str],
    selects: bool,
) -> None:
    selector = "$" + "".join(f".{key}" for key in places) + "[*]" if selects else None
    own = link(steps, selector)
    everything = [element for page in pages for element in page]
    whole = prepared(own, erased, around(places, everything, before, behind), (), None)
    first = around(places, pages[0], before, behind)
    rest = [around(places, page, {}, {}) for page in pages[1:]]
    parts = prepared(own, erased, first, rest, places)
    assert told(parts) == told(whole)
    assert parts.records_at == whole.records_at
    assert parts.record_count == whole.record_count
    assert parts.records.total_lines == whole.records.total_lines
    assert parts.records.is_empty == whole.records.is_empty
    assert parts.schema == whole.schema
    assert parts.redactions == whole.redactions
    assert parts.notes == whole.notes


def test_records_that_a_later_part_shows_to_be_a_grouping_are_found_as_in_the_whole() -> None:
    regions = [{"region": n, "customers": [{"id": f"{n}-{m}"} for m in range(2)]} for n in range(2)]
    many = [{"region": 9, "customers": [{"id": f"9-{m}"} for m in range(40)]}]
    parts = prepared(
        link((), None),
        (),
        decoded({"regions": regions}),
        [decoded({"regions": many})],
        ("regions",),
    )
    assert parts.records_at == "regions[].customers[]"
    assert parts.record_count == 44
    assert [piece.record.path for piece in parts.records][-1] == "regions[2].customers[39]"


def test_a_fact_about_the_whole_text_changes_with_each_line_and_each_place() -> None:
    def text_hash(value: Any) -> str:
        return prepared(link((), None), (), decoded(value), (), None).records.text_hash

    one = {"customers": [{"id": 1}, {"id": 2}]}
    assert text_hash(one) == text_hash(one)
    others = [
        {"customers": [{"id": 2}, {"id": 1}]},
        {"customers": [{"id": 1}, {"id": 3}]},
        {"total": 2, **one},
    ]
    assert len({text_hash(value) for value in [one, *others]}) == 4
