"""Says what a channel is given, what it answers, and what it must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ..secret.refused import Refused

__all__ = ["Channel", "Notification", "Outcome", "Refused"]

# Where a receiver of PagerDuty without a target sends to.
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"


@dataclass(frozen=True)
class Notification:
    """One row of the outbox, claimed for one attempt."""

    notification_id: int
    attempt: int
    receiver_name: str
    channel: str
    target: str | None
    secret_ref: str | None
    idempotency_key: UUID
    kind: str
    dedup_key: str
    payload: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt: sent where `error` is none."""

    status: int | None = None
    error: str | None = None
    permanent: bool = False
    retry_after: float | None = None


class Channel(ABC):
    """A way to reach a receiver.

    `send` may be cancelled at any await and may run many times at once.  It
    raises `Refused` where no attempt can succeed; whatever else it raises
    counts as a failure that is worth another attempt.
    """

    @abstractmethod
    async def send(self, notification: Notification) -> Outcome:
        """Try once to deliver."""

    async def close(self) -> None:
        """Give back what the channel holds open."""
        return None
