"""The product's parts, wired together for one process."""

from __future__ import annotations

from functools import cache

from pymongo.errors import PyMongoError

from core.alerts import Alerts
from core.bot.reply import Replier
from core.companies import Companies
from core.configuration import Configuration
from core.connectors.pauses import HostPauses
from core.counters import Counters
from core.errors import StoreAway
from core.leases import Leases
from core.links import Links
from core.outcome import Outcomes
from core.overview import Days, Overviews
from core.policies import Policies
from core.questions import Questions
from core.reading import TextReader
from core.runs import Runs
from core.scheduler import Scheduler
from core.security.accounts import Accounts
from core.security.audit import AuditLog
from core.security.network import AddressGuard
from core.security.secrets import SecretBox, load_secret_key
from core.served import Served
from core.settings import Settings
from core.store import open_store
from core.sync import OnStep, Sync
from core.trials import Trials
from core.vectors.contents import Contents
from core.vectors.documents import VectorDocuments
from core.vectors.embed import Embedder
from core.vectors.follower import MirrorFollower
from core.vectors.generation import GenerationWriter
from core.vectors.mirror import Mirror
from core.vectors.retrieve import Retriever


class Desk:
    """Everything that the dashboard, the API and the scheduler share."""

    def __init__(self, settings: Settings, embedder: Embedder | None = None) -> None:
        self.settings = settings
        self.database = open_store(settings)
        key = settings.secret_key
        self.box = SecretBox(key.get_secret_value() if key else load_secret_key(settings.data_dir))
        self.guard = AddressGuard(settings.crm_allowed_hosts)
        self.accounts = Accounts(self.database, settings.session_hours)
        self.companies = Companies(self.database)
        self.leases = Leases(self.database)
        self.runs = Runs(self.database)
        self.links = Links(self.companies, self.leases, self.runs, self.box, self.guard)
        self.policies = Policies(self.companies, self.box)
        self.contents = Contents(self.database)
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
        self.follower = MirrorFollower(
            self.database, self.companies, self.links, self.leases, self.mirror
        )
        self.retriever = Retriever(
            settings, self.links, self.leases, self.contents, self.mirror, self.embedder
        )

        self.replier = Replier(self.retriever, self.embedder)
        self.questions = Questions(self.database, self.links, self.replier)
        self.trials = Trials(
            self.database,
            settings,
            self.links,
            self.leases,
            self.contents,
            self.policies,
            self.pauses,
            self.box,
            self.guard,
            self.embedder,
        )
        self.reader = TextReader(self.leases, self.contents, self.embedder)

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
        sync = Sync(
            self.settings,
            self.box,
            self.guard,
            self.pauses,
            self.leases,
            self.runs,
            self.contents,
            GenerationWriter(self.leases, self.contents, self.documents, self.embedder),
            self.embedder,
            self.policies,
        )
        return Scheduler(
            self.settings,
            self.database,
            self.links,
            self.leases,
            self.runs,
            self.contents,
            self.documents,
            sync,
            Outcomes(self.settings, self.leases, self.runs, self.alerts, self.counters, self.days),
            self.alerts,
            self.pauses,
            self.trials,
            self.overviews,
            self.days,
            on_step,
        )

    def check_store(self) -> None:
        """Raise StoreAway unless the store answers."""
        try:
            self.database["companies"].find_one({}, {"_id": 1})
        except (PyMongoError, OSError) as error:
            raise StoreAway(
                f"The document store does not answer ({type(error).__name__}).",
                action="Check MONGODB_URI and that the server is up.",
            ) from error


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
