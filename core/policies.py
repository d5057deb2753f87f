"""Which redaction policy holds for which link."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.companies import Companies
from core.errors import InvalidRequest
from core.models import PageLink
from core.security.installation import hash_key
from core.security.secrets import SecretBox
from core.store import Database
from core.text.personal import Kind
from core.text.redact import Action, Policy, Redactor, check_rule_path


class Policies:
    """The companies' redaction policies, kept in their documents."""

    def __init__(self, database: Database, companies: Companies, box: SecretBox) -> None:
        self._database = database
        self._companies = companies
        self._box = box

    def of(self, link: PageLink) -> Policy:
        """The policy of a link: its own rules, then its company's, then the defaults."""
        company = self._companies.get(link.company_id)
        return Policy.of(link.link.redaction, company.get("redaction"))

    def of_company(self, company_id: str) -> Policy:
        """The company's policy."""
        return Policy.of((), self._companies.get(company_id).get("redaction"))

    def redactor(self, policy: Policy, check: Callable[[], None]) -> Redactor:
        """Makes an answer what may be stored of it. ``check`` may raise to stop."""
        return Redactor(policy, hash_key(self._database, self._box), check)

    def set_company(
        self, company_id: str, kinds: Mapping[str, str], rules: Sequence[Mapping[str, str]]
    ) -> None:
        """Set what the company redacts; holds from each link's next sync on.

        Raises InvalidRequest.
        """
        stored = {"kinds": _checked_kinds(kinds), "rules": list(checked_rules(rules))}

        def change(company: dict[str, Any]) -> None:
            company["redaction"] = stored

        self._companies.edit(company_id, change)


def checked_rules(rules: Sequence[Mapping[str, str]]) -> tuple[dict[str, str], ...]:
    """Rules in the stored form. Raises InvalidRequest."""
    checked = []
    for rule in rules:
        try:
            path = check_rule_path(str(rule.get("path") or ""))
        except ValueError as error:
            raise InvalidRequest("redaction", f"A redaction rule's path {error}.") from None
        if rule.get("action") not in set(Action):
            raise InvalidRequest(
                "redaction", f"The rule for {path} needs one of keep, mask, hash, drop."
            )
        checked.append({"path": path, "action": str(rule["action"])})
    return tuple(checked)


def _checked_kinds(kinds: Mapping[str, str]) -> dict[str, str]:
    for kind, action in kinds.items():
        if kind not in set(Kind):
            raise InvalidRequest("kinds", f"{kind} is no kind: {', '.join(Kind)} are.")
        if action not in set(Action):
            raise InvalidRequest("kinds", f"{kind} needs one of keep, mask, hash, drop.")
    return dict(kinds)
