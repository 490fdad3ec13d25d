"""What an agent can do to the catalogue harms no change of others."""

from __future__ import annotations

import pytest

from .agents import refusal, row, start, value
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


SCHEMA = "create schema mine; grant usage, create on schema mine to public;"
FUNCTION = (
    "create function mine.f() returns trigger language plpgsql as"
    " $$ begin return coalesce(new, old); end $$;"
)
CHILD = (
    "grant references on public.invoice to agent_a; set role agent_a;"
    "create table mine.child (id int references public.invoice on {});"
    "insert into mine.child values (1); reset role"
)
PARTS = (
    "create table public.p (id int primary key, x text) partition by range (id);"
    "create table public.p1 partition of p for values from (1) to (10);"
    "insert into p values (1, 'a'); grant select, update on p to agent_a;"
    "select agentdb.guard_table('public.p');"
)
CAST = (
    "create type public.mood as enum ('a', 'b');"
    "create table public.p (id int primary key, x public.mood);"
    "insert into p values (1, 'a'); grant select, update on p to agent_a;"
    "select agentdb.guard_table('public.p');"
    "create function mine.f(text) returns mood return 'a'::varchar::mood;"
)
WRITE_P = "update agentdb_stage.p set x = 'b' where id = 1"


@pytest.mark.parametrize(
    ("before", "ddl", "statement", "said"),
    [
        (
            "",
            CHILD.format("delete cascade"),
            "delete from agentdb_stage.invoice where id = 1",
            "of mine.child, which a write reaches: it belongs to agent_a",
        ),
        (
            "",
            CHILD.format("update set null"),
            NOTE,
            "of mine.child, which a write reaches: it belongs to agent_a",
        ),
        (
            "",
            "grant trigger on public.line to agent_b",
            NOTE,
            "of public.line, which a write reaches: the right of agent_b",
        ),
        (PARTS, "alter table p1 owner to agent_b", WRITE_P, "it belongs to agent_b"),
        (
            PARTS + FUNCTION + "alter function mine.f() owner to agent_b;",
            "create trigger f before update on p1 for each row"
            " execute function mine.f()",
            WRITE_P,
            "of public.p1, which a write reaches: function mine.f of agent_b",
        ),
        (
            CAST + "create cast (text as mood) with function mine.f(text) as implicit;",
            "alter function mine.f(text) owner to agent_b",
            WRITE_P,
            "cast from text to public.mood by mine.f",
        ),
        (
            CAST + "alter function mine.f(text) owner to agent_b;",
            "create cast (text as mood) with function mine.f(text) as implicit",
            WRITE_P,
            "cast from text to public.mood by mine.f",
        ),
    ],
)
def test_what_an_agent_controls_of_what_a_write_reaches_is_found(
    guarded: Connection,
    agent: Connection,
    before: str,
    ddl: str,
    statement: str,
    said: str,
) -> None:
    guarded.execute((SCHEMA + before).encode())
    with agent.transaction(force_rollback=True):
        agent.execute(statement.encode())
        agent.execute("set constraints all immediate")
    agent.execute(NOTE.encode())
    guarded.execute(ddl.encode())
    found = refusal(agent, statement)
    assert found.sqlstate == "ZA051"
    assert said in (found.message_primary or "")


def test_code_that_an_apply_calls_decides_nothing_in_the_session_of_a_reviewer(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    agent.execute("update agentdb_stage.invoice set note = 'evil' where id = 2")
    change = latest(guarded)
    guarded.execute(
        f"""{SCHEMA}
        create table mine.said (what text);
        grant all on mine.said to public;
        create function public.note() returns trigger security definer
          language plpgsql as
          $$ begin insert into mine.side values (1); return new; end $$;
        create trigger note before update on invoice
          for each row execute function note();
        create function mine.f() returns int language plpgsql as $$ begin
          begin
            perform agentdb.approve_change({change["change_id"]},
              '{change["digest"]}');
            insert into mine.said values ('approved');
          exception when others then
            insert into mine.said values (sqlstate);
          end;
          return 1;
        end $$;
        alter function mine.f() owner to agent_a;
        create table mine.side (id int, by int default mine.f())""".encode()
    )
    agent.execute(NOTE.encode())
    assert approve(reviewer, latest(guarded)["change_id"])["state"] == "applied"
    assert value(guarded, "select string_agg(what, ' ') from mine.said") == "ZA055"
    assert (
        value(
            guarded,
            "select state from agentdb.change where change_id = %s",
            change["change_id"],
        )
        == "pending"
    )
