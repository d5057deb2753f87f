"""Steps that change records before anything else happens to them: declared, never run as code.

Each step is a mapping with ``do`` and what that needs; they are carried out in order. A step that
does not fit a value leaves it as it is, and says how often that was.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictStr, TypeAdapter

from core.text.decode import Number, Pairs
from core.text.fields import MISSING, changed_at, check_field_path, values_at

FieldPath = Annotated[StrictStr, AfterValidator(check_field_path)]
_PLACE = re.compile(r"\{([^{}]*)\}")
# Beyond this a number of seconds is one of milliseconds (it would be the year 5138).
_MILLISECONDS = 100_000_000_000


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Choose(_Step):
    """Keep these fields and no others."""

    do: Literal["choose"]
    fields: Annotated[list[FieldPath], Field(min_length=1, max_length=200)]


class Rename(_Step):
    """Give a field another name, or move it."""

    do: Literal["rename"]
    field: FieldPath
    to: FieldPath


class DropEmpties(_Step):
    """Take out null, empty texts, lists and objects."""

    do: Literal["drop_empties"]


class Compute(_Step):
    """Set a field to a text with the values of others in it: ``{first_name} {last_name}``."""

    do: Literal["compute"]
    field: FieldPath
    template: Annotated[StrictStr, Field(min_length=1, max_length=2000)]


class FormatDate(_Step):
    """Write a date differently (strftime); ``pattern`` says how it comes, if not ISO or seconds."""

    do: Literal["format_date"]
    field: FieldPath
    to: Annotated[StrictStr, Field(min_length=1, max_length=100)] = "%Y-%m-%d"
    pattern: Annotated[StrictStr, Field(min_length=1, max_length=100)] | None = None


class FormatNumber(_Step):
    """Divide a number and round it: cents to a price."""

    do: Literal["format_number"]
    field: FieldPath
    decimals: Annotated[int, Field(ge=0, le=12)] = 2
    divide_by: Annotated[float, Field(gt=0)] = 1


class Condition(StrEnum):
    """When a record is kept."""

    PRESENT = "present"
    ABSENT = "absent"
    EQUALS = "equals"
    DIFFERS = "differs"
    CONTAINS = "contains"
    ABOVE = "above"
    BELOW = "below"


class Filter(_Step):
    """Keep only records in which a value of the field fulfils the condition."""

    do: Literal["filter"]
    field: FieldPath
    condition: Condition = Condition.PRESENT
    value: Annotated[StrictStr, Field(max_length=2000)] = ""


class Split(_Step):
    """Make a list of a text."""

    do: Literal["split"]
    field: FieldPath
    by: Annotated[StrictStr, Field(min_length=1, max_length=20)] = ","


class Join(_Step):
    """Make a text of a list of plain values."""

    do: Literal["join"]
    field: FieldPath
    by: Annotated[StrictStr, Field(max_length=20)] = ", "


Step = Annotated[
    Choose | Rename | DropEmpties | Compute | FormatDate | FormatNumber | Filter | Split | Join,
    Field(discriminator="do"),
]
_STEP: TypeAdapter[Any] = TypeAdapter(Step)


class Transformer:
    """Carries out a link's steps; ``misfits`` counts, by step, the values that did not fit."""

    def __init__(self, steps: Sequence[Mapping[str, Any]]) -> None:
        self._steps = [_STEP.validate_python(dict(step)) for step in steps]
        self.misfits: Counter[str] = Counter()
        self.filtered = 0

    def __bool__(self) -> bool:
        return bool(self._steps)

    def apply(self, record: Pairs) -> Pairs | None:
        """The record as it is to be; None when a filter takes it out."""
        for number, step in enumerate(self._steps, start=1):
            if isinstance(step, Filter):
                if not _fulfils(record, step):
                    self.filtered += 1
                    return None
                continue

            def misfit(name: str = f"step {number} ({step.do})") -> None:
                self.misfits[name] += 1

            record = _DOES[step.do](record, step, misfit)
        return record


Misfit = Callable[[], None]


def _choose(record: Pairs, step: Choose, _: Misfit) -> Pairs:
    chosen: Any = Pairs()
    for path in step.fields:
        names = path.split(".")
        if "[]" not in path and len(names) == 1:
            chosen.extend((key, value) for key, value in record if key == path)
            continue
        chosen = _merged(chosen, _only(record, names))
    return Pairs(chosen)


def _only(value: Any, names: Sequence[str]) -> Any:
    """``value`` with nothing in it but what leads to a path."""
    if not names:
        return value
    name, each = names[0].removesuffix("[]"), names[0].endswith("[]")
    if not isinstance(value, Pairs):
        return value if not isinstance(value, list) else [_only(e, names) for e in value]
    kept = Pairs()
    for key, member in value:
        if key == name:
            is_array = each and isinstance(member, list) and not isinstance(member, Pairs)
            found = [_only(e, names[1:]) for e in member] if is_array else _only(member, names[1:])
            kept.append((key, found))
    return kept


def _merged(one: Any, other: Any) -> Any:
    if isinstance(one, Pairs) and isinstance(other, Pairs):
        merged = Pairs(one)
        for key, member in other:
            at = next((i for i, (known, _) in enumerate(merged) if known == key), None)
            if at is None:
                merged.append((key, member))
            else:
                merged[at] = (key, _merged(merged[at][1], member))
        return merged
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [_merged(a, b) for a, b in zip(one, other, strict=True)]
    return one


