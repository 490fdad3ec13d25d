"""What it costs to know whose run a call is, beside an earlier build in the same run.

Run it from the checkout: python -m bench.identity --before REVISION [--calls N]
Both builds are installed on one server.  Calls of a lone run by the session that
started it, and by another session of its role.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from agentdb.local import LocalServer
from bench import build
from bench.build import Connection

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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", default="HEAD", help="a revision of git")
    parser.add_argument("--calls", type=int, default=2000)
    options = parser.parse_args()
    with LocalServer(fast=True) as server, ExitStack() as stack:
        admin = build.connect(stack, server.dsn())
        admin.execute("create role writer login")
        sessions = {
            name: prepare(stack, admin, server, name, where)
            for name, where in build.found(stack, options.before).items()
        }
        print("| call | caller | median, now / before | fastest tenth |")
        print("| --- | --- | ---: | ---: |")
        for caller in CALLERS:
            pair = {name: each[caller] for name, each in sessions.items()}
            for call, statement in CALLS.items():
                median, fastest = compare(pair, statement, options.calls)
                print(
                    f"| {call} | {caller} | {median:.3f} | {fastest:.3f} |", flush=True
                )


def prepare(
    stack: ExitStack, admin: Connection, server: LocalServer, name: str, where: Path
) -> dict[str, Connection]:
    """Install a build; return a session of each caller."""
    database = build.install(server, admin, name, where)
    owner = build.connect(stack, server.dsn(database=database))
    owner.execute("grant agentdb_agent to writer")
    for statement in TABLES.strip().split(";\n"):
        owner.execute(statement.encode())
    agent = server.dsn(database=database, user="writer")
    first, other = build.connect(stack, agent), build.connect(stack, agent)
    first.execute("select agentdb.start_run()")
    return {"its session": first, "another session": other}


def compare(
    pair: dict[str, Connection], statement: str, calls: int
) -> tuple[float, float]:
    """Return the quotients of the medians and of the fastest tenths."""
    times = build.take_turns(
        {name: partial(execute, session, statement) for name, session in pair.items()},
        calls,
    )
    return build.quotients(times["now"], times["before"])


def execute(session: Connection, statement: str, _number: int) -> None:
    session.execute(statement.encode(), prepare=";" not in statement)


if __name__ == "__main__":
    main()
