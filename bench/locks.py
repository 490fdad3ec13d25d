"""Measures what locks cost beside the least that SQL can do, and beside others' locks.

Run it from the checkout: python -m bench.locks [--seconds 2] [--cycles 1000000]
Each contestant runs in turn, round after round, in one run on one server that is
durable.  A cycle acquires and releases; only cycles that got the lock count.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from agentdb.local import LocalServer
from tests.conftest import install_on

Cycle = Callable[[psycopg.Connection, str, int], bool]
CLIENTS = (1, 4, 16)
TICK = os.sysconf("SC_CLK_TCK")
SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "256MB",
    "jit": "off",
    "autovacuum_naptime": "5s",
}

SETUP = """
create schema bench;
create table bench.bare (
  name text primary key, owner text, expires_at timestamptz not null
) with (fillfactor = 50);
create table bench.shedlock (
  name varchar(64) primary key, lock_until timestamp not null,
  locked_at timestamp not null, locked_by varchar(255) not null
) with (fillfactor = 50);
create table bench.pglock (
  name varchar(255) primary key, record_version_number bigint, data bytea,
  owner varchar(255)
) with (fillfactor = 50);
create sequence bench.pglock_rvn cycle;
grant usage on schema bench to agent_a;
grant all on all tables in schema bench to agent_a;
grant all on all sequences in schema bench to agent_a;
update agentdb.policy set max_locks = 10000;
"""


def ours(connection: psycopg.Connection, name: str, client: int) -> bool:
    """Acquire and release with the pack: identity, fence, history."""
    got = connection.execute(
        "select acquired, fence from agentdb.acquire_lock(%s::text)", [name]
    ).fetchone()
    if not got or not got[0]:
        return False
    connection.execute("select released from agentdb.release_lock(%s, %s)", [name, got[1]])
    return True


def bare(connection: psycopg.Connection, name: str, client: int) -> bool:
    """The limit: an upsert and an update, with neither identity nor history."""
    got = connection.execute(
        "insert into bench.bare as b values (%s, %s, clock_timestamp() + interval '15 min')"
        " on conflict (name) do update set owner = excluded.owner,"
        " expires_at = excluded.expires_at where b.expires_at <= clock_timestamp()",
        [name, str(client)],
    )
    if not got.rowcount:
        return False
    connection.execute(
        "update bench.bare set owner = null, expires_at = '-infinity'"
        " where name = %s and owner = %s",
        [name, str(client)],
    )
    return True


def shedlock(connection: psycopg.Connection, name: str, client: int) -> bool:
    """ShedLock's JDBC provider on PostgreSQL with the time of the database."""
    now = "timezone('utc', current_timestamp)"
    got = connection.execute(
        "insert into bench.shedlock as s (name, lock_until, locked_at, locked_by)"
        f" values (%s, {now} + interval '15 min', {now}, %s)"
        " on conflict (name) do update set lock_until = excluded.lock_until,"
        " locked_at = excluded.locked_at, locked_by = excluded.locked_by"
        f" where s.lock_until <= {now}".encode(),
        [name, str(client)],
    )
    if not got.rowcount:
        return False
    connection.execute(
        f"update bench.shedlock set lock_until = {now}"
        " where name = %s and locked_by = %s".encode(),
        [name, str(client)],
    )
    return True


def pglock(connection: psycopg.Connection, name: str, client: int) -> bool:
    """cirello.io/pglock: a serializable upsert with a record version number."""
    connection.execute("begin isolation level serializable")
    try:
        number = connection.execute("select nextval('bench.pglock_rvn')").fetchone()
        assert number
        got = connection.execute(
            "insert into bench.pglock as p (name, record_version_number, data, owner)"
            " values (%s, %s, null, %s) on conflict (name) do update set"
            " record_version_number = case when coalesce(p.record_version_number = 0, true)"
            " then %s else p.record_version_number end,"
            " owner = case when coalesce(p.record_version_number = 0, true)"
            " then excluded.owner else p.owner end"
            " returning record_version_number",
            [name, number[0], str(client), number[0]],
        ).fetchone()
        connection.execute("commit")
    except psycopg.errors.SerializationFailure:
        connection.execute("rollback")
        return False
    if not got or got[0] != number[0]:
        return False
    connection.execute("begin isolation level serializable")
    try:
        connection.execute(
            "delete from bench.pglock where name = %s and record_version_number = %s",
            [name, number[0]],
        )
        connection.execute("commit")
    except psycopg.errors.SerializationFailure:
        connection.execute("rollback")
        connection.execute("delete from bench.pglock where name = %s", [name])
    return True


