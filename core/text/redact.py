"""Redaction: what of an answer is masked, hashed or dropped before anything of it is stored.

Works on the decoded answer, so that the flattened text, the raw JSON beside it, the chunks and the
vectors all come from the same redacted values.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

from core.text.decode import MAX_DEPTH, Json, Number, Pairs, Text
from core.text.personal import KIND_NAMES, Kind, find_personal, kind_by_name

# A run can be cancelled between so many values.
CHECK_EVERY = 2000
MARK = re.compile(r"\[(?:masked|hashed): [^\]]{1,60}\]")
"""What stands in the place of a redacted value."""


class Action(StrEnum):
    """What becomes of a value."""

    KEEP = "keep"
    MASK = "mask"
    HASH = "hash"
    DROP = "drop"


DEFAULT_ACTIONS: Mapping[Kind, Action] = {
    Kind.PASSWORD: Action.MASK,
    Kind.TOKEN: Action.MASK,
    Kind.CARD: Action.MASK,
    Kind.NATIONAL_ID: Action.MASK,
    # Customers are found by these.
    Kind.EMAIL: Action.KEEP,
    Kind.PHONE: Action.KEEP,
}


@dataclass(frozen=True)
class Rule:
    """What becomes of the fields at ``path``.

    ``path`` has no positions (``customers[].notes``), may hold ``*``, and stands for everything
    inside of it; a bare name (``notes``) means every field of that name.
    """

    path: str
    action: Action

    def to_document(self) -> dict[str, str]:
        """The stored form."""
        return {"path": self.path, "action": self.action.value}


@dataclass(frozen=True)
class Policy:
    """What is redacted: the first rule whose path fits decides, else the kind of the value."""

    rules: tuple[Rule, ...] = ()
    kinds: Mapping[Kind, Action] = field(default_factory=lambda: dict(DEFAULT_ACTIONS))

    @classmethod
    def of(
        cls,
        link_rules: Sequence[Mapping[str, str]] | None,
        company: Mapping[str, Any] | None,
    ) -> Policy:
        """The policy of a link: its own rules first, then the company's, then the defaults."""
        company = company or {}
        stored = [*(link_rules or ()), *(company.get("rules") or ())]
        kinds = dict(DEFAULT_ACTIONS)
        for kind, action in (company.get("kinds") or {}).items():
            kinds[Kind(kind)] = Action(action)
        rules = tuple(Rule(rule["path"], Action(rule["action"])) for rule in stored)
        return cls(rules, kinds)


def in_words(done: Mapping[str, int]) -> str:
    """``3 × masked: card number, 1 × dropped by rule``."""
    return ", ".join(f"{count} × {what}" for what, count in sorted(done.items()) if count)


@dataclass
class Redactions:
    """What was found of each kind (kept or not), and what became of values."""

    found: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)


def redact(
    answer: Json | Text,
    policy: Policy,
    *,
    key: bytes,
    check: Callable[[], None] = lambda: None,
) -> tuple[Json | Text, Redactions]:
    """``answer`` as it may be stored. ``key`` makes hashes that only this installation can make.

    ``check`` is called again and again, and may raise to stop.
    """
    redactor = Redactor(policy, key, check)
    return redactor.apply(answer), redactor.redactions


class _Dropped:
    pass


_DROPPED = _Dropped()


