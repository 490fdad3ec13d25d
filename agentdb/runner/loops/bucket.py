"""Token buckets: how many messages a receiver gets at once, and how many a second."""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import inf

from ...config import Rate

# What services allow for one key; a receiver's own section [rate.NAME] goes before.
BY_CHANNEL = {
    "apprise": Rate(per_second=1, burst=20),
    "email": Rate(per_second=1, burst=20),
    "pagerduty": Rate(per_second=2, burst=60),
}


class Buckets:
    """A bucket for each receiver; what is taken too much is owed.

    A claim may take some messages more than there are tokens, and the receiver then
    waits until they are paid back: so none has to wait in a slot, its lease running.
    """

    def __init__(self, rates: Mapping[str, Rate] | None = None) -> None:
        # May be replaced while the buckets are in use.
        self.rates = rates or {}
        self._tokens: dict[str, tuple[float, float, Rate]] = {}

    def take(self, receiver: str, channel: str) -> None:
        """Take a token."""
        rate = self.rates.get(receiver) or BY_CHANNEL.get(channel) or Rate()
        tokens, at, _ = self._tokens.get(receiver, (float(rate.burst), inf, rate))
        now = time.monotonic()
        tokens = min(rate.burst, tokens + max(now - at, 0) * rate.per_second)
        self._tokens[receiver] = (tokens - 1, now, rate)

    def waits(self) -> dict[str, float]:
        """Return the receivers without a token, and when each will have one again."""
        now = time.monotonic()
        return {
            receiver: wait
            for receiver, (tokens, at, rate) in self._tokens.items()
            if (wait := (1 - tokens) / rate.per_second - (now - at)) > 0
        }
