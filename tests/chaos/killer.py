"""The operator: kills runs and agents, and writes down what could be seen then."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from threading import Lock

import psycopg

from .world import World, rows

OPEN = "select run_id from agentdb.run where ended_at is null"
PARENTS = (
    OPEN
    + """
  and run_id in (select c.parent_run_id from agentdb.run as c where c.ended_at is null)
"""
)
AGENT = "select agent_name from agentdb.agent order by random() limit 1"
KILL = "select run_id from agentdb.kill_run(%s, 'chaos', tree => %s)"
KILL_AGENT = "select run_id from agentdb.kill_agent(%s, 'chaos')"
DRAIN = "select * from agentdb.drain_run(%s)"
DRAIN_AGENT = "select drained from agentdb.drain_agent(%s)"
RESUME = "select agentdb.resume_agent(%s, 'chaos')"
PAUSE = "select agentdb.pause_agent(%s, 'chaos')"
END_SESSIONS = "select * from agentdb.end_sessions(%s)"
WRITTEN = """
select (select count(*) from public.work where run = %(run)s)
  + (select count(*) from public.ledger where run = %(run)s) as written
"""
PENDING = """
select change_id from agentdb.change where state = 'pending' order by random() limit 1
"""
APPROVE = """
select a.state from agentdb.show_change(%s) as s
cross join lateral agentdb.approve_change(%s, s.digest) as a
"""


@dataclass
class Stop:
    """A kill or a pause: when, of what, and what was there when it was done."""

    began: float
    kind: str
    tree: bool = True
    agent: str | None = None
    # When the call returned, when all was drained, and when it was taken back.
    done: float = float("inf")
    drained: float = float("inf")
    over: float = float("inf")
    runs: set[int] = field(default_factory=set)
    # Those that a drain has found: their start was on its way when the call returned.
    late: set[int] = field(default_factory=set)
    undrained: set[int] = field(default_factory=set)
    ended_sessions: bool = False
    # What a run had written when it was drained, and when that was.
    written: dict[int, tuple[float, int]] = field(default_factory=dict)


class Killer:
    """Stops one thing after the other."""

    def __init__(self, world: World, steady: Lock) -> None:
        self._world = world
        # Held while a call must have its answer: no server is crashed then.
        self._steady = steady
        self.stops: list[Stop] = []
        self.trouble: list[str] = []
        self.approved = 0

    @property
    def kills(self) -> int:
        """How often it has killed."""
        return sum(stop.kind == "killed" for stop in self.stops)

    def strike(self) -> None:
        """Stop something, or let something pass."""
        act = random.choices(
            [self._kill_run, self._kill_agent, self._pause, self._approve],
            [7, 1.5, 1, 3],
        )[0]
        act()

    def _query(
        self, query: str, *values: object, who: str = ""
    ) -> list[dict[str, object]]:
        """Ask as the operator; what is refused to a stop is a fault."""
        with self._steady, psycopg.connect(who or self._world.operator) as db:
            found: list[dict[str, object]] = rows(db, query, values)
            return found

    def _kill_run(self) -> None:
        source = PARENTS if random.random() < 0.3 else OPEN
        found = self._query(source, who=self._world.owner)
        if not found:
            return
        run, tree = random.choice(found)["run_id"], random.random() < 0.75
        stop = Stop(time.time(), "killed", tree)
        self.stops.append(stop)
        try:
            killed = self._query(KILL, run, tree)
        except psycopg.Error as error:
            self.stops.remove(stop)
            # It had ended meanwhile.
            if error.sqlstate != "ZA003":
                self.trouble.append(f"kill_run({run}): {error}")
            return
        self._finish(stop, killed)

    def _kill_agent(self) -> None:
        agent = str(self._query(AGENT, who=self._world.owner)[0]["agent_name"])
        stop = Stop(time.time(), "killed", agent=agent)
        self.stops.append(stop)
        killed = self._query(KILL_AGENT, agent)
        self._finish(stop, killed)
        if not all(each["drained"] for each in self._query(DRAIN_AGENT, agent)):
            self.trouble.append(f"drain_agent({agent}) was not")
        time.sleep(random.uniform(0, 0.5))
        self._query(RESUME, agent)
        stop.over = time.time()

    def _finish(self, stop: Stop, killed: list[dict[str, object]]) -> None:
        """Drain, and count what has been written by then."""
        stop.runs |= {int(str(each["run_id"])) for each in killed}
        stop.done = time.time()
        for run in sorted(stop.runs):
            if random.random() < 0.3:
                stop.ended_sessions = True
                self._query(END_SESSIONS, run)
            self._drain(stop, run)
        stop.drained = time.time()

    def _drain(self, stop: Stop, run: int) -> None:
        for each in self._query(DRAIN, run):
            number = int(str(each["run_id"]))
            if number not in stop.runs:
                stop.late.add(number)
            stop.runs.add(number)
            if each["drained"]:
                count = WRITTEN.replace("%(run)s", str(number))
                moment = time.time()
                [found] = self._query(count, who=self._world.owner)
                stop.written[number] = moment, int(str(found["written"]))
            else:
                stop.undrained.add(number)

    def _pause(self) -> None:
        agent = str(self._query(AGENT, who=self._world.owner)[0]["agent_name"])
        stop = Stop(time.time(), "paused", agent=agent)
        self.stops.append(stop)
        self._query(PAUSE, agent)
        stop.done = time.time()
        time.sleep(random.uniform(0, 0.5))
        self._query(RESUME, agent)
        stop.over = time.time()

    def _approve(self) -> None:
        """Let a change be applied, unless its run was just killed."""
        for each in self._query(PENDING, who=self._world.owner):
            try:
                self._query(
                    APPROVE,
                    each["change_id"],
                    each["change_id"],
                    who=self._world.reviewer,
                )
                self.approved += 1
            except psycopg.Error as error:
                if not str(error.sqlstate).startswith("ZA"):
                    self.trouble.append(f"approve_change: {error}")
