"""What changes cost: staging and applying them, and taking a wrong statement back.

Run it from the checkout: python -m bench.change [--before REVISION] [--rows N …]
With a revision of git, the same is done by that build, in turns on one server.  The
wrong statement is an UPDATE without a WHERE on an audited table; its undo is planned,
tried (for real, and rolled back) and applied.
"""

from __future__ import annotations

import argparse
import statistics
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from agentdb.local import LocalServer
from bench import build
from bench.build import Connection

ROLES = """
create role writer login;
create role reviewer login;
create role operator login;
"""
TABLES = """
grant agentdb_agent to writer;
grant agentdb_reviewer to reviewer;
grant agentdb_operator to operator;
create table public.account (
  id int primary key, customer int, balance numeric(12, 2), currency text, note text,
  active boolean, created_at timestamptz, updated_at timestamptz, branch text,
  score float8, tags text, version int
);
create table public.guarded (like public.account including all);
grant select, insert, update, delete on public.account, public.guarded
  to writer, operator;
"""
FILL = """
insert into {table}
select g, g %% 1000, g, 'EUR', 'a note on account ' || g, true, now(), now(),
  'branch ' || g %% 50, g * 0.5, 'one,two,three', 1
from generate_series(1, %s) as g
"""
WRONG = "update account set balance = balance + 1, note = 'wrong'"
LAST = "select xid::text from agentdb.audit_log order by audit_log_id desc limit 1"
UNDO = """
select change_id, state, row_count from agentdb.undo_transaction(%s::text::xid8)
"""
STAGE = "update agentdb_stage.guarded set note = %s where id = %s"
BULK = "update agentdb_stage.guarded set note = %s where id <= %s"
PLAIN = "update guarded set note = %s where id <= %s"
WAITING = "select change_id, digest from agentdb.waiting_changes()"
APPROVE = "select state from agentdb.approve_change(%s, %s)"
APPLY = "select state from agentdb.apply_change(%s)"
SINGLE = (
    "stage one row, tried and committed",
    "stage a further row in the transaction",
    "approve and apply one row",
)


@dataclass(frozen=True)
class Desk:
    """The sessions of one build."""

    admin: Connection
    writer: Connection
    reviewer: Connection
    operator: Connection


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", help="a revision of git")
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--bulk", type=int, nargs="*", default=[100, 1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=200)
    options = parser.parse_args()
    with LocalServer(fast=True) as server, ExitStack() as stack:
        admin = build.connect(stack, server.dsn())
        admin.execute(ROLES)
        desks = {
            name: prepare(stack, admin, server, name, where)
            for name, where in build.found(stack, options.before).items()
        }
        single(desks, options.calls)
        for rows in options.bulk:
            bulk(desks, rows, options.rounds)
        for rows in options.rows:
            undo(desks, rows, options.rounds)


def prepare(
    stack: ExitStack, admin: Connection, server: LocalServer, name: str, where: Path
) -> Desk:
    """Install a build with a guarded and an audited table; return its sessions."""
    database = build.install(server, admin, name, where)
    owner = build.connect(stack, server.dsn(database=database))
    owner.execute(TABLES)
    owner.execute("select agentdb.register_agent('writer', 'writer')")
    owner.execute("select agentdb.audit_table('account')")
    owner.execute("select agentdb.guard_table('guarded')")
    owner.execute("update agentdb.policy set max_pending_changes = 10000")
    owner.execute("select agentdb.maintain()")
    fill(owner, "guarded", 100_000)
    writer, reviewer, operator = (
        build.connect(stack, server.dsn(database=database, user=user))
        for user in ("writer", "reviewer", "operator")
    )
    writer.execute("select agentdb.start_run()")
    desk = Desk(owner, writer, reviewer, operator)
    one_row(desk, 40_000)
    # As the runner does: what comes again and again is prepared for.
    owner.execute("select agentdb.maintain()")
    return desk


def fill(admin: Connection, table: str, rows: int) -> None:
    admin.execute(f"truncate {table}".encode())
    admin.execute(FILL.format(table=table).encode(), [rows])
    admin.execute(f"vacuum analyze {table}".encode())


def timed(session: Connection, query: str, *values: object) -> tuple[float, Any]:
    """Return the seconds that a statement takes, and its first row."""
    began = perf_counter()
    cursor = session.execute(query.encode(), values or None)
    found = cursor.fetchone() if cursor.description else None
    return perf_counter() - began, found


