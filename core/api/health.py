"""``/api/health`` and ``/api/metrics``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from core.api.access import DeskParam, Viewer
from core.api.views import sync_status
from core.scheduler import heartbeats

router = APIRouter(tags=["health"])


@router.get("/health")
def health(desk: DeskParam) -> dict[str, Any]:
    """Liveness, and how each part is. Answers 503 when the store is away."""
    desk.check_store()
    schedulers = heartbeats(desk.database)
    return {
        "status": "ok" if schedulers else "degraded",
        "store": "ok",
        "schedulers": len(schedulers),
        "scheduler": "ok" if schedulers else "none has been heard of; links are not synced",
        "model": "loaded" if desk.embedder.is_loaded else "loading",
    }


@router.get("/metrics")
def metrics(desk: DeskParam, user: Viewer) -> Response:
    """Numbers for Prometheus, in its text format."""
    registry = CollectorRegistry()
    links = desk.links.of_company(user.company_id)
    states = desk.leases.states([link.link.link_id for link in links])
    by_status = Gauge("crm_links", "CRM links by status", ["status"], registry=registry)
    documents = Gauge("crm_documents", "Documents served", registry=registry)
    for link in links:
        state = states.get(link.link.link_id, {})
        by_status.labels(sync_status(desk, link, state)).inc()
        documents.inc(state.get("documents", 0))
    alive = Gauge("crm_schedulers", "Schedulers heard of lately", registry=registry)
    alive.set(len(heartbeats(desk.database)))
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")
