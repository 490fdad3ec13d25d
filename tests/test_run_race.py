"""What a process is answered whose run ends, by another's hand, within its own call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import psycopg
import pytest

from .agents import refusal, register, rows, start, value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Connect, Connection

GATE = 4711
# The function does what it did, and waits then in the session that says so.
PAUSED = """
alter function agentdb.{name} ({types}) rename to {name}_itself;
create function agentdb.{name} ({arguments}) returns void language plpgsql as $$
begin
  perform agentdb.{name}_itself({names});
  if current_setting('test.pause', true) = 'on' then
    perform pg_advisory_lock_shared({gate});
  end if;
end $$;
"""
WAITING = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
PROGRESS = "select agentdb.log_progress('on')"
STOP = {"run": "bigint", "agent": "bigint"}
WRITE = "update public.counter set n = n + 1"


@pytest.fixture
def counted(db: Connection) -> Connection:
    """A database with an audited table."""
    db.execute("create table public.counter (id int primary key, n int)")
    db.execute("insert into public.counter values (1, 0)")
    db.execute("grant select, update on public.counter to agent_a")
    db.execute("select agentdb.audit_table('public.counter'::regclass)")
    register(db)
    return db


@contextmanager
def paused(
    db: Connection, session: Connection, name: str, types: dict[str, str]
) -> Iterator[None]:
    """Hold up a session where it calls a function, until the end of the block."""
    statement = PAUSED.format(
        name=name,
        gate=GATE,
        types=", ".join(types.values()),
        arguments=", ".join(f"{n} {type}" for n, type in types.items()),
        names=", ".join(types),
    )
    db.execute(statement.encode())
    session.execute("set test.pause = on")
    db.execute("select pg_advisory_lock(%s)", [GATE])
    try:
        yield
    finally:
        db.execute("select pg_advisory_unlock(%s)", [GATE])


def refused_while(
    act: Callable[[], object],
    db: Connection,
    agent: Connection,
    query: str,
    name: str,
    types: dict[str, str],
) -> tuple[str | None, str | None]:
    """Return what a call is refused with that is held up in a function during an act."""
    found: list[psycopg.errors.Diagnostic] = []
    with paused(db, agent, name, types):
        call = threading.Thread(target=lambda: found.append(refusal(agent, query)))
        call.start()
        while not value(db, WAITING):
            time.sleep(0.01)
        act()
    call.join()
    [said] = found
    return said.sqlstate, said.message_primary


def test_write_of_a_run_killed_meanwhile_is_refused(
    counted: Connection, connect: Connect
) -> None:
    name = counted.info.dbname
    agent, other = connect(name, "agent_a"), connect(name, "agent_a")
    operator = connect(name, "operator_o")
    run = start(agent)
    # Another was stopped: the run's own stops have to be looked for.
    operator.execute("select agentdb.kill_run(%s, 'x')", [start(other)])
    kill = partial(operator.execute, "select agentdb.kill_run(%s, 'x')", [run])
    said = refused_while(kill, counted, agent, WRITE, "_check_session", {})
    assert said == ("ZA040", f"run {run} was killed: x")
    assert rows(counted, "select * from agentdb.audit") == []


@pytest.mark.parametrize("query", [PROGRESS, WRITE])
def test_run_replaced_meanwhile_is_named(
    counted: Connection, connect: Connect, query: str
) -> None:
    name = counted.info.dbname
    agent, other, successor = (connect(name, "agent_a") for _ in range(3))
    operator = connect(name, "operator_o")
    run = start(agent, instance="host")
    operator.execute("select agentdb.kill_run(%s, 'x')", [start(other)])
    start(other)
    replace = partial(start, successor, instance="host")
    said = refused_while(replace, counted, agent, query, "_check_stop", STOP)
    assert said == ("ZA003", f"run {run} has ended")


@pytest.mark.parametrize(
    "query", [PROGRESS, "select agentdb.log_progress('on', run => {})", WRITE]
)
def test_replaced_run_is_named_before_another_that_was_killed(
    counted: Connection, connect: Connect, query: str
) -> None:
    name = counted.info.dbname
    agent, other, successor = (connect(name, "agent_a") for _ in range(3))
    run, killed = start(agent, instance="host"), start(other)
    start(successor, instance="host")
    operator = connect(name, "operator_o")
    operator.execute("select agentdb.kill_run(%s, 'x')", [killed])
    said = refusal(agent, query.format(run))
    assert (said.sqlstate, said.message_primary) == ("ZA003", f"run {run} has ended")
