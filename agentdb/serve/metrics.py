"""GET /healthz and /metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .. import __version__
from ..exposition import KIND, line

if TYPE_CHECKING:
    from .intake import Intake

NO_STORE = {"cache-control": "no-store"}


def routes(intake: Intake) -> list[Route]:
    """Return the routes of both pages; the numbers ask nobody."""

    async def healthz(request: Request) -> Response:
        well = await intake.is_there()
        said = {"ok": well, "database": "there" if well else "away"}
        return JSONResponse(said, 200 if well else 503, NO_STORE)

    async def metrics(request: Request) -> Response:
        text = "\n".join(_metrics(intake)) + "\n"
        return Response(text, 200, NO_STORE, KIND)

    return [Route("/healthz", healthz), Route("/metrics", metrics)]


def _metrics(intake: Intake) -> Iterator[str]:
    yield "# HELP agentdb_serve_info The release that serves."
    yield "# TYPE agentdb_serve_info gauge"
    yield line("agentdb_serve_info", 1, version=__version__)
    yield "# HELP agentdb_intake_database_up Whether the database takes events."
    yield "# TYPE agentdb_intake_database_up gauge"
    yield line("agentdb_intake_database_up", not intake.away)
    yield "# HELP agentdb_intake_waiting Events that wait for their commit."
    yield "# TYPE agentdb_intake_waiting gauge"
    yield line("agentdb_intake_waiting", intake.queue.depth)
    yield "# HELP agentdb_intake_requests_total Requests by path and status."
    yield "# TYPE agentdb_intake_requests_total counter"
    for (path, status), count in sorted(intake.requests.items()):
        labels = {"path": path, "status": str(status)}
        yield line("agentdb_intake_requests_total", count, **labels)
    yield "# HELP agentdb_intake_events_total Events by what became of them."
    yield "# TYPE agentdb_intake_events_total counter"
    for outcome, count in sorted(intake.events.items()):
        yield line("agentdb_intake_events_total", count, status=outcome)
