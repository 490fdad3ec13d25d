"""Measures what locks cost beside the least that SQL can do, and beside others' locks.

Run it from the checkout: python -m bench.locks [--seconds 3] [--cycles 1000000]
Each contestant runs in turn, round after round, in one run on one server that is
durable.  A cycle acquires and releases; only cycles that got the lock count.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from agentdb.local import LocalServer
from tests.conftest import install_on

CLIENTS = (1, 4, 16)
TICK = os.sysconf("SC_CLK_TCK")
SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "256MB",
    "jit": "off",
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
create function bench.renew (name text)
  returns timestamptz
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_expires_at timestamptz;
begin
  update bench.bare as b set expires_at = clock_timestamp() + interval '15 min'
  where b.name = renew.name
  returning b.expires_at into v_expires_at;
  return v_expires_at;
end;
$$;
grant usage on schema bench to agent_a;
grant all on all tables in schema bench to agent_a;
grant all on all sequences in schema bench to agent_a;
update agentdb.policy set max_locks = 10000;
"""


NOW = "timezone('utc', current_timestamp)"
OURS = """
select acquired::int as got, coalesce(fence, 0) as fence
from agentdb.acquire_lock({name}) \\gset
\\if :got
select released from agentdb.release_lock({name}, :fence);
\\endif
"""
# The limit: an upsert and an update, with neither identity nor history.
BARE = """
with taken as (
  insert into bench.bare as b
  values ({name}, :client_id::text, clock_timestamp() + interval '15 min')
  on conflict (name) do update
  set owner = excluded.owner, expires_at = excluded.expires_at
  where b.expires_at <= clock_timestamp()
  returning 1
)
select count(*) as got from taken \\gset
\\if :got
update bench.bare set owner = null, expires_at = '-infinity'
where name = {name} and owner = :client_id::text;
\\endif
"""
# ShedLock's JDBC provider for PostgreSQL, with the time of the database.
SHEDLOCK = f"""
with taken as (
  insert into bench.shedlock as s (name, lock_until, locked_at, locked_by)
  values ({{name}}, {NOW} + interval '15 min', {NOW}, :client_id::text)
  on conflict (name) do update
  set lock_until = excluded.lock_until, locked_at = excluded.locked_at,
      locked_by = excluded.locked_by
  where s.lock_until <= {NOW}
  returning 1
)
select count(*) as got from taken \\gset
\\if :got
update bench.shedlock set lock_until = {NOW}
where name = {{name}} and locked_by = :client_id::text;
\\endif
"""
# cirello.io/pglock: a serializable upsert of a record version number, then a delete.
PGLOCK = """
begin isolation level serializable;
select nextval('bench.pglock_rvn') as number \\gset
insert into bench.pglock as p (name, record_version_number, data, owner)
values ({name}, :number, null, :client_id::text)
on conflict (name) do update
set record_version_number = case
      when coalesce(p.record_version_number = 0, true) then :number
      else p.record_version_number
    end,
    owner = case
      when coalesce(p.record_version_number = 0, true) then excluded.owner
      else p.owner
    end
returning (record_version_number = :number)::int as got \\gset
commit;
\\if :got
begin isolation level serializable;
delete from bench.pglock where name = {name} and record_version_number = :number;
commit;
\\endif
"""
RENEWING = "select renewed from agentdb.renew_lock({name}, {fence});"
UPDATING = """
update bench.bare set expires_at = clock_timestamp() + interval '15 min'
where name = {name};
"""
CYCLES = {"bare": BARE, "ours": OURS, "ShedLock": SHEDLOCK, "pglock": PGLOCK}
# What no function that agents may call gets below: the bare statement with its owner's
# rights and pinned settings, for anybody who asks.
WRAPPED = "select bench.renew({name});"
RENEWALS = {"bare": UPDATING, "ours": RENEWING, "function": WRAPPED}
# Releases, counted where each contestant leaves its mark.
DONE = """
select jsonb_build_object(
  'ours', (select count(*) from agentdb.lock_log),
  'bare', (select n_tup_upd / 2 from pg_stat_user_tables
    where relid = 'bench.bare'::regclass),
  'ShedLock',
    (select n_tup_upd / 2 from pg_stat_user_tables
    where relid = 'bench.shedlock'::regclass),
  'pglock', (select n_tup_del from pg_stat_user_tables
    where relid = 'bench.pglock'::regclass)
)
"""


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
    parser.add_argument("--seconds", type=int, default=3, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cycles", type=int, default=1_000_000, help="on one name")
    options = parser.parse_args()
    with ExitStack() as stack:
        server = stack.enter_context(LocalServer(settings=SETTINGS))
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        install_on(server)
        db = stack.enter_context(
            psycopg.connect(server.dsn(database="agentdb"), autocommit=True)
        )
        db.execute(SETUP)
        db.execute("select agentdb.register_agent('a', 'agent_a')")
        db.execute("select agentdb.maintain()")
        agent = server.dsn(database="agentdb", user="agent_a")
        session = stack.enter_context(psycopg.connect(agent, autocommit=True))
        session.execute("select agentdb.start_run()")
        bench = Bench(server, db, place, options.seconds, options.rounds)
        for distinct in (True, False):
            for clients in CLIENTS:
                bench.compare(clients, distinct=distinct)
        for clients in CLIENTS:
            bench.compare_renewal(session, clients)
        _redis(bench)
        _size(bench, options.cycles)


class Bench:
    """Runs contestants in turn and prints what they reached."""

    def __init__(
        self,
        server: LocalServer,
        db: psycopg.Connection,
        place: Path,
        seconds: int,
        rounds: int,
    ) -> None:
        self._server = server
        self.db = db
        self._place = place
        self._seconds = seconds
        self.rounds = rounds
        pid = (server.directory / "data/postmaster.pid").read_text().split()[0]
        self._postmaster = int(pid)

    def compare(self, clients: int, *, distinct: bool) -> None:
        """Let each contestant have its rounds in turn, and print the medians."""
        title = "distinct names" if distinct else "one name"
        name = "'n' || :client_id::int" if distinct else "'one'"
        results = {contestant: Result() for contestant in CYCLES}
        for _ in range(self.rounds):
            for contestant, script in CYCLES.items():
                self.round(results, contestant, script.format(name=name), clients)
        _report(title, clients, results)

    def compare_renewal(self, session: psycopg.Connection, clients: int) -> None:
        """Renew one lock for each client, and update one row for each."""
        results = {contestant: Result() for contestant in RENEWALS}
        scripts: dict[str, list[str]] = {contestant: [] for contestant in RENEWALS}
        for client in range(clients):
            name = f"renew {clients} {client}"
            got = session.execute(
                "select fence from agentdb.acquire_lock(%s::text)", [name]
            ).fetchone()
            assert got
            self.db.execute("insert into bench.bare values (%s, '', now())", [name])
            for contestant, script in RENEWALS.items():
                scripts[contestant].append(
                    f"\\if :client_id = {client}\n"
                    + script.format(name=f"'{name}'", fence=got[0]).strip()
                    + "\n\\endif\n"
                )
        for _ in range(self.rounds):
            for contestant, parts in scripts.items():
                text = "".join(parts)
                self.round(results, contestant, text, clients, counted=False)
        _report("renew", clients, results)

    def round(
        self,
        results: dict[str, Result],
        contestant: str,
        script: str,
        clients: int,
        *,
        counted: bool = True,
    ) -> None:
        """Run one contestant with pgbench."""
        before = self._done(contestant) if counted else 0
        cpu = _cpu(self._postmaster)
        attempts = self.pgbench(script, clients, ["-T", str(self._seconds)])
        done = self._done(contestant) - before if counted else attempts
        used = _cpu(self._postmaster) - cpu
        results[contestant].rates.append(done / self._seconds)
        results[contestant].costs.append(used * 1e6 / max(done, 1))

    def pgbench(self, script: str, clients: int, how: list[str]) -> int:
        """Run a script and return how often it ran."""
        file = self._place / "script.sql"
        file.write_text(script.strip() + "\n")
        command = [
            f"{self._server.bin}/pgbench",
            "-n",
            "-M",
            "prepared",
            "-f",
            str(file),
            "-c",
            str(clients),
            "-j",
            "1",
            "--max-tries=1000",
            *how,
            self._server.dsn(database="agentdb", user="agent_a"),
        ]
        found = subprocess.run(command, capture_output=True, text=True)
        if found.returncode:
            raise RuntimeError(found.stderr)
        ran = re.search(r"actually processed: (\d+)", found.stdout)
        assert ran, found.stdout
        return int(ran[1])

    def _done(self, contestant: str) -> int:
        row = self.db.execute(DONE).fetchone()
        assert row
        return int(row[0][contestant])


def _report(title: str, clients: int, results: dict[str, Result]) -> None:
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
    """Return the seconds of CPU that the server's processes have used, the dead too."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat.parent.name) == postmaster:
            total += sum(int(field) for field in fields[11:15])
        elif int(fields[1]) == postmaster:
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
                [
                    server,
                    "--port",
                    "0",
                    "--unixsocket",
                    socket,
                    "--dir",
                    place,
                    "--appendonly",
                    "yes",
                    "--appendfsync",
                    "always",
                    "--save",
                    "",
                ],
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


def _size(bench: Bench, cycles: int) -> None:
    """Acquire and release one name so many times; print what the lock has grown to."""
    script = "set synchronous_commit = off;" + OURS.format(name="'size'")
    began = time.monotonic()
    bench.pgbench(script, 1, ["-t", str(cycles)])
    took = time.monotonic() - began
    found = bench.db.execute(
        "select pg_size_pretty(pg_total_relation_size('agentdb.lock')),"
        " pg_size_pretty(sum(bytes)::bigint) from agentdb.log_partition"
        " where log_name = 'lock_log'"
    ).fetchone()
    assert found
    print(
        f"{cycles} cycles on one name in {took:.0f} s: lock {found[0]}, log {found[1]}"
    )


if __name__ == "__main__":
    main()
