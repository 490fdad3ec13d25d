"""Turns what has happened to alerts into notifications, and keeps house."""

from __future__ import annotations

import logging

import anyio
import psycopg

from ..logs import log
from ..loop import Loop
from ..session import SLOW, Session, brief
from ..state import State
from .schedule import set_schedules
from .seal import Export, seal

BATCH = 500
DEADLINE = 10.0
MAINTAIN_EVERY = 3600.0
MAINTAIN_AGAIN = 60.0
SEAL_EVERY = 60.0
ENFORCE_EVERY = 5.0
ADAPT_EVERY = 30.0
SCHEDULE_EVERY = 5.0

ENFORCE = {
    "select * from agentdb.drain_stopped()": "run stopped",
    "select * from agentdb.reap_transactions()": "old transaction of an agent",
    "select * from agentdb.advance_changes()": "change moved on",
}
# Those of the last minute: who commits late is not passed over.
ENDED = """
select change_id from agentdb.change
where closed_at > clock_timestamp() - interval '1 minute'
"""
NOTIFY = "select pg_notify(%(channel)s::text, %(payload)s::text)"
FLUSH = "select * from agentdb.flush(max_alerts => %(batch)s::integer)"


async def wake(session: Session, channel: str, payload: str = "") -> bool:
    """Wake who listens, in a transaction of its own; tell whether that went.

    Anybody can fill the queue of NOTIFY, and then it fails: everybody polls as well.
    """
    try:
        await session.rows(NOTIFY, {"channel": channel, "payload": payload})
    except psycopg.Error as error:
        if session.connection.closed:
            raise
        log(logging.DEBUG, "nobody woken", channel=channel, error=brief(error))
        return False
    return True


async def flush(session: Session) -> int:
    """Flush until nothing is left; return how many alerts that was."""
    total, made = 0, BATCH
    while made >= BATCH:
        made = await session.value(FLUSH, {"batch": BATCH}, deadline=DEADLINE)
        total += made
    if total:
        # Who is stopped by an alert, or repeats itself, hears of it at once.
        await wake(session, "agentdb_stop")
    return total


class Flush(Loop):
    """Flushes what no evaluation of this runner has flushed already."""

    name = "flush"

    def __init__(self, state: State, export: Export | None = None) -> None:
        super().__init__(state)
        self._export = export
        self._maintain_at = 0.0
        self._seal_at = 0.0
        self._enforce_at = 0.0
        self._schedule_at = 0.0
        self._adapt_at = 0.0
        self._told: set[int] = set()

    async def lap(self, session: Session) -> None:
        """Flush once, then wait."""
        await self._maintain(session)
        await self._seal(session)
        await self._enforce(session)
        await self._schedule(session)
        await self._adapt(session)
        if await flush(session):
            self.state.wake.set()
            await wake(session, "agentdb_notification")
        await self.state.pause(self.state.until_poll())

    async def _maintain(self, session: Session) -> None:
        """Make and drop partitions, learn what is normal; if it fails, again soon."""
        if anyio.current_time() < self._maintain_at:
            return
        self._maintain_at = anyio.current_time() + MAINTAIN_AGAIN
        try:
            for row in await session.rows(
                "select * from agentdb.maintain()", deadline=SLOW
            ):
                log(logging.INFO, "maintained", **row)
            await session.rows("select agentdb.refresh_normal()", deadline=SLOW)
            self._maintain_at += MAINTAIN_EVERY - MAINTAIN_AGAIN
        except psycopg.Error as error:
            log(logging.WARNING, "maintenance failed", error=brief(error))

    async def _adapt(self, session: Session) -> None:
        """Follow tables that somebody has altered."""
        if anyio.current_time() < self._adapt_at:
            return
        self._adapt_at = anyio.current_time() + ADAPT_EVERY
        try:
            for row in await session.rows(
                "select * from agentdb.maintain_tables()", deadline=SLOW
            ):
                log(logging.INFO, "table altered", **row)
        except psycopg.Error as error:
            log(logging.WARNING, "altered tables not adapted", error=brief(error))

    async def _seal(self, session: Session) -> None:
        """Seal the audit; another runner at it, or a lock, is no trouble."""
        if anyio.current_time() < self._seal_at:
            return
        self._seal_at = anyio.current_time() + SEAL_EVERY
        try:
            await seal(session, self._export)
        except psycopg.Error as error:
            log(logging.WARNING, "sealing failed", error=brief(error))

    async def _enforce(self, session: Session) -> None:
        """Finish stops that a rule began, and end transactions left open."""
        if anyio.current_time() < self._enforce_at:
            return
        self._enforce_at = anyio.current_time() + ENFORCE_EVERY
        try:
            for query, event in ENFORCE.items():
                for row in await session.rows(query, deadline=SLOW):
                    log(logging.WARNING, event, **{k: str(v) for k, v in row.items()})
            await self._tell_ended(session)
        except psycopg.Error as error:
            log(logging.WARNING, "enforcing stops failed", error=brief(error))

    async def _tell_ended(self, session: Session) -> None:
        """Wake who waits for the end of a change."""
        ended = {row["change_id"] for row in await session.rows(ENDED)}
        self._told &= ended
        for change in sorted(ended - self._told):
            if not await wake(session, "agentdb_change", str(change)):
                break
            self._told.add(change)

    async def _schedule(self, session: Session) -> None:
        """Reckon the next starts of schedules that have none."""
        if anyio.current_time() < self._schedule_at:
            return
        self._schedule_at = anyio.current_time() + SCHEDULE_EVERY
        try:
            await set_schedules(session)
        except psycopg.Error as error:
            log(logging.WARNING, "schedules not set", error=brief(error))