def _rename(record: Pairs, step: Rename, _: Misfit) -> Pairs:
    found = list(values_at(record, step.field))
    if not found or found[0] is MISSING:
        return record
    if "." not in step.field and "." not in step.to and "[]" not in step.field + step.to:
        rest = ((k, v) for k, v in record if k != step.to)
        return Pairs((step.to if key == step.field else key, value) for key, value in rest)
    value = found[0] if len(found) == 1 and "[]" not in step.field else found
    without = changed_at(record, step.field, lambda _: MISSING)
    renamed: Pairs = changed_at(without, step.to, lambda _: value)
    return renamed


def _drop_empties(record: Pairs, _: DropEmpties, __: Misfit) -> Pairs:
    return Pairs((k, kept) for k, v in record if not _is_empty(kept := _without_empties(v)))


def _without_empties(value: Any) -> Any:
    if isinstance(value, Pairs):
        return Pairs((k, kept) for k, v in value if not _is_empty(kept := _without_empties(v)))
    if isinstance(value, list):
        return [kept for v in value if not _is_empty(kept := _without_empties(v))]
    return value


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list) and not value)


def _compute(record: Pairs, step: Compute, _: Misfit) -> Pairs:
    def filled(place: re.Match[str]) -> str:
        found = [v for v in values_at(record, place[1].strip()) if v is not MISSING]
        return ", ".join(_text(v) for v in found)

    text = " ".join(_PLACE.sub(filled, step.template).split())
    computed: Pairs = changed_at(record, step.field, lambda _: text)
    return computed


def _format_date(record: Pairs, step: FormatDate, misfit: Misfit) -> Pairs:
    def written(value: Any) -> Any:
        if value is MISSING or value is None or value == "":
            return value
        moment = _moment(value, step.pattern)
        try:
            return moment.strftime(step.to) if moment else _unfit(value, misfit)
        except ValueError:
            return _unfit(value, misfit)

    changed: Pairs = changed_at(record, step.field, written)
    return changed


def _unfit(value: Any, misfit: Misfit) -> Any:
    misfit()
    return value


def _moment(value: Any, pattern: str | None) -> datetime | None:
    try:
        if pattern is not None:
            return datetime.strptime(str(value), pattern)  # noqa: DTZ007  shown as it came
        if isinstance(value, Number):
            seconds = float(value)
            return datetime.fromtimestamp(
                seconds / 1000 if abs(seconds) > _MILLISECONDS else seconds, UTC
            )
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None


def _format_number(record: Pairs, step: FormatNumber, misfit: Misfit) -> Pairs:
    def written(value: Any) -> Any:
        if value is MISSING or value is None or value == "":
            return value
        number = number_of(value)
        if number is None:
            misfit()
            return value
        divided = number / Decimal(str(step.divide_by))
        # As people round, not to the nearest even digit as Python does.
        rounded = divided.quantize(Decimal(1).scaleb(-step.decimals), ROUND_HALF_UP)
        return Number(f"{rounded:f}")

    changed: Pairs = changed_at(record, step.field, written)
    return changed


def number_of(value: Any) -> Decimal | None:
    """The number that a value is, also one that was sent as a text; None when it is none."""
    if not isinstance(value, str):
        return None
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        return None
    # Of more digits than any amount: quantizing it would take memory for each of them.
    return number if number.is_finite() and abs(number.adjusted()) < 40 else None


def _split(record: Pairs, step: Split, misfit: Misfit) -> Pairs:
    def parted(value: Any) -> Any:
        if isinstance(value, str):
            return [part.strip() for part in value.split(step.by) if part.strip()]
        if value is not MISSING and value is not None:
            misfit()
        return value

    changed: Pairs = changed_at(record, step.field, parted)
    return changed


def _join(record: Pairs, step: Join, misfit: Misfit) -> Pairs:
    def joined(value: Any) -> Any:
        if isinstance(value, list) and not any(isinstance(element, list) for element in value):
            return step.by.join(_text(element) for element in value)
        if value is not MISSING and value is not None:
            misfit()
        return value

    changed: Pairs = changed_at(record, step.field, joined)
    return changed


_DOES: Mapping[str, Callable[[Pairs, Any, Misfit], Pairs]] = {
    "choose": _choose,
    "rename": _rename,
    "drop_empties": _drop_empties,
    "compute": _compute,
    "format_date": _format_date,
    "format_number": _format_number,
    "split": _split,
    "join": _join,
}


def _fulfils(record: Pairs, step: Filter) -> bool:
    found = [v for v in values_at(record, step.field) if v is not MISSING and not _is_empty(v)]
    condition, wanted = step.condition, step.value
    if condition is Condition.PRESENT:
        return bool(found)
    if condition is Condition.ABSENT:
        return not found
    if condition is Condition.DIFFERS:
        return all(_text(v).casefold() != wanted.casefold() for v in found)
    return any(_compares(v, condition, wanted) for v in found)


def _compares(value: Any, condition: Condition, wanted: str) -> bool:
    if condition is Condition.EQUALS:
        return _text(value).casefold() == wanted.casefold()
    if condition is Condition.CONTAINS:
        return wanted.casefold() in _text(value).casefold()
    number, limit = number_of(value), number_of(wanted)
    if number is not None and limit is not None:
        return number > limit if condition is Condition.ABOVE else number < limit
    # Dates of ISO 8601 compare as texts.
    return _text(value) > wanted if condition is Condition.ABOVE else _text(value) < wanted


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(_text(v[1] if isinstance(v, tuple) else v) for v in value)
    return str(value)
