"""The time scale of an axis: round times for its ticks, and where a time is on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

# A tick is at a multiple of one of these, as clocks have them; in seconds.
STEPS = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30,
    60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
    86400, 172800, 604800, 1209600, 2592000, 7776000, 31536000,
)  # fmt: skip
MIDNIGHT = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Scale:
    """Times from `since` for `span` on `width` units."""

    since: datetime
    span: timedelta
    width: float

    def place(self, at: datetime) -> float:
        """Return where a time is, within the axis."""
        share = (at - self.since) / self.span
        return min(max(share, 0.0), 1.0) * self.width

    def step(self, most: int) -> timedelta:
        """Return the time between two ticks, of which there are no more than `most`."""
        least = self.span.total_seconds() / most
        years = math.ceil(least / STEPS[-1]) * STEPS[-1]
        return timedelta(seconds=next((s for s in STEPS if s >= least), years))

    def ticks(self, step: timedelta) -> list[datetime]:
        """Return the round times of UTC on the axis, a step apart."""
        first = EPOCH + -((EPOCH - self.since) // step) * step
        ticks: list[datetime] = []
        while first <= self.since + self.span:
            if first >= self.since:
                ticks.append(first)
            first += step
        return ticks


def tick_text(at: datetime, step: timedelta) -> str:
    """Return a tick's time, as exact as its step asks for."""
    if step >= MIDNIGHT:
        return f"{at:%m-%d}"
    if step >= timedelta(minutes=1):
        return f"{at:%H:%M}"
    if step >= timedelta(seconds=1):
        return f"{at:%H:%M:%S}"
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"
