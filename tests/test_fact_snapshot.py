"""An old snapshot hides no catalogue that is another one by now."""

from __future__ import annotations

import pytest

from .agents import refusal, rows, start, value
from .changes import approve, latest
from .conftest import Connect, Connection

TABLES = """
create schema mine; grant create, usage on schema mine to public;
create table public.x (id int primary key);
insert into x values (1), (2);
grant select, delete, references on x to agent_a;
"""
GUARD = (
    "select agentdb.guard_table('public.x', "
    """auto_approve => '{"operations": ["delete"]}')"""
)
# It does nothing while the change is tried.
TRAP = """
alter table mine.child add foreign key (id) references public.x on delete cascade;
create function mine.f() returns trigger language plpgsql as $$ begin
  if nextval('mine.s') > 1 then
    update public.customer set name = 'trapped' where id = 1;
  end if;
  return old;
end $$;
create trigger f before delete on mine.child for each row execute function mine.f();
"""
OLD = "select clock_timestamp() > transaction_timestamp() + interval '1 second'"


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    guarded.execute((TABLES + GUARD).encode())
    session = connect(guarded.info.dbname, "agent_a")
    start(session)
    session.execute(
        "create sequence mine.s; create table mine.child (id int);"
        "insert into mine.child values (1)"
    )
    return session


def name(db: Connection) -> object:
    return value(db, "select name from public.customer where id = 1")


def begin(session: Connection, level: str) -> None:
    session.execute(f"begin isolation level {level}".encode())
    session.execute("select 1 from pg_class limit 1")


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_agent_that_sees_an_old_catalogue_needs_a_person(
    guarded: Connection, agent: Connection, connect: Connect, level: str
) -> None:
    begin(agent, level)
    connect(guarded.info.dbname, "agent_a").execute(TRAP.encode())
    agent.execute("delete from agentdb_stage.x where id = 1")
    agent.execute("commit")
    assert latest(guarded)["state"] == "pending"
    assert name(guarded) == "acme"


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_reviewer_that_sees_an_old_catalogue_applies_nothing(
    guarded: Connection, agent: Connection, reviewer: Connection, level: str
) -> None:
    guarded.execute("select agentdb.guard_table('public.x', auto_approve => 'null')")
    agent.execute("delete from agentdb_stage.x where id = 1")
    change = latest(guarded)
    begin(reviewer, level)
    agent.execute(TRAP.encode())
    while not value(reviewer, OLD):
        pass
    found = refusal(
        reviewer,
        "select agentdb.approve_change(%s, %s)",
        change["change_id"],
        change["digest"],
    )
    reviewer.execute("rollback")
    assert found.sqlstate == "ZA004"
    assert "read committed" in (found.message_hint or "")
    assert rows(guarded, "select id from public.x order by 1") == [{"id": 1}, {"id": 2}]
    reviewer.execute(f"set default_transaction_isolation = '{level}'".encode())
    assert approve(reviewer, change["change_id"])["state"] == "conflict"
    assert name(guarded) == "acme"
