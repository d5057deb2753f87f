"""Flattening: exactly the text of the design, for whatever JSON there is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import LimitExceeded, NotReadable
from core.text.decode import Json, Text, decode, parse_json
from core.text.flatten import MAX_DEPTH, flatten


def lines_of(text: str) -> list[str]:
    return flatten(Json(parse_json(text))).lines()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            '{"customers":[{"id":"cust-123","name":"John Doe"}]}',
            ["customers[0].id: cust-123", "customers[0].name: John Doe"],
        ),
        ('{"a": {"b": [1, [2, 3]]}}', ["a.b[0]: 1", "a.b[1][0]: 2", "a.b[1][1]: 3"]),
        ('[{"a": 1}, {"a": 2}]', ["[0].a: 1", "[1].a: 2"]),
        ('"text"', ["$: text"]),
        (
            '{"n": null, "t": true, "f": false, "o": {}, "l": [], "e": ""}',
            ["n: null", "t: true", "f: false", "o: {}", "l: []", "e: "],
        ),
        (
            '{"a": 1.10, "b": 1e400, "c": -0, "d": 12345678901234567890}',
            ["a: 1.10", "b: 1e400", "c: -0", "d: 12345678901234567890"],
        ),
        ('{"a.b": 1, "c[0]": 2, "d:e": 3}', ['["a.b"]: 1', '["c[0]"]: 2', '["d:e"]: 3']),
        (r'{"a\"b": 1, "": 2}', [r'["a\"b"]: 1', '[""]: 2']),
        ('{" x": 3, "y ": 4}', ['[" x"]: 3', '["y "]: 4']),
        (r'{"p": {"a.b": 1, "tab\there": 2}}', ['p["a.b"]: 1', r'p["tab\there"]: 2']),
        ('{"first name": "Ann"}', ["first name: Ann"]),
        (r'{"a": "two\nlines\r\nand three"}', [r"a: two\nlines\nand three"]),
        ('{"a": 1, "a": 2}', ["a: 1", "a: 2"]),
    ],
)  # fmt: skip
def test_json_becomes_the_designed_lines(answer: str, expected: list[str]) -> None:
    assert lines_of(answer) == expected


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=25,
)

STEP = re.compile(r'\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|\.?([^.\[\]:"]+)')


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict) and value:
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))]
    if isinstance(value, list) and value:
        return [leaf for i, inner in enumerate(value) for leaf in leaves(inner, (*path, i))]
    return [(path, value)]


def read_path(line: str) -> tuple[tuple[str | int, ...], str]:
    """The path at the start of a line, and the value after it: by the rules, not by our code."""
    if line.startswith("$: "):
        return (), line[3:]
    path: list[str | int] = []
    at = 0
    while not line.startswith(": ", at):
        step = STEP.match(line, at)
        assert step, f"no path step at {at} of {line!r}"
        if step[1] is not None:
            path.append(int(step[1]))
        else:
            path.append(json.loads(f'"{step[2]}"') if step[2] is not None else step[3])
        at = step.end()
    return tuple(path), line[at + 2 :]


@given(values)
def test_every_leaf_is_there_exactly_once_in_document_order(value: Any) -> None:
    expected = leaves(value)
    lines = lines_of(json.dumps(value))
    assert len(lines) == len(expected)
    for line, (path, leaf) in zip(lines, expected, strict=True):
        assert len(line.splitlines()) == 1
        found_path, found = read_path(line)
        # A bare value's path is written $, as is that of a key of this name.
        assert found_path == path or (found_path, path) == ((), ("$",))
        if isinstance(leaf, str):
            assert "\n" not in found
            if not re.search("[\r\n\v\f\x1c-\x1e\x85\u2028\u2029\ud800-\udfff]", leaf):
                assert found == leaf
        elif isinstance(leaf, dict | list):
            assert found == ("{}" if isinstance(leaf, dict) else "[]")
        else:
            assert found == json.dumps(leaf)


@given(values)
def test_no_line_is_lost_between_the_records(value: Any) -> None:
    flattened = flatten(Json(parse_json(json.dumps(value))))
    dealt = sum(count for record in flattened.records for _, count in record.at)
    assert dealt == flattened.total_lines == len(flattened.lines())
    keys = [record.key for record in flattened.records]
    assert len(keys) == len(set(keys))


@given(st.lists(st.text(alphabet="ab \n"), max_size=6).map("\n".join))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert "\n".join(flatten(Text(text)).lines()) == text


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', "[Infinity]", "[-Infinity]", "[1,]", "{'a': 1}", "[01]", ""]
)
def test_what_only_looks_like_json_is_refused(text: str) -> None:
    with pytest.raises(NotReadable):
        parse_json(text)


def test_parsing_and_flattening_stop_as_soon_as_they_are_told_to() -> None:
    text = json.dumps([{"n": n} for n in range(50_000)])

    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    with pytest.raises(Stop):
        parse_json(text, stop)
    with pytest.raises(Stop):
        flatten(Json(parse_json(text)), check=stop)


def test_nesting_is_bounded_at_the_limit_and_far_beyond() -> None:
    within = "[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH
    assert len(lines_of(within)) == 1
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(LimitExceeded):
            lines_of("[" * depth + "1" + "]" * depth)


def test_records_are_the_longest_array_of_objects() -> None:
    answer = {
        "meta": {"tags": [{"t": 1}]},
        "data": {"customers": [{"id": n, "orders": [{"o": 1}, {"o": 2}]} for n in range(3)]},
    }
    flattened = flatten(Json(parse_json(json.dumps(answer))))
    assert flattened.records_at == "data.customers[]"
    assert [r.pattern for r in flattened.records].count("data.customers[]") == 3


def test_a_moved_record_keeps_its_key_and_its_lines() -> None:
    people = [{"id": f"c-{n}", "name": f"N {n}"} for n in range(4)]
    before = flatten(Json(parse_json(json.dumps({"customers": people}))))
    after = flatten(Json(parse_json(json.dumps({"customers": people[1:]}))))
    kept = {record.key: record.lines for record in before.records}
    for record in after.records:
        assert kept[record.key] == record.lines
        assert record.lines[0].startswith("customers[].id: ")
    assert after.records[0].path == "customers[0]"


def test_a_byte_order_mark_and_other_encodings_are_read() -> None:
    assert decode(b"\xef\xbb\xbf" + b'{"a": 1}', "application/json") == Json([("a", "1")])
    assert decode("Grüße".encode("utf-16"), "text/plain") == Text("Grüße")