def single(desks: dict[str, Desk], calls: int) -> None:
    """Time one row: a fresh proposal, a further row beside it, and its application."""
    times: dict[str, list[tuple[float, ...]]] = {name: [] for name in desks}
    for number in range(1, calls + 1):
        for name, desk in desks.items():
            times[name].append(one_row(desk, number))
    for place, what in enumerate(SINGLE):
        took = {name: [each[place] for each in times[name]] for name in desks}
        text = f"{what}: {statistics.median(took['now']) * 1e3:.2f} ms"
        if "before" in took:
            median, fastest = build.quotients(took["before"], took["now"])
            text += f"; before / now {median:.1f}, fastest tenth {fastest:.1f}"
        print(text, flush=True)


def one_row(desk: Desk, number: int) -> tuple[float, float, float]:
    """Return the seconds of each step of SINGLE."""
    staged, _ = timed(desk.writer, STAGE, "single", number)
    further = another(desk, number + 50_000)
    _, waiting = timed(desk.reviewer, WAITING)
    applied, ended = timed(desk.reviewer, APPROVE, *waiting)
    assert ended == ("applied",), ended
    return staged, further, applied


def another(desk: Desk, number: int) -> float:
    """Return the seconds that a second row takes in a transaction that stages."""
    with desk.writer.transaction(force_rollback=True):
        timed(desk.writer, STAGE, "first", number)
        took, _ = timed(desk.writer, STAGE, "further", number + 1)
    return took


def bulk(desks: dict[str, Desk], rows: int, rounds: int) -> None:
    """Time one change of many rows, beside the same UPDATE without any of it."""
    times: dict[str, list[tuple[float, ...]]] = {name: [] for name in desks}
    for number in range(rounds):
        for name, desk in desks.items():
            times[name].append(many_rows(desk, rows, str(number)))
    for name in desks:
        plain, staged, applied = (
            statistics.median(each) for each in zip(*times[name], strict=True)
        )
        print(
            f"{name}: {rows:,} rows in one change: staging {staged / plain:.1f}x, "
            f"approving and applying {applied / plain:.1f}x the plain UPDATE, "
            f"which took {plain / rows * 1e6:.1f} µs a row",
            flush=True,
        )


def many_rows(desk: Desk, rows: int, note: str) -> tuple[float, float, float]:
    """Return the seconds of the plain UPDATE, of staging it and of applying it."""
    plain, _ = timed(desk.admin, PLAIN, "plain " + note, rows)
    staged, _ = timed(desk.writer, BULK, "bulk " + note, rows)
    _, waiting = timed(desk.reviewer, WAITING)
    applied, ended = timed(desk.reviewer, APPROVE, *waiting)
    assert ended == ("applied",), ended
    return plain, staged, applied


def undo(desks: dict[str, Desk], rows: int, rounds: int) -> None:
    """Time a wrong statement and its undo, each on rows as they were before."""
    times: dict[str, list[tuple[float, ...]]] = {name: [] for name in desks}
    for desk in desks.values():
        fill(desk.admin, "account", rows)
    for _ in range(rounds):
        for name, desk in desks.items():
            times[name].append(wrong_and_undone(desk, rows))
    for name in desks:
        wrong, planned, applied = (
            statistics.median(each) for each in zip(*times[name], strict=True)
        )
        print(
            f"{name}: undo of {rows:,} rows: {(planned + applied) / wrong:.1f}x the "
            f"wrong statement (planned and tried {planned / wrong:.1f}x, applied "
            f"{applied / wrong:.1f}x), which took {wrong / rows * 1e6:.1f} µs a row",
            flush=True,
        )


def wrong_and_undone(desk: Desk, rows: int) -> tuple[float, float, float]:
    """Return the seconds of the wrong statement, of planning its undo and of that."""
    wrong, _ = timed(desk.admin, WRONG)
    _, last = timed(desk.admin, LAST)
    planned, made = timed(desk.operator, UNDO, *last)
    assert made[1:] == ("approved", rows), made
    applied, ended = timed(desk.operator, APPLY, made[0])
    assert ended == ("applied",), ended
    return wrong, planned, applied


if __name__ == "__main__":
    main()
