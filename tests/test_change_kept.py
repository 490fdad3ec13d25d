"""Who comes to be an agent counts at once, and what is kept is in nobody's way."""

from __future__ import annotations

import threading

import psycopg
import pytest

from agentdb.schema import install as installation

from .agents import refusal, register, rows, start, value
from .changes import approve, latest
from .conftest import INSTALLER, Connect, Connection
from .facts import SETUP, TRIGGER, UPDATE, become
from .servers import Server


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    guarded.execute(SETUP.encode())
    session = connect(guarded.info.dbname, "agent_a")
    start(session, purpose="notes")
    return session


def test_membership_that_comes_and_goes_counts_at_once(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    owner = f"owner_of_{guarded.info.dbname}"
    guarded.execute(
        f"create role {owner}; alter table invoice owner to {owner}".encode()
    )
    try:
        for _ in range(2):
            assert become(agent, guarded, reviewer, UPDATE)[0] == "applied"
            guarded.execute(f"grant {owner} to agent_b".encode())
            said = refusal(agent, UPDATE).message_primary
            assert f"it belongs to {owner}" in str(said)
            guarded.execute(f"revoke {owner} from agent_b".encode())
    finally:
        guarded.execute("alter table invoice owner to postgres")
        guarded.execute(f"drop owned by {owner}; drop role {owner}".encode())


@pytest.mark.parametrize(
    ("first", "later", "said"),
    [
        ("alter function app.note() owner to {role}", "grant agentdb_agent to {role}",
         "function app.note of {role}"),
        ("grant agentdb_agent to {role};"
         "select agentdb.register_agent('late', '{role}')",
         "alter role {role} superuser", "it belongs to postgres"),
    ],
    ids=["member", "superuser"],
)  # fmt: skip
def test_role_that_comes_to_be_an_agents_counts_at_once(
    guarded: Connection,
    agent: Connection,
    reviewer: Connection,
    first: str,
    later: str,
    said: str,
) -> None:
    role = f"late_in_{guarded.info.dbname}"
    guarded.execute(f"create role {role} login; {TRIGGER} app.note()".encode())
    try:
        guarded.execute(first.format(role=role).encode())
        assert become(agent, guarded, reviewer, UPDATE)[0] == "applied"
        guarded.execute(later.format(role=role).encode())
        refused = str(refusal(agent, UPDATE).message_primary)
        assert said.format(role=role) in refused
    finally:
        guarded.execute("alter function app.note() owner to postgres")
        guarded.execute(f"drop owned by {role}; drop role {role}".encode())


def test_schema_in_which_an_agent_may_create_is_looked_through_no_more(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute(
        "create function app.bare() returns trigger security definer language plpgsql"
        " as $$ begin insert into log values ('b'); return null; end $$;"
        f"{TRIGGER} app.bare()".encode()
    )
    assert become(agent, guarded, reviewer, UPDATE)[0] == "applied"
    guarded.execute("grant create on schema public to agent_b; select 1")
    register(guarded, "b", "agent_b")
    assert refusal(agent, UPDATE).sqlstate == "42P01"
    guarded.execute("revoke create on schema public from agent_b")
    assert become(agent, guarded, reviewer, UPDATE)[0] == "applied"


def test_role_that_becomes_an_agents_counts_at_once(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute("alter function app.note() owner to app_user")
    guarded.execute(f"{TRIGGER} app.note()".encode())
    guarded.execute("grant usage on schema public to app_user")
    assert become(agent, guarded, reviewer, UPDATE)[0] == "applied"
    register(guarded, "b", "agent_b")
    guarded.execute(
        "update agentdb.agent set role_name = 'app_user' where agent_name = 'b'"
    )
    assert "function app.note of app_user" in str(
        refusal(agent, UPDATE).message_primary
    )


def test_facts_of_a_transaction_that_is_rolled_back_are_gone_with_it(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    with guarded.transaction(force_rollback=True):
        guarded.execute(f"{TRIGGER} app.theirs()".encode())
        said = refusal_within(guarded, "update agentdb_stage.invoice set note = 'p'")
        assert "an agent controls a part" in said
    assert become(agent, guarded, reviewer, UPDATE)[0] == "applied"
    held = value(guarded, "select max(change_fact_id) from agentdb.change_fact")
    with agent.transaction(force_rollback=True):
        agent.execute("update agentdb_stage.customer set name = 'q' where id = 1")
        agent.execute("set constraints all immediate")
    assert value(guarded, "select max(change_fact_id) from agentdb.change_fact") == held
    again = UPDATE.replace("invoice", "customer").replace("note", "name")
    assert become(agent, guarded, reviewer, again)[0] == "applied"


def refusal_within(session: Connection, query: str) -> str:
    """Return why a statement's change would be refused, in a transaction."""
    with pytest.raises(psycopg.Error) as raised, session.transaction():
        session.execute(query.encode())
        session.execute("set constraints all immediate")
    return str(raised.value)


def test_two_that_stage_at_once_do_not_wait_for_each_other(
    guarded: Connection, agent: Connection, connect: Connect
) -> None:
    register(guarded, "b", "agent_b")
    other = connect(guarded.info.dbname, "agent_b")
    start(other)
    with agent.transaction():
        agent.execute("select agentdb.open_change('x')")
        agent.execute(UPDATE.encode())
        # What it keeps is not committed yet.
        agent.execute("select agentdb.submit_change()")
        other.execute("set statement_timeout = '20s'; set lock_timeout = '1ms'")
        done = threading.Thread(
            target=other.execute, args=[UPDATE.replace("id = 1", "id = 3").encode()]
        )
        done.start()
        done.join(30)
        assert not done.is_alive()
        found = rows(
            guarded, "select state from agentdb.change_summary where agent_name = 'b'"
        )
        assert found == [{"state": "pending"}]
    assert value(guarded, "select count(*) from agentdb.change_fact") == 2


@pytest.mark.parametrize(
    "query",
    [
        "select * from agentdb.change_fact",
        "insert into agentdb.change_fact select * from agentdb.change_fact",
        "update agentdb.change_fact set hostile = null",
        "delete from agentdb.change_statement",
        "update agentdb.change_statement set statement = 'select 1'",
        "select nextval('agentdb.change_fact_seq')",
        "select agentdb._kept_fact(1)",
        "select agentdb._manner(1)",
        "select agentdb._write_1(1)",
        "select agentdb._is_trial()",
    ],
)
def test_agent_reaches_nothing_that_is_kept(
    guarded: Connection, agent: Connection, reviewer: Connection, query: str
) -> None:
    for name in ("a", "b"):
        agent.execute(UPDATE.replace("'n'", f"'{name}'").encode())
    guarded.execute("select agentdb.maintain()")
    assert refusal(agent, query).sqlstate == "42501"


def test_maintenance_forgets_what_holds_no_more(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    assert become(agent, guarded, reviewer, UPDATE)[0] == "applied"
    guarded.execute("select agentdb.maintain()")
    (first,) = rows(
        guarded, "select function_name as name from agentdb.change_statement"
    )
    guarded.execute("alter table invoice add column more int")
    guarded.execute(
        "update agentdb.change_fact set made_at = made_at - interval '2 hours'"
    )
    guarded.execute("select agentdb.maintain()")
    assert rows(guarded, "select * from agentdb.change_fact") == []
    # Who has just found its function may still call it: it goes the next time.
    named = "select count(*) from pg_proc where proname = %s"
    assert value(guarded, named, first["name"]) == 1
    guarded.execute("select agentdb.maintain()")
    assert value(guarded, named, first["name"]) == 0
    assert become(agent, guarded, reviewer, UPDATE)[0] == "applied"


def test_check_knows_planned_statements_and_names_an_edited_one(
    guarded: Connection, agent: Connection, reviewer: Connection, server: Server
) -> None:
    assert become(agent, guarded, reviewer, UPDATE)[0] == "applied"
    guarded.execute("select agentdb.maintain()")
    dsn = server.dsn(database=guarded.info.dbname, user=INSTALLER)
    assert installation.differences(dsn) == []
    edited = "create or replace function agentdb._write_1(change bigint) returns bigint"
    guarded.execute(f"{edited} language sql as 'select 1::bigint'".encode())
    guarded.execute("create function agentdb._write_9(change bigint) returns bigint"
                    " language sql as 'select 1::bigint'")  # fmt: skip
    assert installation.differences(dsn) == [
        "function agentdb._write_1(bigint) was changed",
        "function agentdb._write_9(bigint) is not part of agentdb",
    ]
    installation.install(dsn)
    guarded.execute("select agentdb.maintain()")
    assert installation.differences(dsn) == []
    assert become(agent, guarded, reviewer, UPDATE)[0] == "applied"


def test_application_is_recorded_where_its_trial_was_not(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    recorded = "select count(*) from agentdb.audit_log"
    drawn = "select last_value from agentdb.audit_statement_seq"
    before = value(guarded, drawn)
    agent.execute(UPDATE.encode())
    assert (value(guarded, recorded), value(guarded, drawn)) == (0, before)
    change = latest(guarded)["change_id"]
    assert approve(reviewer, change)["state"] == "applied"
    assert value(guarded, recorded) == 1
