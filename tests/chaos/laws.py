"""The laws of docs/runs.md, judged by what processes, supervisor and operator noted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .fleet import Member
from .journal import LEFT, Entry
from .killer import Stop
from .world import Outage

# A pooler asks again for a server that was away once a second.
POOLER_LAG = 3.0
# To bind a token says only whose the calls are that follow.
NOTHING = ("bind", "discard")
# Until what the runner, or who took a lock over, has ended is committed at the latest.
UNKNOWN = 5.0


@dataclass(frozen=True)
class Run:
    """What the database says of a run."""

    outcome: str | None
    ended_at: float
    instance: str | None


class Truth:
    """Everything that was seen from outside of the database, and its runs."""

    def __init__(
        self,
        entries: list[Entry],
        members: list[Member],
        stops: list[Stop],
        outages: list[Outage],
        runs: dict[int, Run],
    ) -> None:
        self.entries = entries
        self.stops = stops
        self.outages = outages
        self.runs = runs
        self.members = {member.number: member for member in members}
        starts = [e for e in entries if e.what == "start" and e.accepted]
        self.starts = {e.run: e for e in starts}
        self.left = {e.run: e.began for e in entries if e.state == LEFT}
        self.excuses: Counter[str] = Counter()
        self.alerts = 0

    def faults(self) -> Iterator[str]:
        """Say what went against a law."""
        laws: tuple[Callable[[], Iterator[str]], ...] = (
            self._unexplained,
            self._strangers,
            self._outlived,
            self._false_crashes,
            self._spared_children,
            self._undrained,
        )
        for law in laws:
            name = law.__name__.strip("_").replace("_", " ")
            yield from (f"{name}: {fault}" for fault in law())

    def _unexplained(self) -> Iterator[str]:
        """No call is refused that should pass."""
        for entry in self.entries:
            if entry.accepted or entry.state == LEFT:
                continue
            reason = self._reason(entry)
            self.excuses[f"{entry.state} {reason}"] += 1
            if not reason:
                yield f"{entry} after {self._before(entry)}"

    def _before(self, entry: Entry) -> list[Entry]:
        """Return the last that its process had noted by then."""
        mine = [e for e in self.entries if e.process == entry.process]
        return mine[: mine.index(entry)][-6:]

    def _reason(self, entry: Entry) -> str:
        """Return why a call could not pass, empty where it should have."""
        if entry.lost:
            return self._why_lost(entry)
        explained = (
            ("ZA040", "killed", self._killed),
            ("ZA041", "paused", self._paused),
            ("ZA003", "replaced", self._replaced),
            ("40001", "a stop", self._overlaps_stop),
        )
        for state, reason, holds in explained:
            if entry.state == state and holds(entry):
                return reason
        return ""

    def _why_lost(self, entry: Entry) -> str:
        for outage in self.outages:
            lag = POOLER_LAG if entry.agent != "direct" else 0
            if outage.began < entry.ended and entry.connected < outage.ended + lag:
                return "outage"
        for stop in self.stops:
            if (
                stop.ended_sessions
                and stop.began < entry.ended
                and (entry.run is None or entry.run in stop.runs)
            ):
                return "its sessions were ended"
        return ""

    def _killed(self, entry: Entry) -> bool:
        return self._stopped(entry, "killed")

    def _paused(self, entry: Entry) -> bool:
        return self._stopped(entry, "paused")

    def _stopped(self, entry: Entry, kind: str) -> bool:
        return any(
            stop.kind == kind
            and stop.began < entry.ended
            and (
                (entry.run is not None and entry.run in stop.runs)
                or (
                    entry.parent is not None
                    and entry.run is None
                    and entry.parent in stop.runs
                )
                or (stop.agent == entry.agent and entry.began < stop.over)
            )
            for stop in self.stops
        )

    def _replaced(self, entry: Entry) -> bool:
        """Whether another process of the instance had started by then."""
        mine = self.members[entry.process]
        return entry.run in self.runs and any(
            other.what == "start"
            and other.process != entry.process
            and self.members[other.process].slot == mine.slot
            and other.parent is None
            and self.starts[entry.run].parent is None
            and other.began < entry.ended
            and other.ended > self.starts[entry.run].began
            for other in self.entries
        )

    def _overlaps_stop(self, entry: Entry) -> bool:
        return any(s.began < entry.ended and entry.began < s.done for s in self.stops)

    def _strangers(self) -> Iterator[str]:
        """No call is done for another run than its process's."""
        for entry in self.entries:
            if any(answer != entry.run for answer in entry.answers):
                yield f"{entry}"

    def _outlived(self) -> Iterator[str]:
        """No call of a run is accepted that began after its end was committed."""
        over = self._ends()
        for entry in self.entries:
            end = over.get(entry.run or 0, float("inf"))
            if entry.accepted and entry.what not in NOTHING and entry.began > end:
                yield f"{entry} ended {end}"

    def _ends(self) -> dict[int, float]:
        """Return when the end of each run was known to be committed."""
        over = {n: run.ended_at + UNKNOWN for n, run in self.runs.items()}
        kills = [stop for stop in self.stops if stop.kind == "killed"]
        ends = [(stop.done, stop.runs - stop.late) for stop in kills]
        ends += [(stop.drained, stop.late) for stop in kills]
        ends += [(entry.ended, set(entry.closed)) for entry in self.entries]
        for moment, runs in ends:
            over |= {run: min(moment, over[run]) for run in runs}
        return over

    def _false_crashes(self) -> Iterator[str]:
        """No run has crashed whose process was there and at it."""
        for number, run in self.runs.items():
            start = self.starts.get(number)
            if run.outcome != "crashed" or not start:
                continue
            died = self.members[start.process].died
            if run.ended_at < min(died, self.left.get(number, died)):
                yield f"run {number} of process {start.process}, {run}, died {died}"

    def _spared_children(self) -> Iterator[str]:
        """A kill of the tree spares no descendant."""
        for stop in self.stops:
            if stop.kind != "killed" or not stop.tree or stop.undrained:
                continue
            for start in self.starts.values():
                if start.parent in stop.runs and start.run not in stop.runs:
                    run = self.runs[start.run or 0]
                    if run.ended_at > stop.drained:
                        yield f"child {start.run} of {start.parent}: {run}"

    def _undrained(self) -> Iterator[str]:
        """No transaction of ours lasts as long as a drain is patient."""
        for stop in self.stops:
            if stop.undrained:
                yield f"{stop}"

    def false_alerts(self, alerted: set[int]) -> Iterator[str]:
        """Say which runs were reported as crashed and had not."""
        for number in alerted:
            if self.runs[number].outcome != "crashed":
                yield f"alert of run {number}: {self.runs[number]}"
