"""Configuration as YAML: pages, links and redaction rules, without secrets.

Exporting and importing again changes nothing. What an import does not name stays as it is: it adds
and changes, it never deletes. A secret is exported as ``***``; importing that keeps the stored one,
and a link that has none stored is added switched off, so that nobody is asked without a key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml
from pydantic import ValidationError

from core.companies import Companies
from core.errors import InvalidRequest, NotFound
from core.links import Links, NewLink, link_facts, unsaved
from core.links.schema import NewLinkBody
from core.models import Channel, PageLink
from core.policies import Policies
from core.security.secrets import ENV_PREFIX, MASK

VERSION = 1
MAX_BYTES = 10 * 1024 * 1024

_LINK_FIELDS = (
    "name",
    "url",
    "type",
    "channels",
    "description",
    "api_key",
    "headers",
    "sync_interval_minutes",
    "shrink_threshold",
    "method",
    "params",
    "body",
    "pagination",
    "records",
    "id_field",
    "incremental",
    "format",
    "follow_redirects",
    "options",
    "transform",
    "validation",
    "match_key",
    "redaction",
)


@dataclass(frozen=True)
class Step:
    """What an import does to one thing: ``action`` is add, change, keep or problem."""

    action: str
    subject: str
    detail: str = ""


class Configuration:
    """Exports and imports a company's configuration."""

    def __init__(self, companies: Companies, links: Links, policies: Policies) -> None:
        self._companies = companies
        self._links = links
        self._policies = policies

    def export(self, company_id: str) -> str:
        """The company's configuration as YAML; stored secrets are masked."""
        return self.export_for(company_id, with_env=False)[0]

    def export_for(self, company_id: str, *, with_env: bool) -> tuple[str, list[str]]:
        """The configuration as YAML; ``with_env`` a variable stands for each stored secret.

        Gives those variables' names too: what imports the file needs them in its environment.
        """
        document = self._document(company_id)
        names: list[str] = []
        if with_env:
            for page in document["pages"]:
                page["links"] = [_with_env(page["page_id"], link, names) for link in page["links"]]
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
        return text, names

    def _document(self, company_id: str) -> dict[str, Any]:
        company = self._companies.get(company_id)
        pages = []
        for page in company["pages"]:
            links = [
                _lean(link_facts(link)) for link in self._links.of_page(company_id, page["page_id"])
            ]
            pages.append(
                {"page_id": page["page_id"], "page_name": page["page_name"], "links": links}
            )
        document: dict[str, Any] = {"version": VERSION, "company_name": company["company_name"]}
        if company.get("redaction"):
            document["redaction"] = company["redaction"]
        document["pages"] = pages
        return document

    def apply(self, company_id: str, text: str, *, username: str, dry_run: bool) -> list[Step]:
        """Bring the company in line with ``text``; what was done, or would be in a ``dry_run``.

        Everything is checked before anything is changed. Raises InvalidRequest.
        """
        document = _parse(text)
        plan = [
            (page, [_described(page, link) for link in page.get("links") or ()])
            for page in _listed(document, "pages")
        ]
        steps: list[Step] = []
        company = self._companies.get(company_id)
        self._apply_company(company_id, company, document, steps, dry_run=dry_run)
        known = {page["page_id"]: page["page_name"] for page in company["pages"]}
        for page, described in plan:
            page_id, name = str(page["page_id"]), str(page.get("page_name") or page["page_id"])
            if page_id not in known:
                steps.append(Step("add", f"page {page_id}", name))
                if not dry_run:
                    self._companies.add_page(company_id, page_id, name)
            elif known[page_id] != name:
                steps.append(Step("change", f"page {page_id}", f"{known[page_id]} → {name}"))
                if not dry_run:
                    self._companies.rename_page(company_id, page_id, name)
            for new, channels in described:
                steps.append(
                    self._apply_link(company_id, page_id, new, channels, username, dry_run=dry_run)
                )
        return steps

    def _apply_company(
        self,
        company_id: str,
        company: Mapping[str, Any],
        document: Mapping[str, Any],
        steps: list[Step],
        *,
        dry_run: bool,
    ) -> None:
        name = document.get("company_name")
        if name and name != company["company_name"]:
            steps.append(Step("change", "company name", f"{company['company_name']} → {name}"))
            if not dry_run:
                self._companies.rename(company_id, str(name))
        redaction = document.get("redaction")
        if redaction and redaction != (company.get("redaction") or {}):
            steps.append(Step("change", "redaction rules"))
            if not dry_run:
                kinds, rules = redaction.get("kinds") or {}, redaction.get("rules") or []
                self._policies.set_company(company_id, kinds, rules)

    def _apply_link(
        self,
        company_id: str,
        page_id: str,
        new: NewLink,
        channels: dict[Channel, bool],
        username: str,
        *,
        dry_run: bool,
    ) -> Step:
        subject = f"link {new.name} on page {page_id}"
        stored = self._stored(company_id, page_id, new.url)
        if stored is None:
            lacks = _lacks(new)
            if not dry_run:
                added = self._links.add(
                    company_id,
                    page_id,
                    list(channels),
                    replace(_without_masks(new), is_active=not lacks and all(channels.values())),
                )
                self._switch(company_id, added, {} if lacks else channels)
            detail = f"switched off: {', '.join(lacks)} must be entered" if lacks else ""
            return Step("add", subject, detail)
        if self._links.sends_secrets_elsewhere(stored.link, new):
            return Step("problem", subject, "its stored secrets would go to another host")
        wanted = _facts(new, page_id, channels)
        differs = [n for n, value in _lean(link_facts(stored)).items() if wanted.get(n) != value]
        differs += [name for name in wanted if name not in _lean(link_facts(stored))]
        if self._links.has_other_secrets(stored.link, new):
            differs.append("secrets")
        if not differs:
            return Step("keep", subject)
        if not dry_run:
            changed = stored
            if set(differs) - {"channels"} or set(channels) != set(stored.channels):
                changed = self._links.update(
                    company_id,
                    stored.link.link_id,
                    list(channels),
                    new,
                    revision=stored.link.revision,
                    username=username,
                )
            self._switch(company_id, changed, channels)
        return Step("change", subject, ", ".join(sorted(set(differs))))

    def _switch(self, company_id: str, link: PageLink, channels: Mapping[Channel, bool]) -> None:
        for channel, active in channels.items():
            if link.channels.get(channel) != active:
                self._links.set_active(company_id, link.page_id, link.link.url, [channel], active)

    def _stored(self, company_id: str, page_id: str, url: str) -> PageLink | None:
        try:
            links = self._links.of_page(company_id, page_id)
        except NotFound:
            return None
        return next((link for link in links if link.link.url == url), None)


