"""Steps that change records, and rules that records must follow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.errors import InvalidRecords
from core.links.schema import NewLinkBody
from core.text.decode import parse_json
from core.text.raw import raw_json
from core.text.records import map_records
from core.text.schema import schema_changes, schema_of
from core.text.transform import Transformer
from core.text.validate import Validator


def changed(record: Any, *steps: dict[str, Any]) -> Any:
    """What the steps make of a record; None when it is filtered out."""
    result = Transformer(steps).apply(parse_json(json.dumps(record)))
    return None if result is None else json.loads(raw_json(result))


RECORD = {
    "id": 7,
    "first": "John",
    "last": "Doe",
    "empty": "",
    "none": None,
    "address": {"city": "Köln", "zip": "", "geo": {"lat": 50.9}},
    "orders": [{"id": "o-1", "cents": 1999, "at": 1767225600}, {"id": "o-2", "cents": "x"}],
    "tags": "vip, new,  ",
    "labels": ["a", "b"],
    "balance": "12.345",
    "born": "1980-02-29",
    "since": "31.12.2025",
}


@pytest.mark.parametrize(
    ("step", "path", "expected"),
    [
        ({"do": "rename", "field": "first", "to": "given"}, ["given"], "John"),
        ({"do": "rename", "field": "address.city", "to": "city"}, ["city"], "Köln"),
        ({"do": "rename", "field": "first", "to": "name.first"}, ["name", "first"], "John"),
        ({"do": "compute", "field": "name", "template": "{first} {last}"}, ["name"], "John Doe"),
        ({"do": "compute", "field": "x", "template": "{nope} {first}"}, ["x"], "John"),
        ({"do": "compute", "field": "x", "template": "{orders[].id}"}, ["x"], "o-1, o-2"),
        ({"do": "compute", "field": "x", "template": "{__class__} {0}"}, ["x"], ""),
        ({"do": "format_date", "field": "born", "to": "%d.%m.%Y"}, ["born"], "29.02.1980"),
        ({"do": "format_date", "field": "since", "pattern": "%d.%m.%Y"}, ["since"], "2025-12-31"),
        ({"do": "format_date", "field": "orders[].at"}, ["orders", 0, "at"], "2026-01-01"),
        ({"do": "format_date", "field": "last"}, ["last"], "Doe"),
        ({"do": "format_number", "field": "balance"}, ["balance"], 12.35),
        (
            {"do": "format_number", "field": "orders[].cents", "divide_by": 100},
            ["orders", 0, "cents"],
            19.99,
        ),
        (
            {"do": "format_number", "field": "orders[].cents", "divide_by": 100},
            ["orders", 1, "cents"],
            "x",
        ),
        ({"do": "split", "field": "tags"}, ["tags"], ["vip", "new"]),
        ({"do": "join", "field": "labels"}, ["labels"], "a, b"),
        ({"do": "join", "field": "labels", "by": "/"}, ["labels"], "a/b"),
    ],
)
def test_a_step_changes_one_field_and_nothing_else(
    step: dict[str, Any], path: list[Any], expected: Any
) -> None:
    result = changed(RECORD, step)
    value = result
    for part in path:
        value = value[part]
    assert value == expected
    untouched = set(RECORD) - {step["field"].split(".")[0].removesuffix("[]"), path[0]}
    assert all(result[name] == RECORD[name] for name in untouched)


def test_choosing_keeps_what_is_named_in_the_order_it_is_named() -> None:
    step = {"do": "choose", "fields": ["last", "id", "address.city", "orders[].id", "nope"]}
    assert changed(RECORD, step) == {
        "last": "Doe",
        "id": 7,
        "address": {"city": "Köln"},
        "orders": [{"id": "o-1"}, {"id": "o-2"}],
    }


def test_dropping_empties_goes_all_the_way_down() -> None:
    result = changed(RECORD, {"do": "drop_empties"})
    assert not {"empty", "none"} & set(result)
    assert result["address"] == {"city": "Köln", "geo": {"lat": 50.9}}


@pytest.mark.parametrize(
    ("field", "condition", "value", "is_kept"),
    [
        ("first", "present", "", True),
        ("empty", "present", "", False),
        ("none", "absent", "", True),
        ("nope", "absent", "", True),
        ("first", "equals", "john", True),
        ("first", "equals", "jane", False),
        ("nope", "equals", "", False),
        ("first", "differs", "Jane", True),
        ("last", "contains", "OE", True),
        ("id", "above", "6.5", True),
        ("id", "above", "7", False),
        ("balance", "below", "100", True),
        ("born", "above", "1979-01-01", True),
        ("orders[].id", "equals", "o-2", True),
        ("labels", "contains", "b", True),
    ],
)
def test_a_filter_keeps_the_records_that_fulfil_it(
    field: str, condition: str, value: str, *, is_kept: bool
) -> None:
    step = {"do": "filter", "field": field, "condition": condition, "value": value}
    assert (changed(RECORD, step) is not None) == is_kept


def test_steps_follow_each_other() -> None:
    steps = [
        {"do": "compute", "field": "name", "template": "{first} {last}"},
        {"do": "filter", "field": "name", "condition": "equals", "value": "John Doe"},
        {"do": "choose", "fields": ["name"]},
    ]
    assert changed(RECORD, *steps) == {"name": "John Doe"}


def test_values_that_do_not_fit_are_counted_and_stay() -> None:
    transformer = Transformer([{"do": "format_date", "field": "last"}])
    transformer.apply(parse_json(json.dumps(RECORD)))
    assert dict(transformer.misfits) == {"step 1 (format_date)": 1}


@pytest.mark.parametrize(
    "step",
    [
        {"do": "run", "code": "import os"},
        {"do": "rename", "field": "a"},
        {"do": "rename", "field": "", "to": "b"},
        {"do": "rename", "field": "a..b", "to": "c"},
        {"do": "choose", "fields": []},
        {"do": "format_number", "field": "a", "divide_by": 0},
        {"do": "filter", "field": "a", "condition": "matches", "value": "(a+)+$"},
        {"do": "split", "field": "a", "by": "", "extra": 1},
    ],
)
def test_a_step_that_is_none_is_refused(step: dict[str, Any]) -> None:
    body = {"page_id": "1", "channels": ["messenger"], "name": "x", "url": "https://example.com"}
    with pytest.raises(ValidationError):
        NewLinkBody.model_validate(body | {"transform": [step]})


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
_STEPS = st.sampled_from(
    [
        {"do": "choose", "fields": ["a", "b.c[]"]},
        {"do": "rename", "field": "a", "to": "b.c"},
        {"do": "rename", "field": "a[].b", "to": "c"},
        {"do": "drop_empties"},
        {"do": "compute", "field": "a.b", "template": "{a} {b.c}"},
        {"do": "format_date", "field": "a"},
        {"do": "format_number", "field": "a[]"},
        {"do": "filter", "field": "a", "condition": "above", "value": "3"},
        {"do": "split", "field": "a[]"},
        {"do": "join", "field": "a"},
    ]
)


@given(st.dictionaries(st.sampled_from("abc"), _VALUES, max_size=3), st.lists(_STEPS, max_size=4))
def test_no_step_breaks_on_any_record(record: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    changed(record, *steps)


def mapped(value: Any, selector: str | None, step: dict[str, Any]) -> Any:
    transformer = Transformer([step])
    return json.loads(
        raw_json(map_records(parse_json(json.dumps(value)), selector, transformer.apply))
    )


ONLY_A = {"do": "filter", "field": "kind", "condition": "equals", "value": "a"}
PEOPLE = [{"kind": "a", "id": 1}, {"kind": "b", "id": 2}, {"kind": "a", "id": 3}]


@pytest.mark.parametrize(
    ("value", "selector", "expected"),
    [
        ({"total": 3, "data": {"people": PEOPLE}}, None, [1, 3]),
        (PEOPLE, None, [1, 3]),
        ({"total": 3, "data": {"people": PEOPLE}}, "$.data.people[*]", [1, 3]),
        ({"total": 3, "data": {"people": PEOPLE}}, "$.data.people", [1, 3]),
    ],
)
def test_only_records_are_changed_and_what_is_around_them_stays(
    value: Any, selector: str | None, expected: list[int]
) -> None:
    result = mapped(value, selector, ONLY_A)
    if isinstance(result, dict):
        assert result["total"] == 3
        result = result["data"]["people"]
    assert [person["id"] for person in result] == expected


def test_without_a_list_the_whole_answer_is_the_record() -> None:
    step = {"do": "choose", "fields": ["name"]}
    assert mapped({"name": "John", "x": 1}, None, step) == {"name": "John"}


def test_what_a_selector_does_not_choose_is_not_changed() -> None:
    value = {"people": PEOPLE, "others": [{"kind": "b"}]}
    assert mapped(value, "$.people[0]", {"do": "choose", "fields": ["id"]}) == {
        "people": [{"id": 1}, *PEOPLE[1:]],
        "others": [{"kind": "b"}],
    }


@pytest.mark.parametrize(
    ("rules", "record", "words"),
    [
        ({"required": ["email"]}, {"id": 1}, "email is missing"),
        ({"required": ["email"]}, {"email": ""}, "email is missing"),
        ({"required": ["a.b"]}, {"a": {"c": 1}}, "a.b is missing"),
        ({"types": {"age": "number"}}, {"age": "old"}, "age is no number"),
        ({"types": {"age": "integer"}}, {"age": 1.5}, "age is no integer"),
        ({"types": {"ok": "boolean"}}, {"ok": 1}, "ok is no boolean"),
        ({"types": {"at": "date"}}, {"at": "yesterday"}, "at is no date"),
        ({"types": {"mail": "email"}}, {"mail": "at home"}, "mail is no email"),
        ({"types": {"name": "text"}}, {"name": 5}, "name is no text"),
        ({"ranges": {"age": {"min": 0, "max": 130}}}, {"age": 131}, "age is above 130"),
        ({"ranges": {"age": {"min": 0}}}, {"age": -1}, "age is below 0"),
        ({"ranges": {"age": {"min": 0}}}, {"age": "x"}, "age is no number"),
        ({"types": {"age": "number"}}, {"age": None}, None),
        ({"types": {"age": "integer"}}, {"age": "42"}, None),
        ({"ranges": {"age": {"min": 0}}}, {}, None),
        ({"types": {"at": "date"}}, {"at": "2026-01-02T03:04:05Z"}, None),
    ],
)
def test_a_record_that_breaks_a_rule_is_set_aside_with_the_reason(
    rules: dict[str, Any], record: dict[str, Any], words: str | None
) -> None:
    validator = Validator(rules)
    kept = validator.apply(parse_json(json.dumps(record)))
    assert (kept is None) == (words is not None)
    assert validator.listed == ([] if words is None else [f"Record 1: {words}"])


def test_too_many_of_them_are_a_failure_which_tells_no_value() -> None:
    validator = Validator({"types": {"age": "number"}, "max_bad_share": 0.25})
    for age in ("1", "2", "3", "secret-value"):
        validator.apply(parse_json(json.dumps({"age": age})))
    validator.check_share()
    validator.apply(parse_json('{"age": "another"}'))
    with pytest.raises(InvalidRecords, match="2 of 5 records") as raised:
        validator.check_share()
    assert "secret-value" not in str(raised.value)


def test_fields_that_came_went_and_changed_type_are_named() -> None:
    before = schema_of(parse_json('{"p": [{"id": 1, "age": 2, "fax": "x"}, {"note": null}]}'))
    after = schema_of(parse_json('{"p": [{"id": 1, "age": "two", "mail": "x"}, {"note": "n"}]}'))
    assert before == {
        "p[].age": "number",
        "p[].fax": "text",
        "p[].id": "number",
        "p[].note": "empty",
    }
    assert schema_changes(before, after) == [
        "new field: p[].mail (text)",
        "gone: p[].fax (text)",
        "another type: p[].age (number → text)",
    ]
    assert schema_changes({}, after) == []


def test_names_that_are_values_are_not_watched() -> None:
    value = {f"customer-{n}": {"name": "x"} for n in range(2000)}
    assert schema_of(parse_json(json.dumps(value))) == {}
