"""What a connector is: one for each link type, in a folder of its own, listed in registry.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictStr

from core.connectors.pauses import HostPauses
from core.models import CrmLink
from core.security.network import AddressGuard
from core.security.secrets import SecretBox
from core.settings import Settings
from core.store import Database
from core.text.decode import Json, Text
from core.text.select import Parts, check_selector
from core.watch import Watch


def _json_path(value: str) -> str:
    check_selector(value)
    return value


JsonPath = Annotated[StrictStr, Field(max_length=1000), AfterValidator(_json_path)]


@dataclass(frozen=True)
class Limits:
    """What one fetch may take."""

    max_bytes: int
    max_pages: int
    max_records: int


@dataclass(frozen=True)
class Validators:
    """What the CRM said of the answer that is served, to be asked whether it still holds."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """The conditional request headers (RFC 9110)."""
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in asked.items() if value}


class Further(Protocol):
    """Parts of an answer after the first; each is fetched when it is asked for.

    They may be gone through again, and are not fetched again then.
    """

    def __iter__(self) -> Iterator[Json]:
        """The parts. Raises FetchError, AnswerError, or what cut the watch."""

    def close(self) -> None:
        """Let go of the source."""


class _Nothing:
    def __iter__(self) -> Iterator[Json]:
        return iter(())

    def close(self) -> None:
        """There is nothing to let go of."""


@dataclass
class Fetched:
    """All that a source holds, as one answer: ``further`` parts add to its array at ``grows``.

    ``answer`` is None when nothing changed (304), and an empty text when nothing came at all.
    ``is_meant`` says that somebody took away what is missing on purpose, such as a webhook that
    deletes, so that nobody needs to be asked. What is counted is complete, and the answer is
    whole, when ``further`` has been gone through without an error.
    """

    answer: Json | Text | None
    bytes: int
    pages: int = 1
    retries: int = 0
    validators: Validators = Validators()
    pagination: str = "a single page"
    is_meant: bool = False
    note: str = ""
    """What came of it, for the run's log."""
    further: Further = field(default_factory=_Nothing)
    grows: Parts | None = None
    """The keys to the array that further parts add to; None when there are none."""

    def close(self) -> None:
        """Let go of the source, and of what came: values take many times their text."""
        self.answer = None
        self.further.close()


@dataclass(frozen=True)
class Context:
    """What a fetch has at hand.

    ``validators`` of the answer that is served let the source say that nothing changed. ``extra``
    are further query parameters. ``say`` is told, in a sentence, what is out of the ordinary;
    ``on_page`` the pages and records that have come.
    """

    settings: Settings
    database: Database
    box: SecretBox
    guard: AddressGuard
    pauses: HostPauses
    watch: Watch
    say: Callable[[str], None]
    validators: Validators | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    on_page: Callable[[int, int], None] = lambda _, __: None

    @property
    def limits(self) -> Limits:
        """What the fetch may take."""
        own = self.settings
        return Limits(own.max_bytes, own.max_pages, own.max_records)


@dataclass(frozen=True)
class Contexts:
    """Makes the contexts of an installation's fetches."""

    settings: Settings
    database: Database
    box: SecretBox
    guard: AddressGuard
    pauses: HostPauses

    def of(self, watch: Watch, say: Callable[[str], None], **more: Any) -> Context:
        """The context of one fetch; ``more`` are the further fields of Context."""
        return Context(
            self.settings, self.database, self.box, self.guard, self.pauses, watch, say, **more
        )


class Options(BaseModel):
    """What a link of one type has beside the fields that all have. Unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class Connector(Protocol):
    """Fetches the links of one type."""

    options: ClassVar[type[Options]]
    secret_options: ClassVar[frozenset[str]]
    """Those that are kept encrypted and never shown."""
    can_be_tried: ClassVar[bool]
    """Whether a fetch without storing anything tells something."""
    went_well: ClassVar[str]
    """What a test says when it went well."""

    def check(self, url: str, options: Mapping[str, Any], guard: AddressGuard) -> None:
        """Refuse what could not be fetched, as a person enters it. Raises InvalidRequest."""

    def fetch(self, link: CrmLink, context: Context) -> Fetched:
        """Everything that the link's source holds.

        Raises FetchError, AnswerError, or what cut the watch; never gives a part for the whole.
        """


def opened(link: CrmLink, name: str, box: SecretBox) -> str | None:
    """A secret option of the link in the clear."""
    stored = link.options.get(name)
    return box.open(str(stored)) if stored else None
