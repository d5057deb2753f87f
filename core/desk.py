"""The product's parts, wired together for one process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache

from pymongo.errors import PyMongoError

from core.alerts import Alerts
from core.bot.provenance import Provenance
from core.bot.reply import Replier
from core.bot.wording import Model
from core.companies import Companies
from core.configuration import Configuration
from core.connectors.file.uploads import Uploads
from core.connectors.interface import Context, Contexts
from core.connectors.pauses import HostPauses
from core.connectors.webhook.inbox import Inbox
from core.counters import Counters
from core.erasure import Erasures
from core.errors import StoreAway
from core.facebook.answering import Answering
from core.facebook.conversations import Conversations
from core.facebook.graph import Graph
from core.facebook.messages import Messages
from core.facebook.page_bots import PageBots
from core.facebook.receive import FacebookInbox
from core.fetching import Fetching
from core.known_fields import KnownFields
from core.leases import Leases
from core.links import Links
from core.outcome import Outcomes
from core.overview import Days, Overviews
from core.policies import Policies
from core.questions import Questions
from core.reading import TextReader
from core.retrieval.retrieve import Retriever
from core.runs import Runs
from core.scheduler import Scheduler
from core.security.accounts import Accounts
from core.security.audit import AuditLog
from core.security.network import AddressGuard
from core.security.rotation import reseal_everything
from core.security.secrets import SecretBox, add_secret_key, load_secret_keys
from core.security.tokens import ServiceTokens
from core.served import Served
from core.settings import Settings
from core.store import Database, open_store
from core.sync import OnStep, Sync
from core.tidying import Tidying
from core.trials import Trials
from core.vectors.contents import Contents
from core.vectors.documents import VectorDocuments
from core.vectors.embed import Embedder
from core.vectors.follower import REBUILD, MirrorFollower
from core.vectors.generation import GenerationWriter
from core.vectors.mirror import Mirror
from core.watch import Watch
from core.worker import Worker


class Desk:
    """Everything that the dashboard, the API and the scheduler share."""

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder | None = None,
        database: Database | None = None,
    ) -> None:
        self.settings = settings
        self.database = open_store(settings) if database is None else database
        self.box = SecretBox(lambda: _secret_keys(settings))
        self.guard = AddressGuard(settings.crm_allowed_hosts)
        self.tokens = ServiceTokens(self.database)
        self.accounts = Accounts(self.database, settings.session_hours, self.tokens)
        self.companies = Companies(self.database)
        self.leases = Leases(self.database)
        self.runs = Runs(self.database)
        self.links = Links(self.companies, self.leases, self.runs, self.box, self.guard)
        self.policies = Policies(self.database, self.companies, self.box)
        self.contents = Contents(self.database)
        self.known_fields = KnownFields(self.database)
        self.inbox = Inbox(self.database, self.box)
        self.uploads = Uploads(self.database, self.box, settings.max_upload_bytes)
        self.documents = VectorDocuments(self.database)
        self.served = Served(self.leases, self.contents)
        self.pauses = HostPauses(self.database)
        self.counters = Counters(self.database)
        self.alerts = Alerts(self.database, settings, self.guard)
        self.embedder = embedder or Embedder(settings.embedding_model)
        self.mirror = Mirror(
            settings.data_dir, settings.chroma_url, self.leases, self.contents, self.documents
        )
        self.days = Days(self.database)
        self.overviews = Overviews(settings, self.links, self.leases, self.days)
        self.audit = AuditLog(self.database)
        self.configuration = Configuration(self.companies, self.links, self.policies)
        self.retriever = Retriever(
            settings, self.links, self.leases, self.contents, self.mirror, self.embedder
        )
        self.follower = MirrorFollower(
            self.database,
            self.companies,
            self.links,
            self.leases,
            self.mirror,
            self.retriever.keep_up,
        )
        self.erasures = Erasures(
            self.database,
            settings.data_dir,
            self.box,
            self.links,
            self.leases,
            self.contents,
            self.documents,
            self.inbox,
            self.uploads,
            lambda: self.follower.order(REBUILD, on_wait=lambda _: None),
        )
        self.replier = Replier(self.retriever, self.embedder, Model(settings))
        self.provenance = Provenance(self.database, self.contents)
        self.page_bots = PageBots(self.database, self.box)
        self.conversations = Conversations(self.database)
        self.messages = Messages(self.database)
        self.facebook = FacebookInbox(
            settings, self.companies, self.page_bots, self.conversations, self.messages
        )
        self.questions = Questions(self.database, self.links, self.replier, self.alerts.regressed)
        self._contexts = Contexts(settings, self.database, self.box, self.guard, self.pauses)
        self.trials = Trials(
            self._contexts,
            self.links,
            self.leases,
            self.contents,
            self.policies,
            self.embedder,
            self.erasures.values,
        )
        self.reader = TextReader(self.leases, self.contents, self.embedder)

    @contextlib.contextmanager
    def fetching(self, seconds: float = 20.0) -> Iterator[Context]:
        """What a short exchange with a CRM needs, outside of a run."""
        watch = Watch(seconds)
        try:
            yield self._contexts.of(watch, lambda _: None)
        finally:
            watch.close()

    def ensure_admin(self) -> None:
        """Create the first administrator; a generated password is printed, this once."""
        password = self.settings.admin_password
        self.accounts.ensure_admin(
            self.settings.admin_username,
            password.get_secret_value() if password else None,
            _print_password,
        )

    def scheduler(self, on_step: OnStep = lambda _: None) -> Scheduler:
        """A scheduler over this desk. ``on_step`` is called at each step of each run."""
        tidying = Tidying(
            self.database,
            self.links,
            self.leases,
            self.runs,
            self.contents,
            self.documents,
            self.pauses,
            self.trials,
            self.days,
            self.inbox,
            self.uploads,
            self.known_fields,
            self.messages,
        )
        answering = Answering(
            self.page_bots,
            self.conversations,
            self.messages,
            Graph(self.settings),
            self.replier,
            self.provenance,
        )
        return Scheduler(
            self.settings,
            self.database,
            self.links,
            self.leases,
            self._worker(on_step),
            tidying,
            self.alerts,
            self.trials,
            self.erasures,
            self.overviews,
            self.inbox,
            answering,
            self.questions,
        )

    def _worker(self, on_step: OnStep) -> Worker:
        model = self.embedder.model_name
        fetching = Fetching(self._contexts, model)
        sync = Sync(
            self.settings,
            fetching,
            self.leases,
            self.runs,
            self.contents,
            self.documents,
            GenerationWriter(self.leases, self.contents, self.documents, model),
            self.embedder,
            self.policies,
            self.erasures.values,
            self.known_fields,
        )
        outcomes = Outcomes(
            self.settings,
            self.leases,
            self.runs,
            self.alerts,
            self.counters,
            self.days,
            self.known_fields,
            self.questions,
        )
        return Worker(self.settings, self.links, self.leases, self.runs, sync, outcomes, on_step)

    def rotate_secrets(self) -> int:
        """Encrypt every stored secret with a new key; how many there were.

        With ``SECRET_KEY`` in the environment that is the new one, and ``SECRET_KEY_PREVIOUS`` the
        one before; else a new key is generated into ``DATA_DIR/secret.key``.
        """
        if self.settings.secret_key is None:
            # First everything under the key in use: the one before that is then forgotten.
            reseal_everything(self.database, self.companies, self.box)
            add_secret_key(self.settings.data_dir)
        return reseal_everything(self.database, self.companies, self.box)

    def check_store(self) -> None:
        """Raise StoreAway unless the store answers."""
        try:
            self.database["companies"].find_one({}, {"_id": 1})
        except (PyMongoError, OSError) as error:
            raise StoreAway(
                f"The document store does not answer ({type(error).__name__}).",
                action="Check MONGODB_URI and that the server is up.",
            ) from error


def _secret_keys(settings: Settings) -> list[str]:
    """The keys that secrets are encrypted with, the one in use first."""
    if settings.secret_key is None:
        return load_secret_keys(settings.data_dir)
    previous = settings.secret_key_previous
    keys = [settings.secret_key, *([previous] if previous else [])]
    return [key.get_secret_value() for key in keys]


def _print_password(username: str, password: str) -> None:
    # Printed, not logged: it belongs to whoever sits at the terminal.
    print(  # noqa: T201
        f"\n  First start: sign in as {username} with the password {password}\n"
        "  It is not shown again.\n",
        flush=True,
    )


@cache
def get_desk() -> Desk:
    """This process's desk, by the environment's settings."""
    return Desk(Settings())
