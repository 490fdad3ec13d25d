"""The pages, each at its address: all of them only read."""

from __future__ import annotations

from pathlib import Path

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


def routes() -> list[BaseRoute]:
    """Return the routes of all pages."""
    return [
        Route("/", status.status),
        Route("/incidents", incident.incidents),
        Route("/alert/{alert:int}", incident.alert),
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
        Mount("/static", StaticFiles(directory=STATIC), name="static"),
    ]
