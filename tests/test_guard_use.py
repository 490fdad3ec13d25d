"""The guard from outside SQL: migrations, the runner, the installation, dumps."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import NullPool, create_engine

import agentdb.migrations  # registers the operations
from agentdb.schema import install as installation

from .agents import refusal, register, row, rows, start, value
from .changes import approve, latest
from .conftest import INSTALLER, Connect, Connection, Dump, MakeDatabase
from .scene import Scene, until
from .servers import Server, client, url

TABLE = (
    "create schema app authorization installer;"
    "create table app.t (id int generated always as identity primary key, v int);"
    "alter table app.t owner to installer"
)


@pytest.fixture
def installed(db: Connection, server: Server) -> str:
    """The installer's DSN of a database where a table of its own is guarded."""
    db.execute(TABLE)
    db.execute(
        "create function app.small(old jsonb, new jsonb) returns boolean language sql"
        " security definer return true;"
        "select agentdb.guard_table('app.t', auto_approve => '{\"condition\": \"app.small\"}')"
    )
    return server.dsn(database=db.info.dbname, user=INSTALLER)


def test_owner_guards_a_table_in_a_migration(db: Connection, server: Server) -> None:
    db.execute(TABLE)
    db.execute(
        "alter schema app owner to operator_o; alter table app.t owner to operator_o"
    )
    dsn = server.dsn(database=db.info.dbname, user="operator_o")
    engine = create_engine(url("psycopg", dsn), poolclass=NullPool)
    with engine.begin() as connection:
        op: Any = Operations(MigrationContext.configure(connection))
        op.guard_table(
            "t", schema="app", columns=["v"], approvals=2, expires="2 hours",
            auto_approve={"columns": ["v"], "rows": 1}, apply="runner", context=["v"],
        )  # fmt: skip
    assert row(
        db, "select table_name, columns, approvals, apply from agentdb.guarded_table"
    ) == {"table_name": "app.t", "columns": ["v"], "approvals": 2, "apply": "runner"}
    guard = agentdb.migrations.GuardTable("t", "public", agentdb.migrations.Guard())
    assert isinstance(guard.reverse(), agentdb.migrations.UnguardTable)
    assert isinstance(guard.reverse().reverse(), agentdb.migrations.GuardTable)
    with engine.begin() as connection:
        op = Operations(MigrationContext.configure(connection))
        op.unguard_table("t", schema="app")
    assert rows(db, "select * from agentdb.guarded_table") == []


