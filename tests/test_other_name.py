"""Nobody's code runs in another's name: what an agent has made and what runs as
agentdb_applier, in sessions of whomever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from .agents import refusal, register, row, rows, start, value
from .changes import approve, latest

if TYPE_CHECKING:
    from .conftest import Connect, Connection

# A definer function of an agent for each way to write.
MINE = """
create schema mine authorization agent_a; grant usage on schema mine to public;
set role agent_a;
create function mine.tidy() returns void language plpgsql security definer as
  $$ begin {} end $$;
reset role;
"""
WAYS = {
    "update": "update public.invoice set amount = 1 where id = 1;",
    "insert": "insert into public.invoice (customer, amount) values (1, 1);",
    "delete": "delete from public.invoice where id = 1;",
    "upsert": "insert into public.invoice (id, customer, amount) values (1, 1, 1)"
    " on conflict (id) do update set amount = 1;",
    "truncate": "truncate public.invoice cascade;",
    "no row": "delete from public.invoice where false;",
    "dynamic": "execute 'update public.invoice set amount = 1';",
    "cursor": "declare c cursor for select * from public.invoice for update; r record;"
    " begin for r in c loop update public.invoice set amount = 1 where current of c;"
    " end loop; end;",
    "partition": "update public.part_1 set n = 5;",
    "partitioned": "insert into public.part values (3, 3);",
    "truncated partition": "truncate public.part_1;",
}
PARTITIONED = """
create table public.part (id int primary key, n int) partition by range (id);
create table public.part_1 partition of part for values from (0) to (10);
insert into part values (1, 1);
grant select, insert, update, delete, truncate on public.part, public.part_1
  to agent_a;
select agentdb.guard_table('public.part');
grant truncate on public.invoice, public.line to agent_a;
"""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("who", ["app_user", "operator_o", "set role"])
def test_function_of_an_agent_writes_no_guarded_table_whoever_calls_it(
    guarded: Connection, connect: Connect, way: str, who: str
) -> None:
    guarded.execute(PARTITIONED)
    guarded.execute(MINE.format(WAYS[way]).encode())
    if who == "set role":
        session = guarded
        session.execute("set role agent_a")
    else:
        session = connect(guarded.info.dbname, who)
    refused = refusal(session, "select mine.tidy()")
    assert refused.sqlstate == "ZA050", refused.message_primary
    assert "agent_a" in (refused.message_primary or "")
    guarded.execute("reset role")
    kept = "select count(*) || ' ' || sum(amount) from public.invoice"
    assert value(guarded, kept) == "6 210.00"
    assert value(guarded, "select sum(n) from public.part") == 1


def test_function_of_the_application_writes_as_before(
    guarded: Connection, connect: Connect
) -> None:
    guarded.execute(
        "create role zz_shop; grant create, usage on schema public to zz_shop;"
        "grant update, select on public.invoice to zz_shop"
    )
    try:
        guarded.execute(
            "create function public.pay() returns void language sql security definer"
            " as 'update public.invoice set state = ''paid'' where id = 1';"
            "alter function public.pay() owner to zz_shop"
        )
        connect(guarded.info.dbname, "app_user").execute("select public.pay()")
        state = "select state from public.invoice where id = 1"
        assert value(guarded, state) == "paid"
    finally:
        guarded.execute("drop owned by zz_shop cascade; drop role zz_shop")


def test_trigger_that_lacks_the_guard_of_roles_is_named_and_put_back(
    guarded: Connection,
) -> None:
    for change in (
        'drop trigger "00_agentdb_guard_role" on invoice',
        'drop trigger "00_agentdb_guard_role" on invoice;'
        'create trigger "00_agentdb_guard_role" before update on invoice'
        " for each statement when (false) execute function agentdb._guard_role()",
    ):
        guarded.execute(change.encode())
        (fault,) = rows(guarded, "select fault from agentdb.guard_fault")
        assert fault["fault"].startswith("trigger 00_agentdb_guard_role on invoice is")
        guarded.execute("select agentdb.maintain_tables()")
        assert rows(guarded, "select fault from agentdb.guard_fault") == []


# What runs as agentdb_applier -------------------------------------------------------

NOTED = """
create function public.noted() returns trigger language plpgsql {} as $$ begin
  {} return new; end $$;
