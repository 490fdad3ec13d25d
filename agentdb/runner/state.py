"""Holds what the loops at one database share, and how they are."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from math import inf

import anyio

from ..config import Settings
from .signs import Signs
from .tick import until_tick


@dataclass
class State:
    """The runner's numbers, the two events that move its loops, and what they tell."""

    settings: Settings = field(default_factory=Settings)
    database: str = "database"
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    # Set when there may be something to send or to record.
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    # When, by loop, the database last heard of a successful lap.
    beaten: dict[str, float] = field(default_factory=dict)
    signs: Signs = field(default_factory=Signs)
    # Deliveries by receiver and by what became of them.
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    rolled_up_at: float = -inf
    # One evaluator waits for the next rule to be due, the others for their turn.
    claiming: asyncio.Lock = field(default_factory=asyncio.Lock)
    due_at: float = -inf
    # Why nothing is sent of the database: it is a copy that nobody has adopted.
    foreign: str | None = None

    @property
    def name(self) -> str:
        """The name under which the database knows this runner."""
        return self.settings.name

    def stop(self) -> None:
        """Ask every loop to end."""
        self.stopping.set()
        self.wake.set()

    def until_poll(self) -> float:
        """Return the seconds until all loops look again."""
        return until_tick(self.settings.poll)

    async def pause(self, seconds: float) -> None:
        """Wait, but not once the runner is stopping."""
        with anyio.move_on_after(seconds):
            await self.stopping.wait()
