"""Triggers that ask how deep they are do in a trial what they do directly, or it says so."""

from __future__ import annotations

import pytest

from .agents import refusal, register, row, rows, start, value
from .changes import approve
from .conftest import Connect, Connection

TABLES = """
create table t (id int primary key, v int);
create table lg (what text);
insert into t values (1, 1), (2, 2);
grant select, insert, update, delete on t to agent_a;
create function noted() returns trigger security definer language plpgsql
  set search_path = public, pg_temp as $$ begin
  insert into lg values ('x' || new.id); return null; end $$;
create function once() returns trigger security definer language plpgsql
  set search_path = public, pg_temp as $$ begin
  if pg_trigger_depth() < 2 then insert into lg values ('y' || new.id); end if;
  return null; end $$;
"""
TRIGGERS = {
    "its condition": "when (pg_trigger_depth() = 0) execute function noted()",
    "its function": "execute function once()",
}
RULE = '{"operations": ["update"], "columns": ["v"], "rows": 3}'
WRITE = "update agentdb_stage.t set v = v + 1 where id = 1"


@pytest.fixture(params=TRIGGERS)
def deep(request: pytest.FixtureRequest, db: Connection) -> Connection:
    """A guarded table with a trigger of that kind."""
    register(db)
    db.execute(TABLES.encode())
    trigger = (
        f"create trigger f after update on t for each row {TRIGGERS[request.param]}"
    )
    db.execute(trigger.encode())
    db.execute("select agentdb.guard_table('t')")
    return db


@pytest.fixture
def agent(deep: Connection, connect: Connect) -> Connection:
    session = connect(deep.info.dbname, "agent_a")
    start(session)
    return session


def submitted(agent: Connection) -> dict[str, object]:
    agent.execute("select from agentdb.open_change(reason => 'x')")
    agent.execute(WRITE.encode())
    return row(agent, "select change_id, state, effects from agentdb.submit_change()")


def test_end_of_a_transaction_is_no_place_to_try_it(
    deep: Connection, agent: Connection
) -> None:
    refused = refusal(agent, WRITE)
    assert refused.sqlstate == "ZA004"
    assert "trigger f of public.t asks for pg_trigger_depth()" in str(
        refused.message_primary
    )
    assert "submit_change()" in str(refused.message_hint)
    assert value(deep, "select count(*) from agentdb.change") == 0


def test_submitted_it_does_what_it_does_directly(
    deep: Connection, agent: Connection, connect: Connect
) -> None:
    found = submitted(agent)
    assert found["effects"] == {"public.t updated": 1, "public.lg inserted": 1}
    reviewer = connect(deep.info.dbname, "reviewer_r")
    number = found["change_id"]
    assert isinstance(number, int)
    assert approve(reviewer, number)["state"] == "applied"
    staged = rows(deep, "select what from lg")
    deep.execute("update t set v = v + 1 where id = 1")
    assert rows(deep, "select what from lg") == staged * 2


def test_no_rule_approves_what_it_does_not_name(
    deep: Connection, agent: Connection
) -> None:
    deep.execute("select agentdb.guard_table('t', auto_approve => %s::jsonb)", [RULE])
    assert refusal(agent, WRITE).sqlstate == "ZA004"
    assert submitted(agent)["state"] == "pending"
    assert value(deep, "select count(*) from lg") == 0


def test_without_that_trigger_nothing_is_refused(
    deep: Connection, agent: Connection
) -> None:
    deep.execute("alter table t disable trigger f")
    agent.execute(WRITE.encode())
    assert value(deep, "select state from agentdb.change") == "pending"