create trigger noted before update on public.invoice
  for each row execute function public.noted();
"""
STAGE = "update agentdb_stage.invoice set note = 'x' where id = 1"
CHANGED = """
create temp table if not exists changed (id int) on commit drop;
insert into changed values (new.id);
"""


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    session = connect(guarded.info.dbname, "agent_a")
    start(session)
    return session


@pytest.mark.parametrize("how", ["update", "insert", "delete", "truncate"])
def test_trigger_writes_no_other_guarded_table_with_the_rights_of_the_applier(
    guarded: Connection, agent: Connection, reviewer: Connection, how: str
) -> None:
    body = {
        "update": "update public.customer set name = 'x';",
        "insert": "insert into public.customer values (9, 'x');",
        "delete": "delete from public.customer where id = 2;",
        "truncate": "truncate public.customer cascade;",
    }[how]
    agent.execute(STAGE.encode())
    guarded.execute(NOTED.format("", body).encode())
    refused = refusal(agent, "update agentdb_stage.invoice set note = 'y' where id = 2")
    assert refused.sqlstate in ("ZA050", "42501")
    ended = approve(reviewer, latest(guarded)["change_id"])
    assert ended["state"] == "conflict"
    assert ended["problem"]["sqlstate"] in ("ZA050", "42501")
    assert value(guarded, "select string_agg(name, ' ') from customer") == "acme bolt"


def test_trigger_writes_another_guarded_table_with_rights_of_its_own(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    body = "update public.customer set name = 'x' where id = new.customer;"
    guarded.execute(NOTED.format("security definer", body).encode())
    agent.execute(STAGE.encode())
    change = latest(guarded)
    assert change["effects"] == {
        "public.invoice updated": 1,
        "public.customer updated": 1,
    }
    assert approve(reviewer, change["change_id"])["state"] == "applied"


# What an agent, or a reviewer, can have in its session under a name that a trigger of
# the application uses.
TEMPORARY = {
    "trigger": "create temp table changed (id int);"
    "create function pg_temp.f() returns trigger language plpgsql as"
    " $$ begin perform pg_temp.hit(); return new; end $$;"
    "create trigger t before insert on changed for each row"
    " execute function pg_temp.f()",
    "function of another schema": "create temp table changed (id int);"
    "create trigger t before insert on changed for each row"
    " execute function spying.t()",
    "default": "create temp table changed (id int, by int default spying.f())",
    "check": "create temp table changed (id int check (spying.f() > 0))",
    "generated": "create temp table changed (id int, g int generated always as"
    " (spying.i(id)) stored)",
    "index": "create temp table changed (id int); create index on changed"
    " (spying.i(id))",
    "policy": "create temp table changed (id int); alter table changed enable row level"
    " security; create policy p on changed using (spying.f() > 0)",
    "rule": "create temp table changed (id int); create rule r as on insert to changed"
    " do also select spying.f()",
    "domain": "create domain pg_temp.d as int check (spying.f() > 0);"
    "create temp table changed (id pg_temp.d)",
    "view": "create temp table under (id int); create temp view changed as"
    " select * from under",
    "partition": "create temp table changed (id int, by int default spying.f())"
    " partition by list (id); create temp table rest partition of changed default",
}
SPYING = """
create schema spying; grant usage, create on schema spying to public;
create sequence spying.hits; grant all on sequence spying.hits to public;
create function spying.hit() returns void language sql security definer as
  'select nextval(''spying.hits'')';
create function spying.f() returns int language plpgsql as
  'begin perform spying.hit(); return 1; end';
