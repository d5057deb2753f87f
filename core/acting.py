"""What a person or a script may do: every action with its permission and its audit entry.

The API and every page act through this, so that none of them can forget either. Reading goes
through ``reading``, which asks for the permission to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.bot.merge import MergedLine
from core.bot.reply import Reply, kept_as
from core.configuration import Step
from core.connectors.api import consent
from core.errors import InvalidRequest, NotFound
from core.facebook.conversations import known_by_record, scope_of
from core.facebook.graph import MAX_MESSAGE
from core.facebook.page_bots import Mode, PageBot, Reveals, bot_facts
from core.links import NewLink, link_facts
from core.models import Channel, PageLink, Trigger
from core.retrieval.retrieve import EVERYTHING, Hit, Scope
from core.security.accounts import Permission, Role, User
from core.store import Document

if TYPE_CHECKING:
    from core.desk import Desk


class Acting:
    """One user at the desk. ``origin`` is where they are: an address, or ``dashboard``."""

    def __init__(self, desk: Desk, user: User, origin: str) -> None:
        self._desk = desk
        self.user = user
        self._origin = origin

    @property
    def reading(self) -> Desk:
        """The desk, for reading. Raises NotAllowed."""
        self.user.require(Permission.READ)
        return self._desk

    def may(self, permission: Permission) -> bool:
        """Whether the user may do such things."""
        return self.user.may(permission)

    # Links

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

    # Syncs

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

    # Asking

    def search(
        self,
        page_id: str,
        channel: Channel,
        query: str,
        k: int,
        scope: Scope = EVERYTHING,
        max_tokens: int | None = None,
    ) -> tuple[list[Hit], list[MergedLine]]:
        """The records that answer best, and what all links say of the first one's customer."""
        self.user.require(Permission.SEARCH)
        company_id = self.user.company_id
        hits = self._desk.retriever.search(
            company_id, page_id, channel, query, k, scope=scope, max_tokens=max_tokens
        ).hits
        if not hits:
            return [], []
        return hits, self._desk.replier.merged(company_id, page_id, channel, hits[0], scope)

    def reply(
        self, page_id: str, channel: Channel, message: str, sender_id: str | None = None
    ) -> Reply:
        """What the bot would answer; it is kept, see core.bot.provenance.

        With a ``sender_id`` to that person on Facebook, from their own records; empty, to a
        stranger. Without one from all records, for whoever may search.
        """
        *_, reply = self.stream_reply(page_id, channel, message, sender_id)
        assert isinstance(reply, Reply)
        return reply

    def stream_reply(
        self, page_id: str, channel: Channel, message: str, sender_id: str | None = None
    ) -> Iterator[str | Reply]:
        """The same, as it is worded: its sentences, then the whole of it."""
        self.user.require(Permission.SEARCH)
        company_id = self.user.company_id
        # Nobody should find out that there is no such page after the answer has begun.
        self._desk.companies.page(company_id, page_id)
        scope, about = EVERYTHING, None
        if sender_id is not None:
            conversation = self._desk.conversations.find(company_id, page_id, sender_id) or {}
            bot = self._desk.page_bots.of(company_id, page_id)
            scope, about = scope_of(bot, conversation, channel), conversation.get("_id")
        return self._streamed(page_id, channel, message, scope, about)

    def _streamed(
        self, page_id: str, channel: Channel, message: str, scope: Scope, about: str | None
    ) -> Iterator[str | Reply]:
        company_id = self.user.company_id
        for part in self._desk.replier.stream(company_id, page_id, channel, message, scope):
            if isinstance(part, Reply):
                reply_id = self._desk.provenance.keep(
                    company_id,
                    page_id,
                    channel,
                    message,
                    part,
                    asked_by=self.user.username,
                    about=about,
                )
                yield kept_as(part, reply_id)
            else:
                yield part

    def kept_reply(self, reply_id: str) -> Document:
        """A reply with what it was made of."""
        self.user.require(Permission.READ)
        return self._desk.provenance.get(self.user.company_id, reply_id)

    # The bot on its channels

    def set_page_bot(
        self,
        page_id: str,
        *,
        mode: Mode,
        reveals: Reveals,
        token: str | None,
        handover_words: Sequence[str],
        handover_reply: str,
    ) -> PageBot:
        """Set a page's bot up; see PageBots.set. Raises NotFound, InvalidRequest."""
        self.user.require(Permission.ADMINISTER)
        company_id = self.user.company_id
        self._desk.companies.page(company_id, page_id)
        before = bot_facts(self._desk.page_bots.of(company_id, page_id))
        bot = self._desk.page_bots.set(
            company_id,
            page_id,
            mode=mode,
            reveals=reveals,
            token=token,
            handover_words=handover_words,
            handover_reply=handover_reply,
        )
        self._note("bot.set", page_id, before=before, after=bot_facts(bot))
        return bot

    def send_answer(self, message_id: str, text: str) -> None:
        """Have an answer sent to a message that waits for a person. See Messages.send."""
        self.user.require(Permission.OPERATE)
        if not text.strip() or len(text) > MAX_MESSAGE:
            raise InvalidRequest("text", f"An answer has 1 to {MAX_MESSAGE} characters.")
        self._desk.messages.send(self.user.company_id, message_id, text.strip())
        self._note("message.answer", message_id)

    def dismiss_message(self, message_id: str) -> None:
        """Leave a message without an answer."""
        self.user.require(Permission.OPERATE)
        self._desk.messages.dismiss(self.user.company_id, message_id)
        self._note("message.dismiss", message_id)

    def hand_over(self, conversation_id: str, handed_over: bool) -> None:
        """Take a conversation over from the bot, or give it back. Raises NotFound."""
        self.user.require(Permission.OPERATE)
        self._desk.conversations.get(self.user.company_id, conversation_id)
        self._desk.conversations.hand_over(conversation_id, handed_over)
        self._note("conversation.hand_over", conversation_id, after={"handed_over": handed_over})

    def tie_conversation(
        self, conversation_id: str, *, link_id: str = "", path: str = "", verified_email: str = ""
    ) -> Document:
        """Say which customer a conversation is with; without anything, that nobody knows.

        By a record of a link, or by an e-mail address that whoever calls has verified. Raises
        NotFound, InvalidRequest.
        """
        self.user.require(Permission.OPERATE)
        company_id, desk = self.user.company_id, self._desk
        conversation = desk.conversations.get(company_id, conversation_id)
        known_by: list[str] = []
        label = how = ""
        if verified_email:
            known_by, label, how = [f"email:{verified_email.casefold()}"], verified_email, "e-mail"
        elif link_id:
            link = desk.links.get(company_id, link_id)
            if link.page_id != conversation["page_id"]:
                raise InvalidRequest("link_id", "This link belongs to another page.")
            found = [e.record for e in desk.served.entries(link_id) if e.record.path == path]
            if not found:
                raise NotFound(f"The link has no record at {path}.", action="Search for it again.")
            known_by = known_by_record(found[0], link.link.match_key)
            label, how = f"{link.link.name}, {path}", "record"
        desk.conversations.tie(conversation_id, known_by, label, self.user.username, how)
        self._note("conversation.tie", conversation_id, after={"how": how or "nobody"})
        return desk.conversations.get(company_id, conversation_id)

    def save_question(
        self,
        page_id: str,
        channel: Channel,
        question: str,
        *,
        expected_text: str = "",
        expected_path: str = "",
    ) -> str:
        """Keep a question of a page and channel; its id. See Questions.add."""
        self.user.require(Permission.OPERATE)
        question_id = self._desk.questions.add(
            self.user.company_id,
            page_id,
            channel,
            question,
            self.user.username,
            expected_text=expected_text,
            expected_path=expected_path,
        )
        self._note("question.add", question_id, after={"page_id": page_id, "question": question})
        return question_id

    def delete_question(self, question_id: str) -> None:
        """Forget a saved question."""
        self.user.require(Permission.OPERATE)
        self._desk.questions.delete(self.user.company_id, question_id)
        self._note("question.delete", question_id)

    def run_questions(self, page_id: str, channel: Channel) -> list[Document]:
        """Ask all saved questions of a page and channel again."""
        self.user.require(Permission.SEARCH)
        return self._desk.questions.run(self.user.company_id, page_id, channel)

    # Pages and settings

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

    # Accounts and tokens

    def accounts(self) -> list[Document]:
        """The company's accounts."""
        self.user.require(Permission.ADMINISTER)
        return self._desk.accounts.all(self.user.company_id)

    def create_account(self, username: str, password: str, role: Role) -> None:
        """Add an account."""
        self.user.require(Permission.ADMINISTER)
        self._desk.accounts.create(self.user.company_id, username, password, role)
        self._note("account.add", username, after={"role": role.value})

    def set_role(self, username: str, role: Role) -> None:
        """Give an account another role."""
        self.user.require(Permission.ADMINISTER)
        before = self._desk.accounts.set_role(self.user.company_id, username, role)
        self._note(
            "account.role", username, before={"role": before.value}, after={"role": role.value}
        )

    def set_password(self, username: str, password: str) -> None:
        """Set someone's password; they are signed out everywhere."""
        self.user.require(Permission.ADMINISTER)
        self._desk.accounts.set_password(self.user.company_id, username, password)
        self._note("account.password", username)

    def change_own_password(self, current: str, password: str) -> None:
        """Change one's own password; all own sessions end, this one too."""
        if self.user.role is None:
            raise InvalidRequest("password", "A service token has no password.")
        self._desk.accounts.verify(self.user.username, current)
        self._desk.accounts.set_password(self.user.company_id, self.user.username, password)
        self._note("account.own_password", self.user.username)

    def end_own_sessions(self) -> None:
        """Sign oneself out everywhere."""
        self._desk.accounts.end_sessions(self.user.username)
        self._note("account.sign_out_everywhere", self.user.username)

    def delete_account(self, username: str) -> None:
        """Delete an account."""
        self.user.require(Permission.ADMINISTER)
        self._desk.accounts.delete(self.user.company_id, username)
        self._note("account.delete", username)

    def tokens(self) -> list[Document]:
        """The company's service tokens, without anything to use them by."""
        self.user.require(Permission.ADMINISTER)
        return self._desk.accounts.tokens(self.user.company_id)

    def create_token(self, name: str, scopes: Iterable[Permission], days: float) -> str:
        """A new service token, shown this once."""
        self.user.require(Permission.ADMINISTER)
        granted = list(scopes)
        token = self._desk.accounts.create_token(
            self.user.company_id, name, granted, days=days, created_by=self.user.username
        )
        self._note("token.add", name, after={"scopes": [s.value for s in granted], "days": days})
        return token

    def revoke_token(self, name: str) -> None:
        """End a service token."""
        self.user.require(Permission.ADMINISTER)
        self._desk.accounts.revoke_token(self.user.company_id, name)
        self._note("token.revoke", name)

    def audit(self, **filters: Any) -> list[Document]:
        """Entries of the audit log, newest first; see AuditLog.find."""
        self.user.require(Permission.ADMINISTER)
        return self._desk.audit.find(self.user.company_id, **filters)

    def _unmasked(self, new: NewLink, trial_id: str | None) -> NewLink:
        if upload_id := new.options.get("upload_id"):
            self._desk.uploads.get(str(upload_id), self.user.company_id)
        if trial_id is None:
            return new
        trials = self._desk.trials
        draft = trials.draft(trials.get(self.user.company_id, trial_id))
        return self._desk.links.unmasked(new, draft)

    def _note(
        self,
        action: str,
        subject: str,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        self._desk.audit.write(self.user, self._origin, action, subject, before=before, after=after)
