"""``/api/health``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from core.api.access import DeskParam
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