create function spying.i(int) returns int immutable language plpgsql as
  'begin perform spying.hit(); return 1; end';
create function spying.t() returns trigger language plpgsql as
  'begin perform spying.hit(); return new; end';
"""


@pytest.mark.parametrize("kind", TEMPORARY)
@pytest.mark.parametrize("who", ["agent", "reviewer"])
def test_temporary_object_catches_nothing_of_a_trigger(
    guarded: Connection,
    agent: Connection,
    reviewer: Connection,
    kind: str,
    who: str,
) -> None:
    guarded.execute(SPYING)
    guarded.execute(NOTED.format("", CHANGED).encode())
    agent.execute(STAGE.encode())
    session = agent if who == "agent" else reviewer
    grant = "do $$ begin execute 'grant all on all tables in schema '"
    grant += " || pg_my_temp_schema()::regnamespace || ' to public'; end $$"
    session.execute(TEMPORARY[kind].replace("pg_temp.hit", "spying.hit").encode())
    session.execute(grant.encode())
    change = latest(guarded)["change_id"]
    digest = value(reviewer, "select digest from agentdb.show_change(%s)", change)
    if who == "agent":
        call = "update agentdb_stage.invoice set note = 'y' where id = 2"
    else:
        call = f"select agentdb.approve_change({change}, '{digest}')"
    refused = refusal(session, call)
    assert (refused.sqlstate, refused.message_hint) == ("ZA051", "discard temp;")
    assert value(guarded, "select is_called from spying.hits") is False
    assert latest(guarded)["state"] == "pending"
    session.execute("discard temp")
    ended = approve(reviewer, change)
    assert ended["state"] == "applied", ended["problem"]


def test_temporary_table_of_an_agent_gets_nothing_of_what_a_trigger_writes(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute(NOTED.format("", CHANGED).encode())
    agent.execute("create temp table changed (id int); grant all on changed to public")
    refused = refusal(agent, STAGE)
    assert refused.sqlstate == "ZA051"
    assert "pg_temp.changed" in (refused.message_primary or "")
    agent.execute("drop table changed")
    agent.execute(STAGE.encode())
    assert approve(reviewer, latest(guarded)["change_id"])["state"] == "applied"


def test_plain_temporary_tables_and_tables_that_run_nothing_are_in_nobodys_way(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    agent.execute(
        "create temp table mine (id serial primary key, other int references mine,"
        " n int default 7 check (n > 0)); create index on mine (n)"
    )
    agent.execute("update agentdb_stage.customer set name = 'x' where id = 1")
    guarded.execute(NOTED.format("", "").encode())
    agent.execute(STAGE.encode())
    agent.execute("create function pg_temp.f() returns int language sql as 'select 1'")
    guarded.execute("drop trigger noted on public.invoice")
    agent.execute("update agentdb_stage.customer set name = 'y' where id = 2")
    assert value(guarded, "select count(*) from agentdb.change") == 3


def test_table_of_an_agent_that_a_trigger_writes_is_found(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute(SPYING)
    guarded.execute("create table public.seen (id int)")
    body = "insert into public.seen values (new.id);"
    guarded.execute(NOTED.format("security definer", body).encode())
    agent.execute(STAGE.encode())
    change = latest(guarded)["change_id"]
    for part in (
        "alter table public.seen owner to agent_b",
        "create trigger t before insert on public.seen for each row"
        " execute function spying.t(); alter function spying.t() owner to agent_b",
    ):
        register(guarded, "b", "agent_b") if "table" in part else None
        with guarded.transaction(force_rollback=True):
            guarded.execute(part.encode())
            ended = row(
                guarded,
                "select * from agentdb._try(%s, true)",
                change,
            )
            assert ended["problem"]["sqlstate"] == "ZA051"
            assert "public.seen" in ended["problem"]["message"]
    assert approve(reviewer, change)["state"] == "applied"


# What others have deferred ----------------------------------------------------------

DEFERRED = {
    "temporary table": "create temp table p (id int primary key);"
    "create temp table c (id int references p deferrable)",
    "temporary constraint trigger": "create temp table c (id int);"
    "create function pg_temp.f() returns trigger language plpgsql as"
    " 'begin return null; end'; create constraint trigger t after insert on c"
    " deferrable for each row execute function pg_temp.f()",
    "temporary unique": "create temp table c (id int unique deferrable)",
    "own table": "create table mine.p (id int primary key);"
    "create table mine.c (id int references mine.p deferrable)",
    "own exclusion": "create table mine.c (r int4range, exclude using gist (r with &&)"
    " deferrable initially deferred)",
}


@pytest.mark.parametrize("kind", DEFERRED)
def test_what_an_agent_defers_stops_no_change_of_others(
    guarded: Connection,
    agent: Connection,
    reviewer: Connection,
    connect: Connect,
    kind: str,
) -> None:
    # A schema that agentdb_applier may not use.
    guarded.execute(
        "create schema shut; create table shut.a (id int primary key);"
        "create table shut.b (id int references shut.a deferrable);"
        "create schema mine authorization agent_b"
    )
    agent.execute(STAGE.encode())
    other = connect(guarded.info.dbname, "agent_b")
    register(guarded, "b", "agent_b")
    other.execute(DEFERRED[kind].encode())
    agent.execute("update agentdb_stage.invoice set note = 'y' where id = 2")
    for change in (1, 2):
        assert approve(reviewer, change)["state"] == "applied"


def test_deferred_check_of_the_application_is_made_before_anybody_is_asked(
    guarded: Connection, agent: Connection, connect: Connect
) -> None:
    guarded.execute(
        "create table public.size (n int primary key); insert into size values (1);"
        "alter table invoice add size int references size deferrable initially"
        " deferred; create schema mine authorization agent_b"
    )
    guarded.execute("select agentdb.maintain()")
    register(guarded, "b", "agent_b")
    connect(guarded.info.dbname, "agent_b").execute(DEFERRED["own table"].encode())
    refused = refusal(agent, "update agentdb_stage.invoice set size = 5 where id = 1")
    assert refused.sqlstate == "23503"


# What the runner reads --------------------------------------------------------------

EVIL = """
create schema mine authorization agent_a; grant usage on schema mine to public;
set role agent_a;
create function mine.f() returns timestamptz language plpgsql as $$ begin
  perform nextval('spying.hits'); return now(); end $$;
