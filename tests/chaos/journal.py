"""What a process saw, told by itself: the copy of the truth that the database is held to."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

# What has no SQLSTATE because the connection was gone, and what was done by design.
LOST, LEFT = "lost", "left"
# A server that goes down, or is not up yet.
DOWN = {"57P01", "57P02", "57P03", "08000", "08001", "08003", "08006", "08P01"}


@dataclass(frozen=True)
class Entry:
    """One transaction of a process: what it asked, as whom, and what came back."""

    began: float
    ended: float
    process: int
    agent: str
    what: str
    # The run that the process believes to be its own; None while it starts one.
    run: int | None
    parent: int | None
    # The runs that the answers named.
    answers: list[int] = field(default_factory=list)
    state: str = ""
    said: str = ""
    # The rows that it wrote and that were committed.
    marks: list[str] = field(default_factory=list)
    connected: float = 0
    # The runs that a start has closed.
    closed: list[int] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        """Whether the database did what it was asked."""
        return not self.state

    @property
    def lost(self) -> bool:
        """Whether the answer, if any, never came."""
        return self.state == LOST or self.state in DOWN


class Journal:
    """The file of a process; a line that was written survives its SIGKILL."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, entry: Entry) -> None:
        """Write down one entry."""
        os.write(self._file, json.dumps(asdict(entry)).encode() + b"\n")


def read(folder: Path) -> list[Entry]:
    """Return what all processes noted, in the order of their ends."""
    lines = [
        line for file in folder.iterdir() for line in file.read_text().splitlines()
    ]
    return sorted((Entry(**json.loads(line)) for line in lines), key=lambda e: e.ended)
