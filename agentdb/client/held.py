"""A lock that a run holds, renewed in the background until it is given back or lost."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING

from ..errors import AgentdbError, FenceLost
from .session import Away

if TYPE_CHECKING:
    from .run import Run

# Of the time that a lock is held for, how long until it is renewed.
RENEW_AFTER = 1 / 3


class Held:
    """A lock of the database: `lost` is set once somebody else may have it.

    The `fence` is the number that a fenced table compares at each write, so that what
    is written too late is refused by the database (FenceLost), whatever we know.
    """

    def __init__(self, run: Run, name: str, fence: int, ttl_ms: int, ttl: str) -> None:
        self.name = name
        self.fence = fence
        self.lost = threading.Event()
        self._run = run
        self._ttl = ttl
        self._left = ttl_ms / 1000
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
        self._over.set()
        self._thread.join()
        self._run._held.discard(self)
        if self.lost.is_set():
            return False
        try:
            row = self._run._ask("release_lock", name=self.name, fence=self.fence)
            if row["released"] and row["waiting"]:
                self._run._ask("wake_waiters", name=self.name)
        except Away:
            return False
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
        while not self._over.wait(self._left * RENEW_AFTER):
            try:
                row = self._run._ask(
                    "renew_lock", name=self.name, fence=self.fence, ttl=self._ttl
                )
            except Away:
                # It may still be ours for what was left.
                self._left *= 1 - RENEW_AFTER
                if self._left < 0.1:
                    self.lost.set()
                    return
                continue
            except AgentdbError:
                row = {"renewed": False}
            if not row["renewed"]:
                self.lost.set()
                return
            self._left = (row["ttl_ms"] or 0) / 1000
