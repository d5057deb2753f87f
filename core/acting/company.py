"""What a person or a script may do with a company: its pages, its data and its configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.acting.user import ActingUser
from core.configuration import Step
from core.security.roles import Permission
from core.store import Document


class CompanyActions(ActingUser):
    """Pages, redaction, erasure, configuration, and the audit log."""

    def add_page(self, page_id: str, page_name: str) -> Document:
        """Add a Facebook page."""
        self.user.require(Permission.OPERATE)
        page = self._desk.companies.add_page(self.user.company_id, page_id, page_name)
        self._note("page.add", page_id, after={"page_name": page_name})
        return page

    def rename_page(self, page_id: str, page_name: str) -> None:
        """Give a page another name."""
        self.user.require(Permission.OPERATE)
        before = self._desk.companies.rename_page(self.user.company_id, page_id, page_name)
        self._note(
            "page.rename", page_id, before={"page_name": before}, after={"page_name": page_name}
        )

    def delete_page(self, page_id: str) -> None:
        """Delete a page that has no links any more."""
        self.user.require(Permission.ADMINISTER)
        self._desk.companies.delete_page(self.user.company_id, page_id)
        self._desk.page_bots.drop(self.user.company_id, page_id)
        self._note("page.delete", page_id)

    def rename_company(self, company_name: str) -> None:
        """Give the company another name."""
        self.user.require(Permission.ADMINISTER)
        before = self._desk.companies.rename(self.user.company_id, company_name)
        self._note(
            "company.rename",
            self.user.company_id,
            before={"company_name": before},
            after={"company_name": company_name},
        )

    def set_redaction(self, kinds: Mapping[str, str], rules: Sequence[Mapping[str, str]]) -> None:
        """Set what the company redacts; see Policies.set_company."""
        self.user.require(Permission.ADMINISTER)
        company_id = self.user.company_id
        before = self._desk.companies.get(company_id).get("redaction") or {}
        self._desk.policies.set_company(company_id, kinds, rules)
        after = {"kinds": dict(kinds), "rules": [dict(rule) for rule in rules]}
        self._note("redaction.set", company_id, before=before, after=after)

    def erase(self, value: str) -> str:
        """Ask for everything that holds a value to be erased; the erasure's id."""
        self.user.require(Permission.ADMINISTER)
        erasure_id = self._desk.erasures.request(self.user.company_id, value, self.user.username)
        # Whom it was about must not be written down again.
        self._note("person.erase", erasure_id)
        return erasure_id

    def erasures(self) -> list[Document]:
        """What was asked to be erased, and the reports."""
        self.user.require(Permission.ADMINISTER)
        return self._desk.erasures.all(self.user.company_id)

    def erasure(self, erasure_id: str) -> Document:
        """One erasure."""
        self.user.require(Permission.ADMINISTER)
        return self._desk.erasures.get(self.user.company_id, erasure_id)

    def import_configuration(self, text: str, *, dry_run: bool) -> list[Step]:
        """Bring pages and links in line with an exported file; what is done, or would be."""
        self.user.require(Permission.ADMINISTER)
        steps = self._desk.configuration.apply(
            self.user.company_id, text, username=self.user.username, dry_run=dry_run
        )
        if not dry_run:
            done = {step.subject: step.action for step in steps}
            self._note("configuration.import", self.user.company_id, after=done)
        return steps

    def export_configuration(self) -> str:
        """Pages, links and redaction rules as YAML, without secrets."""
        self.user.require(Permission.ADMINISTER)
        return self._desk.configuration.export(self.user.company_id)

    def audit(self, **filters: Any) -> list[Document]:
        """Entries of the audit log, newest first; see AuditLog.find."""
        self.user.require(Permission.ADMINISTER)
        return self._desk.audit.find(self.user.company_id, **filters)
