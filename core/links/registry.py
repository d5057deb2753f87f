"""CRM links: add, list, switch on and off, delete, sync now.

A link stands once per channel in its page's document, under one ``link_id``; legacy links (the
page's ``crm_links``) serve both channels. The company document is the truth about links; the sync
state of a link (core.leases) follows it, and is put right by ``reconcile`` if a process dies
between the two.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

import structlog

from core.companies import Companies, find_page
from core.connectors.registry import connector_of
from core.errors import Conflict, NotFound
from core.leases import Leases
from core.links.described import NewLink
from core.links.documents import (
    LEGACY,
    LISTS,
    all_entries,
    company_links,
    entries_of,
    page_links,
    stored_link_id,
)
from core.links.secrets import LinkSecrets, is_in_the_clear
from core.models import Channel, CrmLink, PageLink, Trigger, this_moment
from core.runs import Runs
from core.security.network import AddressGuard
from core.security.secrets import SecretBox
from core.store import Document

log = structlog.get_logger()


class Links:
    """The CRM links of all companies."""

    def __init__(
        self, companies: Companies, leases: Leases, runs: Runs, box: SecretBox, guard: AddressGuard
    ) -> None:
        self._companies = companies
        self._leases = leases
        self._runs = runs
        self._secrets = LinkSecrets(box)
        self._guard = guard
        # Of the company documents that were read last; the same document gives the same links.
        self._parsed: dict[str, tuple[Document, list[PageLink], dict[str, PageLink]]] = {}

    def of_page(self, company_id: str, page_id: str) -> list[PageLink]:
        """The page's links. Raises NotFound for an unknown page."""
        return page_links(company_id, self._companies.page(company_id, page_id))

    def of_company(self, company_id: str) -> list[PageLink]:
        """The links of all the company's pages."""
        return list(self._parse(company_id)[0])

    def company_ids(self) -> list[str]:
        """The companies there are."""
        return self._companies.ids()

    def get(self, company_id: str, link_id: str) -> PageLink:
        """One link. Raises NotFound."""
        link = self._parse(company_id)[1].get(link_id)
        if link is None:
            raise NotFound(
                f"There is no CRM link {link_id}.",
                action="GET /api/dashboard/crm-links?page_id=… lists the links of a page.",
            )
        return link

    def find(self, link_id: str) -> PageLink | None:
        """One link, whichever company has it."""
        state = self._leases.states([link_id]).get(link_id)
        if state is not None and (link := self._parse(state["company_id"])[1].get(link_id)):
            return link
        for company_id in self.company_ids():
            if link := self._parse(company_id)[1].get(link_id):
                return link
        return None

    def upload_ids(self) -> set[str]:
        """The uploads that links read."""
        links = [link for company_id in self.company_ids() for link in self.of_company(company_id)]
        found = {link.link.options.get("upload_id") for link in links}
        return {str(upload_id) for upload_id in found if upload_id}

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
            same = [x.link for x in present if self._secrets.is_same_source(x.link, new)]
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
        if new.is_active:
            self._activate(added, Trigger.ADDED)
        else:
            self._leases.follow(added)
        return added

    def draft(self, new: NewLink, stored: CrmLink | None = None) -> CrmLink:
        """The link that ``new`` describes, secrets encrypted, as it would be stored.

        Masked secrets are those of ``stored``. Raises InvalidRequest.
        """
        connector_of(new.type).check(new.url, new.options, self._guard)
        if stored:
            self._secrets.check_destination(new, stored)
        before = stored.fetch.params if stored else {}
        return CrmLink(
            link_id=stored.link_id if stored else "link-" + secrets.token_hex(8),
            name=new.name,
            url=new.url,
            type=new.type,
            api_key=self._secrets.sealed_key(new, stored),
            headers=self._secrets.sealed(new.headers, stored.headers if stored else {}),
            description=new.description,
            is_active=new.is_active,
            sync_interval_minutes=new.sync_interval_minutes,
            shrink_threshold=new.shrink_threshold,
            fetch=replace(new.fetch, params=self._secrets.sealed(new.fetch.params, before)),
            options=self._secrets.sealed_options(new, stored.options if stored else {}),
            transform=new.transform,
            validation=new.validation,
            match_key=new.match_key,
            redaction=new.redaction,
            created_at=(stored.created_at if stored else None) or this_moment(),
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
                page[name] = [e for e in listed if stored_link_id(before.page_id, e) != link_id]
            for channel in channels:
                was_on = now.channels.get(channel, new.is_active)
                page[LISTS[channel]].append(replace(stored, is_active=was_on).to_document())

        self._companies.edit(company_id, change)
        after = self.get(company_id, link_id)
        log.info("CRM link changed", page_id=before.page_id, link_id=link_id)
        self._leases.follow(after)
        if after.is_active:
            self.request_sync(after, Trigger.EDITED)
        return after

    def set_option(
        self, company_id: str, link_id: str, name: str, value: str, *, username: str
    ) -> PageLink:
        """Change one option of the link's connector, no secret; an active link is synced at once.

        Raises NotFound.
        """
        before = self.get(company_id, link_id)

        def change(company: Document) -> None:
            for entry in all_entries(find_page(company, before.page_id)):
                if stored_link_id(before.page_id, entry) == link_id:
                    entry["options"] = {**(entry.get("options") or {}), name: value}
                    entry["revision"] = int(entry.get("revision") or 0) + 1
                    entry["edited_by"] = username

        self._companies.edit(company_id, change)
        after = self.get(company_id, link_id)
        if after.is_active:
            self.request_sync(after, Trigger.EDITED)
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

        def change(company: Document) -> tuple[int, set[str]]:
            entries = entries_of(company, page_id, url, channels)
            for entry in entries:
                entry["is_active"] = is_active
            return len(entries), {stored_link_id(page_id, entry) for entry in entries}

        count, changed = self._companies.edit(company_id, change)
        log.info("CRM link status updated successfully", page_id=page_id, is_active=is_active)
        # As they are now: of two who switch a link at once the later one counts, for its state too.
        for link in self.of_page(company_id, page_id):
            if link.link.link_id not in changed:
                continue
            state = self._leases.states([link.link.link_id]).get(link.link.link_id)
            if link.is_active and not (state and state["channels"]):
                self._activate(link, Trigger.SWITCHED_ON)
            else:
                self._leases.follow(link)
        return count

    def delete(self, company_id: str, page_id: str, url: str, channels: Sequence[Channel]) -> int:
        """Delete a link from channels; how many of them it was on. Raises NotFound."""

        def change(company: Document) -> tuple[int, list[str]]:
            entries = entries_of(company, page_id, url, channels)
            page = find_page(company, page_id)
            for name in (*LISTS.values(), LEGACY):
                page[name] = [
                    kept
                    for kept in page.get(name) or []
                    if not any(kept is entry for entry in entries)
                ]
            return len(entries), [stored_link_id(page_id, entry) for entry in entries]

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
        return self.request_sync(link, Trigger.MANUAL)

    def approve(self, company_id: str, run_id: str, username: str) -> str:
        """Take the answer of a held run for right: it is fetched again and published; the run's id.

        An answer with still fewer records is held again. Raises NotFound, Conflict.
        """
        run = self._runs.decide(company_id, run_id, "approved", username)
        link = self.get(company_id, run["link_id"])
        self._leases.accept(link.link.link_id, int(run["held_records"] or 0))
        return self.request_sync(link, Trigger.APPROVED)

    def reject(self, company_id: str, run_id: str, username: str) -> None:
        """Take what is served for right, the held answer for wrong. Raises NotFound, Conflict."""
        run = self._runs.decide(company_id, run_id, "rejected", username)
        self._leases.dismiss_hold(run["link_id"])

    def reconcile(self) -> None:
        """Make the sync states agree with the links, and encrypt what was stored before that."""
        known: set[str] = set()
        for company in self._companies.all():
            if any(is_in_the_clear(link.link) for link in company_links(company)):
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

    def _parse(self, company_id: str) -> tuple[list[PageLink], dict[str, PageLink]]:
        """The company's links, and the same by link id."""
        company = self._companies.get(company_id)
        parsed = self._parsed.get(company_id)
        if parsed is None or parsed[0] is not company:
            links = company_links(company)
            # Of a legacy link and its successor under one id the successor counts: it comes first.
            by_id = {link.link.link_id: link for link in reversed(links)}
            parsed = self._parsed[company_id] = (company, links, by_id)
        return parsed[1], parsed[2]

    def _activate(self, link: PageLink, trigger: Trigger) -> None:
        """Have a link synced that was not there, or not active: its run is written down first."""
        run_id = self._queued(link, trigger)
        if self._leases.follow(link, run_id):
            # It was active already, on another channel: nothing has made it due.
            self._leases.request(link.link.link_id, run_id)

    def request_sync(self, link: PageLink, trigger: Trigger) -> str:
        """Have an active link synced as soon as may be; the run's id, perhaps one that waits."""
        is_waiting = self._runs.queued(link.link.link_id) is not None
        run_id = self._queued(link, trigger)
        if not is_waiting:
            self._leases.request(link.link.link_id, run_id)
        return run_id

    def _queued(self, link: PageLink, trigger: Trigger) -> str:
        """A run that waits, written down if there is none."""
        waiting = self._runs.queued(link.link.link_id)
        if waiting is not None:
            return waiting
        run_id = self._runs.queue(link, trigger)
        if trigger is Trigger.ADDED:
            self._runs.line(run_id, "info", "CRM link added successfully")
        return run_id

    def unmasked(self, new: NewLink, draft: CrmLink) -> NewLink:
        """``new`` with its masked secrets as those of ``draft``, in the clear.

        Raises InvalidRequest when they would go to another host.
        """
        return self._secrets.unmasked(new, draft)

    def sends_secrets_elsewhere(self, link: CrmLink, new: NewLink) -> bool:
        """Whether ``new`` would send a stored secret to another host, which is refused."""
        return self._secrets.lead_elsewhere(new, link)

    def has_other_secrets(self, link: CrmLink, new: NewLink) -> bool:
        """Whether ``new`` brings a secret that is not the stored one; masks bring none."""
        return self._secrets.has_others(link, new)

    def _seal_company(self, company: Document) -> None:
        for page in company["pages"]:
            for entry in all_entries(page):
                entry["link_id"] = stored_link_id(page["page_id"], entry)
                self._secrets.seal_stored(entry)
