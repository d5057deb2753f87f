"""Finding personal and secret values: by the name of their field, and by their shape.

Card numbers have the lengths and first digits of the networks (ISO/IEC 7812) and pass Luhn's check;
national ids are checked by python-stdnum where they have check digits; phone numbers by Google's
libphonenumber. A plain number in a field that is named like an id is never taken for a card number:
shops number their orders with as many digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from stdnum import luhn
from stdnum.br import cpf
from stdnum.es import dni
from stdnum.us import ssn


class Kind(StrEnum):
    """What a value is."""

    PASSWORD = "password"  # noqa: S105  (a word for it, no secret)
    TOKEN = "token"  # noqa: S105  (as above)
    CARD = "card"
    NATIONAL_ID = "national_id"
    EMAIL = "email"
    PHONE = "phone"


KIND_NAMES = {
    Kind.PASSWORD: "password",
    Kind.TOKEN: "token",
    Kind.CARD: "card number",
    Kind.NATIONAL_ID: "national id",
    Kind.EMAIL: "e-mail",
    Kind.PHONE: "phone number",
}


@dataclass(frozen=True)
class Found:
    """A personal value inside a text, from ``start`` to ``end``."""

    kind: Kind
    start: int
    end: int


# customerPassword, customer_password, CUSTOMER-PASSWORD: split into words first.
_WORD_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
_PASSWORD_NAMES = re.compile(
    r"(?:^| )(?:password|passwd|pwd|passphrase|passcode|pin code|cvv|cvc|security answer)"
    r"(?: hash)?$"
)
_TOKEN_NAMES = re.compile(
    r"(?:^| )(?:secret|token|api key|apikey|access key|private key|client secret|authorization|"
    r"credential|session id|session key)s?$"
)
_NATIONAL_NAMES = re.compile(
    r"(?:^| )(?:ssn|social security(?: number)?|national id(?: number)?|passport(?: number| no)?|"
    r"tax id|tin|cnic|nino|cpf|aadhaar|dni|personnummer|pesel|sozialversicherungsnummer|"
    r"steuer id|id card(?: number)?)$"
)
_CARD_NAMES = re.compile(r"(?:^| )(?:card number|cardnumber|credit card|pan)$")
_PHONE_NAMES = re.compile(r"(?:^| )(?:phone|mobile|cell|tel|telephone|fax|whatsapp)(?: number)?$")
_ID_NAMES = re.compile(r"(?:^| )(?:id|ids|gid|uuid|number|no|key|code|sku|barcode|ean|upc)$")

_TOKEN_SHAPES = re.compile(
    r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"  # JSON Web Token
    r"|\b(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,}"  # Stripe
    r"|\bshp(?:at|pa|ca|ss)_[A-Za-z0-9]{10,}"  # Shopify
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}"  # GitHub
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}"  # Slack
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"  # AWS
    r"|\bEAA[A-Za-z0-9]{30,}"  # Facebook
    r"|\bpat-(?:na|eu)\d-[0-9a-f-]{30,}"  # HubSpot
    r"|\bBearer +[A-Za-z0-9._~+/-]{16,}=*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)
_INLINE_PASSWORD = re.compile(r"\b(?:password|passwort|passwd|pwd)\b\s*(?:is|[:=])\s*(\S+)", re.I)
_CARD_SHAPE = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){14,18}(?![\w-])")
_CARD_NETWORKS = re.compile(
    r"4\d{15}(?:\d{3})?|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
_SSN_SHAPE = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_CPF_SHAPE = re.compile(r"(?<![\w.-])\d{3}\.\d{3}\.\d{3}-\d{2}(?![\w-])")
_DNI_SHAPE = re.compile(r"(?<![\w-])\d{8}-?[A-HJ-NP-TV-Z](?![\w-])")
_NINO_SHAPE = re.compile(
    r"(?<![\w-])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
    r" ?\d\d ?\d\d ?\d\d ?[A-D](?![\w-])"
)
_CNIC_SHAPE = re.compile(r"(?<![\w-])[1-7]\d{4}-\d{7}-\d(?![\w-])")
_EMAIL_SHAPE = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+'-]{0,63}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,24}"
)
_DIGITS = re.compile(r"\d")
# Names repeat with every record; longer ones are values in the place of names, and do not.
_LONGEST_KNOWN_NAME = 100
_PLAUSIBLE_PHONE = re.compile(r"\+\d|\(?\d{2,5}\)?[ ./-]+\d")


def words_of(name: str) -> str:
    """A field's name as lower-case words: ``customerApiKey`` gives ``customer api key``."""
    return " ".join(_WORD_BORDER.split(name)).strip().lower()


