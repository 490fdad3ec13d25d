"""Watches one database: turns its loops until stopped, and signs off."""

from __future__ import annotations

import asyncio
import logging

import anyio

from ..channels import Channels
from ..config import Config
from . import logs
from .logs import log
from .loop import Backoff, Loop, keep
from .loops.bucket import Buckets
from .loops.evaluate import Evaluate
from .loops.flush import Flush
from .loops.listen import Listen
from .loops.marks import Marks
from .loops.seal import Export
from .loops.send import Send
from .loops.verify import Verify
from .session import Session, brief, session
from .state import State

RETIRE = "select * from agentdb.retire_runner(runner_name => %(name)s::text)"


class Watch:
    """One database under one configuration.

    The next configuration gets a watch of its own, which may begin before this one
    has ended, as two runners may: so nothing is missed between them.  It inherits
    what is not recorded yet, and what its receivers have had.
    """

    def __init__(
        self,
        database: str,
        config: Config,
        channels: Channels,
        before: Watch | None = None,
    ) -> None:
        self._dsn = config.databases[database]
        self._config = config
        self._channels = channels
        self.state = State(config.runner, database)
        self.marks = Marks()
        self.buckets = Buckets()
        self.complete = True
        self._export = Export(config.seal.file) if config.seal.file else None
        self._ended = asyncio.Event()
        self._replaced = False
        self._before = before if before and self._inherits(before) else None
        self.buckets.rates = config.rates

    def _inherits(self, before: Watch) -> bool:
        """Take over from a watch of the same database under the same name, if it is."""
        same = before._dsn == self._dsn and before.state.name == self.state.name
        if same:
            before._replaced = True
            self.marks, self.buckets = before.marks, before.buckets
            self.state.signs = before.state.signs
            self.state.counts = before.state.counts
        return same

    @property
    def done(self) -> bool:
        """Whether it has ended with everything on record."""
        return self._ended.is_set() and self.complete

    def stop(self) -> None:
        """Claim nothing more and finish."""
        self.state.stop()

    async def run(self) -> None:
        """Run until stopped; `complete` then tells whether all is on record.

        Who is replaced leaves it to the next to record and to sign off.
        """
        logs.database.set(self.state.database)
        try:
            await self._turn()
            if self._before:
                await self._before._ended.wait()
                self._before = None
            if not self._replaced:
                self.complete = await self._settle()
        finally:
            if self._export:
                self._export.close()
            self._ended.set()

    async def _turn(self) -> None:
        """Turn the loops until stopped; then deliveries end by their own deadlines."""
        async with (
            anyio.create_task_group() as deliveries,
            anyio.create_task_group() as loops,
        ):
            send = Send(
                self.state, self._channels, self.marks, self.buckets, deliveries
            )
            verify = Verify(self.state, self._config.verify, loops)
            for loop in (send, verify, *self._other_loops()):
                loops.start_soon(keep, loop, self._dsn)

    def _other_loops(self) -> list[Loop]:
        evaluators = range(self._config.runner.evaluators)
        return [
            *(Evaluate(self.state, number + 1) for number in evaluators),
            Flush(self.state, self._export),
            Listen(self.state),
        ]

    async def _settle(self) -> bool:
        """Sign off; insist, within reason, as long as outcomes are not recorded."""
        backoff = Backoff()
        with anyio.move_on_after(self._config.runner.settle):
            while not await self._sign_off() and self.marks:
                await anyio.sleep(backoff.next())
        if left := len(self.marks):
            log(logging.ERROR, "outcomes lost: these are sent again", deliveries=left)
        return not left

    async def _sign_off(self) -> bool:
        try:
            async with session(self._dsn) as connection:
                await self.marks.write(connection)
                return not self.marks and await self._retire(connection)
        except Exception as error:
            log(logging.WARNING, "cannot sign off yet", error=brief(error))
            return False

    async def _retire(self, connection: Session) -> bool:
        await connection.rows(RETIRE, {"name": self.state.name})
        return True
