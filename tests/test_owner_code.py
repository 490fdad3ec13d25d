"""The code of a table's owner does not run as the pack's owner or its capture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .agents import refusal, register, start, value
from .changes import approve, latest

if TYPE_CHECKING:
    from .conftest import Connect, Connection

# What the owner of a table makes notes as whom it runs.
SPY = """
create schema shop authorization app_user; grant usage on schema shop to public;
set role app_user;
create table shop.ran (who text); grant insert on shop.ran to public;
create sequence shop.hits; grant all on sequence shop.hits to public;
create function shop.f() returns boolean language plpgsql as $$ begin
  if current_user::text like 'agentdb\\_%' then perform nextval('shop.hits'); end if;
  return true; end $$;
create function shop.as_json({type}) returns {to} language plpgsql as $$ begin
  perform shop.f(); return to_json(1); end $$;
"""
KEYS = {
    "domain": "create domain shop.d as int check (shop.f());"
    "create table shop.t (id shop.d primary key, n int)",
    "domain of a domain": "create domain shop.e as numeric(6, 2) check (shop.f());"
    "create domain shop.d as shop.e check (shop.f());"
    "create table shop.t (id shop.d primary key, n int)",
    "domain in an array": "create domain shop.d as int check (shop.f());"
    "create table shop.t (id shop.d[] primary key, n int)",
    "domain in a range": "create domain shop.d as int check (shop.f());"
    "create type shop.r as range (subtype = shop.d);"
    "create table shop.t (id shop.r primary key, n int)",
    "domain in a composite": "create domain shop.d as int check (shop.f());"
    "create type shop.c as (d shop.d); create table shop.t (id shop.c primary key, n int)",
}
GIVEN = {
    "domain": "[1]",
    "domain of a domain": "[1.5]",
    "domain in an array": '["{1}"]',
    "domain in a range": '["[1,3)"]',
    "domain in a composite": '["(1)"]',
}


def hit(db: Connection) -> bool:
    return bool(value(db, "select is_called from shop.hits"))


@pytest.mark.parametrize("kind", KEYS)
def test_key_that_is_claimed_runs_no_domain(
    db: Connection, agent: Connection, kind: str
) -> None:
    db.execute(SPY.format(type="int", to="json").encode())
    db.execute(KEYS[kind].encode())
    db.execute("reset role; select agentdb.audit_table('shop.t')")
    claim = f"select agentdb.claim_rows('shop.t', 'update', '{GIVEN[kind]}')"
    if "in a" in kind:
        assert refusal(agent, claim).sqlstate == "ZA004"
    else:
        agent.execute(claim.encode())
        kept = "select expectation #>> '{keys,0,id}' from agentdb.claim"
        assert value(db, kept) == {"domain": "1", "domain of a domain": "1.50"}[kind]
    assert not hit(db)
    agent.execute("select agentdb.claim_rows('shop.t', 'update', count => 1)")


TYPES = {
    "enum": "create type shop.y as enum ('a')",
    "range": "create type shop.y as range (subtype = int)",
    "composite": "create type shop.y as (a int)",
    "domain": "create domain shop.y as int check (shop.f())",
}
WRITE = {"enum": "'a'", "range": "'[1,2)'", "composite": "row(1)", "domain": "1"}


@pytest.mark.parametrize("to", ["json", "jsonb"])
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("level", ["row", "statement"])
def test_capture_runs_no_cast_of_the_owner(
    db: Connection, kind: str, to: str, level: str
) -> None:
    db.execute("create role zz_none; drop role zz_none")
    spy = SPY.partition("create function shop.as_json")[0]
    db.execute(spy.encode())
    db.execute(TYPES[kind].encode())
    db.execute("create table shop.t (id int primary key, y shop.y, n int)")
    db.execute("reset role")
    if kind != "domain":
        db.execute(
            f"create function shop.as_json(shop.y) returns {to} language plpgsql as $$"
            f" begin perform shop.f(); return '1'::{to}; end $$;"
            "alter function shop.as_json(shop.y) owner to app_user;"
            f"create cast (shop.y as {to}) with function shop.as_json(shop.y)"
            " as implicit".encode()
        )
    db.execute(f"select agentdb.audit_table('shop.t', level => '{level}')".encode())
    db.execute(f"insert into shop.t values (1, {WRITE[kind]}, 1)".encode())
    db.execute(
        "update shop.t set n = 2; update shop.t set y = null; delete from shop.t"
    )
    assert value(db, "select count(*) from agentdb.audit_log") == 4
    assert not hit(db)


def test_policy_of_the_owner_does_not_run_as_the_owner_of_the_pack(
    db: Connection, connect: Connect
) -> None:
    if db.info.server_version < 150000:
        pytest.skip("a table with row security cannot be guarded")
    register(db)
    db.execute(SPY.format(type="int", to="json").encode())
    db.execute(
        "create table shop.t (id int primary key, u text unique, n int);"
        "insert into shop.t values (1, 'a', 1);"
        "alter table shop.t enable row level security;"
        "create policy p on shop.t using (shop.f());"
        "grant select, insert, update, delete on shop.t to agent_a; reset role;"
    )
    db.execute("select agentdb.guard_table('shop.t')")
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    db.execute("alter sequence shop.hits owner to postgres; revoke all on sequence"
               " shop.hits from agentdb_applier")  # fmt: skip
    db.execute(
        "create or replace function shop.f() returns boolean language plpgsql as $$"
        " begin if current_user in ('agentdb_owner', 'agentdb_capture') then"
        " perform nextval('shop.hits'); end if; return true; end $$"
    )
    agent.execute("insert into agentdb_stage.t values (2, 'b', 1)")
    agent.execute("update agentdb_stage.t set n = 2, u = 'c' where id = 1")
    assert refusal(
        agent, "insert into agentdb_stage.t values (1, 'd', 1)"
    ).sqlstate == "23505"  # fmt: skip
    agent.execute("select * from agentdb_stage.t")
    reviewer = connect(db.info.dbname, "reviewer_r")
    change = latest(db)["change_id"]
    assert approve(reviewer, change)["state"] in ("applied", "approved")
    assert not hit(db)