def test_migration_names_the_tables_that_want_guarding_too(
    db: Connection, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    db.execute(TABLE)
    db.execute("create table app.child (id int primary key references app.t)")
    dsn = server.dsn(database=db.info.dbname)
    engine = create_engine(url("psycopg", dsn), poolclass=NullPool)
    with engine.begin() as connection:
        op: Any = Operations(MigrationContext.configure(connection))
        op.guard_table("t", schema="app")
        assert "app.child refers to app.t and is not guarded" in caplog.text
        caplog.clear()
        connection.exec_driver_sql(
            "do $$ begin raise notice 'of the application'; end $$"
        )
    assert caplog.text == ""


def test_check_names_what_is_wrong_with_a_guard(db: Connection, installed: str) -> None:
    assert installation.differences(installed) == []
    db.execute('drop trigger "00_agentdb_guard" on app.t')
    (said,) = installation.differences(installed)
    assert said == "guard of app.t: trigger 00_agentdb_guard on app.t is missing"


def test_installing_again_keeps_the_guard(db: Connection, installed: str) -> None:
    db.execute("alter table app.t add x int")
    installation.install(installed)
    assert installation.differences(installed) == []
    assert rows(db, "select id, v, x from agentdb_stage.t") == []


def test_view_that_others_hold_on_to_keeps_no_maintenance_up(
    db: Connection, installed: str, connect: Connect
) -> None:
    db.execute(
        "grant usage on schema app to agent_a; grant select, insert, update, delete on app.t to agent_a"
    )
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    db.execute("create view app.mine as select * from agentdb_stage.t")
    db.execute(
        "create table app.other (id int primary key); grant select on app.other"
        " to agent_a; select agentdb.guard_table('app.other');"
        "alter table app.t rename column v to w; alter table app.other add column n int"
    )
    found = rows(
        db,
        "select action, object from agentdb.maintain(0) where action like 'staging%'",
    )
    assert {"action": "staging view regenerated", "object": "app.other"} in found
    assert any("not regenerated" in each["action"] for each in found)
    altered = "select table_name, part from agentdb.altered_table"
    stuck = [{"table_name": "app.t", "part": "staging view"}]
    assert rows(db, altered) == stuck
    installation.install(installed)
    assert rows(db, altered) == stuck
    db.execute("drop view app.mine")
    db.execute("select agentdb.maintain(0)")
    assert rows(db, altered) == []
    agent.execute("create temp view mine as select w from agentdb_stage.t")
    db.execute("alter table app.t add column x int; select agentdb.maintain(0)")
    db.execute("select agentdb.guard_table('app.t', approvals => 2)")
    assert rows(agent, "select x from agentdb_stage.t") == []
    assert rows(agent, "select w from mine") == []


def test_view_follows_defaults_redaction_and_names(
    db: Connection, installed: str, connect: Connect
) -> None:
    db.execute(
        "grant usage on schema app to agent_a; grant select, insert, update, delete on app.t to agent_a;"
        "select agentdb.guard_table('app.t');"
        "alter table app.t alter v set default 7, add s text, add d text default 'd';"
        "select agentdb.maintain(0)"
    )
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    made = "insert into agentdb_stage.t default values returning v, d"
    assert row(agent, made) == {"v": 7, "d": "d"}
    db.execute(
        "alter table app.t alter d drop default, alter v set default 8;"
        "alter table app.t rename to u;"
        "select agentdb.audit_table('app.u', redact => '{s}'), agentdb.maintain(0)"
    )
    assert rows(db, "select * from agentdb.guard_fault") == []
    assert row(agent, made) == {"v": 8, "d": None}
    secret = "insert into agentdb_stage.t (v, s) values (1, 'secret')"
    assert refusal(agent, secret).sqlstate == "ZA004"


def test_installing_again_survives_a_guard_without_its_audit(
    db: Connection, installed: str
) -> None:
    db.execute("select agentdb.unaudit_table('app.t')")
    installation.install(installed)
    assert installation.differences(installed) == [
        "guard of app.t: it is not audited any more"
    ]
    db.execute("select agentdb.guard_table('app.t')")
    assert installation.differences(installed) == []


def test_uninstalling_leaves_guarded_tables_as_they_were(
    db: Connection,
    installed: str,
    dump: Dump,
    make_database: MakeDatabase,
    connect: Connect,
) -> None:
    installation.uninstall(installed)
    other = make_database()
    connect(other).execute(TABLE)
    db.execute("drop function app.small")
    assert dump(db.info.dbname) == dump(other)
    db.execute("insert into app.t (v) values (2)")


def test_dropped_table_is_forgotten(db: Connection, installed: str) -> None:
    db.execute("drop table app.t cascade")
    found = rows(db, "select action from agentdb.maintain(0) where object = 'app.t'")
    assert {"action": "unguarded (dropped)"} in found
    assert rows(db, "select * from agentdb.guard_fault") == []
    assert installation.differences(installed) == []


def test_runner_applies_and_expires(scene: Scene, connect: Connect) -> None:
    db = scene.db
    db.execute(
        "create table t (id int primary key, v int); insert into t values (1, 1), (2, 1);"
        "grant select, insert, update, delete on t to agent_b; select agentdb.guard_table('t', apply => 'runner')"
    )
    register(db, "b", "agent_b")
    agent = connect(db.info.dbname, "agent_b")
    reviewer = connect(db.info.dbname, "reviewer_r")
    start(agent)
    agent.execute("update agentdb_stage.t set v = 2 where id = 2")
    late = latest(db)["change_id"]
    db.execute("update agentdb.change set expires_at = now()")
    agent.execute("update agentdb_stage.t set v = 2 where id = 1")
    assert approve(reviewer, latest(db)["change_id"])["state"] == "approved"
    scene.start()
    until(lambda: value(db, "select v from t where id = 1") == 2)
    query = "select state from agentdb.change where change_id = %s"
    assert value(db, query, late) == "expired"


def test_dump_and_restore_go_on_guarding(
    db: Connection, server: Server, make_database: MakeDatabase, connect: Connect
) -> None:
    db.execute(
        "create table filler (x int); create table t (id int primary key, v int);"
        "insert into t values (1, 1); grant select, update on t to agent_a;"
        "drop table filler; select agentdb.guard_table('t')"
    )
    register(db)
    target = make_database()
    script = subprocess.run(
        [client(server, "pg_dump"), "--dbname", server.dsn(database=db.info.dbname)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    subprocess.run([client(server, "psql"), "-Xq", "-d", server.dsn(database=target)], input=script, check=True,
                   capture_output=True, text=True)  # fmt: skip
    admin = connect(target)
    admin.execute("select agentdb.maintain(0)")
    agent = connect(target, "agent_a")
    start(agent)
    assert refusal(agent, "update public.t set v = 2").sqlstate == "ZA050"
    agent.execute("update agentdb_stage.t set v = 2")
    reviewer = connect(target, "reviewer_r")
    assert approve(reviewer, latest(admin)["change_id"])["state"] == "applied"
    assert value(admin, "select v from public.t") == 2


BUILT = {
    "temporary view": "create temp view mine as select * from agentdb_stage.invoice",
    "view": "create view mine.v as select * from agentdb_stage.invoice;"
    "create view mine.w as select id from mine.v",
    "materialized view": "create materialized view mine.v as select 1 as one from"
    " agentdb_stage.invoice",
    "type": "create table mine.t (r agentdb_stage.invoice)",
    "function": "create function mine.f(agentdb_stage.invoice) returns int language sql"
    " as 'select 1'",
    "parsed function": "create function mine.f() returns bigint language sql begin atomic"
    " select count(*) from agentdb_stage.invoice; end",
    "function of ours": "create temp view mine as select * from agentdb.my_changes();"
    "create function mine.f() returns jsonb language sql begin atomic"
    " select agentdb.clean_json('1'); end",
}


@pytest.mark.parametrize("kind", BUILT)
@pytest.mark.parametrize("ends", ["unguard", "altered", "renamed", "uninstall"])
def test_what_an_agent_built_on_a_view_of_ours_stops_nobody(
    guarded: Connection, server: Server, connect: Connect, kind: str, ends: str
) -> None:
    guarded.execute("create schema mine authorization agent_a")
    agent = connect(guarded.info.dbname, "agent_a")
    agent.execute(BUILT[kind].encode())
    if ends == "unguard":
        guarded.execute("select agentdb.unguard_table('public.invoice')")
    elif ends == "altered":
        guarded.execute("select agentdb.drop_staging_view('public.invoice')")
        guarded.execute("alter table invoice alter note type varchar(70)")
        guarded.execute("select agentdb.maintain_tables()")
    elif ends == "renamed":
        guarded.execute("alter table invoice rename note to memo")
        found = rows(guarded, "select * from agentdb.maintain_tables()")
        assert "staging view regenerated" in {each["action"] for each in found}
    else:
        installation.uninstall(server.dsn(database=guarded.info.dbname))
        assert value(guarded, "select to_regnamespace('agentdb')") is None


def test_what_others_built_on_what_an_agent_built_is_named(
    guarded: Connection, connect: Connect
) -> None:
    guarded.execute("create schema mine authorization agent_a")
    connect(guarded.info.dbname, "agent_a").execute(BUILT["view"].encode())
    guarded.execute("create view public.theirs as select * from mine.w")
    refused = refusal(guarded, "select agentdb.unguard_table('public.invoice')")
    assert refused.sqlstate == "2BP01"
