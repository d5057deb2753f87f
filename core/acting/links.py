"""What a person or a script may do with CRM links, their uploads and runs."""

from __future__ import annotations

from collections.abc import Sequence

from core.acting.user import ActingUser
from core.connectors.api import consent
from core.errors import InvalidRequest
from core.links import NewLink, link_facts
from core.models import Channel, PageLink, Trigger
from core.security.roles import Permission
from core.store import Document


class LinkActions(ActingUser):
    """Links, and their runs."""

    def add_link(
        self,
        page_id: str,
        channels: Sequence[Channel],
        new: NewLink,
        *,
        trial_id: str | None = None,
    ) -> PageLink:
        """Register a link; masked secrets are those of the trial. See Links.add."""
        self.user.require(Permission.OPERATE)
        new = self._unmasked(new, trial_id)
        link = self._desk.links.add(self.user.company_id, page_id, channels, new)
        self._note("link.add", link.link.link_id, after=link_facts(link))
        return link

    def update_link(
        self,
        link_id: str,
        channels: Sequence[Channel],
        new: NewLink,
        *,
        revision: int,
        trial_id: str | None = None,
    ) -> PageLink:
        """Change a link; masked secrets are those of the trial, or as stored. See Links.update."""
        self.user.require(Permission.OPERATE)
        new = self._unmasked(new, trial_id)
        before = self._desk.links.get(self.user.company_id, link_id)
        after = self._desk.links.update(
            self.user.company_id,
            link_id,
            channels,
            new,
            revision=revision,
            username=self.user.username,
        )
        self._note("link.edit", link_id, before=link_facts(before), after=link_facts(after))
        return after

    def set_link_active(
        self, page_id: str, url: str, channels: Sequence[Channel], is_active: bool
    ) -> int:
        """Switch a link on or off; see Links.set_active."""
        self.user.require(Permission.OPERATE)
        company_id = self.user.company_id
        count = self._desk.links.set_active(company_id, page_id, url, channels, is_active)
        facts = {"page_id": page_id, "url": url, "channels": [c.value for c in channels]}
        self._note("link.switch_on" if is_active else "link.switch_off", url, after=facts)
        return count

    def delete_link(self, page_id: str, url: str, channels: Sequence[Channel]) -> int:
        """Delete a link from channels; see Links.delete."""
        self.user.require(Permission.OPERATE)
        count = self._desk.links.delete(self.user.company_id, page_id, url, channels)
        facts = {"page_id": page_id, "url": url, "channels": [c.value for c in channels]}
        self._note("link.delete", url, before=facts)
        return count

    def test_link(
        self,
        page_id: str,
        channels: Sequence[Channel],
        new: NewLink,
        link_id: str | None = None,
        *,
        trial_id: str | None = None,
    ) -> str:
        """Ask for a dry run of an unsaved link, or of an edit of ``link_id``; the trial's id.

        Masked secrets are those of an earlier trial, or as stored.
        """
        self.user.require(Permission.OPERATE)
        new = self._unmasked(new, trial_id)
        return self._desk.trials.request(
            self.user.company_id, page_id, channels, new, link_id, self.user.username
        )

    def begin_consent(self, link_id: str, redirect_uri: str) -> str:
        """The CRM's page on which a person grants the link access; see connectors.api.consent."""
        self.user.require(Permission.OPERATE)
        link = self._desk.links.get(self.user.company_id, link_id)
        with self._desk.fetching() as context:
            return consent.begin(link.link, self.user.username, redirect_uri, context)

    def finish_consent(self, state: str, code: str, redirect_uri: str) -> str:
        """Get the tokens that a consent is good for, and sync with them; the link's id.

        Raises AuthorizationRefused, NotFound, FetchError.
        """
        self.user.require(Permission.OPERATE)
        with self._desk.fetching() as context:
            link_id, verifier = consent.link_of_state(state, self.user.username, context)
            link = self._desk.links.get(self.user.company_id, link_id)
            consent.finish(link.link, code, verifier, redirect_uri, context)
        self._note("link.connect", link_id)
        if link.is_active:
            self._desk.links.request_sync(link, Trigger.EDITED)
        return link_id

    def upload(self, name: str, content: bytes) -> Document:
        """Keep a file for a link of type ``file``; see Uploads.add."""
        self.user.require(Permission.OPERATE)
        return self._desk.uploads.add(self.user.company_id, name, content)

    def replace_upload(self, link_id: str, name: str, content: bytes) -> tuple[Document, PageLink]:
        """Have a file link read this file from now on; it is synced at once.

        Raises NotFound, and InvalidRequest when the link reads no upload.
        """
        self.user.require(Permission.OPERATE)
        company_id = self.user.company_id
        link = self._desk.links.get(company_id, link_id)
        if not link.link.options.get("upload_id"):
            raise InvalidRequest(
                "link_id", f"{link.link.name} reads no uploaded file.", action="Edit the link."
            )
        upload = self._desk.uploads.add(company_id, name, content)
        after = self._desk.links.set_option(
            company_id, link_id, "upload_id", upload["_id"], username=self.user.username
        )
        self._note("link.upload", link_id, after={"name": name, "sha256": upload["sha256"]})
        return upload, after

    def sync_link(self, link_id: str) -> str:
        """Ask for a sync; the run's id."""
        self.user.require(Permission.OPERATE)
        run_id = self._desk.links.sync_now(self.user.company_id, link_id)
        self._note("sync.start", link_id, after={"run_id": run_id})
        return run_id

    def cancel_run(self, run_id: str) -> Document:
        """Stop a run; the run."""
        self.user.require(Permission.OPERATE)
        run = self._desk.runs.cancel(self.user.company_id, run_id)
        self._note("sync.cancel", run["link_id"], after={"run_id": run_id})
        return run

    def approve_run(self, run_id: str) -> str:
        """Take a held answer for right; the id of the run that publishes it."""
        self.user.require(Permission.OPERATE)
        company_id, username = self.user.company_id, self.user.username
        approved = self._desk.links.approve(company_id, run_id, username)
        self._note("sync.approve", run_id, after={"run_id": approved})
        return approved

    def reject_run(self, run_id: str) -> None:
        """Take a held answer for wrong."""
        self.user.require(Permission.OPERATE)
        self._desk.links.reject(self.user.company_id, run_id, self.user.username)
        self._note("sync.reject", run_id)

    def _unmasked(self, new: NewLink, trial_id: str | None) -> NewLink:
        if upload_id := new.options.get("upload_id"):
            self._desk.uploads.get(str(upload_id), self.user.company_id)
        if trial_id is None:
            return new
        trials = self._desk.trials
        draft = trials.draft(trials.get(self.user.company_id, trial_id))
        return self._desk.links.unmasked(new, draft)
