"""Holders and the server are killed at random; afterwards the log shows one holder at a
time, and no lock was out of reach for longer than its time.

Set AGENTDB_CHAOS_SECONDS to 60 for the long version.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from agentdb.local import LocalServer

from .conftest import install_on
from .processes import await_end
from .scene import until

SECONDS = float(os.environ.get("AGENTDB_CHAOS_SECONDS", "12"))
HOLDERS = 8
TTL = 0.4

HOLDER = """
import random, sys, time
import psycopg
dsn, seed = sys.argv[1:]
random.seed(int(seed))
connection = None
while True:
    try:
        if connection is None:
            connection = psycopg.connect(dsn, autocommit=True)
            run = connection.execute(
                "select run_id from agentdb.start_run()").fetchone()[0]
        name = random.choice("xyz")
        got = connection.execute(
            "select acquired, fence from agentdb.acquire_lock(%s, '400 ms', run => %s)",
            [name, run]).fetchone()
        if got[0]:
            print(name, got[1], flush=True)
            time.sleep(random.random() * 0.1)
            if random.random() < 0.3:
                connection.execute(
                    "select agentdb.renew_lock(%s, %s, '400 ms', run => %s)",
                    [name, got[1], run])
            if random.random() < 0.8:
                connection.execute(
                    "select agentdb.release_lock(%s, %s, run => %s)",
                    [name, got[1], run])
        else:
            time.sleep(0.01)
    except psycopg.Error:
        connection = None
        time.sleep(0.1)
"""

# Every tenure, until it ended or its time was up.
TENURES = """
create temporary view tenure as
select lock_name, fence, acquired_at,
  least(coalesce(ended_at, 'infinity'), expires_at) as over_at
from agentdb.lock_history
"""
OVERLAPS = """
select count(*) from (
  select acquired_at, lag(over_at) over (partition by lock_name order by fence) as former
  from tenure
) as t
where t.acquired_at < t.former
"""
DISORDER = """
select count(*) from (
  select fence, lag(fence) over (partition by lock_name order by acquired_at) as former
  from tenure
) as t
where t.fence <= t.former
"""


class Holders:
    """Processes that take and release locks, and are replaced when they die."""

    def __init__(self, dsn: str, output: Path) -> None:
        self._dsn = dsn
        self._output = output
        self._started = 0
        self.processes = [self.start() for _ in range(HOLDERS)]

    def start(self) -> subprocess.Popen[bytes]:
        """Start one more."""
        self._started += 1
        with (self._output / str(self._started)).open("w") as file:
            return subprocess.Popen(
                [sys.executable, "-c", HOLDER, self._dsn, str(self._started)],
                stdout=file,
            )

    def kill_one(self) -> None:
        """Kill one that may hold a lock, and put another in its place."""
        number = random.randrange(HOLDERS)
        self.processes[number].kill()
        self.processes[number].wait()
        self.processes[number] = self.start()

    def end(self) -> set[tuple[str, int]]:
        """Kill all; return what they were told to have acquired."""
        for process in self.processes:
            process.kill()
            process.wait()
        return self.told()

    def await_some(self) -> None:
        """Wait until some have come so far, on a busy machine too."""
        until(lambda: len(self.told()) > HOLDERS, within=120)

    def told(self) -> set[tuple[str, int]]:
        """Return what they were told to have acquired so far."""
        lines = [
            line.split()
            for file in self._output.iterdir()
            for line in file.read_text().splitlines()
        ]
        return {(line[0], int(line[1])) for line in lines if len(line) == 2}


def test_one_holder_at_a_time_through_crashes(tmp_path: Path, place: Path) -> None:
    settings = {"synchronous_commit": "on", "max_connections": "100"}
    told: set[tuple[str, int]] = set()
    outages = 0
    with LocalServer(directory=place / "data", settings=settings) as server:
        install_on(server)
        with psycopg.connect(server.dsn(database="agentdb"), autocommit=True) as db:
            db.execute("update agentdb.policy set max_open_runs = 10000")
            db.execute("select agentdb.register_agent('a', 'agent_a')")
    for part in range(3):
        output = tmp_path / str(part)
        output.mkdir()
        with LocalServer(directory=place / "data", settings=settings) as server:
            holders = Holders(server.dsn(database="agentdb", user="agent_a"), output)
            end = time.monotonic() + SECONDS / 3
            while time.monotonic() < end:
                time.sleep(random.uniform(0.1, 0.4))
                holders.kill_one()
            holders.await_some()
            if part < 2:
                kill_server(server)
                outages += 1
            told |= holders.end()
    with LocalServer(directory=place / "data", settings=settings) as server:
        assert_order(server, told)


def kill_server(server: LocalServer) -> None:
    """Kill the server as a power cut would."""
    file = Path(server.directory) / "data" / "postmaster.pid"
    pid = int(file.read_text().split()[0])
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    await_end(pidfd)


def assert_order(server: LocalServer, told: set[tuple[str, int]]) -> None:
    """Ask the log, after recovery, for what must never be."""
    agent = server.dsn(database="agentdb", user="agent_a")
    admin = server.dsn(database="agentdb")
    with (
        psycopg.connect(admin, autocommit=True) as db,
        psycopg.connect(agent, autocommit=True) as session,
    ):
        run = session.execute("select run_id from agentdb.start_run()").fetchone()
        assert run
        time.sleep(TTL + 1)
        for name in "xyz":
            got = session.execute(
                "select acquired from agentdb.acquire_lock(%s, run => %s)",
                [name, run[0]],
            ).fetchone()
            assert got == (True,), name
        db.execute(TENURES)
        assert db.execute(OVERLAPS).fetchone() == (0,)
        assert db.execute(DISORDER).fetchone() == (0,)
        recorded = set(db.execute("select lock_name, fence from tenure").fetchall())
        assert len(recorded) > HOLDERS
        assert told <= recorded
