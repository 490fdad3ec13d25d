"""Holds the runner's numbers; all times are in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What a runner may be told; the defaults suit production."""

    # How late anything may be noticed that no event tells of.
    poll: float = 1.0
    # The whole of one attempt to deliver, from name lookup to answer.
    deadline: float = 10.0
    # After this, a claimed notification that nobody marked is anybody's again.
    lease: float = 30.0
    # Deliveries in flight to one receiver; a hung one holds no more than these.
    slots: int = 8
    # Rules evaluated at the same time; a hanging one holds one until its timeout.
    evaluators: int = 2
    # How long a stopping runner tries to record what it has delivered.
    settle: float = 10.0

    def __post_init__(self) -> None:
        if self.lease < 2 * self.deadline:
            raise ValueError("the lease must be at least twice the deadline")
        if self.slots < 2 or self.evaluators < 1:
            raise ValueError("a runner needs 2 slots and 1 evaluator at least")

    @property
    def batch(self) -> int:
        """How many notifications one claim may take."""
        return self.slots // 2
