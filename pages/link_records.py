"""The part of a link's form about its records: steps, rules, redaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.text.redact import Action
from core.text.transform import Condition
from core.text.validate import ValueType

STEPS = {
    "choose": "Keep only these fields",
    "rename": "Rename",
    "drop_empties": "Drop empty fields",
    "compute": "Compute a text",
    "format_date": "Write a date",
    "format_number": "Divide and round",
    "filter": "Keep records that",
    "split": "Split into a list",
    "join": "Join a list",
}
# Which of a step's members the column Value holds
VALUES = {
    "rename": "to",
    "compute": "template",
    "format_date": "to",
    "format_number": "divide_by",
    "filter": "value",
    "split": "by",
    "join": "by",
}
EMPTY: dict[str, dict[str, Any]] = {
    "redaction": {"path": "", "action": ""},
    "steps": {"do": None, "field": "", "condition": None, "value": "", "more": ""},
    "rules": {"field": "", "required": False, "type": None, "min": None, "max": None},
}


def step_rows(steps: tuple[Mapping[str, Any], ...]) -> list[dict[str, Any]]:
    """The steps as rows of the table."""
    rows = []
    for step in steps:
        kind = str(step["do"])
        own = str(step.get(VALUES.get(kind, ""), ""))
        more = step.get("pattern") or step.get("decimals")
        rows.append(
            {
                "do": STEPS[kind],
                "field": ", ".join(step["fields"]) if kind == "choose" else step.get("field", ""),
                "condition": step.get("condition"),
                "value": own,
                "more": "" if more is None else str(more),
            }
        )
    return rows


def steps_of_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps that the table's rows describe. Raises ValueError."""
    kinds = {label: kind for kind, label in STEPS.items()}
    steps = []
    for row in rows:
        kind = kinds.get(str(row.get("do") or ""))
        if kind is None:
            continue
        step: dict[str, Any] = {"do": kind}
        field, value = str(row.get("field") or "").strip(), row.get("value")
        if kind == "choose":
            step["fields"] = [name.strip() for name in field.split(",") if name.strip()]
        elif kind != "drop_empties":
            step["field"] = field
        if value not in (None, "") and kind in VALUES:
            step[VALUES[kind]] = _number(value) if kind == "format_number" else str(value)
        if kind == "filter" and row.get("condition"):
            step["condition"] = row["condition"]
        more = str(row.get("more") or "").strip()
        if more and kind == "format_date":
            step["pattern"] = more
        if more and kind == "format_number":
            step["decimals"] = int(_number(more))
        steps.append(step)
    return steps


def rule_rows(validation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rules as rows of the table."""
    required = list(validation.get("required") or ())
    types, ranges = validation.get("types") or {}, validation.get("ranges") or {}
    rows = []
    for name in dict.fromkeys([*required, *types, *ranges]):
        limits = ranges.get(name) or {}
        rows.append(
            {
                "field": name,
                "required": name in required,
                "type": types.get(name),
                "min": limits.get("min"),
                "max": limits.get("max"),
            }
        )
    return rows


def rules_of_rows(rows: list[dict[str, Any]], bad_percent: float) -> dict[str, Any] | None:
    """The rules that the table's rows describe; None when there are none."""
    rows = [row for row in rows if str(row.get("field") or "").strip()]
    if not rows:
        return None
    limits = {
        row["field"]: {n: row[n] for n in ("min", "max") if row.get(n) is not None} for row in rows
    }
    return {
        "required": [row["field"] for row in rows if row.get("required")],
        "types": {row["field"]: row["type"] for row in rows if row.get("type")},
        "ranges": {name: limit for name, limit in limits.items() if limit},
        "max_bad_share": bad_percent / 100,
    }


def show_steps() -> None:
    """The steps, in order."""
    st.caption(
        "Carried out in order, before anything is stored; **Test connection** shows the outcome. "
        "Fields are named like `name`, `address.city` or `orders[].total`."
    )
    show_table(
        "steps",
        {
            "do": st.column_config.SelectboxColumn(
                "Step", options=list(STEPS.values()), required=True
            ),
            "field": st.column_config.TextColumn("Field", help="Several, with commas, to keep"),
            "condition": st.column_config.SelectboxColumn(
                "Condition", options=[c.value for c in Condition], help="Of records to keep"
            ),
            "value": st.column_config.TextColumn(
                "Value",
                help="The new name; the template, like {first} {last}; the date as it is to be, "
                "like %d.%m.%Y; what to divide by; what to compare with; what is between the parts",
            ),
            "more": st.column_config.TextColumn(
                "More", help="How the date comes, like %d.%m.%Y; how many decimals (2)"
            ),
        },
    )


def show_rules() -> None:
    """What records must be like."""
    st.caption("Records that break a rule are set aside, counted and listed with the run.")
    show_table(
        "rules",
        {
            "field": st.column_config.TextColumn("Field"),
            "required": st.column_config.CheckboxColumn("Required"),
            "type": st.column_config.SelectboxColumn("Type", options=[t.value for t in ValueType]),
            "min": st.column_config.NumberColumn("At least"),
            "max": st.column_config.NumberColumn("At most"),
        },
    )
    st.slider(
        "Fail the run when more than this share breaks a rule",
        0,
        100,
        format="%d %%",
        key="form-bad_share",
        persist_state="session",
    )


def show_redaction() -> None:
    """What becomes of personal fields."""
    st.caption(
        "Redaction rules of this link; the first that fits wins. Passwords, tokens, card "
        "numbers and national ids are masked without any rule."
    )
    show_table(
        "redaction",
        {
            "path": st.column_config.TextColumn(
                "Field", help="Like customers[].notes, or notes for every field of that name"
            ),
            "action": st.column_config.SelectboxColumn(
                "What becomes of it", options=[action.value for action in Action]
            ),
        },
    )


def show_table(name: str, columns: dict[str, Any]) -> None:
    """A table to edit; ``edited_rows`` knows what it shows."""
    st.data_editor(
        _start(name),
        num_rows="dynamic",
        key=f"form-{name}-edits",
        column_config=columns,
        column_order=list(columns),
    )


def edited_rows(name: str) -> list[dict[str, Any]]:
    """The rows as the table shows them now."""
    rows = [dict(row) for row in _start(name)]
    edits = st.session_state.get(f"form-{name}-edits") or {}
    for index, changes in (edits.get("edited_rows") or {}).items():
        rows[int(index)] |= changes
    gone = set(edits.get("deleted_rows") or ())
    kept = [row for index, row in enumerate(rows) if index not in gone]
    return kept + [dict(row) for row in edits.get("added_rows") or ()]


def edited_redaction() -> list[dict[str, str]]:
    """The redaction rules as the table shows them now."""
    return [
        {"path": row.get("path") or "", "action": row.get("action") or Action.MASK.value}
        for row in edited_rows("redaction")
        if row.get("path")
    ]


def _start(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = st.session_state[f"form-{name}"]
    return rows or [EMPTY[name]]


def _number(value: Any) -> float:
    try:
        return float(str(value).replace(",", "."))
    except ValueError:
        raise ValueError(f"Steps: “{value}” is no number.") from None
