"""Steps and rules as rows of a table, and back."""

from __future__ import annotations

from typing import Any

import pytest

from core.links.schema import NewLinkBody
from pages.link_records import rule_rows, rules_of_rows, step_rows, steps_of_rows

BODY = {"page_id": "1", "channels": ["messenger"], "name": "x", "url": "https://example.com"}
STEPS: list[dict[str, Any]] = [
    {"do": "choose", "fields": ["id", "orders[].id"]},
    {"do": "rename", "field": "a", "to": "b"},
    {"do": "drop_empties"},
    {"do": "compute", "field": "name", "template": "{first} {last}"},
    {"do": "format_date", "field": "at", "pattern": "%d.%m.%Y", "to": "%Y"},
    {"do": "format_number", "field": "cents", "divide_by": 100.0, "decimals": 3},
    {"do": "filter", "field": "state", "condition": "equals", "value": "active"},
    {"do": "split", "field": "tags", "by": ";"},
    {"do": "join", "field": "tags", "by": "/"},
]
RULES: dict[str, Any] = {
    "required": ["id"],
    "types": {"id": "integer", "mail": "email"},
    "ranges": {"age": {"min": 0.0, "max": 130.0}, "id": {"min": 1.0}},
    "max_bad_share": 0.25,
}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: str(step["do"]))
def test_a_step_comes_back_from_its_row_as_it_was(step: dict[str, Any]) -> None:
    assert steps_of_rows(step_rows((step,))) == [step]
    NewLinkBody.model_validate(BODY | {"transform": [step]})


def test_rules_come_back_from_their_rows_as_they_were() -> None:
    again = rules_of_rows(rule_rows(RULES), 25)
    assert again == RULES
    NewLinkBody.model_validate(BODY | {"validation": again})


def test_empty_rows_are_no_steps_and_no_rules() -> None:
    assert steps_of_rows([{"do": None, "field": "", "value": ""}]) == []
    assert rules_of_rows([{"field": "", "required": True}], 10) is None


def test_what_is_no_number_is_said() -> None:
    row = {"do": "Divide and round", "field": "cents", "value": "a hundred"}
    with pytest.raises(ValueError, match="“a hundred” is no number"):
        steps_of_rows([row])
