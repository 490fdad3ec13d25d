"""Writes notifications to standard output, one JSON object a line."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import TextIO

from ..redact import clean
from .channel import Channel, Notification, Outcome

Job = tuple["Future[None]", str]


class Stdout(Channel):
    """Standard output of the process, or any stream given instead.

    A reader that stops reading blocks the writer for ever, and a blocked write
    cannot be cancelled: so a thread of its own writes.  It is a daemon, or it
    would hold up the exit, and never touches `sys.stdout`, whose lock the
    interpreter wants at exit.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        write = _writer(stream) if stream else _write_stdout
        Thread(target=_work, args=(self._jobs, write), daemon=True).start()

    async def send(self, notification: Notification) -> Outcome:
        """Write one line; a line given up before its turn is never written."""
        future: Future[None] = Future()
        self._jobs.put((future, _line(notification)))
        try:
            await asyncio.wrap_future(future)
        except BrokenPipeError:
            return Outcome(error="nobody reads standard output any more")
        except OSError as error:
            return Outcome(error=f"cannot write: {error.strerror}")
        return Outcome()

    async def close(self) -> None:
        """Let the thread end once it has written what it was given."""
        self._jobs.put(None)


def _line(notification: Notification) -> str:
    """Return the line; all ASCII, so that no text in it can steer a terminal."""
    envelope = {
        "receiver": notification.receiver_name,
        "idempotency_key": str(notification.idempotency_key),
        "attempt": notification.attempt,
    }
    return clean(json.dumps(envelope | notification.payload)) + "\n"


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


def _write_stdout(line: str) -> None:
    data = line.encode()
    while data:
        data = data[os.write(1, data) :]


def _writer(stream: TextIO) -> Callable[[str], None]:
    def write(line: str) -> None:
        stream.write(line)
        stream.flush()

    return write
