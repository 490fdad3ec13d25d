"""What an agent can do to the catalogue harms no change of others."""

from __future__ import annotations

import pytest

from .agents import row, start, value
from .changes import approve, latest
from .conftest import Connect, Connection

NOTE = "update agentdb_stage.invoice set note = coalesce(note, '') || 'n' where id = 1"


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    session = connect(guarded.info.dbname, "agent_a")
    start(session)
    return session


def test_schema_in_which_an_agent_may_create_by_set_role_is_looked_through_no_more(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute("create role maker; alter role agent_a noinherit")
    try:
        guarded.execute("grant create, usage on schema public to maker")
        guarded.execute("grant maker to agent_a")
        agent.execute("set role maker")
        agent.execute("create function public.trap() returns int return 1")
        agent.execute("reset role")
        assert (
            value(guarded, "select agentdb._schemas_open('public.invoice'::regclass)")
            == []
        )
    finally:
        guarded.execute("alter role agent_a inherit")
        guarded.execute("drop owned by maker cascade; drop role maker")


def test_facts_that_hold_no_more_are_looked_at_by_none(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    agent.execute(NOTE.encode())
    old = latest(guarded)
    # As left by casts of temporary types, one for each change.
    guarded.execute(
        "insert into agentdb.change_fact select (f).* from ("
        " select jsonb_populate_record(f, jsonb_build_object("
        "  'change_fact_id', nextval('agentdb.change_fact_seq'), 'fingerprint', g)) as f"
        " from agentdb.change_fact as f, generate_series(1, 100) as g) as x"
    )
    for _ in range(2):
        agent.execute(NOTE.encode())
    used = row(
        guarded,
        "select count(distinct change_fact_id) as all,"
        " max(change_fact_id) = (select max(change_fact_id) from agentdb.change_fact)"
        "  as newest from agentdb.change_table",
    )
    assert used == {"all": 2, "newest": True}
    assert approve(reviewer, old["change_id"])["state"] == "applied"