def kind_by_name(name: str) -> Kind | None:
    """What a field holds by its name alone, whatever its value; None if the name says nothing."""
    return _hint_of(name).kind


def find_personal(text: str, name: str = "") -> list[Found]:
    """The personal values in ``text``, a field's value, in order and without overlaps.

    ``name`` is the field's name. Kinds that are masked by default win over those that are kept.
    """
    has_digits = len(text) >= 8 and _DIGITS.search(text) is not None
    lowered = text.lower()
    may_be_secret = len(text) > 15 or "assw" in lowered or "pwd" in lowered
    if not (has_digits or may_be_secret or "@" in text):
        return []  # most values: names, cities, plans
    found: list[Found] = []

    def add(kind: Kind, start: int, end: int) -> None:
        if not any(start < other.end and other.start < end for other in found):
            found.append(Found(kind, start, end))

    if may_be_secret:
        for hit in _TOKEN_SHAPES.finditer(text):
            add(Kind.TOKEN, *hit.span())
        for hit in _INLINE_PASSWORD.finditer(text):
            add(Kind.PASSWORD, *hit.span(1))
    if "@" in text:
        for hit in _EMAIL_SHAPE.finditer(text):
            add(Kind.EMAIL, *hit.span())
    if has_digits:
        hint = _hint_of(name)
        for start, end in _cards(text, hint):
            add(Kind.CARD, start, end)
        for start, end in _national_ids(text):
            add(Kind.NATIONAL_ID, start, end)
        for start, end in _phones(text, hint):
            add(Kind.PHONE, start, end)
    return sorted(found, key=lambda one: one.start)


@dataclass(frozen=True)
class _Hint:
    """What a field's name says of its values."""

    kind: Kind | None
    is_id: bool
    is_phone: bool


def _hint_of(name: str) -> _Hint:
    return _known_hint(name) if len(name) <= _LONGEST_KNOWN_NAME else _hint(name)


def _hint(name: str) -> _Hint:
    words = words_of(name)
    if _PASSWORD_NAMES.search(words):
        kind: Kind | None = Kind.PASSWORD
    elif _TOKEN_NAMES.search(words):
        kind = Kind.TOKEN
    elif _NATIONAL_NAMES.search(words):
        kind = Kind.NATIONAL_ID
    else:
        kind = Kind.CARD if _CARD_NAMES.search(words) else None
    return _Hint(kind, bool(_ID_NAMES.search(words)), bool(_PHONE_NAMES.search(words)))


_known_hint = lru_cache(maxsize=4096)(_hint)


def _cards(text: str, hint: _Hint) -> Iterator[tuple[int, int]]:
    for hit in _CARD_SHAPE.finditer(text):
        digits = re.sub(r"[ -]", "", hit[0])
        if hint.is_id and digits == text:
            continue
        if _CARD_NETWORKS.fullmatch(digits) and luhn.is_valid(digits):
            yield hit.span()


def _national_ids(text: str) -> Iterator[tuple[int, int]]:
    for hit in _SSN_SHAPE.finditer(text):
        if ssn.is_valid(hit[0]):
            yield hit.span()
    for hit in _CPF_SHAPE.finditer(text):
        if cpf.is_valid(hit[0]):
            yield hit.span()
    for hit in _DNI_SHAPE.finditer(text):
        if dni.is_valid(hit[0]):
            yield hit.span()
    for shape in (_NINO_SHAPE, _CNIC_SHAPE):
        for hit in shape.finditer(text):
            yield hit.span()


def _phones(text: str, hint: _Hint) -> Iterator[tuple[int, int]]:
    # libphonenumber takes its time: it is asked only where a number may stand.
    if hint.is_phone and len(text) < 40 and len(_DIGITS.findall(text)) >= 7:
        yield 0, len(text)
        return
    if not _PLAUSIBLE_PHONE.search(text) or "+" not in text:
        return
    for match in phonenumbers.PhoneNumberMatcher(text, None):
        yield match.start, match.end
