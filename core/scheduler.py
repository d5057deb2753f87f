"""The scheduler: claims due links and syncs them, until it is told to stop.

`schedule` is only the heartbeat. What is due, and who is on it, is in the store, so that any number
of schedulers may run and none of them needs to remember anything. Every job catches what goes
wrong: `schedule` would otherwise run it again on every tick.
"""

from __future__ import annotations

import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime

import schedule
import structlog

from core.alerts import Alerts
from core.connectors.webhook.inbox import Inbox
from core.erasure import Erasures
from core.facebook.answering import Answering
from core.leases import Lease, Leases
from core.links import Links
from core.models import Trigger
from core.overview import Overviews
from core.questions import Questions
from core.settings import Settings
from core.slots import Slots
from core.store import Database, Document
from core.tidying import Tidying
from core.trials import Trials
from core.worker import Worker

# A scheduler that has not been heard of for this long is taken for dead.
SILENT_SECONDS = 15.0
TRIAL_WORKERS = 2
# `schedule` counts in whole seconds, which is long for an event, a customer, or many due links.
LOOK_SECONDS = 0.25
# So many syncs may wait for their CRMs, beside those that compute.
MOST_WAITING = 100
# So many due links are looked up at once, and believed to be due for so long.
DUE_BATCH = 100
DUE_SECONDS = 2.0

log = structlog.get_logger()


