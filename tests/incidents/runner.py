"""A runner that takes its turns when it is told: the loops of the product, one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import anyio

from agentdb.channels import Notification
from agentdb.channels.text import lines
from agentdb.runner.loop import BEAT
from agentdb.runner.loops.evaluate import CLAIM as CLAIM_RULE
from agentdb.runner.loops.evaluate import Evaluate
from agentdb.runner.loops.flush import ENFORCE, flush
from agentdb.runner.loops.marks import SENT
from agentdb.runner.loops.rule import Rule
from agentdb.runner.loops.schedule import set_schedules
from agentdb.runner.loops.send import CLAIM as CLAIM_MESSAGE
from agentdb.runner.loops.verify import Verify
from agentdb.runner.session import SLOW, Session, session
from agentdb.runner.state import State
from agentdb.verify.claim import Limits

from .clock import ClockedServer

MAINTAIN_EVERY = timedelta(hours=1)
LOOPS = ("evaluate", "flush", "send", "verify", "listen")
# A rule that is due within this time is waited for by moving the clock.
SOON_MS = 5000
Found = TypeVar("Found")


@dataclass(frozen=True)
class Message:
    """What the receiver was sent, and when."""

    at: datetime
    kind: str
    payload: dict[str, Any]

    @property
    def text(self) -> str:
        """The message as it is read."""
        return "\n".join(lines(self.payload))

    @property
    def rule(self) -> str:
        """The rule that the message leads with."""
        worst = self.payload.get("worst") or [{}]
        return str(self.payload.get("rule") or worst[0].get("rule") or "")

    @property
    def severity(self) -> str:
        """How bad it says that it is."""
        return str(self.payload.get("severity"))


class Turns:
    """One runner on one database, with a loop of its own for what is asynchronous."""

    def __init__(self, server: ClockedServer, dsn: str, limits: Limits) -> None:
        self._server = server
        self._dsn = dsn
        self._limits = limits
        self._loop = asyncio.new_event_loop()
        self._opened = session(dsn)
        self._session: Session = self._run(self._opened.__aenter__())
        self._state = State()
        self._evaluate = Evaluate(self._state)
        self._run(self._evaluate.start(self._session))
        self._maintain_at = server.now()

    def close(self) -> None:
        """End its connection."""
        self._run(self._opened.__aexit__(None, None, None))
        self._loop.close()

    def turn(self) -> list[Message]:
        """Do what is due, as a runner does; return what it sent."""
        return self._run(self._turn())

    def _run(self, work: Coroutine[Any, Any, Found]) -> Found:
        return self._loop.run_until_complete(work)

    async def _turn(self) -> list[Message]:
        await self._house()
        await self._verify()
        await self._rules()
        await flush(self._session)
        for loop in LOOPS:
            binds = {"name": "one", "loop": loop, "host": "h", "pid": 1}
            await self._session.rows(BEAT, {**binds, "version": "1", "revision": ""})
        return await self._send()

    async def _house(self) -> None:
        for query in ENFORCE:
            await self._session.rows(query, deadline=SLOW)
        await set_schedules(self._session)
        if self._server.now() >= self._maintain_at:
            self._maintain_at = self._server.now() + MAINTAIN_EVERY
            await self._session.rows("select * from agentdb.maintain()", deadline=SLOW)
            await self._session.rows("select agentdb.refresh_normal()", deadline=SLOW)

    async def _rules(self) -> None:
        """Evaluate the rules that are due; the clock is moved to those due at once."""
        self._state.rolled_up_at = float("-inf")
        await self._evaluate._roll_up(self._session)
        done: set[str] = set()
        while found := await self._session.rows(CLAIM_RULE):
            rule = Rule(**found[0])
            await self._evaluate._evaluate(self._session, rule)
            done.add(rule.rule_name)

    async def _verify(self) -> None:
        async with anyio.create_task_group() as tasks:
            verify = Verify(self._state, self._limits, tasks)
            while await verify.turn(self._session):
                await verify.look_ended()

    async def _send(self) -> list[Message]:
        sent = []
        binds = {"name": "one", "batch": 100, "lease": timedelta(minutes=1)}
        while found := await self._session.rows(CLAIM_MESSAGE, {**binds, "skip": []}):
            for row in found:
                note = Notification(**row)
                marked = {"id": note.notification_id, "attempt": note.attempt}
                await self._session.rows(SENT, {**marked, "status": 200})
                sent.append(Message(self._server.now(), note.kind, note.payload))
        return sent
