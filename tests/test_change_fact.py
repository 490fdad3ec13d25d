"""Facts of the catalogue are kept, and made anew when the catalogue is another one."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from .agents import refusal, start, value
from .changes import approve, latest
from .conftest import Connect, Connection
from .facts import DELETE, INSERT, SETUP, TRIGGER, UPDATE, become


class Case(NamedTuple):
    """A change of the catalogue, and what the next change of the table then is."""

    ddl: str
    expected: object
    first: str = ""
    statement: str = UPDATE


HOSTILE = {
    "trigger": Case(f"{TRIGGER} app.theirs()", "function app.theirs of agent_b"),
    "owner of a trigger function": Case(
        "alter function app.note() owner to agent_b",
        "function app.note of agent_b",
        f"{TRIGGER} app.note()",
    ),
    "trigger right": Case(
        "grant trigger on invoice to agent_b", "the right of agent_b to create triggers"
    ),
    "trigger right of a role that agents have": Case(
        "grant trigger on invoice to agentdb_agent",
        "the right of agentdb_agent to create triggers",
    ),
    "owner of the table": Case(
        "alter table invoice owner to agent_b", "it belongs to agent_b"
    ),
    "default": Case(
        "alter table invoice alter note set default app.word()",
        "function app.word of agent_b",
    ),
    "check": Case(
        "alter table invoice add check (app.fine(note))", "function app.fine of agent_b"
    ),
    "check of a domain": Case(
        "alter domain short add check (app.fine(value))", "function app.fine of agent_b"
    ),
    "owner of a domain": Case("alter domain short owner to agent_b", "of agent_b"),
    "policy": Case(
        "create policy p on invoice using (app.fine(note))",
        "function app.fine of agent_b",
    ),
    "index": Case(
        "create index on invoice (app.fine(note))", "function app.fine of agent_b"
    ),
    "cast": Case(
        "create function app.cast_of(v short) returns xid8 language sql as"
        " $$select '1'::xid8$$; alter function app.cast_of(short) owner to agent_b;"
        "create cast (text as public.pair) with function app.pair_of(text)",
        "cast from text to public.pair by app.pair_of of agent_b",
        "create type public.pair as (v text);"
        "create function app.pair_of(v text) returns public.pair language sql as"
        " 'select row(v)::public.pair'; alter function app.pair_of(text) owner to agent_b",
    ),
    "column of a hostile type": Case(
        "alter table invoice add column mood mood", "type public.mood of agent_b",
        "create type public.mood as enum ('good'); alter type mood owner to agent_b",
    ),
}  # fmt: skip
WIDER = {
    "trigger": Case(f"{TRIGGER} app.note()", {"public.log inserted": 1}),
    "body of a trigger function": Case(
        "create or replace function app.other() returns trigger security definer"
        " language plpgsql as"
        " $$ begin insert into public.log values ('y'); return null; end $$",
        {"public.log inserted": 1},
        "create function app.other() returns trigger language plpgsql as"
        f" $$ begin return null; end $$; {TRIGGER} app.other()",
    ),
    "disabled trigger": Case(
        "alter table invoice disable trigger noted", {}, f"{TRIGGER} app.note()"
    ),
    "enabled trigger": Case(
        "alter table invoice enable trigger noted",
        {"public.log inserted": 1},
        f"{TRIGGER} app.note(); alter table invoice disable trigger noted",
    ),
    "rule": Case(
        "create rule also as on update to invoice do also insert into log values ('r')",
        {"public.log inserted": 1},
    ),
    "another rule": Case(
        "create rule again as on update to invoice do also insert into log values ('s')",
        {"public.log inserted": 2},
        "create rule also as on update to invoice do also insert into log values ('r')",
    ),
    "disabled rule": Case(
        "alter table invoice disable rule also",
        {},
        "create rule also as on update to invoice do also insert into log values ('r')",
    ),
    "default that calls": Case(
        "create function app.called() returns text security definer language sql as"
        " $$insert into public.log values ('d') returning what$$;"
        "alter table customer add column also text default app.called()",
        {"public.log inserted": 1},
        statement=INSERT,
    ),
    "foreign key that deletes": Case(
        "alter table child drop constraint child_invoice_fkey, add constraint again"
        " foreign key (invoice) references invoice on delete cascade",
        {"public.child deleted": 1},
        statement=DELETE,
    ),
    "trigger of what goes along": Case(
        "create trigger noted after delete on child for each row"
        " execute function app.note()",
        {"public.child deleted": 1, "public.log inserted": 1},
        "alter table child drop constraint child_invoice_fkey, add constraint again"
        " foreign key (invoice) references invoice on delete cascade",
        DELETE,
    ),
    "child": Case(
        "create table heir () inherits (child); insert into heir values (9, 3);"
        "alter table heir add foreign key (invoice) references invoice"
        " on delete cascade",
        {"public.heir deleted": 1},
        "update child set invoice = null",
        DELETE,
    ),
}
LATER = {
    "name of a column": Case(
        "alter table invoice rename note to words", "column note is gone"
    ),
    "collation of a column": Case(
        "alter collation app.c rename to d",
        "column named was text, collation app.c and is text, collation app.d",
        "create collation app.c (locale = 'C');"
        "alter table invoice add column named text collate app.c;"
        "select agentdb.maintain()",
        UPDATE.replace("note", "named"),
    ),
    "name of the table": Case(
        "alter table invoice rename to bill", "is called public.bill now"
    ),
    "name of its schema": Case("alter schema public rename to old", "is called old"),
    "policy": Case(
        "create policy p on invoice using (true)", "row security of public.invoice"
    ),
    "row security": Case(
        "alter table invoice enable row level security", "row security of"
    ),
    "right of the proposer": Case("revoke update on invoice from agent_a", "agent_a may"),
    "trigger": HOSTILE["trigger"],
    "check of a domain": HOSTILE["check of a domain"],
    "trigger right": HOSTILE["trigger right"],
    "primary key": Case(
        "alter table invoice drop constraint invoice_pkey cascade", "no primary key"
    ),
    "audit": Case("select agentdb.unaudit_table('invoice')", "not audited"),
}  # fmt: skip


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    guarded.execute(SETUP.encode())
    session = connect(guarded.info.dbname, "agent_a")
    start(session, purpose="notes")
    return session


def prepare(
    agent: Connection, db: Connection, reviewer: Connection, case: Case
) -> None:
    """Have the facts and the statement kept, and planned, as they are before."""
    db.execute(case.first.encode())
    for key in (5, 6):
        query = case.statement.replace(
            "%s", str(key + 100 * (case.statement == INSERT))
        )
        assert become(agent, db, reviewer, query)[0] == "applied"
        db.execute("select agentdb.maintain()")
    # A table with rules is written a part after the other.
    planned = value(db, "select count(function_name) from agentdb.change_statement")
    assert (planned > 0) is ("create rule" not in case.first)


def forget(db: Connection) -> None:
    """Leave nothing kept: what follows is what a build that keeps nothing does."""
    db.execute("delete from agentdb.change_fact")


@pytest.mark.parametrize("name", HOSTILE)
def test_what_an_agent_comes_to_control_is_found_whatever_was_kept(
    guarded: Connection, agent: Connection, reviewer: Connection, name: str
) -> None:
    case = HOSTILE[name]
    prepare(agent, guarded, reviewer, case)
    guarded.execute(case.ddl.encode())
    said = [refusal(agent, UPDATE)]
    forget(guarded)
    said.append(refusal(agent, UPDATE))
    kept, anew = (str(each.message_primary).split(":", 1)[1] for each in said)
    assert [each.sqlstate for each in said] == ["ZA051", "ZA051"]
    assert kept == anew
    assert str(case.expected) in kept


@pytest.mark.parametrize("name", WIDER)
def test_what_a_table_comes_to_write_is_shown_whatever_was_kept(
    guarded: Connection, agent: Connection, reviewer: Connection, name: str
) -> None:
    case = WIDER[name]
    prepare(agent, guarded, reviewer, case)
    guarded.execute(case.ddl.encode())
    query = case.statement.replace("%s", "3")
    state, effects = become(agent, guarded, reviewer, query)
    assert state == "applied"
    ours = re.compile("public.(invoice|customer|line) ")
    assert {what: n for what, n in effects.items() if not ours.match(what)} == (
        case.expected
    )


@pytest.mark.parametrize("name", LATER)
def test_catalogue_that_is_another_at_the_approval_is_a_conflict(
    guarded: Connection, agent: Connection, reviewer: Connection, name: str
) -> None:
    case = LATER[name]
    prepare(agent, guarded, reviewer, case)
    changes = []
    for key in (3, 4):
        agent.execute(case.statement.replace("id = 1", f"id = {key}").encode())
        changes.append(latest(guarded)["change_id"])
    guarded.execute(case.ddl.encode())
    ended = [approve(reviewer, changes[0])]
    forget(guarded)
    ended.append(approve(reviewer, changes[1]))
    assert [each["state"] for each in ended] == ["conflict", "conflict"]
    kept, anew = (each["problem"] for each in ended)
    assert (kept["sqlstate"], kept["message"]) == (anew["sqlstate"], anew["message"])
    assert str(case.expected) in kept["message"]
