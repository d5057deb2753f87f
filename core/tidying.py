"""What changed and deleted links leave to do, and what is old enough to be forgotten."""

from __future__ import annotations

from core.bot.provenance import prune_replies
from core.connectors.api.oauth import forget_link
from core.connectors.file.uploads import Uploads
from core.connectors.pauses import HostPauses
from core.connectors.webhook.inbox import Inbox
from core.facebook.messages import Messages
from core.known_fields import KnownFields
from core.leases import Leases
from core.links import Links
from core.overview import Days
from core.runs import Runs
from core.store import Database
from core.trials import Trials
from core.vectors.contents import Contents
from core.vectors.documents import VectorDocuments

KEEP_RUNS_SECONDS = 30 * 24 * 3600.0


class Tidying:
    """Tidies up, in any scheduler; doing it twice changes nothing."""

    def __init__(
        self,
        database: Database,
        links: Links,
        leases: Leases,
        runs: Runs,
        contents: Contents,
        documents: VectorDocuments,
        pauses: HostPauses,
        trials: Trials,
        days: Days,
        inbox: Inbox,
        uploads: Uploads,
        known_fields: KnownFields,
        messages: Messages,
    ) -> None:
        self._database = database
        self._links = links
        self._leases = leases
        self._runs = runs
        self._contents = contents
        self._documents = documents
        self._pauses = pauses
        self._trials = trials
        self._days = days
        self._inbox = inbox
        self._uploads = uploads
        self._known_fields = known_fields
        self._messages = messages

    def tidy(self) -> None:
        """Carry out what a change of a link left to do in its documents."""
        for link_id, channels in self._leases.channels_pending():
            self._documents.set_channels(link_id, channels)
            self._leases.channels_noted(link_id, channels)
        for link_id, is_settled in self._leases.removals():
            if not self._leases.states([link_id]):
                self._documents.drop(link_id)
                self._contents.drop(link_id)
                self._inbox.drop(link_id)
                self._known_fields.drop(link_id)
                forget_link(self._database, link_id)
            if is_settled:
                self._leases.removed(link_id)

    def prune(self) -> None:
        """Forget what is older than it is kept."""
        self._runs.prune(keep_seconds=KEEP_RUNS_SECONDS)
        self._pauses.prune()
        self._trials.prune()
        self._days.prune()
        prune_replies(self._database)
        self._messages.prune()
        self._inbox.prune()
        self._uploads.prune(self._links.upload_ids())
