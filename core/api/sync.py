"""``/api/dashboard/sync``: starting, watching and cancelling sync runs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from core.api.access import ActingParam
from core.api.schemas import SyncRequest
from core.api.views import run_view
from core.models import RunState, Trigger

router = APIRouter(prefix="/dashboard/sync", tags=["sync"])


@router.post("", status_code=202)
def start_sync(acting: ActingParam, body: SyncRequest) -> dict[str, Any]:
    """Ask for a sync of a link; the scheduler carries it out."""
    return {"run_id": acting.sync_link(body.link_id)}


@router.get("/runs")
def list_runs(
    acting: ActingParam,
    page_id: str | None = None,
    link_id: str | None = None,
    state: RunState | None = None,
    trigger: Trigger | None = None,
    since: datetime | None = None,
    before: datetime | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Runs, newest first; ``next_before`` pages on."""
    runs = acting.reading.runs.find(
        acting.user.company_id,
        page_id=page_id,
        link_id=link_id,
        state=state,
        trigger=trigger,
        since=since.timestamp() if since else None,
        before=before.timestamp() if before else None,
        limit=limit,
    )
    views = [run_view(run) for run in runs]
    more = views[-1]["queued_at"] if len(views) == limit else None
    return {"runs": views, "total": len(views), "next_before": more}


@router.get("/runs/{run_id}")
def get_run(acting: ActingParam, run_id: str) -> dict[str, Any]:
    """One run, with what it changed, path by path."""
    desk = acting.reading
    view = run_view(desk.runs.get(acting.user.company_id, run_id))
    return view | {"changes": desk.runs.changes(run_id)}


@router.post("/runs/{run_id}/approve", status_code=202)
def approve_run(acting: ActingParam, run_id: str) -> dict[str, Any]:
    """Take a held answer for right; it is fetched again and published."""
    return {"run_id": acting.approve_run(run_id)}


@router.post("/runs/{run_id}/reject")
def reject_run(acting: ActingParam, run_id: str) -> dict[str, Any]:
    """Take a held answer for wrong; what is served stays."""
    acting.reject_run(run_id)
    return run_view(acting.reading.runs.get(acting.user.company_id, run_id))


@router.post("/runs/{run_id}/cancel", status_code=202)
def cancel_run(acting: ActingParam, run_id: str) -> dict[str, Any]:
    """Stop a run; what was synced before stays."""
    return run_view(acting.cancel_run(run_id))
