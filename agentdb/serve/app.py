"""The application: who may ask, and its routes over one intake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware

from . import hook, metrics
from .guard import Guard
from .intake import Intake
from .otlp import routes as otlp
from .settings import Settings

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool


def create_app(pool: AsyncConnectionPool[Any], settings: Settings) -> Starlette:
    """Return the application; it opens the pool, and closes it at its end."""
    intake = Intake(pool, settings)

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        # Without a database it starts as well, and says so to those who ask.
        await pool.open(wait=False)
        async with anyio.create_task_group() as group:
            group.start_soon(intake.work)
            yield
            group.cancel_scope.cancel()
        await pool.close(timeout=1.0)

    app = Starlette(
        routes=[
            *metrics.routes(intake),
            *otlp.routes(intake),
            *hook.routes(intake),
        ],
        middleware=[Middleware(Guard, settings=settings)],
        lifespan=life,
    )
    app.state.intake = intake
    return app
