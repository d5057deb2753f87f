"""What comes of a run that is over: for its log, its link, the alerts and the counters."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

import structlog

from core.alerts import Alerts
from core.connectors.backoff import LONGEST_PAUSE, LONGEST_WAIT
from core.counters import Counters
from core.errors import (
    Cancelled,
    DeskError,
    FetchError,
    Held,
    LeaseLost,
    RateLimited,
    RunStopped,
    SchedulerStopped,
    SyncError,
)
from core.known_fields import KnownFields
from core.leases import Lease, Leases
from core.models import PageLink, RunState
from core.overview import Days
from core.questions import Questions
from core.runs import Runs
from core.settings import Settings
from core.sync import Result

log = structlog.get_logger()


@dataclass(frozen=True)
class Ending:
    """A run that is over, before what came of it is written down."""

    link: PageLink
    lease: Lease
    run_id: str
    seconds: float


class Outcomes:
    """Writes down how runs ended, and plans when their links are due next."""

    def __init__(
        self,
        settings: Settings,
        leases: Leases,
        runs: Runs,
        alerts: Alerts,
        counters: Counters,
        days: Days,
        known_fields: KnownFields,
        questions: Questions,
    ) -> None:
        self._questions = questions
        self._known_fields = known_fields
        self._settings = settings
        self._leases = leases
        self._runs = runs
        self._alerts = alerts
        self._counters = counters
        self._days = days

    def succeeded(self, ending: Ending, result: Result) -> bool:
        """The run went well: True."""
        link, lease, run_id = ending.link, ending.lease, ending.run_id
        changed = result.changes.total if result.changes else 0
        if result.changes and changed:
            self._runs.keep_changes(run_id, lease.link_id, result.changes.lines)
        if result.fields is not None:
            self._known_fields.note(lease.link_id, result.fields)
        if lease.state.get("failing"):
            self._alerts.recovered(link, run_id)
        now = time.time()
        with contextlib.suppress(LeaseLost):  # what was published is published
            self._leases.note(
                lease,
                {
                    **result.facts,
                    "lease_holder": None,
                    "failures": 0,
                    "failing": False,
                    "last_error": None,
                    "last_success_at": now,
                    "last_synced_at": now,
                },
            )
        self._finish(ending, result.state, counts=result.counts, changes_total=changed)
        self._leases.finish(lease, self.next_regular(link))
        if result.state is RunState.SUCCEEDED:
            self._questions.page_changed(link.company_id, link.page_id)
        return True

    def failed(self, ending: Ending, error: Exception) -> bool:
        """The run ended with an exception: False if that is a failure or needs a person."""
        link, lease, run_id = ending.link, ending.lease, ending.run_id
        if isinstance(error, SchedulerStopped):
            self._finish(ending, RunState.INTERRUPTED, error=error)
            self._leases.finish(lease, time.time())
            return True
        if isinstance(error, RunStopped):
            return self._stopped(ending, error)
        if isinstance(error, DeskError):
            failure = error
        else:
            log.exception("A sync run broke", run_id=run_id, exc_info=error)
            failure = SyncError(
                "Something went wrong inside the product.",
                action="The process log has the details; it is tried again by itself.",
            )
            failure.permanent = False
        what = "fetch CRM data" if isinstance(failure, FetchError) else "sync CRM data"
        text = f"Failed to {what}: {failure.message}"
        log.error(text, run_id=run_id, link_id=lease.link_id, page_id=link.page_id)
        self._runs.line(run_id, "error", text)
        failures = int(lease.state["failures"]) + 1
        due_at = self._next_try(link, failure, failures)
        described = {
            "kind": getattr(failure, "kind", "error"),
            "message": failure.message,
            "action": failure.action,
        }
        is_failing = failures >= self._settings.sync_failures_before_alert
        if is_failing and not lease.state.get("failing"):
            self._alerts.failing(link, run_id, failures, described)
        with contextlib.suppress(LeaseLost):
            self._leases.note(
                lease,
                {
                    "lease_holder": None,
                    "failures": failures,
                    "failing": is_failing,
                    "last_error": described,
                    "last_synced_at": time.time(),
                },
            )
        self._finish(ending, RunState.FAILED, error=failure, retry_at=due_at)
        self._leases.finish(lease, due_at)
        return False

    def _stopped(self, ending: Ending, error: RunStopped) -> bool:
        lease, run_id = ending.lease, ending.run_id
        state = {Cancelled: RunState.CANCELLED, Held: RunState.HELD}.get(
            type(error), RunState.INTERRUPTED
        )
        log.warning(error.message, run_id=run_id, link_id=lease.link_id)
        self._runs.line(run_id, "warning", str(error))
        if isinstance(error, LeaseLost):
            self._counters.add_lost_lease()
        facts: dict[str, object] = {"lease_holder": None}
        if isinstance(error, Held):
            described = {"kind": error.kind, "message": error.message, "action": error.action}
            facts |= {"last_error": described, "last_synced_at": time.time()}
        with contextlib.suppress(LeaseLost):
            self._leases.note(lease, facts)
        self._finish(ending, state, error=error)
        self._leases.finish(lease, self.next_regular(ending.link))
        return not isinstance(error, Held)

    def _finish(
        self,
        ending: Ending,
        state: RunState,
        *,
        counts: dict[str, int] | None = None,
        changes_total: int = 0,
        error: DeskError | None = None,
        retry_at: float | None = None,
    ) -> None:
        self._runs.finish(
            ending.run_id,
            state,
            counts=counts,
            changes_total=changes_total,
            error=error,
            retry_at=retry_at,
        )
        self._counters.add_run(state, ending.seconds, counts or {})
        self._days.add_run(ending.link.company_id, state)

    def next_regular(self, link: PageLink) -> float:
        """When the link is due by its interval, in seconds since 1970."""
        minutes = link.link.sync_interval_minutes or self._settings.sync_interval_minutes
        return time.time() + minutes * 60

    def _next_try(self, link: PageLink, error: DeskError, failures: int) -> float:
        """When a failed link is tried again: sooner than usual if that can help, backing off."""
        regular = self.next_regular(link)
        if isinstance(error, RateLimited) and (error.retry_after or 0.0) > LONGEST_WAIT:
            # A CRM may ask for a day, but not for ever.
            return time.time() + min(float(error.retry_after or 0.0), LONGEST_PAUSE)
        if error.permanent:
            return regular
        return min(regular, time.time() + 60.0 * float(2 ** min(failures - 1, 10)))
