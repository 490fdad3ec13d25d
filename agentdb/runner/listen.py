"""Wakes the send loop when any runner or session has made notifications."""

from __future__ import annotations

import logging

from .logs import log
from .loop import Loop
from .session import ANSWER, Session
from .state import State

LONGEST = 5.0


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
            await session.rows("listen agentdb_notification")
        # The first lap is short: the database shall know soon that we hear.
        self._patience = 0.0
        self.state.wake.set()

    async def lap(self, session: Session) -> None:
        """Wait for a notification, then make sure that the server still answers."""
        if self._deaf:
            await self.state.pause(self._patience)
        elif await _heard(session, self._patience):
            self.state.wake.set()
        await session.value("select 1")
        self._patience = LONGEST


async def _heard(session: Session, patience: float) -> bool:
    async with session.answering(patience + ANSWER):
        notices = session.connection.notifies(timeout=patience, stop_after=1)
        return bool([notice async for notice in notices])
