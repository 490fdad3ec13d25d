"""One tick for all that looks now and then: to wake once costs less than to do it."""

from __future__ import annotations

import time

BEGAN = time.monotonic()
# A timer may be early, and would then be set again for nothing.
EARLY = 0.002


def until_tick(every: float) -> float:
    """Return the seconds until the next tick of so many seconds."""
    left = every - (time.monotonic() - BEGAN) % every
    return left if left > EARLY else left + every
