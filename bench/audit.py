"""What an audit costs a write: CPU of the server, against none and against the limit.

The limit is the same JSON written by a data-modifying CTE, without any trigger.

Run it from the checkout: python -m bench.audit [--rows N] [--rounds N] [--history N]
[--peer NAME=FILE.sql …].  A peer's file is not ours to ship: it creates what the peer
needs and attaches it to table public.account; its name is what the results are called.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
from psycopg import sql

from agentdb.local import LocalServer
from agentdb.schema import install as installation

TABLE = """
create table public.account (
  id int primary key, customer int, balance numeric(12, 2), currency text, note text,
  active boolean, created_at timestamptz, updated_at timestamptz, branch text,
  score float8, tags text, version int
);
grant select, insert, update, delete on public.account to writer, agent_w;
"""
FILL = """
insert into account
select g, g % 1000, g, 'EUR', 'a note on account ' || g, true, now(), now(),
  'branch ' || g % 50, g * 0.5, 'one,two,three', 1
from generate_series(1, %s) as g
"""
ONE = (
    "update account set balance = balance + 1, version = version + 1 where id = %(id)s"
)
BULK = "update account set balance = balance + 1, version = version + 1"
DELETE = "delete from account"
KINDS = ("single-row update", "bulk update", "bulk insert", "bulk delete")
CONTEXT = (
    "clock_timestamp(), 1, session_user, null, null, "
    "current_setting('application_name'), inet_client_addr()"
)
COLUMNS = """
insert into public.limit_log (recorded_at, statement, session_role, agent_id, run_id,
  application_name, client_addr, audit_target_id, operation, row_key, old_values,
  new_values)
"""


class Session:
    """A client session whose server process tells what CPU it used."""

    def __init__(self, dsn: str) -> None:
        self.connection: psycopg.Connection[Any] = psycopg.connect(dsn, autocommit=True)
        self.connection.prepare_threshold = 0
        pid = self.connection.info.backend_pid
        self._meter = Path(f"/proc/{pid}/schedstat")

    def cpu(self) -> float:
        """Return the microseconds of CPU that the server process has had."""
        return int(self._meter.read_text().split()[0]) / 1000


def measure(
    dsn: str, admin: psycopg.Connection[Any], limited: bool, count: int
) -> list[float]:
    """Return CPU a row of the four kinds of write, each on a table of a fresh state."""
    admin.execute("truncate account")
    admin.execute("vacuum analyze account")
    insert, update, delete, one = (
        _limit(admin, count)
        if limited
        else (FILL.replace("%s", str(count)), BULK, DELETE, ONE)
    )
    session = Session(dsn)
    inserted = _cost(
        session, lambda: session.connection.execute(insert.encode()), count
    )
    admin.execute("vacuum analyze account")
    run = session.connection.execute
    _singles(session, one, 300)
    single = min(_singles(session, one, 500) for _ in range(10))
    bulk = _cost(session, lambda: run(update.encode()), count)
    deleted = _cost(session, lambda: run(delete.encode()), count)
    session.connection.close()
    return [single, bulk, inserted, deleted]


def _singles(session: Session, one: str, count: int) -> float:
    """Return the cost of a single-row statement; what disturbs it only ever adds."""
    numbers = random.sample(range(1, 10_000), count)
    run = session.connection.execute
    return _cost(
        session, lambda: [run(one.encode(), {"id": n}) for n in numbers], count
    )


def _cost(session: Session, work: Callable[[], object], count: int) -> float:
    before = session.cpu()
    work()
    return (session.cpu() - before) / count


def _limit(admin: psycopg.Connection[Any], count: int) -> tuple[str, str, str, str]:
    """Return the statements that write the same JSON themselves."""
    key, old, new, was, became = _expressions(admin)
    head = f"{COLUMNS} select {CONTEXT}, 1, "
    insert = (
        f"with n as ({FILL.replace('%s', str(count))} returning *) "
        f"{head} 'insert', {key('n')}, null, {new} from n"
    )
    delete = (
        f"with o as ({DELETE} returning *) "
        f"{head} 'delete', {key('o')}, {old}, null from o"
    )
    changed = (
        f"{head} d.* from (select 'update', {key('n')} as row_key, "
        f"{was} as old_values, {became} as new_values "
        "from o join n on o.id = n.id offset 0) as d where d.new_values <> '{}'"
    )
    update = f"with o as (select * from account), n as ({BULK} returning *) {changed}"
    one = (
        "with o as (select * from account where id = %(id)s), "
        f"n as ({ONE} returning *) {changed}"
    )
    return insert, update, delete, one


def _expressions(
    admin: psycopg.Connection[Any],
) -> tuple[Callable[[str], str], str, str, str, str]:
    admin.execute("select agentdb.audit_table('account')")
    query = (
        "select agentdb._row_sql(t, 'o'), agentdb._row_sql(t, 'n'), "
        "agentdb._difference_sql(t, 'o'), agentdb._difference_sql(t, 'n') "
        "from (select max(audit_target_id) as t from agentdb.audit_target) as x"
    )
    row = admin.execute(query).fetchone()
    admin.execute("select agentdb.unaudit_table('account')")
    assert row is not None
    # As parts of a statement that has parameters.
    old, new, was, became = (text.replace("%", "%%") for text in row)
    return lambda name: f"jsonb_build_object('id', {name}.id)", old, new, was, became


def main() -> None:
    """Print the table, then the time of one row's history in a long log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--history", type=int, default=1_000_000)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=FILE")
    options = parser.parse_args()
    with LocalServer(fast=True) as server:
        variants = _prepare(server, dict(each.split("=", 1) for each in options.peer))
        costs: dict[str, list[list[float]]] = {name: [] for name in variants}
        for _ in range(options.rounds):
            for name, (dsn, admin) in variants.items():
                costs[name].append(measure(dsn, admin, name == "limit", options.rows))
        _report({name: [statistics.median(c) for c in zip(*found, strict=True)]
                 for name, found in costs.items()})  # fmt: skip
        _history(variants["agentdb"][1], options.history)


