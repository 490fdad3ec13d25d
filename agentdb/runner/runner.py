"""Puts the loops together: starts them, stops them, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import logging
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO

import anyio

from .. import __version__
from ..channels import Channels
from ..verify.claim import Limits
from . import logs
from .evaluate import Evaluate
from .flush import Flush
from .listen import Listen
from .logs import log
from .loop import Backoff, Loop, keep
from .marks import Marks
from .send import Send
from .session import Session, brief, parse, session
from .settings import Settings
from .state import State
from .verify import Verify

RETIRE = "select * from agentdb.retire_runner(runner_name => %(name)s::text)"
# Each name lookup holds a thread for as long as the resolver takes.
LOOKUPS = 32


class Runner:
    """A runner inside an asyncio program: `await run()` until somebody calls `stop()`.

    `stream` receives what goes to the channel stdout, instead of file descriptor 1.
    """

    def __init__(
        self,
        dsn: str,
        *,
        name: str | None = None,
        stream: TextIO | None = None,
        settings: Settings | None = None,
        limits: Limits | None = None,
    ) -> None:
        parse(dsn)
        self._limits = limits or Limits()
        self._dsn = dsn
        self._state = State(settings or Settings())
        self._state.name = name or self._state.name
        self._channels = Channels(stream=stream)
        self._marks = Marks()

    @property
    def name(self) -> str:
        """The name under which the database knows this runner."""
        return self._state.name

    def stop(self) -> None:
        """Claim nothing more and finish; for callers in the same event loop."""
        self._state.stop()

    async def run(self) -> bool:
        """Run until stopped; return whether every delivery is on record."""
        log(logging.INFO, "runner started", runner=self.name, version=__version__)
        try:
            await self._turn()
            return await self._settle()
        finally:
            await self._channels.close()

    async def _turn(self) -> None:
        """Turn the loops until stopped; then deliveries end by their own deadlines."""
        async with (
            anyio.create_task_group() as deliveries,
            anyio.create_task_group() as loops,
        ):
            send = Send(self._state, self._channels, self._marks, deliveries)
            verify = Verify(self._state, self._limits, loops)
            for loop in (send, verify, *self._other_loops()):
                loops.start_soon(keep, loop, self._dsn)

    def _other_loops(self) -> list[Loop]:
        evaluators = range(self._state.settings.evaluators)
        return [
            *(Evaluate(self._state) for _ in evaluators),
            Flush(self._state),
            Listen(self._state),
        ]

    async def _settle(self) -> bool:
        """Sign off; insist, within reason, as long as outcomes are not recorded."""
        backoff = Backoff()
        with anyio.move_on_after(self._state.settings.settle):
            while not await self._sign_off() and self._marks:
                await anyio.sleep(backoff.next())
        if left := len(self._marks):
            log(logging.ERROR, "outcomes lost: these are sent again", deliveries=left)
        log(logging.INFO, "runner stopped", runner=self.name)
        return not left

    async def _sign_off(self) -> bool:
        try:
            async with session(self._dsn) as connection:
                await self._marks.write(connection)
                return not self._marks and await self._retire(connection)
        except Exception as error:
            log(logging.WARNING, "cannot sign off yet", error=brief(error))
            return False

    async def _retire(self, connection: Session) -> bool:
        await connection.rows(RETIRE, {"name": self.name})
        return True


def run(
    dsn: str,
    *,
    name: str | None = None,
    stream: TextIO | None = None,
    settings: Settings | None = None,
    limits: Limits | None = None,
) -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    logs.configure()
    runner = Runner(dsn, name=name, stream=stream, settings=settings, limits=limits)
    return asyncio.run(_run_until_signalled(runner))


async def _run_until_signalled(runner: Runner) -> int:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(LOOKUPS, "lookup"))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, runner, number)
    return 0 if await runner.run() else 1


def _stop(runner: Runner, number: signal.Signals) -> None:
    """Stop in order; a second signal of the kind ends the process at once."""
    asyncio.get_running_loop().remove_signal_handler(number)
    log(logging.INFO, "stopping", signal=number.name)
    runner.stop()
