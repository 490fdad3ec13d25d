"""Measures how long a kill takes while the killed run's sessions write.

Prints the median, p99 and maximum of kill_run and of kill_run with drain_run, beside
the median of one write of the same sessions: a kill waits for the writers in flight, so
its time is read as a multiple of theirs.  Counts commits after the return: none may be.
Run as ``python -m bench.stop [KILLS]``.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time

import psycopg

from agentdb.admin import operation
from agentdb.local import LocalServer
from agentdb.schema import install as installation

WRITERS = 8
WRITE = "update public.counter set n = n + 1 where id = %s"
TABLE = """
create table public.counter (id int primary key, n int);
insert into public.counter select i, 0 from generate_series(1, 8) as i;
grant select, update on public.counter to agent_1;
select agentdb.audit_table('public.counter'::regclass);
"""


def write(dsn: str, place: int, times: list[float]) -> None:
    """Write, one transaction after another, until refused."""
    with psycopg.connect(dsn, autocommit=True) as session:
        while True:
            began = time.perf_counter()
            try:
                session.execute(WRITE, [place])
            except psycopg.Error:
                return
            times.append(time.perf_counter() - began)


def lap(server: LocalServer, admin: psycopg.Connection) -> tuple[float, float, int]:
    """Kill one run under fire; return both times and the commits that came late."""
    dsn, times = server.dsn(user="agent_1"), list[float]()
    with psycopg.connect(dsn, autocommit=True) as session:
        run = session.execute("select run_id from agentdb.start_run()").fetchone()
    threads = [
        threading.Thread(target=write, args=[dsn, place, times])
        for place in range(1, WRITERS + 1)
    ]
    for thread in threads:
        thread.start()
    while len(times) < 10 * WRITERS:
        time.sleep(0.001)
    began = time.perf_counter()
    admin.execute("select agentdb.kill_run(%s, 'bench')", run)
    marked = time.perf_counter()
    admin.execute("select agentdb.drain_run(%s)", run)
    drained = time.perf_counter()
    seen = total(admin)
    for thread in threads:
        thread.join()
    WRITES.extend(times)
    return marked - began, drained - began, total(admin) - seen


WRITES: list[float] = []


def total(admin: psycopg.Connection) -> int:
    row = admin.execute("select sum(n)::bigint from public.counter").fetchone()
    assert row is not None
    return int(row[0])


def describe(name: str, seconds: list[float]) -> str:
    """Return a line of the table, in milliseconds and in writes."""
    ordered = sorted(seconds)
    p99 = ordered[int(len(ordered) * 0.99)]
    median, one = statistics.median(ordered), statistics.median(WRITES)
    return (
        f"{name:22}{median * 1e3:9.1f} ms{p99 * 1e3:9.1f} ms{ordered[-1] * 1e3:9.1f} ms"
        f"{median / one:8.1f}x"
    )


def main(kills: int = 200) -> None:
    with LocalServer() as server:
        installation.install(server.dsn())
        operation.register_agent(server.dsn(), "a", role="agent_1", create_role=True)
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute(TABLE)
            laps = [lap(server, admin) for _ in range(kills)]
    print(f"{kills} kills under {WRITERS} writers, {len(WRITES)} writes")
    print(f"{'':22}{'median':>12}{'p99':>12}{'max':>12}   of a write")
    print(describe("one write", WRITES))
    print(describe("kill_run", [each[0] for each in laps]))
    print(describe("kill_run + drain_run", [each[1] for each in laps]))
    print(f"commits after the return: {sum(each[2] for each in laps)}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
