"""The FastAPI application."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.applications import Starlette
from starlette.routing import Mount

from core.api import (
    admin,
    auth,
    bot,
    facebook,
    health,
    links,
    metrics,
    pages,
    questions,
    rag,
    sync,
    uploads,
    webhooks,
)
from core.api.limits import BodyLimit
from core.api.problems import answer_problems, documented_problems
from core.desk import Desk, get_desk
from core.log import configure_logging


def create_api(desk: Desk) -> FastAPI:
    """The REST API over ``desk``, to be mounted at ``/api``."""
    # The documentation page's scripts come from the package: nothing is loaded from elsewhere.
    app = FastAPIOffline(
        title="CRM desk",
        summary="CRM links, their syncs, and what the bot finds in them",
        version="0.1.0",
        docs_url="/docs",
        redoc_url=None,
    )
    app.state.desk = desk
    answer_problems(app)
    parts = (auth, pages, links, uploads, sync, rag, questions, bot, admin, health, metrics)
    incoming = (webhooks, facebook)
    for module in (*parts, *incoming):
        app.include_router(module.router, responses=documented_problems())
    app.add_middleware(BodyLimit, larger={uploads.PATH: desk.settings.max_upload_bytes})
    return app


@asynccontextmanager
async def background(desk: Desk) -> AsyncIterator[None]:
    """What a web process does besides answering: loads the model, keeps the mirror up to date."""
    stop = threading.Event()
    desk.embedder.warm_up()
    follower = threading.Thread(target=desk.follower.run, args=(stop,), name="mirror", daemon=True)
    follower.start()
    try:
        yield
    finally:
        stop.set()
        follower.join(5)
        desk.mirror.close()


def standalone() -> Starlette:
    """The API alone, at the same paths, by the environment's settings."""
    desk = get_desk()
    configure_logging(desk.settings.log_format)
    desk.ensure_admin()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with background(desk):
            yield

    return Starlette(routes=[Mount("/api", app=create_api(desk))], lifespan=lifespan)