class Redactor:
    """Redacts the parts of an answer, and counts what it does to all of them."""

    def __init__(self, policy: Policy, key: bytes, check: Callable[[], None]) -> None:
        self._policy = policy
        self._key = key
        self._check = check
        self._patterns = [(_pattern(rule.path), rule) for rule in policy.rules]
        self._by_path: dict[str, Rule | None] = {}
        self._seen = 0
        self.redactions = Redactions()

    def apply(self, answer: Json | Text) -> Json | Text:
        """The answer, or a part of it, as it may be stored."""
        if isinstance(answer, Text):
            return Text(self._text(answer.value))
        value = self._visit(answer.value, "", "", None, 0)
        return Json(Pairs() if value is _DROPPED else value)

    def _visit(self, value: Any, path: str, name: str, rule: Rule | None, depth: int) -> Any:
        """``value`` as it may be stored; ``rule`` is that of something around it."""
        if self._patterns:
            rule = self._rule(path, name) or rule
        if rule is not None and rule.action is Action.DROP:
            self._note("dropped by rule")
            return _DROPPED
        if depth > MAX_DEPTH:
            return value  # flattening refuses it
        if isinstance(value, Pairs):
            members = Pairs()
            for key, member in value:
                kept = self._visit(member, f"{path}.{key}" if path else key, key, rule, depth + 1)
                if kept is not _DROPPED:
                    members.append((key, kept))
            return members
        if isinstance(value, list):
            elements = [
                self._visit(element, path + "[]", name, rule, depth + 1) for element in value
            ]
            return [element for element in elements if element is not _DROPPED]
        return self._leaf(value, name, rule)

    def _text(self, text: str) -> str:
        """A plain text, line by line; ``name: value`` counts as a field."""
        lines = []
        for line in text.split("\n"):
            name, separator, value = line.partition(":")
            kind = kind_by_name(name) if separator and len(name) < 60 and value.strip() else None
            rule = self._rule(name, name) if separator else None
            if rule is not None and rule.action is Action.DROP:
                self._note("dropped by rule")
                continue
            if kind or rule:
                kept = self._leaf(value.strip(), name, rule)
                if kept is not _DROPPED:
                    lines.append(f"{name}{separator} {kept}" if kept != value.strip() else line)
                continue
            kept = self._leaf(line, "", None)
            if kept is not _DROPPED:
                lines.append(kept)
        return "\n".join(lines)

    def _leaf(self, value: Any, name: str, rule: Rule | None) -> Any:
        self._seen += 1
        if self._seen % CHECK_EVERY == 0:
            self._check()
        if value is None or isinstance(value, bool) or value == "":
            return value
        text = str(value)
        if rule is not None:
            return self._replaced(value, text, rule.action, "by rule")
        kind = kind_by_name(name) if name else None
        if kind is not None and not (kind is Kind.TOKEN and isinstance(value, Number)):
            self.redactions.found[kind.value] += 1
            return self._replaced(value, text, self._policy.kinds[kind], KIND_NAMES[kind])
        return self._parts(value, text, name)

    def _parts(self, value: Any, text: str, name: str) -> Any:
        """The value with the personal values inside of it replaced."""
        found = find_personal(text, name)
        if not found:
            return value
        pieces: list[str] = []
        at = 0
        for one in found:
            self.redactions.found[one.kind.value] += 1
            action = self._policy.kinds[one.kind]
            if action is Action.KEEP:
                continue
            whole = text[one.start : one.end]
            replaced = self._replaced(whole, whole, action, KIND_NAMES[one.kind])
            if replaced is _DROPPED:
                if whole == text:
                    return _DROPPED
                replaced = ""
            pieces += [text[at : one.start], replaced]
            at = one.end
        changed = "".join([*pieces, text[at:]]) if pieces else text
        return value if changed == text else changed

    def _replaced(self, value: Any, text: str, action: Action, what: str) -> Any:
        if action is Action.KEEP:
            return value
        if action is Action.DROP:
            self._note(f"dropped: {what}")
            return _DROPPED
        if action is Action.MASK:
            self._note(f"masked: {what}")
            return f"[masked: {what}]"
        self._note(f"hashed: {what}")
        digest = hmac.new(self._key, text.strip().lower().encode(), hashlib.sha256).hexdigest()
        return f"[hashed: {digest[:16]}]"

    def _note(self, what: str) -> None:
        self.redactions.done[what] += 1

    def _rule(self, path: str, name: str) -> Rule | None:
        if not self._patterns:
            return None
        if path not in self._by_path:
            self._by_path[path] = next(
                (
                    rule
                    for pattern, rule in self._patterns
                    if pattern.fullmatch(path) or ("." not in rule.path and rule.path == name)
                ),
                None,
            )
        return self._by_path[path]


@lru_cache(maxsize=1024)
def _pattern(path: str) -> re.Pattern[str]:
    plain = path.removeprefix("$.").removeprefix("$").replace("[*]", "[]")
    return re.compile(".*".join(re.escape(part) for part in plain.split("*")))


def check_rule_path(path: str) -> str:
    """``path`` without spaces around it. Raises ValueError when it can't match anything."""
    path = path.strip()
    if not path or not path.isprintable():
        raise ValueError("must name a field, like customers[].notes, or notes")
    if re.search(r"\[\d+\]", path):
        raise ValueError("has no positions in it: write customers[].notes, not customers[0].notes")
    return path
