"""The pages, each at its address: all of them only read."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from . import render
from .door import reading


def routes() -> list[BaseRoute]:
    """Return the routes of all pages."""
    return [Route("/", status)]


async def status(request: Request) -> Response:
    """Show what fires."""
    async with reading(request) as connection:
        cursor = await connection.execute("select count(*) from agentdb.active_alert")
        row = await cursor.fetchone()
    return render.page(request, "status.html", {"found": row})
