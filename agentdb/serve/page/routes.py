"""The pages, each at its address: all of them only read."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from .view import (
    agent,
    audit,
    change,
    cost,
    incident,
    lock,
    outbox,
    rule,
    run,
    status,
    tool,
)

STATIC = Path(__file__).parent / "static"
# The axis looks the same in a file of its own.
AXIS = Path(__file__).parents[2] / "report" / "axis.css"


async def axis(request: Request) -> Response:
    """Give the colours of the axis."""
    return FileResponse(AXIS)


def routes() -> list[BaseRoute]:
    """Return the routes of all pages."""
    return [
        Route("/", status.status),
        Route("/incidents", incident.incidents),
        Route("/alert/{alert:int}", incident.alert),
        Route("/group/{group:int}", incident.group),
        Route("/silences", incident.silences),
        Route("/agents", agent.agents),
        Route("/agent/{name:path}", agent.agent),
        Route("/runs", run.runs),
        Route("/run/{run:int}", run.run),
        Route("/run/{run:int}/tree", run.tree),
        Route("/run/{run:int}/with/{other:int}", run.compare),
        Route("/run/{run:int}/report.{kind:str}", run.report),
        Route("/run/{run:int}/undo", run.undo, methods=["GET"]),
        Route("/changes", change.changes),
        Route("/change/{change:int}", change.change),
        Route("/questions", agent.questions),
        Route("/audit", audit.audit),
        Route("/locks", lock.locks),
        Route("/tools", tool.tools),
        Route("/costs", cost.costs),
        Route("/rules", rule.rules),
        Route("/rule/{rule:str}", rule.rule),
        Route("/outbox", outbox.outbox),
        Route("/static/axis.css", axis),
        Mount("/static", StaticFiles(directory=STATIC), name="static"),
    ]
