"""What an agent controls near a table is found by walking the catalogue, both ways:
before the table is guarded, and where it comes later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .agents import refusal, register, row, rows, start, value
from .changes import latest

if TYPE_CHECKING:
    from .conftest import Connect, Connection

SHOP = """
do $$ begin execute format('grant create on database %I to agent_b',
  current_database()); end $$;
create schema shop; grant usage on schema shop to agent_a, agent_b;
create table shop.price (id int primary key, p numeric, note text);
insert into shop.price values (1, 1);
grant select, insert, update, delete on shop.price to agent_a;
"""
CHILD = """
create table shop.child (id int primary key, price int references shop.price on delete
  cascade);
"""
F = """
create schema mine authorization agent_b; grant usage on schema mine to public;
set role agent_b;
create function mine.f() returns boolean language sql as 'select true';
create function mine.t() returns trigger language plpgsql as 'begin return new; end';
reset role;
"""
# Each makes something of agent_b a part of shop.price.
PARTS = {
    "schema": "alter schema shop owner to agent_b",
    "extension of a type": "create schema ext authorization agent_b;"
    "set role agent_b; create extension citext schema ext; reset role; alter table shop.price add c ext.citext",
    "schema of a type": "create schema ext authorization agent_b;"
    "create type ext.mood as enum ('a'); alter table shop.price add c ext.mood",
    "function in the body of another": f"{F} create function shop.g() returns boolean"
    " language sql begin atomic select mine.f(); end;"
    "alter table shop.price add check (shop.g())",
    "function of a view of a policy": f"{F} create view shop.v as select mine.f() as ok;"
    "create policy y on shop.price to agentdb_applier"
    " using (exists (select from shop.v where ok))",
    "view of a policy": "create view shop.v as select 1; alter view shop.v owner to"
    " agent_b; create policy y on shop.price to agentdb_applier"
    " using (exists (select from shop.v))",
    "sequence of a default": "create sequence shop.s; alter table shop.price alter note"
    " set default nextval('shop.s'); alter sequence shop.s owner to agent_b",
    "operator of a check": f"{F} create function shop.eq(text, text) returns boolean"
    " language sql as 'select true'; create operator shop.=== (function = shop.eq,"
    " leftarg = text, rightarg = text); alter operator shop.=== (text, text) owner to"
    " agent_b; alter table shop.price add check (note operator(shop.===) note)",
    "collation": "create collation shop.c (locale = 'C'); alter collation shop.c owner to"
    " agent_b; alter table shop.price add c text collate shop.c",
    "table that it inherits from": "create table shop.base (id int); alter table"
    " shop.price inherit shop.base; alter table shop.base owner to agent_b",
    "search configuration of a generated column": "create text search configuration"
    " shop.c (copy = simple); alter text search configuration shop.c owner to agent_b;"
    "alter table shop.price add v tsvector generated always as"
    " (to_tsvector('shop.c', note)) stored",
    "range": "create type shop.r as range (subtype = int); alter type shop.r owner to"
    " agent_b; alter table shop.price add c shop.r",
}  # fmt: skip
# And of what a write of it reaches.
REACHED = {
    "right to make triggers": f"{CHILD} grant trigger on shop.child to agent_b",
    "trigger": f"{CHILD} {F} create trigger t after delete on shop.child for each row"
    " execute function mine.t()",
    "foreign key of a foreign key": f"{CHILD} {F} create table mine.c (id int references"
    " shop.child on delete set null); alter table mine.c owner to agent_b",
    "table of a rule": "create table shop.seen (id int); alter table shop.seen owner to"
    " agent_b; create rule r as on update to shop.price do also"
    " insert into shop.seen values (new.id)",
}

ALL: dict[str, str] = PARTS | REACHED


def make(db: Connection, part: str) -> None:
    known = "select count(*) from pg_available_extensions where name = 'citext'"
    if "extension" in part and not value(db, known):
        pytest.skip("the server has no citext")
    db.execute(ALL[part].encode())


@pytest.fixture
def shop(db: Connection) -> Connection:
    register(db)
    register(db, "b", "agent_b")
    db.execute(SHOP)
    return db


@pytest.mark.parametrize("part", ALL)
def test_table_of_which_an_agent_controls_a_part_is_not_guarded(
    shop: Connection, part: str
) -> None:
    make(shop, part)
    refused = refusal(shop, "select agentdb.guard_table('shop.price')")
    assert refused.sqlstate in ("ZA030", "ZA051")
    assert "an agent controls a part of it" in (refused.message_primary or "")
    assert "agent_b" in (refused.message_primary or "")


@pytest.mark.parametrize("part", ALL)
def test_what_comes_after_the_guard_is_found_at_the_change_and_named_by_the_doctor(
    shop: Connection, connect: Connect, part: str
) -> None:
    shop.execute("select agentdb.guard_table('shop.price')")
    agent = connect(shop.info.dbname, "agent_a")
    start(agent)
    agent.execute("update agentdb_stage.price set p = 2 where id = 1")
    change = latest(shop)["change_id"]
    make(shop, part)
    named = "select detail from agentdb.doctor where check_name = 'parts of shop.price'"
    (found,) = rows(shop, named)
    assert "agent_b" in found["detail"]
    reviewer = connect(shop.info.dbname, "reviewer_r")
    digest = value(reviewer, "select digest from agentdb.show_change(%s)", change)
    approve = "select state, problem from agentdb.approve_change(%s, %s::text)"
    ended = row(reviewer, approve, change, digest)
    assert ended["state"] == "conflict"
    if "policy" not in part:
        assert "an agent controls a part" in ended["problem"]["message"]
    assert value(shop, "select p from shop.price") == 1


def test_agent_cannot_take_away_a_table_that_is_guarded(
    shop: Connection, connect: Connect
) -> None:
    """What the parts are looked for: each of these would succeed."""
    agent = connect(shop.info.dbname, "agent_b")
    for part, taken in (
        ("schema", "drop table shop.price cascade"),
        ("table that it inherits from", "drop table shop.base cascade"),
        ("schema of a type", "drop schema ext cascade"),
    ):
        with shop.transaction(force_rollback=True):
            shop.execute(PARTS[part].encode())
            shop.execute("set local role agent_b")
            shop.execute(taken.encode())
    assert refusal(agent, "drop table shop.price").sqlstate == "42501"


def test_guard_can_be_taken_off_whatever_an_agent_controls(shop: Connection) -> None:
    shop.execute("select agentdb.guard_table('shop.price')")
    shop.execute(PARTS["schema"].encode())
    shop.execute("select agentdb.drop_staging_view('shop.price')")
    shop.execute("select agentdb.unguard_table('shop.price')")
    assert rows(shop, "select * from agentdb.guarded_table") == []
    shop.execute("select agentdb.unaudit_table('shop.price')")
