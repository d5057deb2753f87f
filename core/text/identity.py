"""What a record is recognised by when it moves: its id field, else its text."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

# A run can be cancelled between so many records.
CHECK_EVERY = 10_000

# In the order in which they are believed. A field only counts when every record of the same array
# has it, each with another value.
ID_FIELDS = ("id", "_id", "uuid", "guid", "gid", "key", "code", "sku", "number", "email", "handle")
# What a person would call a record by; repeated in every chunk of a long record.
NAMING_FIELDS = (*ID_FIELDS, "name", "first_name", "last_name", "full_name", "title", "subject")


def record_keys(
    records: Sequence[tuple[str, Sequence[str]]],
    id_field: str | None = None,
    check: Callable[[], None] = lambda: None,
) -> list[str]:
    """A key for each record, given as ``(pattern, lines)``; no two are alike.

    Of the form ``id=cust-123`` where an id field tells the records of an array apart, else a hash
    of the text, with an ordinal for exact doubles. ``id_field`` is the id field that was declared.
    ``check`` is called again and again, and may raise to stop.
    """
    by_pattern: dict[str, list[int]] = defaultdict(list)
    for index, (pattern, _) in enumerate(records):
        by_pattern[pattern].append(index)
    keys = [""] * len(records)
    for pattern, indexes in by_pattern.items():
        fields: list[dict[str, str]] = []
        for index in indexes if pattern else ():
            if index % CHECK_EVERY == 0:
                check()
            fields.append(own_fields(pattern, records[index][1]))
        name = id_field if _tells_apart(fields, id_field) else _identity_field(fields)
        for position, index in enumerate(indexes):
            if index % CHECK_EVERY == 0:
                check()
            if name:
                identity = f"{name}={fields[position][name]}"
            else:
                text = "\n".join(records[index][1])
                identity = hashlib.sha256(text.encode()).hexdigest()[:24]
            keys[index] = f"{pattern}#{identity}"
    seen: Counter[str] = Counter()
    for index, key in enumerate(keys):
        seen[key] += 1
        if seen[key] > 1:
            keys[index] = f"{key}#{seen[key]}"
    return keys


def own_fields(pattern: str, lines: Sequence[str]) -> dict[str, str]:
    """The record's direct fields, by name, from its lines (``customers[].id: 7`` gives ``id``)."""
    cut = len(pattern) + 1 if pattern else 0
    fields: dict[str, str] = {}
    for line in lines:
        name, separator, value = line[cut:].partition(": ")
        if separator and "." not in name and "[" not in name:
            fields.setdefault(name, value)
    return fields


def _identity_field(fields: Sequence[dict[str, str]]) -> str | None:
    first = fields[0] if fields else {}
    usual = [name for wanted in ID_FIELDS for name in first if name.lower() == wanted]
    others = [name for name in first if name.endswith(("_id", "Id", "ID"))]
    return next((name for name in [*usual, *others] if _tells_apart(fields, name)), None)


def _tells_apart(fields: Sequence[dict[str, str]], name: str | None) -> bool:
    """Whether every record has the field, each with another value."""
    if name is None or not fields:
        return False
    values = {record.get(name, "") for record in fields}
    return len(values) == len(fields) and not values & {"", "null", "{}", "[]"}
