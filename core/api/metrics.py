"""``/api/metrics``: numbers for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterable

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from core.api.access import ActingParam
from core.counters import BUCKETS
from core.desk import Desk
from core.models import RunState
from core.scheduler import heartbeats
from core.status import sync_status
from core.vectors.follower import mirror_beats

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(acting: ActingParam) -> Response:
    """Runs, queue, leases, mirrors and links, in Prometheus's text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_DeskCollector(acting.reading, acting.user.company_id))
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")


class _DeskCollector(Collector):
    """Reads everything from the store at each scrape: the counting is done by other processes."""

    def __init__(self, desk: Desk, company_id: str) -> None:
        self._desk = desk
        self._company_id = company_id

    def collect(self) -> Iterable[Metric]:
        yield from self._runs()
        yield from self._processes()
        yield from self._links()

    def _runs(self) -> Iterable[Metric]:
        counted = self._desk.counters.read()
        by_state = counted.get("runs", {})
        runs = CounterMetricFamily("crm_desk_runs", "Sync runs that ended", labels=["state"])
        for state in RunState:
            if state not in (RunState.QUEUED, RunState.RUNNING):
                runs.add_metric([state.value], by_state.get(state.value, 0))
        yield runs
        counts = [counted.get("buckets", {}).get(f"b{n}", 0) for n in range(len(BUCKETS) + 1)]
        bounds = [*(str(bound) for bound in BUCKETS), "+Inf"]
        buckets = [(bound, sum(counts[: n + 1])) for n, bound in enumerate(bounds)]
        seconds = HistogramMetricFamily("crm_desk_run_seconds", "How long sync runs took")
        seconds.add_metric([], buckets, sum_value=counted.get("seconds", 0.0))
        yield seconds
        for name, field, text in (
            ("crm_desk_records", "records", "Records that came from CRMs"),
            ("crm_desk_embeddings", "embedded", "Texts that were embedded"),
            ("crm_desk_fetch_retries", "retries", "Requests to CRMs that were tried again"),
            ("crm_desk_fetched_bytes", "bytes", "Bytes that came from CRMs, decompressed"),
            ("crm_desk_leases_lost", "leases_lost", "Runs that lost their lease"),
        ):
            yield CounterMetricFamily(name, text, value=counted.get(field, 0))

    def _processes(self) -> Iterable[Metric]:
        desk = self._desk
        for name, text, value in (
            ("crm_desk_schedulers", "Schedulers heard of lately", len(heartbeats(desk.database))),
            ("crm_desk_leases_held", "Links being synced now", desk.leases.held_count()),
            ("crm_desk_queue_depth", "Links that wait for a sync", desk.leases.due_count()),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        lag = GaugeMetricFamily(
            "crm_desk_mirror_lag_seconds", "How far a mirror is behind the store", labels=["mirror"]
        )
        for beat in mirror_beats(desk.database["mirrors"]):
            lag.add_metric([str(beat["_id"])], float(beat["lag"]))
        yield lag

    def _links(self) -> Iterable[Metric]:
        desk = self._desk
        links = desk.links.of_company(self._company_id)
        states = desk.leases.of_company(self._company_id)
        by_status: dict[str, int] = {}
        documents = 0
        since = GaugeMetricFamily(
            "crm_desk_seconds_since_good_sync",
            "Seconds since the link's last good sync",
            labels=["page_id", "link_id"],
        )
        for link in links:
            state = states.get(link.link.link_id, {})
            status = sync_status(link, state, desk.settings)
            by_status[status] = by_status.get(status, 0) + 1
            documents += state.get("documents", 0)
            if (last := state.get("last_success_at")) is not None:
                since.add_metric([link.page_id, link.link.link_id], time.time() - last)
        count = GaugeMetricFamily("crm_desk_links", "CRM links by status", labels=["status"])
        for status, number in sorted(by_status.items()):
            count.add_metric([status], number)
        yield count
        yield GaugeMetricFamily("crm_desk_documents", "Documents served", value=documents)
        yield since
