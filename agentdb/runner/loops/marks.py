"""Remembers what became of deliveries until the database has it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import anyio
import psycopg

from ...channels import Notification, Outcome
from ..logs import log
from ..session import Session, brief

# Long after the lease: whatever is recorded then comes too late to count.
FORGET_AFTER = 600.0

SENT = """
select * from agentdb.mark_sent(
  notification_id => %(id)s::bigint,
  attempt => %(attempt)s::integer,
  status => %(status)s::integer)
"""
FAILED = """
select * from agentdb.mark_failed(
  notification_id => %(id)s::bigint,
  attempt => %(attempt)s::integer,
  status => %(status)s::integer,
  error => %(error)s::text,
  permanent => %(permanent)s::boolean,
  retry_after => %(retry_after)s::interval)
"""

EVENTS = {
    "sent": ("sent", logging.INFO),
    "queued": ("delivery failed, will be tried again", logging.WARNING),
    "dead": ("delivery given up", logging.ERROR),
    None: ("outcome came too late: somebody else delivers now", logging.WARNING),
}


@dataclass(frozen=True)
class Mark:
    """The outcome of one attempt, not yet recorded."""

    notification: Notification
    outcome: Outcome
    made_at: float

    async def write(self, session: Session) -> str | None:
        """Record it; return the state it leads to, none if it came too late."""
        if self.outcome.error is None:
            sent = await session.value(SENT, self._binds())
            return "sent" if sent else None
        state: str | None = await session.value(FAILED, self._binds())
        return state

    def _binds(self) -> dict[str, Any]:
        wait = self.outcome.retry_after
        return {
            "id": self.notification.notification_id,
            "attempt": self.notification.attempt,
            "status": self.outcome.status,
            "error": self.outcome.error,
            "permanent": self.outcome.permanent,
            "retry_after": None if wait is None else timedelta(seconds=wait),
        }

    def report(self, state: str | None) -> None:
        """Log what became of the notification."""
        event, level = EVENTS[state]
        log(
            level,
            event,
            notification=self.notification.notification_id,
            receiver=self.notification.receiver_name,
            kind=self.notification.kind,
            attempt=self.notification.attempt,
            status=self.outcome.status,
            error=self.outcome.error,
        )


class Marks:
    """The outcomes that wait to be recorded; they outlive connections."""

    def __init__(self) -> None:
        self._waiting: deque[Mark] = deque()
        # After a reload, the loop that ends may still be at it.
        self._writing = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, notification: Notification, outcome: Outcome) -> None:
        """Remember an outcome."""
        self._waiting.append(Mark(notification, outcome, anyio.current_time()))

    async def write(self, session: Session) -> None:
        """Record them in order; one that the database refuses goes to the end."""
        async with self._writing:
            for _ in range(len(self._waiting)):
                mark = self._waiting[0]
                try:
                    state = await mark.write(session)
                except psycopg.Error as error:
                    self._postpone(mark, brief(error))
                    return
                self._waiting.popleft()
                mark.report(state)

    def _postpone(self, mark: Mark, error: str) -> None:
        self._waiting.popleft()
        forgotten = anyio.current_time() - mark.made_at > FORGET_AFTER
        if not forgotten:
            self._waiting.append(mark)
        log(
            logging.ERROR if forgotten else logging.WARNING,
            "outcome forgotten" if forgotten else "outcome not recorded yet",
            notification=mark.notification.notification_id,
            error=error,
        )
