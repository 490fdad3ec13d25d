"""The application: who may ask, and its routes over one intake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount

from . import hook, metrics
from .guard import Guard
from .intake import Intake
from .otlp import routes as otlp
from .page.app import create_page
from .settings import Settings

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

    from .page.door.keeper import Keeper


def create_app(
    pool: AsyncConnectionPool[Any], settings: Settings, keeper: Keeper | None = None
) -> Starlette:
    """Return the application; it opens the pool, and closes it at its end.

    Without a keeper of its door there is no page.
    """
    intake = Intake(pool, settings)
    pages: list[BaseRoute] = (
        [Mount("/", create_page(keeper, settings.names))] if keeper else []
    )

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        # Without a database it starts as well, and says so to those who ask.
        await pool.open(wait=False)
        async with anyio.create_task_group() as group:
            group.start_soon(intake.work)
            if keeper:
                await keeper.pool.open(wait=False)
                group.start_soon(keeper.work)
            yield
            group.cancel_scope.cancel()
        if keeper:
            await keeper.close()
        await pool.close(timeout=1.0)

    app = Starlette(
        routes=[
            *metrics.routes(intake),
            *otlp.routes(intake),
            *hook.routes(intake),
            *pages,
        ],
        middleware=[Middleware(Guard, settings=settings)],
        lifespan=life,
    )
    app.state.intake = intake
    return app
