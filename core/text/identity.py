"""What a record is recognised by when it moves: its id field, else its text."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

# A run can be cancelled between so many records.
CHECK_EVERY = 10_000
HASH_BYTES = 12
_NOTHING = ("", "null", "{}", "[]")

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
    """A key for each record, given as ``(pattern, lines)``; see ``Keys``."""
    keys = Keys(id_field)
    for number, (pattern, lines) in enumerate(records):
        if number % CHECK_EVERY == 0:
            check()
        keys.add(pattern, lines)
    return keys.all()


class Keys:
    """Finds a key for each record, no two alike, while the records come by.

    Of the form ``id=cust-123`` where an id field tells the records of an array apart, else a hash
    of the text, with an ordinal for exact doubles. ``id_field`` is the id field that was declared.
    """

    def __init__(self, id_field: str | None = None) -> None:
        self._id_field = id_field
        self._arrays: dict[str, _Array] = {}
        self._records: list[_Array] = []
        self._hashes: list[bytes] = []

    def add(self, pattern: str, lines: Sequence[str]) -> None:
        """Look at the next record."""
        array = self._arrays.get(pattern)
        if array is None:
            names = [self._id_field] if self._id_field else []
            names += _identity_fields(own_fields(pattern, lines)) if pattern else []
            array = self._arrays[pattern] = _Array(pattern, {name: {} for name in names})
        array.add(lines)
        self._records.append(array)
        self._hashes.append(hashlib.sha256("\n".join(lines).encode()).digest()[:HASH_BYTES])

    def all(self) -> list[str]:
        """The keys of all records so far, in the order in which they came."""
        values = {pattern: array.identities() for pattern, array in self._arrays.items()}
        seen: Counter[str] = Counter()
        keys: list[str] = []
        for array, text_hash in zip(self._records, self._hashes, strict=True):
            key = f"{array.pattern}#{next(values[array.pattern], text_hash.hex())}"
            seen[key] += 1
            keys.append(key if seen[key] == 1 else f"{key}#{seen[key]}")
        return keys


def key_by(field: str, pattern: str, lines: Sequence[str]) -> str | None:
    """The key of a record that is recognised by ``field``; None when that says nothing."""
    value = _own_field(pattern, lines, field)
    return None if value in _NOTHING else f"{pattern}#{field}={value}"


@dataclass
class _Array:
    """Where records stand, and the fields that tell all so far apart: the most believed first.

    The values of a field are kept as a dictionary's keys: in order, and looked up at once.
    """

    pattern: str
    values: dict[str, dict[str, None]]

    def add(self, lines: Sequence[str]) -> None:
        for name, values in list(self.values.items()):
            value = _own_field(self.pattern, lines, name)
            if value in _NOTHING or value in values:
                del self.values[name]
            else:
                values[value] = None

    def identities(self) -> Iterator[str]:
        """What each record is recognised by, in order; nothing when no field tells them apart."""
        for name, values in self.values.items():
            return (f"{name}={value}" for value in values)
        return iter(())


def own_fields(pattern: str, lines: Sequence[str]) -> dict[str, str]:
    """The record's direct fields, by name, from its lines (``customers[].id: 7`` gives ``id``)."""
    cut = len(pattern) + 1 if pattern else 0
    fields: dict[str, str] = {}
    for line in lines:
        name, separator, value = line[cut:].partition(": ")
        if separator and "." not in name and "[" not in name:
            fields.setdefault(name, value)
    return fields


def _own_field(pattern: str, lines: Sequence[str], name: str) -> str:
    """A field of ``own_fields``, without looking at the others."""
    if not pattern or "." in name or "[" in name:
        return ""
    start = f"{pattern}.{name}: "
    return next((line[len(start) :] for line in lines if line.startswith(start)), "")


def _identity_fields(first: Mapping[str, str]) -> list[str]:
    """The fields of a first record that may be its id, the most believed first."""
    usual = [name for wanted in ID_FIELDS for name in first if name.lower() == wanted]
    return [*usual, *(name for name in first if name.endswith(("_id", "Id", "ID")))]
