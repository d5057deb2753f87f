"""From an answer as it came to the records as they are stored; a sync and a test do the same.

In this order: steps of the link, its rules, which fields there are, redaction, flattening, erased
persons. Nothing before redaction is kept or told, but names of fields.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from core.models import CrmLink
from core.text.decode import Json, Pairs, Text
from core.text.erased import ErasedValues, without_erased
from core.text.flatten import Flattened, flatten
from core.text.records import map_records
from core.text.redact import Redactions
from core.text.schema import Schema, schema_of
from core.text.transform import Transformer
from core.text.validate import Validator

Redact = Callable[[Json | Text], tuple[Json | Text, Redactions]]


@dataclass(frozen=True)
class Prepared:
    """The records of an answer, and what became of it on the way."""

    flattened: Flattened
    redactions: Redactions
    schema: Schema
    """Empty for plain text."""
    set_aside: int = 0
    """How many records are not as the link's rules want them."""
    set_aside_lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was done, in sentences."""


def prepare(
    answer: Json | Text,
    link: CrmLink,
    *,
    redact: Redact,
    erased: ErasedValues,
    id_field: str | None = None,
    check: Callable[[], None] = lambda: None,
) -> Prepared:
    """Prepare an answer for storing. ``check`` is called again and again, and may raise to stop.

    ``id_field`` stands in for the link's. Raises InvalidRecords, NotReadable, LimitExceeded.
    """
    notes: list[str] = []
    validator = Validator(link.validation)
    schema: Schema = {}
    selector = link.fetch.records
    if isinstance(answer, Json):
        answer = _changed(answer, link, selector, validator, notes, check)
        schema = schema_of(answer.value, check)
    elif link.transform or validator:
        notes.append("The answer is plain text: the link's steps and rules do not apply to it")
    redacted, redactions = redact(answer)
    flattened = flatten(
        redacted, selector=selector, id_field=link.fetch.id_field or id_field, check=check
    )
    flattened, gone = without_erased(flattened, erased)
    if gone:
        notes.append(f"Left out {gone} records of erased persons")
    return Prepared(flattened, redactions, schema, validator.bad, validator.listed, notes)


def _changed(
    answer: Json,
    link: CrmLink,
    selector: str | None,
    validator: Validator,
    notes: list[str],
    check: Callable[[], None],
) -> Json:
    transformer = Transformer(link.transform)
    if not transformer and not validator:
        return answer

    def change(record: Pairs) -> Pairs | None:
        changed = transformer.apply(record)
        return validator.apply(changed) if changed is not None and validator else changed

    changed = Json(map_records(answer.value, selector, change, check))
    if transformer.filtered:
        notes.append(f"Filtered out {transformer.filtered:,} records")
    for step, count in transformer.misfits.items():
        notes.append(f"Left {count:,} values as they were in {step}: they did not fit")
    if validator.bad:
        notes.append(f"Set aside {validator.bad:,} records that are not as the rules want them")
    validator.check_share()
    return changed