def _with_env(page_id: str, link: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The link with variables for its masked secrets; their names are added to ``names``."""

    def named(field: str, value: Any) -> Any:
        if isinstance(value, dict) and field in ("headers", "params", "options"):
            return {own: named(own, member) for own, member in value.items()}
        if value != MASK:
            return value
        whole = f"LINK_{page_id}_{link['name']}_{field}"
        name = re.sub(r"[^A-Z0-9]+", "_", whole.upper()).strip("_")
        while name in names:
            name += "_2"
        names.append(name)
        return f"{ENV_PREFIX}{name}"

    return {field: named(field, value) for field, value in link.items()}


def _parse(text: str) -> dict[str, Any]:
    if len(text.encode()) > MAX_BYTES:
        raise InvalidRequest("configuration", "The file is larger than 10 MiB.")
    if "&" in text and "*" in text and text.count("*") > 10_000:
        raise InvalidRequest("configuration", "The file has too many aliases.")
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise InvalidRequest(
            "configuration", f"The file is not YAML{where}.", action="Nothing was changed."
        ) from None
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise InvalidRequest(
            "configuration",
            f"The file is no configuration of this desk: version: {VERSION} is missing.",
            action="Nothing was changed.",
        )
    return document


def _listed(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    listed = document.get(name) or []
    if not isinstance(listed, list) or not all(
        isinstance(one, dict) and one.get("page_id") for one in listed
    ):
        raise InvalidRequest(name, f"{name}: a list of pages, each with a page_id, is expected.")
    return listed


def _described(page: Mapping[str, Any], link: Any) -> tuple[NewLink, dict[Channel, bool]]:
    if not isinstance(link, dict):
        raise InvalidRequest("links", f"Page {page['page_id']}: a link is a mapping of fields.")
    known = {name: value for name, value in link.items() if value is not None}
    switches = known.pop("channels", {})
    where = f"Page {page['page_id']}, link {known.get('name') or known.get('url')}"
    try:
        channels = {Channel(name): bool(active) for name, active in dict(switches).items()}
        body = NewLinkBody.model_validate(
            {**known, "page_id": str(page["page_id"]), "channels": list(channels)}
        )
    except ValidationError as error:
        item = error.errors()[0]
        field = ".".join(str(part) for part in item["loc"]) or "link"
        message = item["msg"].removeprefix("Value error, ")
        raise InvalidRequest(
            field, f"{where}: {field} {message}.", action="Nothing was changed."
        ) from None
    except (ValueError, TypeError):
        raise InvalidRequest(
            "channels",
            f"{where}: channels maps facebook and messenger to true or false.",
            action="Nothing was changed.",
        ) from None
    return body.to_new_link(), channels


def _lean(facts: dict[str, Any]) -> dict[str, Any]:
    """Only what says something: no empty values, no defaults."""
    lean = {
        name: facts[name]
        for name in _LINK_FIELDS
        if facts.get(name) not in (None, "", {}, [], False)
    }
    for name, default in (("method", "GET"), ("format", "auto")):
        if lean.get(name) == default:
            del lean[name]
    pagination = {
        name: value
        for name, value in (lean.get("pagination") or {}).items()
        if value is not None and (name, value) not in {("type", "auto"), ("first_page", 1)}
    }
    lean.pop("pagination", None)
    if pagination:
        lean["pagination"] = pagination
    if isinstance(lean.get("body"), str):
        lean["body"] = json.loads(lean["body"])
    return lean


def _says_something(value: Any) -> bool:
    # 0 does: a threshold of nothing.
    return value is not False and value not in (None, "", {}, [])


def _facts(new: NewLink, page_id: str, channels: Mapping[Channel, bool]) -> dict[str, Any]:
    facts = link_facts(unsaved(new, page_id, channels))
    return _lean(facts)


def _lacks(new: NewLink) -> list[str]:
    """The secrets that are masked, and so are not known."""
    lacking = ["the API key"] if new.api_key == MASK else []
    masked = (new.headers, new.fetch.params, new.options)
    return lacking + [name for values in masked for name, v in values.items() if v == MASK]


def _without_masks(new: NewLink) -> NewLink:
    def rest(values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if value != MASK}

    return replace(
        new,
        api_key=None if new.api_key == MASK else new.api_key,
        headers=rest(new.headers),
        fetch=replace(new.fetch, params=rest(new.fetch.params)),
        options=rest(new.options),
    )
