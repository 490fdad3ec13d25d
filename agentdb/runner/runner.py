"""Puts the watches together: starts, replaces and stops them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO, TypeAlias

import anyio
from anyio.abc import TaskGroup

from .. import __version__
from ..admin.doctor import who
from ..channels import Channels
from ..config import Config, Misconfigured
from ..secret.redact import keep
from . import logs
from .attendants import alarm, pages, ping, systemd
from .logs import log, log_error
from .watch import Watch

# Each name lookup holds a thread for as long as the resolver takes.
LOOKUPS = 32
# From sysexits.h: an error of ours.
SOFTWARE = 70
Attendant: TypeAlias = Callable[["Runner"], Awaitable[None]]
# They tell others how the runner is, and do without any database.
ATTENDANTS: tuple[Attendant, ...] = (
    alarm.attend,
    pages.attend,
    ping.attend,
    systemd.attend,
)


class Runner:
    """A runner inside an asyncio program: `await run()` until somebody calls `stop()`.

    `stream` receives what goes to the channel stdout, instead of file descriptor 1.
    """

    def __init__(self, config: Config, *, stream: TextIO | None = None) -> None:
        self.config = config
        self.channels = Channels(
            stream=stream, programs=config.programs, secrets=config.secrets
        )
        self.watches: dict[str, Watch] = {}
        # Replaced at each reload, for those who act upon the configuration.
        self.reloaded = asyncio.Event()
        self.reloads = {"done": 0, "refused": 0}
        self._left: list[Watch] = []
        self._stopping = asyncio.Event()
        self._tasks: TaskGroup | None = None

    @property
    def name(self) -> str:
        """The name under which the databases know this runner."""
        return self.config.runner.name

    def stop(self) -> None:
        """Claim nothing more and finish; for callers in the same event loop."""
        self._stopping.set()
        for watch in self.watches.values():
            watch.stop()

    def reload(self, config: Config) -> None:
        """Go on under another configuration; what is in flight ends in its own time."""
        before = self.watches
        self.config = config
        self.channels.allow(config.programs, config.secrets)
        self._begin()
        for watch in before.values():
            watch.stop()
        self._left = [
            watch for watch in (*self._left, *before.values()) if not watch.done
        ]
        self.reloads["done"] += 1
        self.reloaded.set()
        self.reloaded = asyncio.Event()

    async def run(self) -> bool:
        """Run until stopped; return whether every delivery is on record."""
        log(logging.INFO, "runner started", runner=self.name, version=__version__)
        async with anyio.create_task_group() as attendants:
            async with anyio.create_task_group() as self._tasks:
                self._begin()
                for attend in ATTENDANTS:
                    attendants.start_soon(_attend, attend, self)
                await self._stopping.wait()
            attendants.cancel_scope.cancel()
        await self.channels.close()
        log(logging.INFO, "runner stopped", runner=self.name)
        return all(watch.complete for watch in (*self._left, *self.watches.values()))

    def _begin(self) -> None:
        """Start a watch of each database, in the place of those at work.

        Those that are ending have no successor that could record what they leave.
        """
        if self._stopping.is_set():
            return
        before = self.watches
        self.watches = {
            database: Watch(database, self.config, self.channels, before.get(database))
            for database in self.config.databases
        }
        assert self._tasks
        for watch in self.watches.values():
            self._tasks.start_soon(watch.run)


async def _attend(attend: Attendant, runner: Runner) -> None:
    """Keep an attendant at work; none may bring the runner down."""
    while True:
        try:
            await attend(runner)
            return
        except Exception as error:
            name = attend.__module__.rpartition(".")[2]
            log_error("attendant failed", error, attendant=name)
            await anyio.sleep(5)


def run(
    config: Config,
    *,
    read: Callable[[], Config] | None = None,
    stream: TextIO | None = None,
) -> int:
    """Run until SIGTERM or SIGINT; return the exit code.

    SIGHUP has `read` read the configuration anew.
    """
    logs.configure(config.log)
    keep(os.environ.get("PGPASSWORD", ""))
    if (told := who(config.runner.user)).fix:
        log(logging.WARNING, told.detail, hint=told.fix)
    try:
        return asyncio.run(_run_until_signalled(Runner(config, stream=stream), read))
    except Exception as error:
        log_error("runner failed", error)
        return SOFTWARE


async def _run_until_signalled(
    runner: Runner, read: Callable[[], Config] | None
) -> int:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(LOOKUPS, "lookup"))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, runner, number)
    if read:
        reloads: set[asyncio.Task[None]] = set()

        def hear() -> None:
            # A task of its own: outside of one anyio may not know which loop this is.
            reloads.add(reload := loop.create_task(_reload(runner, read)))
            reload.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGHUP, hear)
    return 0 if await runner.run() else 1


def _stop(runner: Runner, number: signal.Signals) -> None:
    """Stop in order; a second signal of the kind ends the process at once."""
    asyncio.get_running_loop().remove_signal_handler(number)
    log(logging.INFO, "stopping", signal=number.name)
    systemd.tell("STOPPING=1")
    runner.stop()


async def _reload(runner: Runner, read: Callable[[], Config]) -> None:
    """Read the configuration anew; a bad one changes nothing."""
    systemd.tell(systemd.reloading())
    try:
        config = read()
        logs.configure(config.log)
        runner.reload(config)
        log(logging.INFO, "configuration reloaded")
    except Misconfigured as error:
        runner.reloads["refused"] += 1
        log(
            logging.ERROR,
            "configuration refused: the old one stays",
            problems=str(error).splitlines(),
        )
    finally:
        systemd.tell("READY=1")
