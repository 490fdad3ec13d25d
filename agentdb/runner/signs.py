"""Remembers when each loop last got on: the only proof that it still does."""

from __future__ import annotations

import time
from collections.abc import Iterator

# Alerting works if every loop has had a successful lap since.
LATE = 30.0
# A loop has deadlines on all it waits for; the longest is a rule's, of 5 minutes.
STUCK = 330.0
# What needs a lap: without `listen` everything works, by polling.
NEEDED = ("evaluate", "flush", "send", "verify")


class Signs:
    """The life of the loops at one database, by the clock that no one can set."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._turned: dict[str, float] = {}
        self._succeeded: dict[str, float] = {}
        self._errors: dict[str, str] = {}
        # The revision of a database that is later than the one we know.
        self.newer: str | None = None

    def turned(self, loop: str) -> None:
        """Note that a loop got on, if only to its next failure."""
        self._turned[loop] = time.monotonic()

    def ended(self, loop: str) -> None:
        """Forget a loop that ended on purpose."""
        self._turned.pop(loop, None)

    def succeeded(self, loop: str) -> None:
        """Note that a lap of a loop succeeded."""
        self._succeeded[loop] = time.monotonic()
        self._errors.pop(loop, None)

    def failed(self, loop: str, error: str) -> None:
        """Note what went wrong."""
        self._errors[loop] = error

    @property
    def ready(self) -> bool:
        """Whether each needed loop has succeeded once."""
        return all(loop in self._succeeded for loop in NEEDED)

    @property
    def well(self) -> bool:
        """Whether each needed loop succeeds."""
        return self.ready and not self.late()

    def ages(self) -> dict[str, float]:
        """Return by loop how long ago it last succeeded, or else that it began."""
        now = time.monotonic()
        return {loop: now - self._succeeded.get(loop, self._began) for loop in NEEDED}

    def late(self, than: float = LATE) -> dict[str, float]:
        """Return the loops that have not succeeded for too long."""
        return {loop: age for loop, age in self.ages().items() if age > than}

    def stuck(self) -> Iterator[str]:
        """Return the loops that have not even failed for too long."""
        long_ago = time.monotonic() - STUCK
        return (loop for loop, at in self._turned.items() if at < long_ago)

    def why(self) -> str:
        """Return what went wrong last, where something does."""
        return next(iter(self._errors.values()), "no answer")
