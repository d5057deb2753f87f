"""The REST API. ``uvicorn core.api:api`` serves it alone, without the dashboard."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    # Built when asked for: importing this package must not open the store.
    if name == "api":
        from core.api.application import standalone

        return standalone()
    raise AttributeError(name)
