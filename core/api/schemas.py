"""What requests look like. Unusable values become 422 answers that name the field."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictBool, StrictStr, field_validator

from core.facebook.graph import MAX_MESSAGE
from core.facebook.page_bots import Mode, PageBot, Reveals
from core.links.schema import Body, Channels, Name, NewLinkBody, PageId, RedactionRule, Url
from core.models import Channel
from core.security.roles import Permission, Role
from core.security.secrets import MASK
from core.text.personal import Kind
from core.text.redact import Action


class Credentials(Body):
    """Who signs in."""

    username: StrictStr = Field(min_length=1, max_length=200)
    password: StrictStr = Field(min_length=1, max_length=1000)


class Logout(Body):
    """Which sessions end: this one, or all of the account's."""

    everywhere: StrictBool = False


class NewPage(Body):
    """A Facebook page to be added."""

    page_id: PageId
    page_name: Name


class LinkStatus(Body):
    """A link to be switched on or off on channels."""

    page_id: PageId
    url: Url
    channels: Channels
    is_active: StrictBool


class LinkRemoval(Body):
    """A link to be deleted from channels."""

    page_id: PageId
    url: Url
    channels: Channels


class SyncRequest(Body):
    """A link to be synced now."""

    link_id: StrictStr = Field(min_length=1, max_length=100)


class SearchRequest(Body):
    """A question to a page's channel; ``k`` is how many hits at most."""

    page_id: PageId
    channel: Channel
    query: Annotated[StrictStr, Field(max_length=4000)]
    k: Annotated[int, Field(strict=True, ge=1, le=100)] = 5
    link_ids: Annotated[list[StrictStr], Field(max_length=100)] | None = None
    """Only records of these links."""
    field: Annotated[StrictStr, Field(min_length=1, max_length=200)] | None = None
    """Only records with such a field."""
    max_tokens: Annotated[int, Field(strict=True, ge=1, le=100_000)] | None = None
    """So long may all hits' texts be together; the best hit is there however long it is."""

    @field_validator("query")
    @classmethod
    def _asks_something(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must not be empty")
        return value


class LinkEdit(NewLinkBody):
    """A link as it shall be; ``revision`` is that of the link which was looked at.

    A key or secret that is left out, or ``***``, stays as it is stored.
    """

    api_key: StrictStr | None = Field(MASK, max_length=8000)
    revision: Annotated[int, Field(strict=True, ge=0)]


class LinkTest(NewLinkBody):
    """A link to be tried without saving it; with ``link_id``, an edit of that one."""

    link_id: StrictStr | None = Field(None, max_length=100)


class ReplyRequest(Body):
    """A customer's message on a page's channel."""

    page_id: PageId
    channel: Channel
    message: Annotated[StrictStr, Field(max_length=4000)]
    sender_id: Annotated[StrictStr, Field(max_length=200)] | None = None
    """The page-scoped id of who asks: only what the bot may tell them. Empty for a stranger."""
    stream: StrictBool = False
    """Send the sentences as they are worded, as server-sent events; the last one is the reply."""

    @field_validator("message")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must not be empty")
        return value


class NewQuestion(Body):
    """A question to be kept for a page and channel."""

    page_id: PageId
    channel: Channel
    question: Annotated[StrictStr, Field(min_length=1, max_length=1000)]
    expected_text: StrictStr = Field("", max_length=1000)
    """What the reply has to say; then the question is asked after each sync."""
    expected_path: StrictStr = Field("", max_length=1000)
    """Where a citation has to stand."""


class QuestionRun(Body):
    """A page and channel whose saved questions are asked."""

    page_id: PageId
    channel: Channel


class PageName(Body):
    """A page's new name."""

    page_name: Name


class CompanyName(Body):
    """The company's new name."""

    company_name: Name


class RedactionBody(Body):
    """What a company redacts: by kind of value, and by path."""

    kinds: dict[Kind, Action] = Field(default_factory=dict)
    rules: list[RedactionRule] = Field(default_factory=list, max_length=500)


class ErasureBody(Body):
    """A value that stands for a person: an e-mail address, a phone number, an id."""

    value: StrictStr = Field(min_length=1, max_length=200)


class NewAccount(Body):
    """An account to be added."""

    username: StrictStr = Field(min_length=1, max_length=64)
    password: StrictStr = Field(min_length=1, max_length=1000)
    role: Role


class AccountRole(Body):
    """An account's new role."""

    role: Role


class NewPassword(Body):
    """An account's new password."""

    password: StrictStr = Field(min_length=1, max_length=1000)


class OwnPassword(Body):
    """One's own new password; the current one shows that it is really oneself."""

    current_password: StrictStr = Field(min_length=1, max_length=1000)
    password: StrictStr = Field(min_length=1, max_length=1000)


class NewToken(Body):
    """A service token to be made; it is shown once."""

    name: StrictStr = Field(min_length=1, max_length=64)
    scopes: list[Permission] = Field(min_length=1, max_length=3)
    days: float = Field(365, gt=0, le=3650)


class ConfigurationImport(Body):
    """A configuration file's text; a ``dry_run`` only says what would be done."""

    text: StrictStr = Field(max_length=10_000_000)
    dry_run: StrictBool = True


class PageBotBody(Body):
    """How a page's bot behaves."""

    mode: Mode
    reveals: Reveals = Reveals.OWN
    token: StrictStr | None = Field(MASK, max_length=2000)
    handover_words: list[Annotated[StrictStr, Field(max_length=100)]] = Field(
        default_factory=lambda: list(PageBot().handover_words), max_length=50
    )
    handover_reply: StrictStr = Field("", max_length=MAX_MESSAGE)


class AnswerBody(Body):
    """A person's answer."""

    text: StrictStr = Field(min_length=1, max_length=MAX_MESSAGE)


class CustomerBody(Body):
    """Which customer somebody is: a record's link and path, or a verified e-mail address."""

    link_id: StrictStr = Field("", max_length=100)
    path: StrictStr = Field("", max_length=1000)
    verified_email: StrictStr = Field("", max_length=254, pattern=r"^([^\s@]+@[^\s@]+\.[^\s@]+)?$")


class HandoverBody(Body):
    """Whether a person answers."""

    handed_over: StrictBool
