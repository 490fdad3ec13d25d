"""An agent can neither read, forge, switch off nor blur what is recorded of it."""

from __future__ import annotations

import pytest

from .agents import refusal, register, row, rows, start, value
from .conftest import Connect, Connection


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """An agent's session with a run, and every right on an audited table but TRIGGER."""
    db.execute(
        "create table public.money (id int primary key, amount float8, note text,"
        " stamp timestamptz default '2026-01-01 00:00+00', raw bytea default '\\x00ff');"
        "insert into money values (1, 0.1, 'a'), (2, 0.2, 'b');"
        "grant select, insert, update, delete, truncate, references on money"
        " to agent_a, app_user;"
        "select agentdb.audit_table('money')"
    )
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


ATTACKS = (
    "select from agentdb.audit_log",
    "select from agentdb.audit",
    "select from agentdb.audit_target",
    "insert into agentdb.audit_log (statement, audit_target_id, operation, session_role)"
    " values (1, 1, 'insert', 'x')",
    "update agentdb.audit_log set session_role = 'x'",
    "delete from agentdb.audit_log",
    "truncate agentdb.audit_log",
    "drop table agentdb.audit_log",
    "delete from agentdb.seal",
    "select agentdb._capture_1()",
    "create temp table mine (id int); create trigger t after insert on mine"
    " for each row execute function agentdb._capture_1()",
    "select agentdb._place_capture(1, 'begin return null; end', '')",
    "select agentdb._lend_capture(1, 'agent_a')",
    "select agentdb._capture_truncate()",
    "select agentdb._writer()",
    "select agentdb.audit_table('money', exclude => '{amount}')",
    "select agentdb.unaudit_table('money')",
    "select agentdb._register_audit('money', '{amount}', '{}', null, false)",
    "select agentdb._end_audit('money', true)",
    "select agentdb._drop_triggers('money')",
    "select agentdb.seal_audit()",
    "select agentdb.maintain()",
    "alter table money disable trigger all",
    "alter table money disable trigger agentdb_audit_update",
    "drop trigger agentdb_audit_update on money",
    "drop function agentdb._capture_1() cascade",
    "create or replace function agentdb._capture_1() returns trigger language plpgsql"
    " as 'begin return null; end'",
    "set session_replication_role = replica",
    "set role agentdb_capture",
    "set role agentdb_owner",
    "set session authorization app_user",
    "create trigger a before update on money for each row execute function"
    " suppress_redundant_updates_trigger()",
    "nextval('agentdb.audit_statement_seq')",
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_agent_is_refused(db: Connection, agent: Connection, attack: str) -> None:
    agent.execute("update money set amount = 0 where id = 2")
    refused = refusal(agent, attack)
    assert refused.sqlstate in ("42501", "42809") or attack.startswith("nextval")
    agent.execute("update money set amount = 5 where id = 1")
    assert value(db, "select count(*) from agentdb.audit_log") == 2


SETTINGS = (
    "set extra_float_digits = -15",
    "set bytea_output = 'escape'",
    "set timezone = 'Asia/Tokyo'; set datestyle = 'German'",
    "set search_path = pg_temp, public; create temp table audit_log (x int);"
    " create domain pg_temp.text as pg_catalog.text check (false);"
    " create domain pg_temp.jsonb as pg_catalog.jsonb check (false)",
    "create function pg_temp.to_jsonb(anyelement) returns jsonb language sql as"
    " 'select null::jsonb'; set search_path = pg_temp, pg_catalog",
    "set standard_conforming_strings = off; set backslash_quote = on;"
    " set escape_string_warning = off",
    "set array_nulls = off; set transform_null_equals = on",
    "set enable_hashjoin = off; set enable_mergejoin = off; set work_mem = '64kB'",
    "set plan_cache_mode = force_custom_plan; set jit = off",
    "set agentdb.run_token = 'forged'",
    "set application_name = E'evil\\nname'",
    "set role none; set client_min_messages = error; set row_security = off",
    "set check_function_bodies = off; set default_transaction_isolation = 'repeatable read'",
)


@pytest.mark.parametrize("settings", SETTINGS)
def test_settings_do_not_blur_the_record(
    db: Connection, agent: Connection, settings: str
) -> None:
    agent.execute(settings.encode())
    agent.execute("update public.money set amount = 0.30000000000000004, note = 'n'")
    agent.execute("insert into public.money values (3, 0.30000000000000004)")
    found = rows(
        db,
        "select (old_values ->> 'amount')::float8 as old,"
        " (new_values ->> 'amount')::float8 as new, new_values ->> 'stamp' as stamp,"
        " new_values ->> 'raw' as raw, run_id is not null as attributed, session_role"
        " from agentdb.audit_log order by statement, row_key::text",
    )
    assert [(each["old"], each["new"]) for each in found] == [
        (0.1, 0.1 + 0.2), (0.2, 0.1 + 0.2), (None, 0.1 + 0.2),
    ]  # fmt: skip
    assert found[2]["stamp"] == "2026-01-01T00:00:00+00:00"
    assert found[2]["raw"] == "\\x00ff"
    assert {each["session_role"] for each in found} == {"agent_a"}
    assert all(each["attributed"] for each in found)


def test_token_of_another_role_is_no_token(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    register(db, "b", "agent_b")
    other = connect(db.info.dbname, "agent_b")
    token = value(other, "select token from agentdb.start_run()")
    with agent.transaction():
        agent.execute("select set_config('agentdb.run_token', %s, true)", [token])
        agent.execute("update money set amount = 7 where id = 1")
    found = row(db, "select agent_name, run_id from agentdb.audit")
    assert found["agent_name"] == "a"
    assert found["run_id"] == value(db, "select min(run_id) from agentdb.run")


def test_definer_function_of_the_application_hides_nobody(
    db: Connection, agent: Connection
) -> None:
    db.execute(
        "create function pay() returns void language sql security definer"
        " set search_path = pg_catalog as 'update public.money set amount = 3';"
        "grant execute on function pay to agent_a"
    )
    agent.execute("select public.pay()")
    found = rows(db, "select session_role, run_id is null as lost from agentdb.audit")
    assert found == [{"session_role": "agent_a", "lost": False}] * 2


def test_row_security_hides_no_row_from_the_audit(
    db: Connection, agent: Connection
) -> None:
    db.execute("alter table money enable row level security;"
               "create policy p on money using (id = 1)")  # fmt: skip
    agent.execute("update money set amount = 9")
    assert [
        each["row_key"] for each in rows(db, "select row_key from agentdb.audit")
    ] == [{"id": 1}]


HOSTILE = {
    "type": "create type evil as (a int); alter type evil owner to agent_a;"
            "alter table t add e evil",
    "array of a type": "create type evil as (a int); alter type evil owner to agent_a;"
            "alter table t add e evil[]",
    "type within a type": "create type evil as enum ('a'); alter type evil owner to agent_a;"
            "create type shell as (e evil); alter table t add e shell",
    "domain": "create domain evil as int; alter domain evil owner to agent_a;"
            "alter table t add e evil",
    "cast": "create type fine as (a int); create function evil(fine) returns json language"
            " sql as 'select null::json'; alter function evil owner to agent_a;"
            "create cast (fine as json) with function evil(fine); alter table t add e fine",
    "trigger": "create function evil() returns trigger language plpgsql as 'begin return new;"
            " end'; alter function evil owner to agent_a;"
            "create trigger x before insert on t for each row execute function evil()",
    "default": "create function evil() returns int language sql as 'select 1';"
            "alter function evil owner to agent_a; alter table t alter v set default evil()",
    "check": "create function evil(int) returns bool language sql as 'select true';"
            "alter function evil owner to agent_a; alter table t add check (evil(v))",
    "index": "create function evil(int) returns int immutable language sql as 'select 1';"
            "alter function evil owner to agent_a; create index on t (evil(v))",
    "policy": "create function evil(int) returns bool language sql as 'select true';"
            "alter function evil owner to agent_a; create policy p on t using (evil(v))",
    "right to triggers": "grant trigger on t to agent_a",
    "right of everybody": "grant trigger on t to public",
    "owner": "alter table t owner to agent_a",
}  # fmt: skip


@pytest.mark.parametrize("part", HOSTILE)
def test_table_that_an_agent_has_a_part_in_is_refused(
    db: Connection, part: str
) -> None:
    db.execute(
        "grant create on schema public to agent_a; create table t (id int primary key, v int)"
    )
    db.execute(HOSTILE[part].encode())
    refused = refusal(db, "select agentdb.audit_table('t')")
    assert refused.sqlstate == "ZA030"
    assert "agent" in (refused.message_primary or "")


def test_cast_made_later_runs_no_code(db: Connection) -> None:
    """Not even one that its owner, no agent, makes: no cast of a user's is ever called."""
    db.execute(
        "create type pair as (a int, b text); create table t (id int primary key, p pair);"
        "select agentdb.audit_table('t');"
        "create function evil(pair) returns json language plpgsql as"
        " 'begin raise exception ''ran as %'', current_user; end';"
        "create cast (pair as json) with function evil(pair);"
        "create function evil2(pair) returns text language plpgsql as"
        " 'begin raise exception ''ran as %'', current_user; end';"
        "create cast (pair as text) with function evil2(pair);"
        "insert into t values (1, '(1,x)'), (2, null); update t set p = '(2,y)';"
        "alter table t add q pair; update t set q = '(3,z)'; delete from t where id = 1"
    )
    found = value(
        db, "select old_values from agentdb.audit order by audit_log_id desc limit 1"
    )
    assert found == {"id": 1, "p": "(2,y)", "q": "(3,z)"}


def test_owner_in_the_group_of_operators_may_attach(
    db: Connection, connect: Connect
) -> None:
    """And nobody else: not an owner who is no operator, not an operator who is no owner."""
    db.execute(
        "grant create on schema public to app_user, operator_o;"
        "create table t (id int primary key); alter table t owner to app_user"
    )
    owner = connect(db.info.dbname, "app_user")
    assert refusal(owner, "select agentdb.audit_table('t')").sqlstate == "42501"
    operator = connect(db.info.dbname, "operator_o")
    for call in (
        "select agentdb.audit_table('t')",
        "select agentdb._register_audit('t', '{}', '{}', null, false)",
    ):
        assert refusal(operator, call).sqlstate == "ZA030"
    try:
        db.execute("grant agentdb_operator to app_user")
        owner.execute("select agentdb.audit_table('t')")
        assert (
            refusal(operator, "select agentdb.unaudit_table('t')").sqlstate == "42501"
        )
        assert (
            refusal(operator, "select agentdb._end_audit('t', true)").sqlstate
            == "ZA030"
        )
        own = "create table other (id int); create trigger x after insert on other " + (
            "referencing new table as agentdb_new for each statement "
            "execute function agentdb._capture_1()"
        )
        assert refusal(owner, own).sqlstate == "42501"
        owner.execute("insert into t values (1)")
        owner.execute("truncate t")
        assert value(db, "select count(*) from agentdb.audit_log") == 2
        owner.execute("select agentdb.unaudit_table('t')")
    finally:
        db.execute("revoke agentdb_operator from app_user")


def test_capture_role_can_only_insert(db: Connection, agent: Connection) -> None:
    found = rows(
        db,
        "select c.oid::regclass::text as name, string_agg(a.privilege_type, ', ') as rights"
        " from pg_class as c cross join aclexplode(c.relacl) as a"
        " where a.grantee = 'agentdb_capture'::regrole group by 1 order by 1",
    )
    assert [tuple(each.values()) for each in found] == [
        ("agentdb.audit_log", "INSERT"),
        ("agentdb.audit_statement_seq", "USAGE"),
        ("agentdb.suspension_seq", "SELECT"),
        ("money", "SELECT"),
    ]
    query = "select has_schema_privilege('agentdb_capture', 'agentdb', 'create')"
    assert value(db, query) is False
    assert value(db, "select count(*) from pg_proc as p where p.proname ~ '^_capture_[0-9]'"
                     " and (p.proowner <> 'agentdb_capture'::regrole"
                     " or has_function_privilege('public', p.oid, 'execute')"
                     " or has_function_privilege('agentdb_agent', p.oid, 'execute'))") == 0  # fmt: skip


@pytest.mark.parametrize("role", ["postgres", "agentdb_owner"])
@pytest.mark.parametrize("table", ["audit_log", "audit_log_default", "seal"])
def test_log_cannot_be_rewritten_even_by_its_owner(
    db: Connection, agent: Connection, table: str, role: str
) -> None:
    agent.execute("update money set amount = 7")
    db.execute("select agentdb.seal_audit()")
    db.execute(f"set role {role}".encode())
    for statement in ("delete from agentdb.{}", "truncate agentdb.{}"):
        refused = refusal(db, statement.format(table))
        assert refused.sqlstate == "ZA008"
