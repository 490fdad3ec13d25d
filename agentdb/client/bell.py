"""Wakes a thread that waits: for a time, for a call, or for what a connection says."""

from __future__ import annotations

import os
import selectors
from contextlib import suppress


class Bell:
    """A pipe to oneself, so that one wait is for a call and for a socket."""

    def __init__(self) -> None:
        self._ends: tuple[int, ...] = os.pipe()
        for end in self._ends:
            os.set_blocking(end, False)
        self._rung = False

    def ring(self) -> None:
        """Wake who waits, or who waits next; from anywhere, and never waits."""
        if self._ends and not self._rung:
            self._rung = True
            with suppress(OSError):
                os.write(self._ends[1], b"x")

    def wait(self, seconds: float, ear: int | None = None) -> tuple[bool, bool]:
        """Wait; tell whether the bell was rung and whether there is something to read.

        `ear` is a socket, which another thread may close in the meantime.
        """
        with selectors.DefaultSelector() as selector:
            for each in (*self._ends[:1], *([] if ear is None else [ear])):
                with suppress(OSError, ValueError, KeyError):
                    selector.register(each, selectors.EVENT_READ)
            ready = {key.fd for key, _ in selector.select(max(seconds, 0))}
        rung = not self._ends or self._ends[0] in ready
        if rung and self._ends:
            self._rung = False
            with suppress(OSError):
                os.read(self._ends[0], 64)
        return rung, ear in ready

    def close(self) -> None:
        """Close the pipe, once nobody waits any more."""
        ends, self._ends = self._ends, ()
        for end in ends:
            with suppress(OSError):
                os.close(end)

    def __del__(self) -> None:
        self.close()
