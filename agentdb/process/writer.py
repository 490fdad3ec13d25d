"""Writes lines where writing may block for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread

Job = tuple["Future[None]", str]


class Writer:
    """A thread of its own that writes, because a blocked write cannot be cancelled.

    It is a daemon, or it would hold up the exit.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        Thread(target=_work, args=(self._jobs, write), daemon=True).start()

    async def write(self, line: str) -> None:
        """Write one line; a line given up before its turn is never written."""
        future: Future[None] = Future()
        self._jobs.put((future, line))
        await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let the thread end once it has written what it was given."""
        self._jobs.put(None)


def _work(jobs: SimpleQueue[Job | None], write: Callable[[str], None]) -> None:
    while job := jobs.get():
        future, line = job
        if future.set_running_or_notify_cancel():
            try:
                write(line)
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(None)
