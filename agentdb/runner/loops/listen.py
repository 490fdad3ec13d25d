"""Wakes the send loop when notifications were made, and keeps snapshots meanwhile."""

from __future__ import annotations

import logging

import anyio
import psycopg

from ..logs import log
from ..loop import Loop
from ..session import Session
from ..state import State

# The past of audited tables is known exactly once a second: see note_moment().
LONGEST = 1.0
NOTE = "select agentdb.note_moment()"


class Listen(Loop):
    """Listens; without it everything still works, by polling."""

    name = "listen"
    grace = 0.0

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._deaf = False
        self._patience = 0.0

    async def start(self, session: Session) -> None:
        """Begin to listen, and look once for what came before."""
        self._deaf = await session.pooled()
        if self._deaf:
            log(logging.WARNING, "no LISTEN through a pooler: polling instead")
        else:
            session.connection.add_notify_handler(self._heard)
            await session.rows("listen agentdb_notification")
        # The first lap is short: the database shall know soon that we hear.
        self._patience = 0.0
        self.state.wake.set()

    async def lap(self, session: Session) -> None:
        """Wait for a notification, then keep a snapshot where one is due."""
        if self._deaf:
            await self.state.pause(self._patience)
        else:
            # psycopg's own wait looks ten times a second.
            with anyio.move_on_after(self._patience):
                await anyio.wait_readable(session.connection.fileno())
        # Its answer brings what has been notified.
        await session.value(NOTE)
        self._patience = LONGEST

    def _heard(self, _: psycopg.Notify) -> None:
        self.state.wake.set()