def renewing(connection: psycopg.Connection, name: str, client: int) -> bool:
    """Renew with the pack the lock that `prepare` took."""
    fence = int(name.rpartition(" ")[2])
    connection.execute("select renewed from agentdb.renew_lock(%s, %s)", [name[:8], fence])
    return True


def updating(connection: psycopg.Connection, name: str, client: int) -> bool:
    """A bare UPDATE of a row's expiry."""
    connection.execute(
        "update bench.bare set expires_at = clock_timestamp() + interval '15 min'"
        " where name = %s",
        [name[:8]],
    )
    return True


@dataclass
class Result:
    """What one contestant did, a number a round."""

    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Cycles a second."""
        return statistics.median(self.rates)

    @property
    def cost(self) -> float:
        """Microseconds of the server's CPU a cycle."""
        return statistics.median(self.costs)


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cycles", type=int, default=1_000_000, help="on one name")
    options = parser.parse_args()
    with LocalServer(settings=SETTINGS) as server:
        dsn = install_on(server)
        admin = server.dsn(database="agentdb")
        with psycopg.connect(admin, autocommit=True) as db:
            db.execute(SETUP)
            db.execute("select agentdb.register_agent('a', 'agent_a')")
            db.execute("select agentdb.maintain()")
        agent = server.dsn(database="agentdb", user="agent_a")
        with psycopg.connect(agent, autocommit=True) as session:
            session.execute("select agentdb.start_run()")
        postmaster = int((server.directory / "data/postmaster.pid").read_text().split()[0])
        bench = Bench(agent, postmaster, options.seconds, options.rounds)
        print("cycle acquire + release", flush=True)
        for clients in CLIENTS:
            bench.compare("distinct names", clients, CYCLES, distinct=True)
        for clients in CLIENTS:
            bench.compare("one name", clients, CYCLES, distinct=False)
        print("renew", flush=True)
        for clients in CLIENTS:
            bench.compare_renewal(clients)
        _redis(bench)
        _size(agent, admin, options.cycles)
        del dsn


CYCLES: dict[str, Cycle] = {
    "bare": bare,
    "ours": ours,
    "ShedLock": shedlock,
    "pglock": pglock,
}


class Bench:
    """Runs contestants in turn and prints what they reached."""

    def __init__(self, dsn: str, postmaster: int, seconds: float, rounds: int) -> None:
        self._dsn = dsn
        self._postmaster = postmaster
        self._seconds = seconds
        self.rounds = rounds

    def compare(
        self, title: str, clients: int, cycles: dict[str, Cycle], *, distinct: bool
    ) -> dict[str, Result]:
        """Let each contestant have its round, so many times, and print the medians."""
        names = [f"{title} {n if distinct else 0}" for n in range(clients)]
        results = {name: Result() for name in cycles}
        for _ in range(self.rounds):
            for contestant, cycle in cycles.items():
                self.round(results[contestant], cycle, names)
        self.report(title, clients, results)
        return results

    def compare_renewal(self, clients: int) -> None:
        """Renew locks that are held all the time, and update rows likewise."""
        names = [f"r{clients:02}{number:05}" for number in range(clients)]
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            fenced = []
            for name in names:
                bare(connection, name, 0)
                got = connection.execute(
                    "select fence from agentdb.acquire_lock(%s::text)", [name]
                ).fetchone()
                assert got
                fenced.append(f"{name} {got[0]}")
        cycles: dict[str, Cycle] = {"bare": updating, "ours": renewing}
        results = {name: Result() for name in cycles}
        for _ in range(self.rounds):
            for contestant, cycle in cycles.items():
                self.round(results[contestant], cycle, fenced)
        self.report("renew", clients, results)

    def round(self, result: Result, cycle: Cycle, names: list[str]) -> None:
        """Run one contestant with a client for each name."""
        counts = [0] * len(names)
        over = threading.Event()
        start = threading.Barrier(len(names) + 1)

        def work(client: int) -> None:
            with psycopg.connect(self._dsn, autocommit=True) as connection:
                start.wait()
                while not over.is_set():
                    counts[client] += cycle(connection, names[client], client)

        threads = [threading.Thread(target=work, args=[n]) for n in range(len(names))]
        for thread in threads:
            thread.start()
        start.wait()
        began, cpu = time.monotonic(), _cpu(self._postmaster)
        time.sleep(self._seconds)
        # The backends are asked before they end and take their numbers along.
        took, used = time.monotonic() - began, _cpu(self._postmaster) - cpu
        done = sum(counts)
        over.set()
        for thread in threads:
            thread.join()
        result.rates.append(done / took)
        result.costs.append(used * 1e6 / max(done, 1))

    def report(self, title: str, clients: int, results: dict[str, Result]) -> None:
        """Print rates and costs beside those of the bare statements."""
        base = results["bare"]
        for name, result in results.items():
            print(
                f"  {title:14} {clients:2} clients  {name:9}"
                f"{result.rate:8.0f}/s {result.rate / base.rate:5.2f}x"
                f"  {result.cost:6.0f} us {result.cost / base.cost:5.2f}x",
                flush=True,
            )


