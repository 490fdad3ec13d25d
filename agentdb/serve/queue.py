"""Groups events of many requests into few commits, in turns, and bounded.

What a request waits for is the commit of its own events.  A large request is taken in
slices, in turn with others, so that it delays nobody by more than a batch.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..intake.event import Event
from .errors import Away, Full

logger = logging.getLogger("agentdb.serve")


class Result(NamedTuple):
    """What became of one event: recorded, repeated, unproven, or refused and why."""

    status: str
    problem: str | None = None
    run_id: int | None = None


Write = Callable[[list[Event], str], Awaitable[list[Result]]]


@dataclass
class _Request:
    events: list[Event]
    recorded_by: str
    done: asyncio.Future[list[Result]]
    #: What one of them has, in bytes, on the average.
    each: int = 1
    taken: int = 0
    results: list[Result] = field(default_factory=list)


class Queue:
    """Requests that wait for their events to be committed."""

    def __init__(self, write: Write, *, batch: int, most: int, size: int) -> None:
        self._write = write
        self._batch = batch
        self._size = size
        self._most = most
        self._waiting: deque[_Request] = deque()
        self._came = asyncio.Event()
        self.depth = 0

    async def put(
        self, events: list[Event], recorded_by: str, size: int = 0
    ) -> list[Result]:
        """Return what became of the events once all of them are committed.

        Where they are large, in bytes, few of them are one batch.
        Raises Full at once where too many wait, and Away where the database does: some
        may be committed even so, and count once when they are sent again.
        """
        if not events:
            return []
        # One request alone is never too many: it would be so each time it comes.
        if self.depth and self.depth + len(events) > self._most:
            raise Full("too much waits for the database")
        done: asyncio.Future[list[Result]] = asyncio.get_running_loop().create_future()
        each = size // len(events) + 1
        self._waiting.append(_Request(events, recorded_by, done, each))
        self.depth += len(events)
        self._came.set()
        return await done

    async def work(self) -> None:
        """Write batches until cancelled."""
        try:
            while True:
                await self._came.wait()
                self._came.clear()
                while self._waiting:
                    try:
                        await self._turn()
                    except Exception:
                        # Their clients were told; the next ones are served.
                        logger.exception("agentdb: a batch was not written")
        finally:
            self._fail(list(self._waiting), Away("the server is ending"))
            self._waiting.clear()

    async def _turn(self) -> None:
        """Write one batch: of each request that waits its next part."""
        parts = self._next()
        events = [event for request, size in parts for event in _part(request, size)]
        if not events:
            return
        try:
            results = await self._write(events, parts[0][0].recorded_by)
        except Away as error:
            everyone = [*{id(r): r for r, _ in parts}.values(), *self._waiting]
            self._waiting.clear()
            self._fail(everyone, error)
            return
        except BaseException:
            self._fail([request for request, _ in parts], Away("the server is ending"))
            raise
        self._settle(parts, results)

    def _next(self) -> list[tuple[_Request, int]]:
        """Return whose events come next, and how many; those given up are left out."""
        parts: list[tuple[_Request, int]] = []
        room, left, by = self._batch, self._size, None
        for _ in range(len(self._waiting)):
            request = self._waiting.popleft()
            if request.done.done():
                self.depth -= len(request.events) - request.taken
                continue
            by = by or request.recorded_by
            if room <= 0 or left <= 0 or request.recorded_by != by:
                self._waiting.append(request)
                continue
            fair = max(room // (len(self._waiting) + 1), 1)
            bearable = max(left // request.each, 1)
            size = min(len(request.events) - request.taken, fair, bearable)
            parts.append((request, size))
            room -= size
            left -= size * request.each
        return parts

    def _settle(self, parts: list[tuple[_Request, int]], results: list[Result]) -> None:
        place = 0
        for request, size in parts:
            request.results += results[place : place + size]
            place += size
            request.taken += size
            self.depth -= size
            if request.taken < len(request.events):
                self._waiting.append(request)
            elif not request.done.done():
                request.done.set_result(request.results)

    def _fail(self, requests: list[_Request], error: Away) -> None:
        for request in requests:
            self.depth -= len(request.events) - request.taken
            request.taken = len(request.events)
            if not request.done.done():
                request.done.set_exception(error)


def _part(request: _Request, size: int) -> list[Event]:
    return request.events[request.taken : request.taken + size]
