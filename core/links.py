"""CRM links: add, list, switch on and off, delete, sync now.

A link stands once per channel in its page's document, under one ``link_id``; legacy links (the
page's ``crm_links``) serve both channels. The company document is the truth about links; the sync
state of a link (core.leases) follows it, and is put right by ``reconcile`` if a process dies
between the two.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from core.companies import Companies, find_page
from core.errors import AddressRefused, Conflict, InvalidRequest, NotFound
from core.leases import Leases
from core.models import Channel, CrmLink, FetchOptions, LinkType, PageLink, Trigger
from core.runs import Runs
from core.security.network import AddressGuard
from core.security.secrets import (
    MASK,
    SecretBox,
    is_env_reference,
    is_sealed,
    is_secret_header,
)
from core.store import Document

LISTS = {Channel.FACEBOOK: "facebook_crm_links", Channel.MESSENGER: "messenger_crm_links"}
LEGACY = "crm_links"

log = structlog.get_logger()


@dataclass(frozen=True)
class NewLink:
    """A link as an operator describes it; secrets in the clear.

    In an edit the mask (``***``) stands for the secret that is stored.
    """

    name: str
    url: str
    type: LinkType = LinkType.API
    api_key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    is_active: bool = True
    sync_interval_minutes: float | None = None
    shrink_threshold: float | None = None
    fetch: FetchOptions = field(default_factory=FetchOptions)
    redaction: tuple[Mapping[str, str], ...] = ()


class Links:
    """The CRM links of all companies."""

    def __init__(
        self, companies: Companies, leases: Leases, runs: Runs, box: SecretBox, guard: AddressGuard
    ) -> None:
        self._companies = companies
        self._leases = leases
        self._runs = runs
        self._box = box
        self._guard = guard
        # Of the company documents that were read last; the same document gives the same links.
        self._parsed: dict[str, tuple[Document, list[PageLink]]] = {}

    def of_page(self, company_id: str, page_id: str) -> list[PageLink]:
        """The page's links. Raises NotFound for an unknown page."""
        return page_links(company_id, self._companies.page(company_id, page_id))

    def of_company(self, company_id: str) -> list[PageLink]:
        """The links of all the company's pages."""
        company = self._companies.get(company_id)
        parsed = self._parsed.get(company_id)
        if parsed is None or parsed[0] is not company:
            parsed = self._parsed[company_id] = (company, company_links(company))
        return list(parsed[1])

    def company_ids(self) -> list[str]:
        """The companies there are."""
        return [company["company_id"] for company in self._companies.all()]

    def get(self, company_id: str, link_id: str) -> PageLink:
        """One link. Raises NotFound."""
        for link in self.of_company(company_id):
            if link.link.link_id == link_id:
                return link
        raise NotFound(
            f"There is no CRM link {link_id}.",
            action="GET /api/dashboard/crm-links?page_id=… lists the links of a page.",
        )

    def add(
        self, company_id: str, page_id: str, channels: Sequence[Channel], new: NewLink
    ) -> PageLink:
        """Register a link on the page's channels; an active one is due for its first sync at once.

        Raises NotFound (page), Conflict (the URL is on one of the channels), InvalidRequest.
        """
        link = self.draft(new)

        def insert(company: Document) -> PageLink:
            page = find_page(company, page_id)
            present = [x for x in page_links(company_id, page) if x.link.url == new.url]
            taken = [c.value for c in channels if any(c in x.channels for x in present)]
            if taken:
                raise Conflict(
                    f"This URL is already on {' and '.join(taken)} of page {page_id}.",
                    action="Switch the link there on or off, or delete it first.",
                )
            # The same source on the page's other channel: one link, and so one sync.
            same = [x.link for x in present if self._same_source(x.link, new)]
            link_id = same[0].link_id if same else link.link_id
            for channel in channels:
                entry = replace(link, link_id=link_id).to_document()
                page.setdefault(LISTS[channel], []).append(entry)
            links = page_links(company_id, page)
            return next(one for one in links if one.link.link_id == link_id)

        added = self._companies.edit(company_id, insert)
        log.info(
            "CRM link added successfully",
            page_id=page_id,
            link_id=added.link.link_id,
            name=added.link.name,
        )
        self._leases.follow(added)
        if new.is_active:
            self._queue(added, Trigger.ADDED)
        return added

    def draft(self, new: NewLink, stored: CrmLink | None = None) -> CrmLink:
        """The link that ``new`` describes, secrets encrypted, as it would be stored.

        Masked secrets are those of ``stored``. Raises InvalidRequest.
        """
        self._check(new)
        key: str | None = None
        if new.api_key == MASK:
            key = stored.api_key if stored else None
        elif new.api_key:
            key = new.api_key if is_env_reference(new.api_key) else self._box.seal(new.api_key)
        before = stored.fetch.params if stored else {}
        return CrmLink(
            link_id=stored.link_id if stored else "link-" + secrets.token_hex(8),
            name=new.name,
            url=new.url,
            type=new.type,
            api_key=key,
            headers=self._sealed(new.headers, stored.headers if stored else {}),
            description=new.description,
            is_active=new.is_active,
            sync_interval_minutes=new.sync_interval_minutes,
            shrink_threshold=new.shrink_threshold,
            fetch=replace(new.fetch, params=self._sealed(new.fetch.params, before)),
            redaction=new.redaction,
            created_at=(stored.created_at if stored else None) or datetime.now(UTC),
            revision=stored.revision + 1 if stored else 0,
        )

    def update(
        self,
        company_id: str,
        link_id: str,
        channels: Sequence[Channel],
        new: NewLink,
        *,
        revision: int,
        username: str,
    ) -> PageLink:
        """Change a link; an active one is synced at once. On new channels it is switched on.

        ``revision`` is that of the link which the editor saw. Raises NotFound, InvalidRequest, and
        Conflict when somebody changed it meanwhile, or the URL is on one of the channels already.
        """
        before = self.get(company_id, link_id)

        def change(company: Document) -> None:
            page = find_page(company, before.page_id)
            links = page_links(company_id, page)
            now = next((x for x in links if x.link.link_id == link_id), None)
            if now is None:
                raise NotFound(f"The CRM link {link_id} was deleted meanwhile.", action="Add it.")
            if now.link.revision != revision:
                raise Conflict(
                    f"{now.link.name} was changed by {now.link.edited_by or 'someone'} while you "
                    "were editing it.",
                    action="Nothing was saved. Look at the link as it is now, and edit that.",
                )
            others = [x for x in links if x.link.link_id != link_id and x.link.url == new.url]
            taken = [c.value for c in channels if any(c in x.channels for x in others)]
            if taken:
                raise Conflict(
                    f"This URL is already on {' and '.join(taken)} of page {before.page_id}.",
                    action="Edit that link instead.",
                )
            stored = replace(self.draft(new, now.link), edited_by=username)
            entries = {name: page.get(name) or [] for name in (*LISTS.values(), LEGACY)}
            for name, listed in entries.items():
                page[name] = [e for e in listed if _link_id(before.page_id, e) != link_id]
            for channel in channels:
                was_on = now.channels.get(channel, new.is_active)
                page[LISTS[channel]].append(replace(stored, is_active=was_on).to_document())

        self._companies.edit(company_id, change)
        after = self.get(company_id, link_id)
        log.info("CRM link changed", page_id=before.page_id, link_id=link_id)
        self._leases.follow(after)
        if after.is_active:
            self._queue(after, Trigger.EDITED)
        return after

    def set_active(
        self,
        company_id: str,
        page_id: str,
        url: str,
        channels: Sequence[Channel],
        is_active: bool,
    ) -> int:
        """Switch a link on or off on channels; how many of them it is on. Raises NotFound."""

        def change(company: Document) -> tuple[int, list[PageLink]]:
            entries = _entries(company, page_id, url, channels)
            for entry in entries:
                entry["is_active"] = is_active
            changed = {_link_id(page_id, entry) for entry in entries}
            links = page_links(company_id, find_page(company, page_id))
            return len(entries), [link for link in links if link.link.link_id in changed]

        count, links = self._companies.edit(company_id, change)
        log.info("CRM link status updated successfully", page_id=page_id, is_active=is_active)
        for link in links:
            was_active = self._leases.follow(link)
            if link.is_active and not was_active:
                self._queue(link, Trigger.SWITCHED_ON)
        return count

    def delete(self, company_id: str, page_id: str, url: str, channels: Sequence[Channel]) -> int:
        """Delete a link from channels; how many of them it was on. Raises NotFound."""

        def change(company: Document) -> tuple[int, list[str]]:
            entries = _entries(company, page_id, url, channels)
            page = find_page(company, page_id)
            for name in (*LISTS.values(), LEGACY):
                page[name] = [
                    kept
                    for kept in page.get(name) or []
                    if not any(kept is entry for entry in entries)
                ]
            return len(entries), [_link_id(page_id, entry) for entry in entries]

        count, link_ids = self._companies.edit(company_id, change)
        log.info("CRM link deleted successfully", page_id=page_id)
        for link_id in set(link_ids):
            try:
                self._leases.follow(self.get(company_id, link_id))
            except NotFound:
                self._runs.cancel_open(link_id)
                self._leases.forget(link_id)
        return count

    def sync_now(self, company_id: str, link_id: str) -> str:
        """Ask for a sync; the run's id. Raises NotFound, Conflict when the link is switched off."""
        link = self.get(company_id, link_id)
        if not link.is_active:
            raise Conflict(
                f"{link.link.name} is switched off.",
                action="Switch it on; it then syncs by itself.",
            )
        self._leases.follow(link)
        return self._queue(link, Trigger.MANUAL)

    def approve(self, company_id: str, run_id: str, username: str) -> str:
        """Take the answer of a held run for right: it is fetched again and published; the run's id.

        An answer with still fewer records is held again. Raises NotFound, Conflict.
        """
        run = self._runs.decide(company_id, run_id, "approved", username)
        link = self.get(company_id, run["link_id"])
        self._leases.accept(link.link.link_id, int(run["held_records"] or 0))
        return self._queue(link, Trigger.APPROVED)

    def reject(self, company_id: str, run_id: str, username: str) -> None:
        """Take what is served for right, the held answer for wrong. Raises NotFound, Conflict."""
        run = self._runs.decide(company_id, run_id, "rejected", username)
        self._leases.dismiss_hold(run["link_id"])

    def reconcile(self) -> None:
        """Make the sync states agree with the links, and encrypt what was stored before that."""
        known: set[str] = set()
        for company in self._companies.all():
            if any(_in_the_clear(link.link) for link in company_links(company)):
                self._companies.edit(company["company_id"], self._seal_company)
            states = self._leases.of_company(company["company_id"])
            for link in company_links(self._companies.get(company["company_id"])):
                known.add(link.link.link_id)
                state = states.get(link.link.link_id)
                channels = sorted(channel.value for channel in link.active_channels)
                if state is None or state["channels"] != channels:
                    self._leases.follow(link)
        for link_id in self._leases.link_ids() - known:
            self._leases.forget(link_id)

    def _queue(self, link: PageLink, trigger: Trigger) -> str:
        waiting = self._runs.queued(link.link.link_id)
        if waiting is not None:
            return waiting
        run_id = self._runs.queue(link, trigger)
        if trigger is Trigger.ADDED:
            self._runs.line(run_id, "info", "CRM link added successfully")
        self._leases.request(link.link.link_id, run_id)
        return run_id

    def _check(self, new: NewLink) -> None:
        if new.type is not LinkType.API:
            raise InvalidRequest(
                "type",
                f"Links of type {new.type.value} can't be synced by this version.",
                action="Use type api, with an address that returns JSON or plain text.",
            )
        try:
            self._guard.check_url(new.url)
            self._guard.check_name(new.url)
        except AddressRefused as refused:
            raise InvalidRequest("url", refused.message, action=refused.action) from None

    def _sealed(self, values: Mapping[str, str], stored: Mapping[str, str]) -> dict[str, str]:
        """Headers or parameters, with the secret ones encrypted; masked ones as ``stored``."""
        sealed = {}
        for name, value in values.items():
            if value == MASK and name in stored:
                sealed[name] = stored[name]
            else:
                sealed[name] = self._box.seal(value) if is_secret_header(name, value) else value
        return sealed

    def _opened(self, values: Mapping[str, str]) -> dict[str, str]:
        return {name: self._box.open(value) for name, value in values.items()}

    def unmasked(self, new: NewLink, draft: CrmLink) -> NewLink:
        """``new`` with its masked secrets as those of ``draft``, in the clear."""
        key = new.api_key
        if key == MASK:
            key = self._box.open(draft.api_key) if draft.api_key else None

        def opened(values: Mapping[str, str], stored: Mapping[str, str]) -> dict[str, str]:
            return {
                name: self._box.open(stored[name]) if value == MASK and name in stored else value
                for name, value in values.items()
            }

        params = opened(new.fetch.params, draft.fetch.params)
        return replace(
            new,
            api_key=key,
            headers=opened(new.headers, draft.headers),
            fetch=replace(new.fetch, params=params),
        )

    def has_other_secrets(self, link: CrmLink, new: NewLink) -> bool:
        """Whether ``new`` brings a secret that is not the stored one; masks bring none."""
        key = self._box.open(link.api_key) if link.api_key else None
        pairs = [(key, new.api_key)] if new.api_key else []
        for stored, fresh in ((link.headers, new.headers), (link.fetch.params, new.fetch.params)):
            opened = self._opened(stored)
            pairs += [(opened.get(name), v) for name, v in fresh.items() if name in stored]
        return any(fresh not in (MASK, was) for was, fresh in pairs)

    def _same_source(self, link: CrmLink, new: NewLink) -> bool:
        key = self._box.open(link.api_key) if link.api_key else None
        options = replace(link.fetch, params=self._opened(link.fetch.params))
        return (link.type, key or None, self._opened(link.headers), options) == (
            new.type,
            new.api_key or None,
            dict(new.headers),
            replace(new.fetch, params=dict(new.fetch.params)),
        )

    def _seal_company(self, company: Document) -> None:
        for page in company["pages"]:
            for entry in _all_entries(page):
                entry["link_id"] = _link_id(page["page_id"], entry)
                if entry.get("api_key") and not _is_safe(entry["api_key"]):
                    entry["api_key"] = self._box.seal(entry["api_key"])
                entry["headers"] = {
                    name: self._box.seal(value) if _clear_header(name, value) else value
                    for name, value in (entry.get("headers") or {}).items()
                }


