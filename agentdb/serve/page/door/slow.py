"""Slows down who guesses passwords, and locks nobody out."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence

import anyio

FIRST, LONGEST = 0.25, 8.0
FORGOTTEN = 600.0
MOST_KNOWN = 10_000
# Of all, and from one address: who guesses takes no place of others.
MOST_WAITING, MOST_FROM_ONE = 64, 16


class TooMany(Exception):
    """More guess than are let guess at once."""


class Slow:
    """Counts failures by whatever they have in common: an address, a role."""

    def __init__(self) -> None:
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting: Counter[str] = Counter()

    async def wait(self, keys: Sequence[str]) -> None:
        """Wait as long as failures before have earned; raises TooMany.

        The first key is where the attempt comes from.
        """
        origin = keys[0]
        if (
            self._waiting[origin] >= MOST_FROM_ONE
            or self._waiting.total() >= MOST_WAITING
        ):
            raise TooMany
        self._waiting[origin] += 1
        try:
            await anyio.sleep(self.delay(keys))
        finally:
            self._waiting[origin] -= 1
            self._waiting += Counter()

    def delay(self, keys: Iterable[str]) -> float:
        """Return how many seconds the next attempt waits: twice as many each time."""
        now = time.monotonic()
        most = max(
            (n for n, at in map(self._of, keys) if now - at < FORGOTTEN), default=0
        )
        return min(LONGEST, FIRST * 2 ** (min(most, 20) - 1)) if most else 0.0

    def failed(self, keys: Iterable[str]) -> None:
        """Count a failure."""
        for key in keys:
            count = self._of(key)[0]
            self._failed[key] = (count + 1, time.monotonic())
            self._failed.move_to_end(key)
        while len(self._failed) > MOST_KNOWN:
            self._failed.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the failures of one."""
        self._failed.pop(key, None)

    def _of(self, key: str) -> tuple[int, float]:
        return self._failed.get(key, (0, 0.0))
