"""A lock that a run holds, renewed in the background until it is given back or lost."""

from __future__ import annotations

import logging
import os
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

from ..errors import AgentdbError, FenceLost, Paused, RunClosed, Stopped
from .errors import Busy
from .session import Away

if TYPE_CHECKING:
    from .run import Run

# Of the time that a lock is held for, how long until it is renewed.
RENEW_AFTER = 1 / 3
# The least between two attempts, in seconds.
LEAST = 0.05
logger = logging.getLogger("agentdb.client")


class Lost(threading.Event):
    """Set when a lock is lost, which by itself it is when its time is over."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until

    @property
    def left(self) -> float:
        """How long it is ours for certain, in seconds."""
        return self.until - time.monotonic()

    def is_set(self) -> bool:
        """Tell whether somebody else may have the lock."""
        if self.left <= 0:
            self.set()
        return super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the lock is lost, or for a time; tell whether it is."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            rest = None if end is None else end - time.monotonic()
            if rest is not None and rest <= 0:
                return False
            super().wait(max(min(self.left, self.left if rest is None else rest), 0))
        return True


class Held:
    """A lock of the database: `lost` is set once somebody else may have it.

    The `fence` is the number that a fenced table compares at each write, so that what
    is written too late is refused by the database (FenceLost), whatever we know.
    """

    def __init__(
        self, run: Run, name: str, fence: int, ttl_ms: int, ttl: str, since: float
    ) -> None:
        self.name = name
        self.fence = fence
        #: Set once somebody else may have the lock.
        self.lost: threading.Event = Lost(since + ttl_ms / 1000)
        self._run = run
        self._ttl = ttl
        self._over = threading.Event()
        self._thread = threading.Thread(
            target=self._renew, name=f"agentdb-lock {name}", daemon=True
        )
        self._thread.start()

    def check(self) -> None:
        """Raise FenceLost where the lock is lost: to be called before a write."""
        if self.lost.is_set():
            raise FenceLost(
                f"lock {self.name} is lost",
                hint="Stop what needs it; take it again before you go on.",
            )

    def release(self) -> bool:
        """Give the lock back and wake who waits; return whether we still held it."""
        if os.getpid() != self._run._process:
            # A fork of the process whose lock it is.
            return False
        self._over.set()
        self._thread.join()
        self._run._held.discard(self)
        if self.lost.is_set():
            return False
        try:
            row = self._run._ask("release_lock", name=self.name, fence=self.fence)
            if row["released"] and row["waiting"]:
                self._run._ask("wake_waiters", name=self.name)
        except (Away, Stopped, RunClosed):
            # It ends with its time, or has ended with the run.
            self.lost.set()
            return False
        self.lost.set()
        return bool(row["released"])

    def __enter__(self) -> Held:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _renew(self) -> None:
        lost = self.lost
        assert isinstance(lost, Lost)
        while not self._over.wait(max(lost.left * RENEW_AFTER, LEAST)):
            asked = time.monotonic()
            try:
                row = self._run._ask(
                    "renew_lock", name=self.name, fence=self.fence, ttl=self._ttl
                )
            except (Away, Busy, Paused):
                # It is still ours for what is left.
                row = None
            except AgentdbError:
                row = {"renewed": False}
            except Exception:
                logger.exception("agentdb: lock %s was not renewed", self.name)
                row = None
            if row is not None and not row["renewed"]:
                lost.set()
            elif row is not None:
                lost.until = asked + (row["ttl_ms"] or 0) / 1000
            if lost.is_set():
                return
