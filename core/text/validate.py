"""What records must be like; those that are not are set aside, counted and listed.

Of a record that is set aside nothing is told but its place and what is wrong with which field:
nothing in it has been redacted yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from core.errors import InvalidRecords
from core.text.decode import Number, Pairs
from core.text.fields import MISSING, values_at
from core.text.transform import FieldPath, number_of

LISTED = 50


class ValueType(StrEnum):
    """What a value is to be."""

    TEXT = "text"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE = "date"
    EMAIL = "email"


class Range(BaseModel):
    """The least and the greatest a number may be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min: float | None = None
    max: float | None = None


class Rules(BaseModel):
    """What a link's records must be like."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    required: Annotated[list[FieldPath], Field(max_length=100)] = Field(default_factory=list)
    types: Annotated[dict[FieldPath, ValueType], Field(max_length=100)] = Field(
        default_factory=dict
    )
    ranges: Annotated[dict[FieldPath, Range], Field(max_length=100)] = Field(default_factory=dict)
    max_bad_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """A run with a greater share of records that fail is one that failed."""


class Validator:
    """Checks the records of one answer; ``bad`` counts those that fail, ``listed`` says why."""

    def __init__(self, rules: Mapping[str, Any]) -> None:
        self._rules = Rules.model_validate(dict(rules))
        self.seen = 0
        self.bad = 0
        self.listed: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._rules.required or self._rules.types or self._rules.ranges)

    def apply(self, record: Pairs) -> Pairs | None:
        """The record; None when it is set aside."""
        number = self.seen
        self.seen += 1
        wrong = self._wrong(record)
        if not wrong:
            return record
        self.bad += 1
        if len(self.listed) < LISTED:
            self.listed.append(f"Record {number + 1}: {wrong}")
        return None

    def check_share(self) -> None:
        """Raise InvalidRecords when more failed than may be."""
        if self.bad and self.bad > self._rules.max_bad_share * self.seen:
            raise InvalidRecords(
                f"{self.bad:,} of {self.seen:,} records are not as the link's rules want them. "
                f"{self.listed[0]}.",
                action="What was synced before is kept. Correct the records in the CRM, or the "
                "rules of the link.",
            )

    def _wrong(self, record: Pairs) -> str | None:
        for path in self._rules.required:
            values = list(values_at(record, path))
            if not values or any(v is MISSING or v in (None, "") for v in values):
                return f"{path} is missing"
        for path, kind in self._rules.types.items():
            if any(not _is(v, kind) for v in _present(record, path)):
                return f"{path} is no {kind.value}"
        for path, limits in self._rules.ranges.items():
            for value in _present(record, path):
                number = number_of(value)
                if number is None:
                    return f"{path} is no number"
                if limits.min is not None and number < Decimal(str(limits.min)):
                    return f"{path} is below {limits.min:g}"
                if limits.max is not None and number > Decimal(str(limits.max)):
                    return f"{path} is above {limits.max:g}"
        return None


def _present(record: Pairs, path: str) -> list[Any]:
    return [v for v in values_at(record, path) if v is not MISSING and v is not None and v != ""]


def _is(value: Any, kind: ValueType) -> bool:
    if kind is ValueType.BOOLEAN:
        return isinstance(value, bool) or value in ("true", "false")
    if kind is ValueType.TEXT:
        return isinstance(value, str) and not isinstance(value, Number)
    if kind in (ValueType.NUMBER, ValueType.INTEGER):
        number = number_of(value)
        is_whole = number is not None and number == number.to_integral_value()
        return number is not None and (kind is ValueType.NUMBER or is_whole)
    if not isinstance(value, str):
        return False
    if kind is ValueType.EMAIL:
        name, at, host = value.strip().partition("@")
        return bool(name and at and "." in host and " " not in value.strip())
    try:
        datetime.fromisoformat(value.strip())
    except ValueError:
        return False
    return True
