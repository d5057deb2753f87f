"""The web process: the dashboard and the REST API on one port. ``streamlit run app.py`` starts it.

Composition only. The script that Streamlit runs for a page is pages/navigation.py: it lives inside
of pages/ so that there is no folder of pages beside it for Streamlit to discover and serve around
the navigation.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Mount

from core.api.application import background, create_api
from core.api.door import Door
from core.desk import get_desk
from core.log import configure_logging

desk = get_desk()
configure_logging(desk.settings.log_format)
desk.ensure_admin()


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[None]:
    async with background(desk):
        yield


app = st.App(
    "pages/navigation.py",
    lifespan=lifespan,
    routes=[Mount("/api", app=create_api(desk))],
    middleware=[Middleware(Door, desk=desk)],
)
