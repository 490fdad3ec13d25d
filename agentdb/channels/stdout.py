"""Writes notifications to standard output: JSON lines, on a terminal as people read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TextIO

from ..process.writer import Writer
from ..secret.redact import clean
from .channel import Channel, Notification, Outcome
from .text import lines


class Stdout(Channel):
    """Standard output of the process, or any stream given instead.

    A reader that stops reading blocks the writer for ever.  It never touches
    `sys.stdout`, whose lock the interpreter wants at exit.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._writer = Writer(_writer(stream) if stream else _write_stdout)
        self._said = _page if stream is None and os.isatty(1) else _line

    async def send(self, notification: Notification) -> Outcome:
        """Write one message."""
        try:
            await self._writer.write(self._said(notification))
        except BrokenPipeError:
            return Outcome(error="nobody reads standard output any more")
        except OSError as error:
            return Outcome(error=f"cannot write: {error.strerror}")
        return Outcome()

    async def close(self) -> None:
        """Let the thread end once it has written what it was given."""
        self._writer.close()


def _line(notification: Notification) -> str:
    """Return the line; all ASCII, so that no text in it can steer a terminal."""
    envelope = {
        "receiver": notification.receiver_name,
        "idempotency_key": str(notification.idempotency_key),
        "attempt": notification.attempt,
    }
    return clean(json.dumps(envelope | notification.payload)) + "\n"


def _page(notification: Notification) -> str:
    """Return the message as every other channel for people has it."""
    return clean("\n".join(lines(notification.payload))) + "\n\n"


def _write_stdout(line: str) -> None:
    data = line.encode()
    while data:
        data = data[os.write(1, data) :]


def _writer(stream: TextIO) -> Callable[[str], None]:
    def write(line: str) -> None:
        stream.write(line)
        stream.flush()

    return write
