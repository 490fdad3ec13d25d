"""The chaos test: `python -m tests.chaos`, or `--short` for two minutes of it.

Eight agents' processes of two roles work on a real server: four are instances of the
one agent of a role of its own (such a role can have no second), connected directly, some
over two connections; four are agents of a shared role behind PgBouncer in transaction
mode.  They are killed and started again, replaced while they live, and start children.
An operator kills runs, trees and agents, and pauses; the server crashes; a runner works
all the time.  What is true is what the processes, the supervisor and the operator wrote
down themselves.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psycopg

from ..scene import Process
from . import journal, record
from .fleet import Fleet
from .killer import Killer
from .laws import Truth
from .world import World

CRASHES = ("immediate", "fast", "session")
SHORT = {"restarts": 40, "kills": 25, "crashes": 2}
FULL = {"restarts": 200, "kills": 100, "crashes": 5}
# Between two faults of a kind, in seconds.
PACE = 1.0
START = """
select agentdb.start_run(agent => %s, secret => %s, instance => 'the last')
"""
# A call that has begun keeps a run that no session proves: policy.abandon_after ends it.
LEFT_OPEN = """
select count(*) from agentdb.run as r
join agentdb.agent as a on a.agent_id = r.agent_id
where a.agent_name = %s and r.ended_at is null
  and r.instance is distinct from 'the last'
  and not exists (
    select from agentdb.tool_call as c where c.run_id = r.run_id and c.ended_at is null)
"""


class Chaos:
    """One run of the test."""

    def __init__(
        self, stack: ExitStack, place: Path, wanted: argparse.Namespace
    ) -> None:
        self._wanted = wanted
        self.world = World(stack, place)
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self._steady = threading.Lock()
        self.fleet = Fleet(self.world, work)
        stack.callback(self.fleet.close)
        self.killer = Killer(self.world, self._steady)
        self._runner = Process(
            ["-m", "agentdb", "run"],
            work / "runner.log",
            {"AGENTDB_DSN": self.world.operator},
        )
        stack.callback(self._runner.close)
        self._over = threading.Event()
        self._failed: list[BaseException] = []

    def run(self) -> None:
        """Cause all the faults that are wanted, and let everybody come to rest."""
        threads = [
            threading.Thread(target=self._careful, args=[act])
            for act in (self._kill, self._crash)
        ]
        for thread in threads:
            thread.start()
        pause = time.monotonic()
        while any(thread.is_alive() for thread in threads) or self._restarts_left():
            self.fleet.tend()
            if time.monotonic() > pause and self._restarts_left():
                self.fleet.disturb()
                pause = time.monotonic() + random.uniform(0, 2 * PACE)
            if self._failed:
                self._over.set()
                raise self._failed[0]
            time.sleep(0.02)
        self._all_work()
        self.fleet.end()
        self._come_to_rest()

    def _restarts_left(self) -> bool:
        return self.fleet.restarts < int(self._wanted.restarts)

    def _careful(self, act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:
            self._failed.append(error)

    def _kill(self) -> None:
        while self.killer.kills < self._wanted.kills and not self._over.is_set():
            time.sleep(random.uniform(0, 2 * PACE))
            self.killer.strike()

    def _crash(self) -> None:
        """Crash the server, at even distances while processes die."""
        for number in range(self._wanted.crashes):
            share = (number + 0.5) / self._wanted.crashes
            while self.fleet.restarts < share * self._wanted.restarts:
                if self._over.wait(0.1):
                    return
            for how in (CRASHES[number % 2], "session"):
                with self._steady:
                    self.world.crash(how)
                time.sleep(random.uniform(2, 5))

    def _all_work(self) -> None:
        """Wait until every process has work accepted again."""
        began, end = time.time(), time.monotonic() + 60
        waiting = {member.number for member in self.fleet.complete()}
        while waiting:
            assert time.monotonic() < end, f"processes {waiting} do no work"
            time.sleep(0.5)
            for entry in journal.read(self.fleet.journals):
                if entry.began > began and entry.accepted and entry.what == "write":
                    waiting.discard(entry.process)

    def _come_to_rest(self) -> None:
        """Close what the dead have left as a restart does, and maintain once."""
        with self.world.database() as db:
            db.execute("update agentdb.policy set run_silence = '1 second'")
            for slot, (agent, secret) in self.world.slots.items():
                dsn = self.world.identity(slot)["dsn"]
                end = time.monotonic() + 60
                while self._left_open(db, agent):
                    assert time.monotonic() < end, f"runs of {agent} stay open"
                    with psycopg.connect(dsn, autocommit=True) as session:
                        session.execute(START, [agent, secret])
                    time.sleep(0.2)
            db.execute("select agentdb.maintain()")

    @staticmethod
    def _left_open(db: psycopg.Connection, agent: str) -> int:
        found = db.execute(LEFT_OPEN, [agent]).fetchone()
        assert found
        return int(found[0])

    def judge(self) -> list[str]:
        """Return all faults, having said what was done."""
        entries = journal.read(self.fleet.journals)
        with self.world.database() as db:
            truth = Truth(
                entries,
                self.fleet.members,
                self.killer.stops,
                self.world.outages,
                record.runs(db),
            )
            found = [*truth.faults(), *record.faults(db, truth)]
        found += self.killer.trouble + self.fleet.accidents()
        if code := self._runner.stop():
            found.append(f"the runner ended with {code}")
        self._report(truth)
        return found

    def _report(self, truth: Truth) -> None:
        fleet, killer = self.fleet, self.killer
        kinds = Counter(stop.kind for stop in killer.stops)
        print(
            f"restarts {fleet.restarts}, replaced {fleet.twins}, {dict(kinds)},",
            end=" ",
        )
        print(f"killed runs {sum(len(s.runs) for s in killer.stops)},", end=" ")
        print(f"approved {killer.approved},", end=" ")
        print(f"crashes {dict(Counter(each.how for each in self.world.outages))}")
        accepted = Counter(e.what for e in truth.entries if e.accepted)
        print(f"accepted {sum(accepted.values())}: {dict(accepted)}")
        print(f"refused {dict(truth.excuses)}")
        outcomes = Counter(run.outcome for run in truth.runs.values())
        print(f"runs {len(truth.runs)}: {dict(outcomes)}, alerts {truth.alerts}")


def main() -> None:
    """Run it; exit 1 where a law was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--short", action="store_true", help="two minutes of it")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 10**6))
    for name in FULL:
        parser.add_argument(f"--{name}", type=int)
    wanted = parser.parse_args()
    for name, number in (SHORT if wanted.short else FULL).items():
        if getattr(wanted, name) is None:
            setattr(wanted, name, number)
    print(f"seed {wanted.seed}", flush=True)
    random.seed(wanted.seed)
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        chaos = Chaos(stack, place, wanted)
        chaos.run()
        faults = chaos.judge()
    for fault in faults[:100]:
        print(fault)
    print(f"{len(faults)} faults, seed {wanted.seed}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
