"""POST /v1/traces, /v1/logs and /v1/metrics."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...intake.dialect import Reading
from ...intake.otlp import proto, text
from ...intake.otlp.record import Record
from ...intake.peer import Peer
from ..body import Held, body
from ..errors import Busy, Refused
from ..identity import peer_of
from .answer import JSON, PROTOBUF, accepted, refused

if TYPE_CHECKING:
    from ..intake import Intake

logger = logging.getLogger("agentdb.serve")

# Below it is read where it is: a thread would cost more.
SMALL = 32 << 10
KINDS = {JSON: JSON, PROTOBUF: PROTOBUF, "application/protobuf": PROTOBUF}


def routes(intake: Intake) -> list[Route]:
    """Return the routes of the three signals."""
    held = Held(intake.settings.held)
    # One large body is unpacked at a time: that bounds what is unpacked.
    large = anyio.CapacityLimiter(1)

    def route(signal: str) -> Route:
        async def receive(request: Request) -> Response:
            return await _receive(request, signal, intake, held, large)

        return Route(f"/v1/{signal}", receive, methods=["POST"])

    return [route(signal) for signal in ("traces", "logs", "metrics")]


async def _receive(
    request: Request,
    signal: str,
    intake: Intake,
    held: Held,
    large: anyio.CapacityLimiter,
) -> Response:
    """Answer one request, after what was accepted of it is committed."""
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    kind = KINDS.get(said, JSON)
    peer, path = Peer(), f"/v1/{signal}"
    try:
        if said not in KINDS:
            raise Refused(f"send {PROTOBUF} or {JSON}", 415)
        peer = await peer_of(request, intake)
        async with body(request, held, intake.settings) as data:
            reading = Reading(peer, signal, intake.memory)
            if len(data) <= SMALL:
                _read(data, signal, kind, reading, intake)
            else:
                await anyio.to_thread.run_sync(
                    _read, data, signal, kind, reading, intake, limiter=large
                )
            size = len(data)
            del data
            results = await intake.record(peer, reading.events, size=size)
    except Busy as error:
        intake.requests[path, error.status] += 1
        return refused(kind, error.status, str(error), intake.settings.retry_after)
    except Refused as error:
        intake.requests[path, error.status] += 1
        if error.status in (400, 413):
            agent = request.headers.get("user-agent", "")
            intake.problems.add(peer.agent, path, agent, "malformed", str(error))
        return refused(kind, error.status, str(error), None)
    intake.requests[path, 200] += 1
    intake.problems.take_over(reading.problems)
    bad = [each.problem or "refused" for each in results if each.status == "refused"]
    for event, each in zip(reading.events, results, strict=True):
        if each.status == "refused":
            reading.problem("refused", each.problem or "refused", event)
    intake.problems.take_over(reading.problems)
    why = "; ".join(dict.fromkeys([*reading.whys(), *bad[:3]]))
    return accepted(signal, kind, reading.rejected + len(bad), why)


def _read(
    data: bytes, signal: str, kind: str, reading: Reading, intake: Intake
) -> None:
    """Turn a body into events."""
    settings = intake.settings
    found: Iterable[Record]
    if kind == JSON:
        found = text.records(
            text.loads(data), signal, settings.most_elements, reading.unreadable
        )
    else:
        found = proto.records(
            data,
            signal,
            settings.longest_element,
            settings.most_elements,
            reading.unreadable,
        )
    try:
        reading.read(found)
    except Refused:
        raise
    except Exception as error:
        # Sent again it fails again, and 500 would tell nobody why.
        logger.exception("agentdb: a request could not be read")
        raise Refused(f"not understood: {type(error).__name__}") from error