create table mine.outbox (recipient text, sent_at timestamptz, body text);
create view mine.sent as select 'bob'::text as recipient, mine.f() as sent_at;
create view mine.flood as select '{"a": "b"}'::jsonb as labels, 1::float8 as value,
  jsonb_build_object('summary', mine.f()) as annotations;
grant select on all tables in schema mine to agentdb_operator;
reset role;
create schema shop; grant usage on schema shop to agentdb_operator;
create table shop.outbox (recipient text, sent_at timestamptz);
grant select on shop.outbox to agentdb_operator;
"""
SWAPPED = {
    "owner": "alter table shop.outbox owner to agent_a",
    "view": "drop table shop.outbox; create view shop.outbox as select * from mine.sent;"
    "grant select on shop.outbox to agentdb_operator",
    "function": "drop table shop.outbox; create view shop.outbox as select 'bob'::text"
    " as recipient, mine.f() as sent_at; grant select on shop.outbox to"
    " agentdb_operator",
    "policy": "alter table shop.outbox enable row level security; create policy p on"
    " shop.outbox using (mine.f() is not null); insert into shop.outbox values ('bob',"
    " now())",
    "schema": "alter schema shop owner to agent_a",
}


@pytest.mark.parametrize("swap", SWAPPED)
def test_look_for_a_message_runs_no_code_of_an_agent(
    guarded: Connection, agent: Connection, connect: Connect, swap: str
) -> None:
    guarded.execute((SPYING + EVIL).encode())
    runner = connect(guarded.info.dbname, "operator_o")
    for relation in ("mine.outbox", "mine.sent"):
        call = "select agentdb.register_message_channel('mail', '{}', 'recipient',"
        refused = refusal(runner, f"{call.format(relation)} 'sent_at')")
        assert refused.sqlstate == "ZA030"
    runner.execute(f"{call.format('shop.outbox')} 'sent_at')".encode())
    claim = value(agent, "select claim_id from agentdb.claim_message('mail', 'bob')")
    look = "select verdict, evidence from agentdb.look_for_message(%s)"
    assert row(runner, look, claim)["verdict"] == "refuted"
    guarded.execute(SWAPPED[swap].encode())
    with runner.transaction():
        found = row(runner, look, claim)
    assert found["verdict"] == "unreachable"
    assert "an agent controls a part" in found["evidence"]["problem"]
    assert value(guarded, "select is_called from spying.hits") is False


def test_rule_over_a_view_of_an_agent_fails_and_runs_nothing(
    guarded: Connection, connect: Connect
) -> None:
    guarded.execute((SPYING + EVIL).encode())
    guarded.execute(
        "update agentdb.alert_rule set enabled = false;"
        "create view shop.flood as select * from mine.flood;"
        "create view shop.calm as select '{}'::jsonb as labels, 1::float8 as value,"
        " '{}'::jsonb as annotations; grant select on all tables in schema shop to"
        " agentdb_operator"
    )
    runner = connect(guarded.info.dbname, "operator_o")
    for view in ("mine.flood", "shop.flood", "shop.calm"):
        runner.execute(
            "insert into agentdb.alert_rule (rule_name, description, view_name)"
            " values (%s::text, '', %s)",
            [view.replace(".", "_"), view],
        )
    said = {}
    for _ in range(3):
        rule = row(runner, "select rule_name, query from agentdb.claim_rule()")
        try:
            said[rule["rule_name"]] = value(runner, rule["query"])
        except psycopg.Error as error:
            said[rule["rule_name"]] = error.sqlstate
    assert said.pop("shop_calm") == [{"labels": {}, "value": 1, "annotations": {}}]
    assert said == {"mine_flood": "ZA030", "shop_flood": "ZA030"}
    assert value(guarded, "select is_called from spying.hits") is False


def test_doctor_names_functions_that_write_under_the_login_of_their_caller(
    db: Connection, connect: Connect
) -> None:
    register(db)
    db.execute("create schema work authorization agent_a")
    agent = connect(db.info.dbname, "agent_a")
    agent.execute(
        "create function work.tidy () returns int language sql security definer"
        " as 'select 1'"
    )
    query = "select state, fix from agentdb.doctor where check_name = 'functions of agent_a'"
    [found] = rows(db, query)
    assert found["state"] == "warning"
    fix, _, _ = found["fix"].partition(";")
    db.execute(fix.encode())
    assert rows(db, query) == []


def test_superuser_looks_for_no_message_in_a_view_of_an_operator(
    guarded: Connection, agent: Connection, connect: Connect
) -> None:
    guarded.execute("create schema op authorization operator_o")
    operator = connect(guarded.info.dbname, "operator_o")
    operator.execute(
        "create function op.f () returns text language plpgsql as"
        " $$ begin execute 'create table public.pwned ()'; return 'bob'; end $$;"
        "create view op.sent as select op.f() as recipient, now() as sent_at"
    )
    operator.execute(
        "select agentdb.register_message_channel('mail', 'op.sent', 'recipient',"
        " 'sent_at')"
    )
    claim = value(agent, "select claim_id from agentdb.claim_message('mail', 'bob')")
    look = "select verdict, evidence from agentdb.look_for_message(%s)"
    found = row(guarded, look, claim)
    assert found["verdict"] == "unreachable"
    assert "belongs to an operator" in found["evidence"]["problem"]
    assert value(guarded, "select to_regclass('public.pwned')") is None
