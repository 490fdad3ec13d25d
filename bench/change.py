"""What changes cost: staging a row, and taking back what a wrong statement did.

Run it from the checkout: python -m bench.change [--rows N …] [--rounds N]
The wrong statement is an UPDATE without a WHERE on an audited table; its undo is
planned, tried (for real, and rolled back) and applied.
"""

from __future__ import annotations

import argparse
import statistics
from time import perf_counter
from typing import Any

import psycopg

from agentdb.local import LocalServer
from agentdb.schema import install as installation

TABLE = """
create table public.account (
  id int primary key, customer int, balance numeric(12, 2), currency text, note text,
  active boolean, created_at timestamptz, updated_at timestamptz, branch text,
  score float8, tags text, version int
);
create role writer login in role agentdb_agent;
create role reviewer login in role agentdb_reviewer;
create role operator login in role agentdb_operator;
grant select, insert, update, delete on public.account to writer, operator;
"""
FILL = """
insert into account
select g, g %% 1000, g, 'EUR', 'a note on account ' || g, true, now(), now(),
  'branch ' || g %% 50, g * 0.5, 'one,two,three', 1
from generate_series(1, %s) as g
"""
WRONG = "update account set balance = balance + 1, note = 'wrong'"
LAST = "select xid::text from agentdb.audit_log order by audit_log_id desc limit 1"
UNDO = """
select change_id, state, row_count from agentdb.undo_transaction(%s::text::xid8)
"""
STAGE = "update agentdb_stage.account set note = %s where id = %s"
BULK = "update agentdb_stage.account set note = %s where id <= %s"

Connection = psycopg.Connection[Any]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with LocalServer(fast=True) as server:
        installation.install(server.dsn())
        admin = connect(server, "postgres")
        admin.execute("select agentdb.maintain()")
        admin.execute(TABLE)
        admin.execute("select agentdb.register_agent('writer', 'writer')")
        admin.execute("select agentdb.audit_table('account')")
        operator = connect(server, "operator")
        print("undo: µs a row, and times what the wrong statement took")
        for rows in options.rows:
            undo(admin, operator, rows, options.rounds)
        stage(server, admin)


def connect(server: LocalServer, user: str) -> Connection:
    return psycopg.connect(server.dsn(user=user), autocommit=True)


def timed(session: Connection, query: str, *values: object) -> tuple[float, Any]:
    """Return the seconds that a statement takes, and its first row."""
    began = perf_counter()
    cursor = session.execute(query.encode(), values or None)
    found = cursor.fetchone() if cursor.description else None
    return perf_counter() - began, found


def undo(admin: Connection, operator: Connection, rows: int, rounds: int) -> None:
    """Time a wrong statement and its undo, each on rows as they were before."""
    admin.execute("truncate account")
    admin.execute(FILL.encode(), [rows])
    admin.execute("vacuum analyze account")
    wrong, planned, applied = [], [], []
    for _ in range(rounds):
        wrong.append(timed(admin, WRONG)[0])
        _, last = timed(admin, LAST)
        took, made = timed(operator, UNDO, *last)
        assert made[1:] == ("approved", rows), made
        planned.append(took)
        took, ended = timed(
            operator, "select state from agentdb.apply_change(%s)", made[0]
        )
        assert ended == ("applied",), ended
        applied.append(took)
    found = [statistics.median(each) for each in (wrong, planned, applied)]
    each = "  ".join(
        f"{name} {took / rows * 1e6:7.1f}"
        for name, took in zip(
            ("wrong", "planned and tried", "applied"), found, strict=True
        )
    )
    print(f"{rows:>9,} rows: {each}  undo {sum(found[1:]) / found[0]:.1f}x")


def stage(server: LocalServer, admin: Connection) -> None:
    """Time staging through the view: single rows, and many in one statement."""
    admin.execute("truncate account")
    admin.execute(FILL.encode(), [100_000])
    admin.execute("vacuum analyze account")
    admin.execute("select agentdb.guard_table('account')")
    admin.execute("update agentdb.policy set max_pending_changes = 10000")
    writer = connect(server, "writer")
    writer.execute("select agentdb.start_run()")
    single = [timed(writer, STAGE, "single", number)[0] for number in range(1, 101)]
    one = statistics.median(single) * 1e3
    print(f"staging one row, tried and committed: {one:.2f} ms")
    admin.execute("select agentdb.withdraw_change(change_id) from agentdb.change "
                  "where state = 'pending'")  # fmt: skip
    for rows in (100, 1_000, 10_000):
        took, _ = timed(writer, BULK, "bulk", rows)
        print(
            f"staging {rows:,} rows in one statement: {took / rows * 1e3:.3f} ms a row"
        )
        reviewer = connect(server, "reviewer")
        ((change, digest),) = reviewer.execute(
            "select change_id, digest from agentdb.waiting_changes()"
        ).fetchall()
        query = "select state from agentdb.approve_change(%s, %s)"
        took, ended = timed(reviewer, query, change, digest)
        assert ended == ("applied",), ended
        print(f"  approving and applying them: {took / rows * 1e3:.3f} ms a row")


if __name__ == "__main__":
    main()