def _cpu(postmaster: int) -> float:
    """Return the seconds of CPU that the server's living processes have used."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == postmaster or int(stat.parent.name) == postmaster:
            total += int(fields[11]) + int(fields[12])
    return total / TICK


def _redis(bench: Bench) -> None:
    """Time SET NX PX and the release script, with every write on disk."""
    server = shutil.which("redis-server")
    if server is None:
        print("Redis: no redis-server on this machine")
        return
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        socket = f"{place}/redis.sock"
        process = stack.enter_context(
            subprocess.Popen(
                [server, "--port", "0", "--unixsocket", socket, "--dir", place,
                 "--appendonly", "yes", "--appendfsync", "always", "--save", ""],
                stdout=subprocess.DEVNULL,
            )
        )
        stack.callback(process.terminate)
        while not Path(socket).exists():
            time.sleep(0.05)
        for distinct in (True, False):
            rate = statistics.median(
                _redis_round(socket, 16, distinct) for _ in range(bench.rounds)
            )
            title = "distinct names" if distinct else "one name"
            print(f"  {title:14} 16 clients  Redis    {rate:8.0f}/s", flush=True)


def _redis_round(path: str, clients: int, distinct: bool) -> float:
    import socket

    script = (
        b"if redis.call('get', KEYS[1]) == ARGV[1] then "
        b"return redis.call('del', KEYS[1]) else return 0 end"
    )
    counts = [0] * clients
    over = threading.Event()

    def work(client: int) -> None:
        name = f"l{client if distinct else 0}".encode()
        owner = str(client).encode()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            while not over.is_set():
                connection.sendall(_resp(b"SET", name, owner, b"NX", b"PX", b"900000"))
                if connection.recv(100).startswith(b"+OK"):
                    connection.sendall(_resp(b"EVAL", script, b"1", name, owner))
                    connection.recv(100)
                    counts[client] += 1

    threads = [threading.Thread(target=work, args=[n]) for n in range(clients)]
    for thread in threads:
        thread.start()
    began, before = time.monotonic(), sum(counts)
    time.sleep(2)
    rate = (sum(counts) - before) / (time.monotonic() - began)
    over.set()
    for thread in threads:
        thread.join()
    return rate


def _resp(*parts: bytes) -> bytes:
    bulk = b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"*%d\r\n%b" % (len(parts), bulk)


def _size(agent: str, admin: str, cycles: int) -> None:
    """Acquire and release one name so many times; print what the lock has grown to."""
    with psycopg.connect(agent, autocommit=True) as connection:
        connection.execute("set synchronous_commit = off")
        began = time.monotonic()
        for _ in range(cycles):
            ours(connection, "size", 0)
        took = time.monotonic() - began
    with psycopg.connect(admin, autocommit=True) as db:
        found = db.execute(
            "select pg_size_pretty(pg_total_relation_size('agentdb.lock')),"
            " pg_size_pretty(sum(bytes)::bigint) from agentdb.log_partition"
            " where log_name = 'lock_log'"
        ).fetchone()
    assert found
    print(f"{cycles} cycles on one name in {took:.0f} s: lock {found[0]}, log {found[1]}")


if __name__ == "__main__":
    main()
