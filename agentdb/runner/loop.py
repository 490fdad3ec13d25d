"""Keeps a loop turning: reconnects, backs off, and reports its healthy laps."""

from __future__ import annotations

import logging
import os
import random
import socket
from abc import ABC, abstractmethod
from typing import ClassVar

import anyio
import psycopg

from .. import REVISION, __version__
from ..secret.redact import clean
from .logs import log, log_error
from .session import Lost, Session, brief, session
from .state import State

BEAT_EVERY = 5.0
FIRST_DELAY = 0.2
LONGEST_DELAY = 5.0
HEALTHY_AFTER = 30.0

OTHER_RELEASE = (
    "the database is of another release: run agentdb install, or upgrade the runner"
)
# What a person forgets to do before the first start.
HINTS = {
    "3F000": "this database has no agentdb: run agentdb install",
    "42883": OTHER_RELEASE,
    "42703": OTHER_RELEASE,
    "42501": "the runner's role must be a member of agentdb_operator",
}

BEAT = """
select * from agentdb.beat(
  runner_name => %(name)s::text,
  loop => %(loop)s::text,
  host => %(host)s::text,
  pid => %(pid)s::integer,
  version => %(version)s::text,
  revision => %(revision)s::text)
"""


class Loop(ABC):
    """Something the runner does over and over, on a connection of its own."""

    name: ClassVar[str]
    # How long a lap may still take once the runner is stopping.
    grace: ClassVar[float] = 2.0

    def __init__(self, state: State, number: int = 1) -> None:
        self.state = state
        self.label = f"{self.name} {number}"

    def turned(self) -> None:
        """Note that the loop got on."""
        self.state.signs.turned(self.label)

    async def start(self, session: Session) -> None:
        """Prepare a new connection."""
        return None

    @abstractmethod
    async def lap(self, session: Session) -> None:
        """Do what is due, and wait until something may be due again."""


class Backoff:
    """Delays that double up to a limit, each blurred so that runners part."""

    def __init__(self) -> None:
        self._delay = FIRST_DELAY

    def next(self) -> float:
        """Return how long to wait before the next attempt."""
        delay = self._delay
        self._delay = min(2 * delay, LONGEST_DELAY)
        return delay * random.uniform(0.5, 1.5)


async def keep(loop: Loop, dsn: str) -> None:
    """Turn the loop until the runner stops; no error gets out."""
    async with anyio.create_task_group() as group:
        group.start_soon(_cut, loop, group.cancel_scope)
        backoff = Backoff()
        while not loop.state.stopping.is_set():
            loop.turned()
            if await _turn(loop, dsn) > HEALTHY_AFTER:
                backoff = Backoff()
            await loop.state.pause(backoff.next())
        group.cancel_scope.cancel()
    loop.state.signs.ended(loop.label)


async def _cut(loop: Loop, scope: anyio.CancelScope) -> None:
    await loop.state.stopping.wait()
    await anyio.sleep(loop.grace)
    scope.cancel()


async def _turn(loop: Loop, dsn: str) -> float:
    """Turn on one connection; return for how long it served."""
    connected_at = None
    try:
        async with session(dsn, turned=loop.turned) as connection:
            connected_at = anyio.current_time()
            await loop.start(connection)
            while not loop.state.stopping.is_set():
                await loop.lap(connection)
                loop.state.signs.succeeded(loop.name)
                await _beat(loop, connection)
    except Exception as error:
        _report(loop, error)
    return 0.0 if connected_at is None else anyio.current_time() - connected_at


async def _beat(loop: Loop, session: Session) -> None:
    """Tell the database that a lap has succeeded, now and then."""
    now = anyio.current_time()
    if now - loop.state.beaten.get(loop.name, -BEAT_EVERY) < BEAT_EVERY:
        return
    revision = await session.value(
        BEAT,
        {
            "name": loop.state.name,
            "loop": loop.name,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": __version__,
            "revision": REVISION,
        },
    )
    loop.state.beaten[loop.name] = now
    _compare(loop, revision)


def _compare(loop: Loop, revision: str) -> None:
    """Say once that the database is of a later release; what it answers is good."""
    newer = revision if revision > REVISION else None
    if newer and newer != loop.state.signs.newer:
        log(
            logging.WARNING,
            "database is of a later release",
            revision=newer,
            known=REVISION,
            hint="upgrade this runner; it goes on as long as the database answers",
        )
    loop.state.signs.newer = newer


def _report(loop: Loop, error: Exception) -> None:
    said = clean(brief(error))
    loop.state.signs.failed(loop.name, said)
    if isinstance(error, (Lost, psycopg.Error)):
        log(
            logging.WARNING,
            "database trouble",
            loop=loop.name,
            error=said,
            hint=HINTS.get(getattr(error, "sqlstate", None) or ""),
        )
    else:
        log_error("loop failed", error, loop=loop.name)