def company_links(company: Document) -> list[PageLink]:
    """The links of a company's document."""
    return [
        link
        for page in company.get("pages", ())
        for link in page_links(company["company_id"], page)
    ]


def page_links(company_id: str, page: Document) -> list[PageLink]:
    """The links of a page's document: each once, with the channels it is on."""
    links: dict[tuple[str, bool], PageLink] = {}
    lists = [(LISTS[c], (c,)) for c in Channel] + [(LEGACY, tuple(Channel))]
    for name, channels in lists:
        for entry in page.get(name) or []:
            link = CrmLink.from_document(page["page_id"], entry)
            key = (link.link_id, name == LEGACY)
            on = dict(links[key].channels) if key in links else {}
            on |= dict.fromkeys(channels, link.is_active)
            kept = links[key].link if key in links else link
            links[key] = PageLink(
                company_id, page["page_id"], page["page_name"], kept, on, name == LEGACY
            )
    return list(links.values())


def unsaved(new: NewLink, page_id: str, channels: Mapping[Channel, bool]) -> PageLink:
    """The link that ``new`` describes, to be looked at only: its secrets are not encrypted."""
    link = CrmLink(
        link_id="",
        name=new.name,
        url=new.url,
        type=new.type,
        api_key=new.api_key,
        headers=new.headers,
        description=new.description,
        sync_interval_minutes=new.sync_interval_minutes,
        shrink_threshold=new.shrink_threshold,
        fetch=new.fetch,
        redaction=new.redaction,
    )
    return PageLink("", page_id, "", link, dict(channels))


