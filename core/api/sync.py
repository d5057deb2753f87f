"""``/api/dashboard/sync``: starting, watching and cancelling sync runs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query

from core.api.access import DeskParam, Operator, Viewer
from core.api.schemas import SyncRequest
from core.api.views import run_view
from core.models import RunState

router = APIRouter(prefix="/dashboard/sync", tags=["sync"])


@router.post("", status_code=202)
def start_sync(desk: DeskParam, user: Operator, body: SyncRequest) -> dict[str, Any]:
    """Ask for a sync of a link; the scheduler carries it out."""
    return {"run_id": desk.links.sync_now(user.company_id, body.link_id)}


@router.get("/runs")
def list_runs(
    desk: DeskParam,
    user: Viewer,
    page_id: str | None = None,
    link_id: str | None = None,
    state: RunState | None = None,
    before: datetime | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Runs, newest first; ``next_before`` pages on."""
    runs = desk.runs.find(
        user.company_id,
        page_id=page_id,
        link_id=link_id,
        state=state,
        before=before.timestamp() if before else None,
        limit=limit,
    )
    views = [run_view(run) for run in runs]
    more = views[-1]["queued_at"] if len(views) == limit else None
    return {"runs": views, "total": len(views), "next_before": more}


@router.get("/runs/{run_id}")
def get_run(desk: DeskParam, user: Viewer, run_id: str) -> dict[str, Any]:
    """One run, with what it changed, path by path."""
    view = run_view(desk.runs.get(user.company_id, run_id))
    return view | {"changes": desk.runs.changes(run_id)}


@router.post("/runs/{run_id}/approve", status_code=202)
def approve_run(desk: DeskParam, user: Operator, run_id: str) -> dict[str, Any]:
    """Take a held answer for right; it is fetched again and published."""
    return {"run_id": desk.links.approve(user.company_id, run_id, user.username)}


@router.post("/runs/{run_id}/reject")
def reject_run(desk: DeskParam, user: Operator, run_id: str) -> dict[str, Any]:
    """Take a held answer for wrong; what is served stays."""
    desk.links.reject(user.company_id, run_id, user.username)
    return run_view(desk.runs.get(user.company_id, run_id))


@router.post("/runs/{run_id}/cancel", status_code=202)
def cancel_run(desk: DeskParam, user: Operator, run_id: str) -> dict[str, Any]:
    """Stop a run; what was synced before stays."""
    return run_view(desk.runs.cancel(user.company_id, run_id))
