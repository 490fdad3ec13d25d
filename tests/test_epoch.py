"""A dump restored on another server, which counts its transactions from the beginning."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from agentdb.local import LocalServer

from .agents import refusal, register, row, rows, start, value
from .conftest import Connection, create_roles, install_on
from .servers import client
from .test_moment import at_mark
from .test_record import audit, kept, past
from .test_roll_up import COUNTED, NOW, RUNS

# More than a restore takes; each is one transaction.
AHEAD = 30_000


@dataclass
class Moved:
    """What was on the first server, and sessions on the second one."""

    db: Connection
    agent: Connection
    operator: Connection
    images: dict[str, Any] = field(default_factory=dict)
    root: str = ""


def session(server: LocalServer, user: str) -> Connection:
    dsn = server.dsn(database="agentdb", user=user)
    return psycopg.connect(dsn, autocommit=True)


def events(agent: Connection, count: int) -> None:
    for number in range(count):
        agent.execute("select agentdb.log_progress(%s)", (f"step {number}",))
        agent.execute("select agentdb.log_tool_call('search', '{}')")
        agent.execute("select agentdb.log_tokens(100, 7)")


def history(first: LocalServer, images: dict[str, Any]) -> str:
    """Let things happen on the first server; return the last root of its seals."""
    install_on(first)
    with (
        session(first, "postgres") as db,
        session(first, "operator_o") as operator,
        session(first, "agent_a") as agent,
    ):
        db.execute(
            f"do $$ begin for i in 1 .. {AHEAD} loop perform pg_current_xact_id();"
            " commit; end loop; end $$"
        )
        register(db)
        # A dump has no dropped columns: those after them are counted anew.
        db.execute("create table t (id int primary key, gone int, v int)")
        db.execute("alter table t drop gone")
        db.execute("create table vault (gone int, id int primary key, pin text, n int)")
        db.execute("alter table vault drop gone")
        db.execute("grant select, insert, update, delete on t to agent_a")
        audit(db)
        audit(db, "vault", redact=["pin"], exclude=["n"])
        db.execute("alter table vault rename pin to code")
        db.execute("alter table vault rename n to noise")
        run = start(agent)
        events(agent, 3)
        for number, write in enumerate(
            (
                "insert into t select n, 0 from generate_series(1, 5) as n",
                "update t set v = v + 1 where id < 4",
                "delete from t where id = 2",
            )
        ):
            agent.execute(write.encode())
            _, images[f"mark {number}"] = kept(db)
            operator.execute("select agentdb.mark(%s)", (f"mark {number}",))
        operator.execute("select agentdb.roll_up()")
        root = value(operator, "select root from agentdb.seal_audit()")
        # Neither sealed nor counted when the dump is made.
        agent.execute("update t set v = 9 where id = 5")
        events(agent, 2)
        operator.execute("select agentdb.kill_run(%s, 'enough')", (run,))
        # Nobody looks at it any more before the dump.
        db.execute("alter table vault rename code to hush")
    assert isinstance(root, str)
    return root


@pytest.fixture
def moved() -> Iterator[Moved]:
    images: dict[str, Any] = {}
    with ExitStack() as stack:
        first, second = (stack.enter_context(LocalServer(fast=True)) for _ in range(2))
        root = history(first, images)
        with psycopg.connect(second.dsn(), autocommit=True) as connection:
            create_roles(connection)
            for each in ("owner", "capture", "applier", "agent", "reviewer", "auditor",
                         "operator", "intake", "web"):  # fmt: skip
                connection.execute(f"create role agentdb_{each}".encode())
            connection.execute("create database agentdb")
            connection.execute("grant agentdb_agent to agent_a, agent_b")
            connection.execute("grant agentdb_operator to operator_o")
            connection.execute("grant pg_read_all_stats to agentdb_owner")
        target = second.dsn(database="agentdb", user="postgres")
        dump = subprocess.run(
            [client(first, "pg_dump"), "-d",
             first.dsn(database="agentdb", user="postgres")],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        subprocess.run(
            [client(second, "psql"), "-Xq1", "-v", "ON_ERROR_STOP=1", "-d", target],
            input=dump, check=True, capture_output=True, text=True,
        )  # fmt: skip
        db, agent, operator = (
            stack.enter_context(session(second, user))
            for user in ("postgres", "agent_a", "operator_o")
        )
        newest = "select max(xid::text::bigint) from agentdb.audit_log"
        ahead = f"select ({newest}) > pg_current_xact_id()::text::bigint"
        assert value(db, ahead), "the second server has counted further than the first"
        yield Moved(db, agent, operator, images, root)


def history_goes_on_where_a_dump_is_restored(moved: Moved) -> None:
    db, operator = moved.db, moved.operator
    # The first of all is a write, before anybody maintains anything.
    db.execute("update t set v = 100 where id = 1")
    _, now = kept(db)
    for mark, image in moved.images.items():
        assert at_mark(operator_who_reads(moved), mark) == image, mark
    operator.execute("select agentdb.mark('here')")
    db.execute("delete from t; insert into t values (77, 7)")
    assert at_mark(db, "here") == now
    for mark, image in moved.images.items():
        assert at_mark(db, mark) == image, mark
    assert value(db, "select count(*) from agentdb.epoch") == 2


def what_is_not_recorded_stays_so(moved: Moved) -> None:
    moved.db.execute("insert into vault values (1, 'secret', 5)")
    moved.db.execute("select agentdb.maintain_tables()")
    moved.db.execute("update vault set hush = 'other secret', noise = 6")
    said = "select new_values from agentdb.audit where table_name = 'public.vault'"
    written = [each["new_values"] for each in rows(moved.db, said)]
    assert written == [{"hush": "[redacted]"}, {"id": 1, "hush": "[redacted]"}]


def operator_who_reads(moved: Moved) -> Connection:
    moved.db.execute("grant select on t to operator_o")
    return moved.operator


def events_are_counted_once_and_go_on(moved: Moved) -> None:
    operator, agent = moved.operator, moved.agent
    operator.execute("select agentdb.maintain()")
    assert set(row(moved.db, NOW).values()) == {True}
    operator.execute("select agentdb.roll_up()")
    assert rows(moved.db, COUNTED) == rows(moved.db, RUNS)
    start(agent)
    events(agent, 4)
    assert set(row(moved.db, NOW).values()) == {True}
    operator.execute("select agentdb.roll_up()")
    assert set(row(moved.db, NOW).values()) == {True}
    assert rows(moved.db, COUNTED) == rows(moved.db, RUNS)


def the_chain_of_seals_goes_on(moved: Moved) -> None:
    operator = moved.operator
    sealed = row(operator, "select seal_id, rows from agentdb.seal_audit()")
    assert sealed["seal_id"] == 2
    said = row(operator, "select * from agentdb.verify_audit(%s)", moved.root)
    assert (said["intact"], said["unsealed"]) == (True, 0), said
    moved.db.execute("update t set v = 8")
    assert row(operator, "select rows from agentdb.seal_audit()")["rows"] == 1
    assert row(operator, "select * from agentdb.verify_audit()")["intact"]
    total = value(moved.db, "select count(*) from agentdb.audit_log")
    assert value(moved.db, "select sum(rows) from agentdb.seal") == total


def stops_work_as_before(moved: Moved) -> None:
    run = value(moved.db, "select max(run_id) from agentdb.run where ended_at is null")
    moved.operator.execute("select agentdb.kill_run(%s, 'enough')", (run,))
    said = refusal(moved.agent, "select agentdb.log_progress('on')")
    assert said.sqlstate == "ZA040"


def a_moment_of_now_is_known_here(moved: Moved) -> None:
    moved.operator.execute("select agentdb.mark('last')")
    at, image = kept(moved.db)
    moved.db.execute("truncate t")
    assert past(moved.db, at) == image
    assert at_mark(moved.db, "last") == image


def test_all_goes_on_where_a_dump_is_restored(moved: Moved) -> None:
    """Each step is what happens after the one before."""
    history_goes_on_where_a_dump_is_restored(moved)
    what_is_not_recorded_stays_so(moved)
    events_are_counted_once_and_go_on(moved)
    the_chain_of_seals_goes_on(moved)
    stops_work_as_before(moved)
    a_moment_of_now_is_known_here(moved)
