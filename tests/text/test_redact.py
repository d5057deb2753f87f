"""What is masked, kept, hashed and dropped before anything is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text.decode import Json, Text, parse_json
from core.text.flatten import flatten
from core.text.redact import Action, Policy, Rule, check_rule_path, redact

KEY = b"a key"


def lines(value: Any, *rules: Rule, **company: Any) -> list[str]:
    """The flattened text of ``value`` as it would be stored."""
    policy = Policy.of([rule.to_document() for rule in rules], company or None)
    answer, _ = redact(Json(parse_json(json.dumps(value))), policy, key=KEY)
    return flatten(answer).lines()


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("password", "hunter2", "[masked: password]"),
        ("customerPassword", "x", "[masked: password]"),
        ("password_hash", "x", "[masked: password]"),
        ("access_token", "abc", "[masked: token]"),
        ("apiKey", "abc", "[masked: token]"),
        ("ssn", "anything", "[masked: national id]"),
        ("passport_number", "X1", "[masked: national id]"),
        ("card", "4111 1111 1111 1111", "[masked: card number]"),
        ("note", "paid with 5555-5555-5555-4444 today", "paid with [masked: card number] today"),
        ("note", "SSN 536-90-4399", "SSN [masked: national id]"),
        ("note", "CPF 390.533.447-05", "CPF [masked: national id]"),
        ("note", "password: hunter2 ok", "password: [masked: password] ok"),
        ("note", "PASSWORD: ab", "PASSWORD: [masked: password]"),
        ("the_" * 40 + "password", "x", "[masked: password]"),
        ("note", "shppa_1234567890abc", "[masked: token]"),
        ("note", "sk_live_1234567890abc", "[masked: token]"),
        ("note", "Bearer abcdefghijklmnop.qrs", "[masked: token]"),
        # What is no secret stays as it is.
        ("id", "4111111111111111", "4111111111111111"),
        ("order_id", 4111111111111111, "4111111111111111"),
        ("note", "4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("email", "ann@example.com", "ann@example.com"),
        ("phone", "+49 30 901820", "+49 30 901820"),
        ("token_count", 5, "5"),
        ("compass", "north", "north"),
        ("tokens", 12, "12"),
        ("password", None, "null"),
        ("sku", "ABC-123-45", "ABC-123-45"),
    ],
)
def test_secrets_are_masked_and_what_customers_are_found_by_is_kept(
    field: str, value: Any, shown: str
) -> None:
    assert lines({"people": [{"n": 1, field: value}]})[1] == f"people[0].{field}: {shown}"


def test_a_links_rules_come_before_the_companys_and_both_before_the_kinds() -> None:
    record = {"people": [{"id": 1, "email": "a@b.co", "notes": "x", "card": "4111111111111111"}]}
    shown = lines(
        record,
        Rule("people[].card", Action.KEEP),
        Rule("notes", Action.DROP),
        kinds={"email": "hash"},
        rules=[{"path": "people[].card", "action": "drop"}],
    )
    assert shown[0] == "people[0].id: 1"
    assert shown[1].startswith("people[0].email: [hashed: ")
    assert shown[2:] == ["people[0].card: 4111111111111111"]


def test_a_rule_stands_for_everything_inside_of_its_path() -> None:
    record = {"people": [{"id": 1, "address": {"city": "Bonn", "lines": ["a", "b"]}}]}
    assert lines(record, Rule("people[].address", Action.MASK))[1:] == [
        "people[0].address.city: [masked: by rule]",
        "people[0].address.lines[0]: [masked: by rule]",
        "people[0].address.lines[1]: [masked: by rule]",
    ]
    assert lines(record, Rule("*.city", Action.DROP)) == [
        "people[0].id: 1",
        "people[0].address.lines[0]: a",
        "people[0].address.lines[1]: b",
    ]


def test_equal_values_have_equal_hashes_that_other_installations_do_not_have() -> None:
    policy = Policy((Rule("email", Action.HASH),))
    value = Json(parse_json('[{"email": "A@b.co"}, {"email": "a@b.co "}, {"email": "c@d.co"}]'))
    ours, _ = redact(value, policy, key=KEY)
    theirs, _ = redact(value, policy, key=b"another")
    first, second, third = flatten(ours).lines()
    assert first.split(": ", 1)[1] == second.split(": ", 1)[1] != third.split(": ", 1)[1]
    assert flatten(ours).lines()[0] != flatten(theirs).lines()[0]


def test_plain_text_is_redacted_line_by_line() -> None:
    text = Text("Hello\npassword: hunter2\nCard 4111-1111-1111-1111.\nOpen from 9 to 19")
    redacted, what = redact(text, Policy(), key=KEY)
    assert redacted == Text(
        "Hello\npassword: [masked: password]\nCard [masked: card number].\nOpen from 9 to 19"
    )
    assert sum(what.done.values()) == 2


def test_the_raw_json_of_a_record_is_redacted_too() -> None:
    value = {"people": [{"id": 1, "password": "hunter2", "n": 1.50}], "password": "hunter3"}
    answer, _ = redact(Json(parse_json(json.dumps(value))), Policy(), key=KEY)
    raws = [record.raw for record in flatten(answer).records]
    assert raws == [
        '{"people":[],"password":"[masked: password]"}',
        '{"id":1,"password":"[masked: password]","n":1.5}',
    ]


@pytest.mark.parametrize("path", ["", "  ", "people[0].notes", "a\nb"])
def test_a_rule_that_can_not_match_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"must name a field|no positions"):
        check_rule_path(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(json_values)
def test_without_anything_personal_the_text_stays_as_it_is(value: Any) -> None:
    plain = Json(parse_json(json.dumps(value)))
    redacted, what = redact(plain, Policy(), key=KEY)
    if not what.done:
        assert redacted == plain


@given(json_values, st.sampled_from(["4111111111111111", "hunter2-hunter2"]))
def test_a_secret_never_comes_through_wherever_it_stands(value: Any, secret: str) -> None:
    planted = {"rest": value, "password": secret, "deep": [{"a": {"passwd": secret}}]}
    answer, _ = redact(Json(parse_json(json.dumps(planted))), Policy(), key=KEY)
    flattened = flatten(answer)
    assert secret not in "\n".join(flattened.lines())
    assert secret not in "".join(record.raw for record in flattened.records)


def test_hostile_texts_do_not_keep_the_patterns_busy() -> None:
    # Patterns that backtrack would not come back from these.
    for text in ("1 " * 50_000, "a@" * 50_000, "+4930" * 20_000, "4111 " * 20_000, "eyJ" * 30_000):
        redact(Json(parse_json(json.dumps({"x": text}))), Policy(), key=KEY)
