"""Holds what the loops of one runner share."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass, field
from math import inf

import anyio

from .settings import Settings


def _default_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


@dataclass
class State:
    """The runner's name, its numbers, and the two events that move its loops."""

    settings: Settings = field(default_factory=Settings)
    name: str = field(default_factory=_default_name)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    # Set when there may be something to send or to record.
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    # When, by loop, the database last heard of a successful lap.
    beaten: dict[str, float] = field(default_factory=dict)
    rolled_up_at: float = -inf

    def stop(self) -> None:
        """Ask every loop to end."""
        self.stopping.set()
        self.wake.set()

    async def pause(self, seconds: float) -> None:
        """Wait, but not once the runner is stopping."""
        with anyio.move_on_after(seconds):
            await self.stopping.wait()