class Scheduler:
    """One scheduler process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        links: Links,
        leases: Leases,
        worker: Worker,
        tidying: Tidying,
        alerts: Alerts,
        trials: Trials,
        erasures: Erasures,
        overviews: Overviews,
        inbox: Inbox,
        answering: Answering,
        questions: Questions,
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._settings = settings
        self._beats = database["schedulers"]
        self._links = links
        self._leases = leases
        self._worker = worker
        self._tidying = tidying
        self._alerts = alerts
        self._trials = trials
        self._erasures = erasures
        self._erasing: Future[None] | None = None
        self._overviews = overviews
        self._inbox = inbox
        self._answering = answering
        self._questions = questions
        self._answers: Future[None] | None = None
        self._asks: Future[None] | None = None
        # Someone waits for a trial in front of a page: syncs must not keep it from starting.
        self._trial_pool = ThreadPoolExecutor(TRIAL_WORKERS + 1, thread_name_prefix="trial")
        # And a customer waits for an answer.
        self._answer_pool = ThreadPoolExecutor(2, thread_name_prefix="answer")
        self._trying: list[Future[None]] = []
        self._freed = threading.Event()
        self._slots = Slots(settings.sync_workers, on_free=self._freed.set)
        self._pool = ThreadPoolExecutor(
            settings.sync_workers + MOST_WAITING, thread_name_prefix="sync"
        )
        self._busy: dict[str, Future[bool]] = {}
        self._due: list[str] = []
        self._due_at = 0.0
        self._started_at = time.time()

    def run_forever(self, stop: threading.Event) -> None:
        """Sync what is due, until ``stop`` is set; runs under way are then cut off and redone."""
        for job in (self._links.reconcile, self._leases.heal_clock, self._beat, self._tidying.tidy):
            _guarded(job)()
        log.info("Scheduler started", scheduler=self.name, workers=self._settings.sync_workers)
        heartbeat = self._heartbeat()
        drift = _clock_drift()
        while not stop.is_set():
            # A worker that is done makes room for the next link at once.
            is_freed = self._freed.wait(LOOK_SECONDS)
            if stop.is_set():
                break
            if is_freed:
                self._freed.clear()
                _guarded(self._tick)()
            # `schedule` plans by the wall clock: set back by an hour, it would stand for an hour.
            if abs(_clock_drift() - drift) > 5.0:
                heartbeat, drift = self._heartbeat(), _clock_drift()
                _guarded(self._leases.heal_clock)()
            heartbeat.run_pending()
            _guarded(self._look_quickly)()
        self._worker.stop()
        self._pool.shutdown()
        self._trial_pool.shutdown(wait=False, cancel_futures=True)
        self._answer_pool.shutdown()
        self._beats.delete_many({"_id": self.name})
        log.info("Scheduler stopped", scheduler=self.name)

    def run_once(self) -> bool:
        """Sync everything that is due now; whether all of it went well."""
        self._links.reconcile()
        self._leases.heal_clock()
        self._tidying.tidy()
        results: list[bool] = []
        try:
            while link_ids := self._leases.due(1000):
                leases = [lease for i in link_ids if (lease := self._leases.claim(i, self.name))]
                if not leases:
                    break
                futures = [
                    self._pool.submit(self._worker.work, lease, self._slots.reserve())
                    for lease in leases
                ]
                results += [future.result() for future in wait(futures).done]
        finally:
            self._pool.shutdown()
        self._alerts.send_due()
        return all(results)

    def _heartbeat(self) -> schedule.Scheduler:
        heartbeat = schedule.Scheduler()
        heartbeat.every(1).seconds.do(_guarded(self._tick))
        heartbeat.every(2).seconds.do(_guarded(self._beat))
        heartbeat.every(2).seconds.do(_guarded(self._tidying.tidy))
        heartbeat.every(1).seconds.do(_guarded(self._alerts.send_due))
        heartbeat.every(1).seconds.do(_guarded(self._try_links))
        heartbeat.every(2).seconds.do(_guarded(self._ask))
        heartbeat.every(2).seconds.do(_guarded(self._erase))
        heartbeat.every(1).minutes.do(_guarded(self._overviews.sample_freshness))
        heartbeat.every(1).minutes.do(_guarded(self._links.reconcile))
        heartbeat.every(1).minutes.do(_guarded(self._leases.heal_clock))
        heartbeat.every(1).hours.do(_guarded(self._tidying.prune))
        return heartbeat

    def _look_quickly(self) -> None:
        if self._request_for_events():
            self._tick()
        self._answer()

    def _tick(self) -> None:
        self._busy = {key: future for key, future in self._busy.items() if not future.done()}
        room = self._settings.sync_workers + MOST_WAITING - len(self._busy)
        free = min(self._slots.unclaimed, room)
        if free <= 0:
            return
        for _ in range(free):
            lease = self._next_lease()
            if lease is None:
                return
            future = self._pool.submit(self._worker.work, lease, self._slots.reserve())
            self._busy[f"{lease.link_id}#{lease.fence}"] = future
            future.add_done_callback(lambda _: self._freed.set())

    def _next_lease(self) -> Lease | None:
        """Claim a link that is due; None when there is none.

        To see which have waited longest the store looks at all that are due: with thousands of
        them that is done for many at once, and other schedulers are kept from claiming the same.
        """
        is_fresh = False
        while not is_fresh:
            if not self._due or time.monotonic() - self._due_at > DUE_SECONDS:
                self._due = self._leases.due(DUE_BATCH)
                self._due_at = time.monotonic()
                is_fresh = True
                if len(self._due) == DUE_BATCH:
                    random.shuffle(self._due)
            while self._due:
                if lease := self._leases.claim(self._due.pop(0), self.name):
                    return lease
        return None

    def _request_for_events(self) -> bool:
        """Ask for a run of each link whose events wait; whether there is any.

        Whoever takes an event in only stores it, so that a process that dies then loses nothing.
        """
        asked = False
        for link_id in self._inbox.links_waiting():
            link = self._links.find(link_id)
            state = self._leases.states([link_id]).get(link_id)
            # A link that fails is due again when its back-off says so.
            if link and link.is_active and state and not state["failures"]:
                self._links.request_sync(link, Trigger.WEBHOOK)
                asked = True
        return asked

    def _try_links(self) -> None:
        self._trying = [future for future in self._trying if not future.done()]
        while len(self._trying) < TRIAL_WORKERS and (trial := self._trials.claim()):
            self._trying.append(self._trial_pool.submit(self._trials.carry_out, trial))

    def _erase(self) -> None:
        if self._erasing is None or self._erasing.done():
            job = _guarded(lambda: self._erasures.work_off(self.name))
            self._erasing = self._trial_pool.submit(job)

    def _answer(self) -> None:
        if self._answers is None or self._answers.done():
            self._answers = self._answer_pool.submit(_guarded(self._answering.work_off))

    def _ask(self) -> None:
        if self._asks is None or self._asks.done():
            self._asks = self._answer_pool.submit(_guarded(self._questions.ask_due))

    def _beat(self) -> None:
        now = time.time()
        self._beats.replace_one(
            {"_id": self.name},
            {
                "_id": self.name,
                "at": now,
                "started_at": self._started_at,
                "busy": len(self._busy),
                "workers": self._settings.sync_workers,
            },
            upsert=True,
        )
        self._beats.delete_many({"at": {"$lt": now - 3600.0}})


def heartbeats(database: Database) -> list[Document]:
    """The schedulers that are alive: name, when last heard of, how busy."""
    limit = time.time() - SILENT_SECONDS
    return list(database["schedulers"].find({"at": {"$gte": limit}}))


def _clock_drift() -> float:
    """How far the local wall clock is ahead of the steady one; a change means it was set."""
    # Naive on purpose: `schedule` plans in naive local time, summer time included.
    ahead = datetime.now() - datetime(2000, 1, 1)  # noqa: DTZ001, DTZ005
    return ahead.total_seconds() - time.monotonic()


def _guarded(job: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        try:
            job()
        except Exception:
            log.exception("A scheduler job failed", job=getattr(job, "__name__", "job"))

    return run