def link_facts(link: PageLink) -> dict[str, Any]:
    """What the audit log and the configuration say of a link: everything but its secrets."""
    own = link.link
    fetch = own.fetch.to_document()
    return {
        "page_id": link.page_id,
        "name": own.name,
        "url": own.url,
        "type": own.type.value,
        "channels": {channel.value: active for channel, active in link.channels.items()},
        "description": own.description,
        "api_key": _shown_key(own.api_key),
        "headers": public_headers(own),
        "sync_interval_minutes": own.sync_interval_minutes,
        "shrink_threshold": own.shrink_threshold,
        **fetch,
        "params": masked(own.fetch.params),
        "redaction": [dict(rule) for rule in own.redaction],
    }


def _shown_key(stored: str | None) -> str | None:
    if stored and is_env_reference(stored):
        return stored
    return MASK if stored else None


def public_headers(link: CrmLink) -> dict[str, str]:
    """The link's headers, secret values masked."""
    return masked(link.headers)


def masked(values: Mapping[str, str]) -> dict[str, str]:
    """Headers or parameters, secret values masked."""
    return {
        name: MASK if is_sealed(value) or is_secret_header(name, value) else value
        for name, value in values.items()
    }


def _entries(
    company: Document, page_id: str, url: str, channels: Iterable[Channel]
) -> list[dict[str, Any]]:
    """The stored entries of the URL on the channels; a legacy one is split if only one is meant."""
    page = find_page(company, page_id)
    wanted = set(channels)
    for entry in [e for e in page.get(LEGACY) or [] if e.get("url") == url]:
        if wanted != set(Channel):
            page[LEGACY].remove(entry)
            entry["link_id"] = _link_id(page_id, entry)
            for name in LISTS.values():
                page.setdefault(name, []).append(dict(entry))
    lists = [LISTS[channel] for channel in Channel if channel in wanted]
    if wanted == set(Channel):
        lists.append(LEGACY)
    entries = [e for name in lists for e in page.get(name) or [] if e.get("url") == url]
    if not entries:
        names = " and ".join(channel.value for channel in Channel if channel in wanted)
        raise NotFound(
            f"There is no CRM link with this URL on {names} of page {page_id}.",
            action=f"GET /api/dashboard/crm-links?page_id={page_id} lists the page's links.",
        )
    return entries


def _all_entries(page: Document) -> list[dict[str, Any]]:
    return [entry for name in (*LISTS.values(), LEGACY) for entry in page.get(name) or []]


def _link_id(page_id: str, entry: Mapping[str, Any]) -> str:
    return CrmLink.from_document(page_id, entry).link_id


def _is_safe(value: str) -> bool:
    """Whether a stored key may stay as it is: encrypted, or the name of a variable."""
    return is_sealed(value) or is_env_reference(value)


def _clear_header(name: str, value: str) -> bool:
    return is_secret_header(name, value) and not is_sealed(value)


def _in_the_clear(link: CrmLink) -> bool:
    return bool(link.api_key and not _is_safe(link.api_key)) or any(
        _clear_header(name, value) for name, value in link.headers.items()
    )
