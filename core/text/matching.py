"""By what the same customer is known in several links: e-mail, phone number, a declared key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import phonenumbers

from core.models import Record
from core.text.personal import words_of

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_EMAIL_NAMES = re.compile(r"(?:^| )e ?mails?(?: address)?$|(?:^| )mail$")
_PHONE_NAMES = re.compile(r"(?:^| )(?:phone|mobile|cell|tel|telephone|whatsapp)(?: number)?$")
_PERSONAL = re.compile(
    r"\b(?:customer|client|contact|person|people|patient|member|guest|subscriber|requester|buyer|"
    r"recipient|lead|deal|user|employee|order|invoice|ticket|payment|subscription|booking|"
    r"reservation|appointment)s?\b|"
    r"\b(?:(?:first|last|full|given|family|sur) ?name|birth ?(?:day|date)?|street|address|passport|"
    r"salary|diagnosis|e ?mail|phone|mobile)\b"
)
_LETTERS = re.compile(r"[^a-z0-9]")
_NO_DIGIT = re.compile(r"\D")
# Fewer digits are an extension, or nothing.
_LEAST_DIGITS = 7
# The fields of a link's records are always the same few.
_KNOWN_FIELDS = 10_000


def fields_of(record: Record) -> Iterator[tuple[str, str, str]]:
    """The record's fields outside of lists in it: name with its way, value, and the whole line."""
    cut = len(record.pattern)
    for line in record.lines:
        path, separator, value = line[cut:].partition(": ")
        if separator and "[" not in path:
            yield path.removeprefix("."), value, line


def identities(record: Record, match_key: str | None = None) -> frozenset[str]:
    """What the record's customer is known by: ``email:…``, ``phone:…``, ``key:…``.

    E-mail addresses in any case; phone numbers without their punctuation, international ones as
    E.164. Masked values are nobody's.
    """
    found = set()
    for path, came, _ in fields_of(record):
        value = came.strip()
        if path == match_key and value not in ("", "null"):
            found.add(f"key:{value.casefold()}")
        kind = _kind_of(path)
        if kind == "email" and _EMAIL.fullmatch(value):
            found.add(f"email:{value.casefold()}")
        elif kind == "phone" and (number := _phone(value)):
            found.add(f"phone:{number}")
    return frozenset(found)


def is_personal(record: Record, match_key: str | None = None) -> bool:
    """Whether a record is about a person, as far as its fields and their names tell.

    Meant to err on this side: a list of shops with phone numbers is taken for one of people.
    """
    if match_key or identities(record):
        return True
    paths = {line.partition(": ")[0] for line in record.lines if ": " in line}
    return any(_PERSONAL.search(words_of(path.replace(".", " "))) for path in paths)


def plain_name(field: str) -> str:
    """The same for firstName, first_name and First Name, which are one field."""
    return _LETTERS.sub("", field.lower())


@lru_cache(maxsize=_KNOWN_FIELDS)
def _kind_of(path: str) -> Literal["email", "phone"] | None:
    words = words_of(path.rpartition(".")[2])
    if _EMAIL_NAMES.search(words):
        return "email"
    return "phone" if _PHONE_NAMES.search(words) else None


def _phone(value: str) -> str | None:
    if value.startswith(("+", "00")):
        try:
            parsed = phonenumbers.parse("+" + value.removeprefix("+").removeprefix("00"))
        except phonenumbers.NumberParseException:
            return None
        if not phonenumbers.is_possible_number(parsed):
            return None
        return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    digits = _NO_DIGIT.sub("", value)
    return digits if len(digits) >= _LEAST_DIGITS and "masked" not in value else None
