"""What is done with a link that a scheduler has claimed: one run, from its start to its end."""

from __future__ import annotations

import threading
import time

import structlog

from core.errors import Cancelled, LeaseLost, NotFound, SchedulerStopped
from core.leases import LEASE_SECONDS, NEVER, Lease, Leases
from core.links import Links
from core.models import PageLink, Trigger
from core.outcome import Ending, Outcomes
from core.runs import Runs
from core.settings import Settings
from core.slots import Slot
from core.sync import OnStep, Sync
from core.watch import Watch

log = structlog.get_logger()


class Worker:
    """Works claimed links off; one instance serves all the threads of a scheduler."""

    def __init__(
        self,
        settings: Settings,
        links: Links,
        leases: Leases,
        runs: Runs,
        sync: Sync,
        outcomes: Outcomes,
        on_step: OnStep,
    ) -> None:
        self._settings = settings
        self._links = links
        self._leases = leases
        self._runs = runs
        self._sync = sync
        self._outcomes = outcomes
        self._on_step = on_step
        self._watches: set[Watch] = set()

    def stop(self) -> None:
        """Cut off the runs under way; they are done again."""
        for watch in list(self._watches):
            watch.cut(SchedulerStopped("The scheduler was stopped.", action="Nothing to do."))

    def work(self, lease: Lease, slot: Slot) -> bool:
        """Sync a claimed link; True unless the run failed. Never raises."""
        slot.take()
        try:
            # Nobody has kept the lease while the slot was waited for.
            if lease.state["lease_until"] - time.time() < LEASE_SECONDS * 3 / 4:
                self._leases.renew(lease)
            went_well = self._run(lease, slot)
            # One that was asked for while this one started may have left no other trace.
            if waiting := self._runs.queued(lease.link_id):
                self._leases.request(lease.link_id, waiting)
        except LeaseLost:
            return True
        except Exception:
            # The lease runs out by itself, and the link is due again then.
            log.exception("A sync run broke", link_id=lease.link_id)
            return False
        finally:
            slot.leave()
        return went_well

    def _run(self, lease: Lease, slot: Slot) -> bool:
        company_id = lease.state["company_id"]
        try:
            link = self._links.get(company_id, lease.link_id)
        except NotFound:
            self._leases.forget(lease.link_id)
            return True
        if not link.is_active:
            self._leases.finish(lease, NEVER)
            return True
        run_id = self._runs.queued(lease.link_id) or self._runs.queue(link, Trigger.SCHEDULE)
        self._leases.take_pending(lease)
        if not self._runs.start(run_id):
            self._leases.finish(lease, self._outcomes.next_regular(link))
            return True
        try:
            return self._carry_out(link, lease, run_id, slot)
        finally:
            self._runs.close(run_id)

    def _carry_out(self, link: PageLink, lease: Lease, run_id: str, slot: Slot) -> bool:
        self._runs.interrupt(lease.link_id, but=run_id)
        watch = Watch(self._settings.fetch_timeout_seconds, slot)
        self._watches.add(watch)
        over = threading.Event()
        keeper = threading.Thread(
            target=self._keep, args=(lease, run_id, watch, over), name="keeper", daemon=True
        )
        keeper.start()
        trigger = Trigger(self._runs.get(link.company_id, run_id)["trigger"])
        started = time.monotonic()
        try:
            result = self._sync.run(
                link, lease, run_id, watch, trigger=trigger, on_step=self._on_step
            )
        except Exception as error:
            over.set()
            keeper.join()
            ending = Ending(link, lease, run_id, time.monotonic() - started)
            return self._outcomes.failed(ending, error)
        finally:
            over.set()
            watch.close()
            self._watches.discard(watch)
        keeper.join()
        ending = Ending(link, lease, run_id, time.monotonic() - started)
        return self._outcomes.succeeded(ending, result)

    def _keep(self, lease: Lease, run_id: str, watch: Watch, over: threading.Event) -> None:
        """Hold the lease while the run is under way, and notice when a person cancels it."""
        renewed = time.monotonic()
        while not over.wait(1.0):
            try:
                self._runs.write(run_id)
                if self._runs.cancel_requested(run_id):
                    watch.cut(Cancelled("Somebody cancelled the run.", action="Nothing to do."))
                if time.monotonic() - renewed > LEASE_SECONDS / 4:
                    self._leases.renew(lease)
                    renewed = time.monotonic()
            except LeaseLost as lost:
                watch.cut(lost)
                return
            except Exception:
                log.exception("The lease could not be renewed", link_id=lease.link_id)
