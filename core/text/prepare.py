"""From an answer as it came to the records as they are stored; a sync and a test do the same.

In this order: steps of the link, its rules, which fields there are, redaction, flattening without
erased persons, cutting. Nothing before redaction is kept or told, but names of fields. An answer
may come in parts; each is let go of before the next is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from core.models import CrmLink, Record
from core.text.arrays import RecordFinder
from core.text.decode import Json, Pairs, Text
from core.text.erased import ErasedValues
from core.text.flatten import Flattening
from core.text.identity import Keys
from core.text.records import map_records
from core.text.redact import Redactions, Redactor
from core.text.schema import FieldFinder, Schema
from core.text.select import Parts
from core.text.spool import BLOCK, Spool
from core.text.transform import Transformer
from core.text.validate import Validator

Cut = Callable[[Sequence[Record]], Sequence[Sequence[str]]]
"""The texts of each record's chunks; the records have no keys yet."""

# What the first part says of where the records are holds nearly always; else all is done again.
_ATTEMPTS = 3


@dataclass(frozen=True)
class Places:
    """The patterns of the arrays with the records: as they came, and after the link's steps."""

    as_come: str | None
    as_stored: str | None


@dataclass(frozen=True)
class Prepared:
    """The records of an answer, and what became of it on the way."""

    records: Spool
    records_at: str | None
    come_at: str | None
    """The pattern of the array that the link's steps apply to; None with a selector."""
    redactions: Redactions
    schema: Schema
    """Empty for plain text."""
    set_aside: int = 0
    """How many records are not as the link's rules want them."""
    set_aside_lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was done, in sentences."""

    @property
    def record_count(self) -> int:
        """How many records were found; paragraphs count in plain text."""
        return self.records.count(self.records_at)


def prepare(
    answer: Json | Text,
    link: CrmLink,
    *,
    redactor: Callable[[], Redactor],
    cut: Cut,
    erased: ErasedValues,
    further: Iterable[Json] = (),
    grows: Parts | None = None,
    id_field: str | None = None,
    places: Places | None = None,
    check: Callable[[], None] = lambda: None,
) -> Prepared:
    """Prepare an answer for storing. ``check`` is called again and again, and may raise to stop.

    ``further`` are parts that add to the array at ``grows`` in the first, which is ``answer``; they
    may be gone through more than once. ``id_field`` stands in for the link's; ``places`` says where
    the records are, whatever the answer looks like: for one that has only what changed.

    Raises InvalidRecords, NotReadable, LimitExceeded, and what ``further`` does.
    """
    found = places
    for _ in range(_ATTEMPTS):
        preparation = _Preparation(
            link, redactor(), cut, erased, grows, id_field or link.fetch.id_field, check, found
        )
        preparation.go_through(answer, further)
        if places or preparation.found == preparation.places:
            break
        found = preparation.found
    return preparation.finish()


class _Preparation:
    """One way through all parts of an answer.

    Where the records are is taken from the first part, unless ``places`` says it; ``found`` is what
    all of the parts say.
    """

    def __init__(
        self,
        link: CrmLink,
        redactor: Redactor,
        cut: Cut,
        erased: ErasedValues,
        grows: Parts | None,
        id_field: str | None,
        check: Callable[[], None],
        places: Places | None,
    ) -> None:
        self._link = link
        self._selector = link.fetch.records
        self._redactor = redactor
        self._cut = cut
        self._erased = erased
        self._grows = grows
        self._check = check
        self.places = places
        self._transformer = Transformer(link.transform)
        self._validator = Validator(link.validation)
        self._changes = bool(self._transformer or self._validator)
        self._as_come = RecordFinder(check, grows or ())
        self._as_stored = RecordFinder(check, grows or ())
        self._fields = FieldFinder(check)
        self._keys = Keys(id_field)
        self._notes: list[str] = []
        self._records = Spool()
        self._flattening: Flattening | None = None

    @property
    def found(self) -> Places:
        """Where the records of all the parts so far are."""
        come, stored = self._as_come.found(), self._as_stored.found()
        return Places(come[0] if come else None, stored[0] if stored else None)

    def go_through(self, answer: Json | Text, further: Iterable[Json]) -> None:
        """Prepare all parts."""
        redacted = self._redacted(answer)
        if self.places is None:
            self.places = self.found
        self._flattening = flattening = Flattening(
            self.places.as_stored,
            selector=self._selector,
            grows=self._grows,
            erased=self._erased,
            check=self._check,
        )
        self._take_in(flattening.first(redacted))
        for part in further:
            again = self._redacted(part)
            assert isinstance(again, Json)
            self._take_in(flattening.further(again.value))

    def finish(self) -> Prepared:
        """What came of it. Raises InvalidRecords."""
        self._tell()
        self._validator.check_share()
        flattening = self._flattening
        assert flattening is not None
        rest, behind = flattening.finish()
        self._take_in(iter(behind))
        if rest:
            # It is known last, and stands first.
            self._keys.add(rest.pattern, rest.lines)
            self._records.add_first(rest, self._cut([rest])[0])
        keys = self._keys.all()
        self._records.name([*keys[-1:], *keys[:-1]] if rest else keys)
        if flattening.left_out:
            self._notes.append(f"Left out {flattening.left_out} records of erased persons")
        return Prepared(
            self._records,
            flattening.records_at,
            (self.places or self.found).as_come,
            self._redactor.redactions,
            self._fields.found(),
            self._validator.bad,
            self._validator.listed,
            self._notes,
        )

    def _redacted(self, answer: Json | Text) -> Json | Text:
        """The next part with the link's steps and rules applied, as it may be stored."""
        if isinstance(answer, Text):
            if self._changes:
                self._notes.append(
                    "The answer is plain text: the link's steps and rules do not apply to it"
                )
            return self._redactor.apply(answer)
        if self._changes:
            answer = Json(self._changed(answer.value))
        self._fields.add(answer.value)
        redacted = self._redactor.apply(answer)
        if self._selector is None and isinstance(redacted, Json):
            self._as_stored.add(redacted.value)
        return redacted

    def _changed(self, value: Any) -> Any:
        if self._selector is None:
            self._as_come.add(value)
        pattern = (self.places or self.found).as_come
        if pattern is None and self._flattening is not None and self._selector is None:
            # The whole answer is the one record that there is, and was changed with the first part.
            return value if self._flattening.grows else Pairs()

        def change(record: Pairs) -> Pairs | None:
            changed = self._transformer.apply(record)
            if changed is None or not self._validator:
                return changed
            return self._validator.apply(changed)

        return map_records(value, self._selector, change, self._check, pattern=pattern)

    def _take_in(self, records: Iterator[Record]) -> None:
        while batch := list(islice(records, BLOCK)):
            self._check()
            for record, texts in zip(batch, self._cut(batch), strict=True):
                self._keys.add(record.pattern, record.lines)
                self._records.add(record, texts)

    def _tell(self) -> None:
        transformer, validator = self._transformer, self._validator
        if transformer.filtered:
            self._notes.append(f"Filtered out {transformer.filtered:,} records")
        for step, count in transformer.misfits.items():
            self._notes.append(f"Left {count:,} values as they were in {step}: they did not fit")
        if validator.bad:
            bad = validator.bad
            self._notes.append(f"Set aside {bad:,} records that are not as the rules want them")