def _prepare(
    server: LocalServer, peers: dict[str, str]
) -> dict[str, tuple[str, psycopg.Connection[Any]]]:
    """Make a database for each variant; return who writes and an administrator."""
    variants = {}
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("create role writer login")
        connection.execute("create role agent_w login")
        names = ["none", "limit", "agentdb", "agentdb, agent", *peers]
        for number, name in enumerate(names):
            database = f"bench_{number}"
            connection.execute(
                sql.SQL("create database {}").format(sql.Identifier(database))
            )
            user = "agent_w" if "agent_w" and name.endswith(", agent") else "writer"
            admin = psycopg.connect(server.dsn(database=database), autocommit=True)
            admin.execute(TABLE)
            _equip(server.dsn(database=database), admin, name, peers.get(name))
            variants[name] = (server.dsn(database=database, user=user), admin)
    return variants


def _equip(
    dsn: str, admin: psycopg.Connection[Any], name: str, peer: str | None
) -> None:
    if peer:
        admin.execute(Path(peer).read_bytes())
    if name == "none" or peer:
        return
    installation.install(dsn)
    admin.execute("select agentdb.maintain()")
    if name == "limit":
        admin.execute(
            "create table limit_log (like agentdb.audit_log including all);"
            "grant all on limit_log to writer"
        )
        return
    admin.execute("select agentdb.audit_table('account')")
    if name.endswith(", agent"):
        admin.execute("grant agentdb_agent to agent_w")
        admin.execute("select agentdb.register_agent('w', 'agent_w')")
        with psycopg.connect(dsn.replace("postgres@", "agent_w@")) as agent:
            agent.execute("set session authorization agent_w")
            agent.execute("select agentdb.start_run()")


def _report(costs: dict[str, list[float]]) -> None:
    none, limit = costs["none"], costs["limit"]
    print("CPU of the server, µs a row; in brackets the overhead against the limit's")
    print(f"{'':20}" + "".join(f"{kind:>22}" for kind in KINDS))
    for name, found in costs.items():
        cells = (
            f"{cost:.1f}"
            + (f" ({(cost - n) / (m - n):.2f}x)" if name not in ("none",) else "")
            for cost, n, m in zip(found, none, limit, strict=True)
        )
        print(f"{name:20}" + "".join(f"{cell:>22}" for cell in cells))
    for name, found in costs.items():
        if name not in ("none", "limit") and not name.startswith("agentdb"):
            ratios = (
                f"{p / o:.1f}x" for p, o in zip(found, costs["agentdb"], strict=True)
            )
            print(f"faster than {name:8}" + "".join(f"{ratio:>22}" for ratio in ratios))


def _history(admin: psycopg.Connection[Any], count: int) -> None:
    """Time the history of one row while the log grows to a number of rows."""
    admin.execute("truncate account")
    admin.execute(FILL.replace("%s", "1000").encode())
    copy = (
        "insert into agentdb.audit_log (statement, audit_target_id, operation, row_key,"
        " old_values, new_values, session_role) select g, (select max(audit_target_id)"
        " from agentdb.audit_target), 'update',"
        " jsonb_build_object('id', 100000 + g %% 500000),"
        " '{\"version\": 1}', '{\"version\": 2}', 'x' from generate_series(1, %s) as g"
    )
    total = 0
    for size in (count // 10, count - count // 10):
        admin.execute(copy.encode(), [size])
        total += size
        admin.execute("vacuum analyze agentdb.audit_log")
        ask = "select count(*) from agentdb.row_history('account', '7')"
        times = []
        for _ in range(20):
            began = perf_counter()
            admin.execute(ask)
            times.append((perf_counter() - began) * 1000)
        took = statistics.median(times)
        print(f"history of one row among {total:,} more: {took:.2f} ms")


if __name__ == "__main__":
    main()
