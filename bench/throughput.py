"""What an audit leaves of the throughput of small durable transactions, by pgbench.

Each transaction is one prepared single-row statement, as applications write.  Beside a
table without audit stands the limit: no trigger, the same JSON written by a
data-modifying CTE into a small log with one index.  All forms take turns in one run.

Run it from the checkout, with pgbench on the PATH: python -m bench.throughput
[--clients N …] [--seconds N] [--rounds N] [--peer NAME=FILE.sql …].  A peer's file is
not ours to ship: it creates what the peer needs and attaches it to public.account.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import psycopg

from agentdb.local import LocalServer
from agentdb.schema import install as installation

ROWS = 20_000
TABLE = f"""
create table public.account (
  id int primary key, customer int, balance numeric(12, 2), currency text, note text,
  active boolean, created_at timestamptz
) with (fillfactor = 50);
insert into public.account
select g, g % 1000, g, 'EUR', 'a note on account ' || g, true, now()
from generate_series(1, {ROWS}) as g;
create sequence public.numbers start 1000000;
grant select, insert, update, delete on public.account to writer, agent_w;
grant usage on sequence public.numbers to writer, agent_w;
"""
LOG = """
create table public.small_log (
  recorded_at timestamptz, role text, application_name text, operation text, id int,
  old_values jsonb, new_values jsonb
);
create index on public.small_log (id);
grant insert on public.small_log to writer;
"""
AGENT = """
grant agentdb_agent to agent_w;
select agentdb.register_agent('w', 'agent_w');
"""
NEW = "nextval('numbers'), 5, 7, 'EUR', 'a note on it', true, now()"
CONTEXT = "clock_timestamp(), session_user, current_setting('application_name')"
WRITES = {
    "update": f"\\set id random(1, {ROWS})\n"
    "update account set balance = balance + 1 where id = :id;",
    "insert": f"insert into account values ({NEW});",
}
LIMITS = {
    "update": f"\\set id random(1, {ROWS})\n"
    "with o as (select id, balance from account where id = :id for update),"
    " n as (update account set balance = balance + 1 where id = :id"
    " returning id, balance)"
    f" insert into small_log select {CONTEXT}, 'update', n.id,"
    " jsonb_build_object('balance', o.balance),"
    " jsonb_build_object('balance', n.balance) from o join n on o.id = n.id;",
    "insert": f"with n as (insert into account values ({NEW}) returning *)"
    f" insert into small_log select {CONTEXT}, 'insert', n.id, null, to_jsonb(n.*)"
    " from n;",
}
# Each client is a session of its own with a run of its own.
BY_AGENT = (
    "\\if :begun\n{}\n\\else\nselect agentdb.start_run();\n\\set begun 1\n\\endif"
)
AUDITED = ("agentdb", "agentdb, agent")


def main() -> None:
    """Run the forms in turns and print what is left of the throughput."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer", nargs="*", default=[], metavar="NAME=FILE.sql")
    options = parser.parse_args()
    pgbench = shutil.which("pgbench")
    if pgbench is None:
        sys.exit("pgbench is not on the PATH: it comes with PostgreSQL's own packages")
    peers = dict(each.split("=", 1) for each in options.peer)
    with LocalServer() as server:
        forms = _prepare(server, peers)
        for operation in WRITES:
            for clients in options.clients:
                got = defaultdict(list)
                for _ in range(options.rounds):
                    for form, dsn in forms.items():
                        script = _script(form, operation)
                        got[form].append(
                            _rate(pgbench, dsn, script, clients, options.seconds)
                        )
                _report(operation, clients, got)


def _prepare(server: LocalServer, peers: dict[str, str]) -> dict[str, str]:
    """Make a database for each form; return where its writer connects."""
    forms = {}
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute("create role writer login")
        admin.execute("create role agent_w login")
        for number, form in enumerate(("none", "limit", *AUDITED, *peers)):
            admin.execute(f"create database bench_{number}".encode())
            dsn = server.dsn(database=f"bench_{number}")
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(TABLE.encode())
                if form == "limit":
                    connection.execute(LOG)
                elif form in AUDITED:
                    installation.install(dsn)
                    connection.execute("select agentdb.maintain()")
                    connection.execute("select agentdb.audit_table('account')")
                    connection.execute(AGENT)
                elif form in peers:
                    connection.execute(Path(peers[form]).read_bytes())
                connection.execute("vacuum analyze account")
            user = "agent_w" if form == "agentdb, agent" else "writer"
            forms[form] = server.dsn(database=f"bench_{number}", user=user)
    return forms


def _script(form: str, operation: str) -> str:
    if form == "limit":
        return LIMITS[operation]
    write = WRITES[operation]
    return BY_AGENT.format(write) if form == "agentdb, agent" else write


def _rate(pgbench: str, dsn: str, script: str, clients: int, seconds: int) -> float:
    """Return the transactions a second of one round."""
    threads = min(2, clients)
    options = f"-n -M prepared -D begun=0 -c {clients} -j {threads} -T {seconds} -f"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script + "\n")
        file.flush()
        done = subprocess.run(
            [pgbench, *options.split(), file.name, dsn],
            capture_output=True,
            text=True,
            check=False,
        )
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.M)
    if done.returncode or found is None:
        sys.exit(f"pgbench ended with {done.returncode}: {done.stderr}")
    return float(found[1])


def _report(operation: str, clients: int, got: dict[str, list[float]]) -> None:
    """Print each form's median share of what was done without audit beside it."""
    print(f"{operation}, {clients} clients: {statistics.median(got['none']):.0f}/s")
    for form, rates in got.items():
        shares = [rate / none for rate, none in zip(rates, got["none"], strict=True)]
        print(f"  {form:20} {statistics.median(shares):.2f}")


if __name__ == "__main__":
    main()
