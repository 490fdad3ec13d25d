"""What it costs to know whose run a call is, beside an earlier build in the same run.

Run it from the checkout: python -m bench.identity --before REVISION [--calls N]
Both builds are installed on one server.  Calls of a lone run by the session that
started it, and by another session of its role.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg

from agentdb.local import LocalServer

ROOT = Path(__file__).parent.parent
TABLES = """
create table public.account (id int primary key, note text, version int);
insert into public.account select g, 'note', 0 from generate_series(1, 100) as g;
create table public.invoice (id int primary key, note text, version int);
insert into public.invoice select g, 'note', 0 from generate_series(1, 100) as g;
grant select, insert, update, delete on public.account, public.invoice to writer;
select agentdb.audit_table('public.account');
select agentdb.guard_table('public.invoice');
select agentdb.register_agent('writer', 'writer');
select agentdb.maintain();
"""
CALLS = {
    "log_tool_call": "select agentdb.log_tool_call('t', '{\"a\": 1}', result => '1')",
    "log_progress": "select agentdb.log_progress('s')",
    "audited write": "update account set version = version + 1 where id = 1",
    "guarded write": (
        "begin; update agentdb_stage.invoice set version = version + 1 where id = 1;"
        " rollback"
    ),
}
CALLERS = ("its session", "another session")

Connection = psycopg.Connection[Any]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", default="HEAD", help="a revision of git")
    parser.add_argument("--calls", type=int, default=2000)
    options = parser.parse_args()
    with LocalServer(fast=True) as server, ExitStack() as stack:
        admin = connect(stack, server.dsn())
        admin.execute("create role writer login")
        builds = {
            "before": checkout(stack, options.before),
            "after": ROOT,
        }
        sessions = {
            name: prepare(stack, admin, server, name, where)
            for name, where in builds.items()
        }
        print("| call | caller | median, after / before | fastest tenth |")
        print("| --- | --- | ---: | ---: |")
        for caller in CALLERS:
            pair = {name: each[caller] for name, each in sessions.items()}
            for call, statement in CALLS.items():
                median, fastest = compare(pair, statement, options.calls)
                print(
                    f"| {call} | {caller} | {median:.3f} | {fastest:.3f} |", flush=True
                )


def checkout(stack: ExitStack, revision: str) -> Path:
    """Return a folder with an earlier build."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    packed = subprocess.run(
        ["git", "archive", revision], cwd=ROOT, check=True, capture_output=True
    )
    subprocess.run(["tar", "-x", "-C", folder], input=packed.stdout, check=True)
    return Path(folder)


def prepare(
    stack: ExitStack, admin: Connection, server: LocalServer, name: str, where: Path
) -> dict[str, Connection]:
    """Install a build into a database of its own; return a session of each caller."""
    admin.execute(f"create database {name}_build".encode())
    dsn = server.dsn(database=f"{name}_build")
    subprocess.run(
        [sys.executable, "-m", "agentdb", "install", "--dsn", dsn],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(where)},
        check=True,
        capture_output=True,
    )
    owner = connect(stack, dsn)
    owner.execute("grant agentdb_agent to writer")
    for statement in TABLES.strip().split(";\n"):
        owner.execute(statement.encode())
    agent = server.dsn(database=f"{name}_build", user="writer")
    first, other = connect(stack, agent), connect(stack, agent)
    first.execute("select agentdb.start_run()")
    return {"its session": first, "another session": other}


def compare(
    pair: dict[str, Connection], statement: str, calls: int
) -> tuple[float, float]:
    """Return the quotients of the medians and of the fastest tenths.

    The builds take turns at each call, so that other work on the machine meets both.
    """
    query = statement.encode()
    times: dict[str, list[float]] = {name: [] for name in pair}
    for _ in range(calls):
        for name, session in pair.items():
            began = perf_counter()
            session.execute(query, prepare=";" not in statement)
            times[name].append(perf_counter() - began)
    found = [statistics.quantiles(times[name], n=10) for name in ("after", "before")]
    after, before = found
    return after[4] / before[4], after[0] / before[0]


def connect(stack: ExitStack, dsn: str) -> Connection:
    return stack.enter_context(psycopg.connect(dsn, autocommit=True))


if __name__ == "__main__":
    main()
