"""`POST /hook`: the events of coding agents' hooks, recorded and answered.

A hook waits for the answer, so the question and the record go to the database together.
Hooks fail open: where the database is away the emitter is told so, and goes on.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from ..intake.hook import Hook, NoEvent, answer, telling
from ..intake.peer import Peer
from .advice import Session, Told
from .body import Held, body
from .errors import Busy, Refused
from .identity import peer_of

if TYPE_CHECKING:
    from .intake import Intake, Verdict

PATH = "/hook"


def routes(intake: Intake) -> list[BaseRoute]:
    """Return the routes of hooks."""
    held = Held(intake.settings.held)
    told = Told()

    async def receive(request: Request) -> Response:
        """Answer one event."""
        peer = Peer()
        try:
            peer = await peer_of(request, intake)
            async with body(request, held, intake.settings) as data:
                hook, size = _hook(data), len(data)
            said = await _answered(intake, told, peer, hook, size)
        except Busy as error:
            intake.requests[PATH, error.status] += 1
            return _refused(error, intake.settings.retry_after)
        except Refused as error:
            intake.requests[PATH, error.status] += 1
            if error.status in (400, 413):
                agent = request.headers.get("user-agent", "")
                intake.problems.add(peer.agent, PATH, agent, "malformed", str(error))
            return _refused(error, None)
        intake.requests[PATH, 200] += 1
        return JSONResponse(said)

    async def whoami(request: Request) -> Response:
        """Answer as whom the events are taken, with nothing for nobody."""
        try:
            peer = await peer_of(request, intake)
        except Refused as error:
            return _refused(error, None)
        return PlainTextResponse(peer.agent or "")

    return [
        Route(PATH, receive, methods=["POST"]),
        Route(f"{PATH}/whoami", whoami, methods=["POST"]),
    ]


def _hook(data: bytes) -> Hook:
    try:
        return Hook.of(json.loads(data))
    except NoEvent as error:
        raise Refused(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise Refused(f"the body is no JSON: {error}"[:200]) from error


async def _answered(
    intake: Intake, told: Told, peer: Peer, hook: Hook, size: int
) -> dict[str, object]:
    """Record an event and judge what it asks about; return what its emitter is told."""
    if not peer.proven:
        # Of whom it is nothing says: an emitter of OTLP has a name at least.
        intake.problems.add(None, PATH, hook.emitter, "no token", hook.name)
        return {}
    if not hook.asks():
        await _record(intake, peer, hook, None, size)
        return _advice(told, peer, hook)
    # At once: that a call begins may be known before somebody says no to it.
    verdict, recorded = await asyncio.gather(
        intake.judge(
            peer,
            hook.tool,
            hook.given.get("tool_input"),
            conversation=hook.conversation,
            thread=hook.thread,
        ),
        _record(intake, peer, hook, None, size),
        return_exceptions=True,
    )
    if isinstance(verdict, BaseException):
        raise verdict
    told.hear(_session(peer, hook), verdict.advice, in_a_no=not verdict.allowed)
    reason = _reason(verdict)
    if reason is None:
        if isinstance(recorded, BaseException):
            raise recorded
        return _advice(told, peer, hook)
    try:
        # Where the first could not be written down another is not waited for.
        if isinstance(recorded, Busy):
            raise recorded
        await _record(intake, peer, hook, reason, size)
    except Busy as error:
        # A no is said all the same: else who keeps it from being written down, by a
        # transaction of its own, would have its tool called.
        intake.problems.add(
            peer.agent, PATH, hook.emitter, f"denied, not recorded: {error}", hook.given
        )
    return answer(hook, reason, over=verdict.over)


def _session(peer: Peer, hook: Hook) -> Session:
    return peer.agent, hook.conversation, hook.thread


def _advice(told: Told, peer: Peer, hook: Hook) -> dict[str, object]:
    """Return an answer with what the last question about a call came to know."""
    return telling(hook, told.once(_session(peer, hook)) if hook.tells() else None)


def _reason(verdict: Verdict) -> str | None:
    return None if verdict.allowed else f"agentdb: {verdict.reason or 'denied'}"


async def _record(
    intake: Intake, peer: Peer, hook: Hook, reason: str | None, size: int
) -> None:
    events = hook.events(reason)
    if not events:
        return
    results = await intake.record(peer, events, "hook", size=size)
    for event, result in zip(events, results, strict=True):
        if result.status == "refused":
            intake.problems.add(
                peer.agent, PATH, hook.emitter, result.problem or "refused", event
            )


def _refused(error: Refused, retry_after: int | None) -> Response:
    headers = {"retry-after": str(retry_after)} if retry_after else None
    return PlainTextResponse(str(error), error.status, headers)
