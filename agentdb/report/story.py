"""A run as a reader of any form gets it: facts, marks on the axis, what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]

# From top to bottom: the axis of every form has these lanes, in this order.
LANES = {
    "tokens": "tokens",
    "tool call": "tool calls",
    "progress": "progress",
    "lock": "locks",
    "write": "rows written",
    "change": "changes",
    "claim": "claims",
    "question": "questions",
    "alert": "alerts",
    "stop": "stops",
}
# What shares a lane with another kind.
SAME_LANE = {"answer": "question"}
# More are not drawn: zoom in.
MOST = 5000


@dataclass(frozen=True)
class Mark:
    """One thing that happened; `ends_at` is None while it goes on.

    `note` is repeat, error, unknown or empty; `amount` is input tokens, the bytes of a
    result, or rows; `output` is output tokens.
    """

    at: datetime
    ends_at: datetime | None
    kind: str
    what: str
    note: str = ""
    amount: int | None = None
    output: int | None = None

    @property
    def lane(self) -> str:
        """The kind whose lane it is drawn in."""
        return SAME_LANE.get(self.kind, self.kind)

    @property
    def lasted(self) -> str:
        """How long it took, in words; empty for what is but a moment."""
        if self.ends_at is None:
            return "goes on"
        took = (self.ends_at - self.at).total_seconds()
        if took < 0.001:
            return ""
        return f"{took * 1000:.0f} ms" if took < 1 else f"{took:,.1f} s"

    @property
    def resumes(self) -> bool:
        """Whether it ends a stop; it is told among them."""
        return self.kind == "stop" and self.what.startswith("resume ")


@dataclass(frozen=True)
class Story:
    """A run within a time: `facts` is its row of agentdb.run_summary."""

    facts: Row
    since: datetime
    until: datetime
    marks: list[Mark]
    #: There are more marks in this time than are told; the latest are.
    cut: bool = False
    alerts: list[Row] = field(default_factory=list)
    claims: list[Row] = field(default_factory=list)
    changes: list[Row] = field(default_factory=list)
    writes: list[Row] = field(default_factory=list)
    tree: list[Row] = field(default_factory=list)

    @property
    def run(self) -> int:
        """The number of the run."""
        return int(self.facts["run_id"])

    @property
    def span(self) -> timedelta:
        """How long the axis is."""
        return self.until - self.since

    def lanes(self) -> dict[str, list[Mark]]:
        """Return the marks of each lane that has any, in the order of the lanes."""
        found: dict[str, list[Mark]] = {kind: [] for kind in LANES}
        for mark in self.marks:
            if mark.lane in found:
                found[mark.lane].append(mark)
        return {kind: marks for kind, marks in found.items() if marks}
