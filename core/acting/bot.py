"""What a person or a script may do with the bot: ask it, set it up, and answer in its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.acting.user import ActingUser
from core.bot.merge import MergedLine
from core.bot.reply import Reply, kept_as
from core.errors import InvalidRequest, NotFound
from core.facebook.conversations import known_by_record, scope_of
from core.facebook.graph import MAX_MESSAGE
from core.facebook.page_bots import Mode, PageBot, Reveals, bot_facts
from core.models import Channel
from core.retrieval.retrieve import EVERYTHING, Hit, Scope
from core.security.roles import Permission
from core.store import Document


class BotActions(ActingUser):
    """Searches, replies, conversations and saved questions."""

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
