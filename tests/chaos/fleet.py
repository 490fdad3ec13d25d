"""The processes, and the supervisor that starts again what has died."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from .agent import REPLACED
from .world import World

PATIENCE = 30.0


@dataclass
class Member:
    """One process, from its birth to its death."""

    number: int
    slot: str
    process: subprocess.Popen[bytes]
    # Just before it was killed, else when it was seen to have ended.
    died: float = float("inf")
    code: int | None = None

    @property
    def living(self) -> bool:
        """Whether it is there; notes its end."""
        if self.code is None and (code := self.process.poll()) is not None:
            self.code, self.died = code, min(self.died, time.time())
        return self.code is None

    def kill(self) -> None:
        """Take it away without a word."""
        self.died = min(self.died, time.time())
        self.process.send_signal(signal.SIGKILL)
        self.code = self.process.wait()


class Fleet:
    """One living process a slot, more or less."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self.journals = folder / "journals"
        self._errors = folder / "errors"
        for each in (self.journals, self._errors):
            each.mkdir()
        self.members: list[Member] = []
        self.restarts = self.twins = 0
        self._due: dict[str, float] = dict.fromkeys(world.slots, 0.0)
        self._current: dict[str, Member] = {}

    def tend(self) -> None:
        """Start what is due and what has ended by itself."""
        for slot, due in [*self._due.items()]:
            if due <= time.time():
                del self._due[slot]
                self._current[slot] = self._start(slot)
        for slot, member in self._current.items():
            if slot not in self._due and not member.living:
                self._due[slot] = time.time() + random.uniform(0.1, 2)

    def disturb(self) -> None:
        """Kill a process, or start its successor while it lives."""
        living = [
            m for s, m in self._current.items() if s not in self._due and m.living
        ]
        if not living:
            return
        member = random.choice(living)
        if random.random() < 0.15:
            self._replace(member)
            return
        member.kill()
        self.restarts += 1
        self._due[member.slot] = time.time() + random.uniform(0.1, 2)

    def _replace(self, old: Member) -> None:
        """Start a second process of an instance: one of them gives way."""
        self.twins += 1
        new = self._start(old.slot)
        end = time.monotonic() + PATIENCE
        while old.living and new.living:
            assert time.monotonic() < end, f"both processes of {old.slot} go on"
            time.sleep(0.05)
        self._current[old.slot] = old if old.living else new

    def _start(self, slot: str) -> Member:
        number = len(self.members) + 1
        direct = self._world.slots[slot][1] is None
        other = random.choice([s for s in self._world.slots if s.startswith("pooled")])
        given = {
            "number": number,
            "slot": slot,
            "seed": random.randrange(10**9),
            "journal": str(self.journals / str(number)),
            "who": self._world.identity(slot),
            "children": [self._world.identity(s, child=True) for s in (slot, other)],
            "width": random.choice([1, 2]) if direct else 1,
        }
        with (self._errors / str(number)).open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.agent", json.dumps(given)],
                stderr=errors,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            )
        member = Member(number, slot, process)
        self.members.append(member)
        return member

    def complete(self) -> list[Member]:
        """Wait for every slot to have a process; return them."""
        end = time.monotonic() + PATIENCE
        while self._due or not all(m.living for m in self._current.values()):
            assert time.monotonic() < end, "a process does not stay"
            self.tend()
            time.sleep(0.05)
        return [*self._current.values()]

    def end(self) -> None:
        """End half of them in order, and the others at once."""
        for member in self.members:
            if member.living and random.random() < 0.5:
                member.died = time.time()
                member.process.terminate()
                member.process.wait(PATIENCE)
            elif member.living:
                member.kill()

    def accidents(self) -> list[str]:
        """Return what made a process end that nobody had ended."""
        return [
            f"process {m.number} of {m.slot}, exit {m.code}: "
            f"{(self._errors / str(m.number)).read_text()[-2000:]}"
            for m in self.members
            if m.code not in (None, 0, REPLACED, -signal.SIGKILL)
        ]

    def close(self) -> None:
        """End them in any case."""
        for member in self.members:
            if member.living:
                member.kill()
