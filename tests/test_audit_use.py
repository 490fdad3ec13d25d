"""The audit from outside SQL: the command, migrations, the runner, the installation."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import NullPool, create_engine

import agentdb.migrations  # registers the operations
from agentdb.schema import install as installation

from .agents import register, start, value
from .conftest import INSTALLER, Connect, Connection, Dump, MakeDatabase
from .scene import Scene, until
from .servers import Server, client, url
from .test_cli import agentdb as command

OPERATIONS = agentdb.migrations.AuditTable, agentdb.migrations.UnauditTable


@pytest.fixture
def run(db: Connection, connect: Connect) -> int:
    """A run that changed two audited rows."""
    db.execute(
        "create table orders (id int primary key, state text);"
        "grant select on orders to operator_o; grant select, update on orders to agent_a;"
        "select agentdb.audit_table('orders');"
        "insert into orders values (1, 'new'), (2, 'new')"
    )
    register(db, "billing")
    agent = connect(db.info.dbname, "agent_a")
    number = start(agent)
    agent.execute("update orders set state = 'paid \x1b[31m' where id = 1")
    agent.execute("update orders set state = 'sent' where id = 2")
    return number


def test_command_shows_a_diff(db: Connection, server: Server, run: int) -> None:
    dsn = server.dsn(database=db.info.dbname, user="operator_o")
    said = command("audit", "orders", "1", dsn=dsn)
    assert f'update "1"  by run {run} of billing' in said or "by run" in said
    assert "  - state: new\n  + state: paid \ufffd[31m\n" in said
    assert said.index("update") < said.index("insert")
    assert "sent" not in said
    everything = command("audit", "public.orders", dsn=dsn)
    assert everything.count("update") == everything.count("insert") == 2
    by = command("audit", "orders", "--by", f"R-{run}", dsn=dsn)
    assert "insert" not in by
    found = json.loads(command("audit", "orders", '{"id": 2}', "--json", dsn=dsn))
    assert [each["new"] for each in found] == [
        {"state": "sent"},
        {"id": 2, "state": "new"},
    ]
    at = value(db, "select clock_timestamp()").isoformat()
    db.execute("update orders set state = 'later'")
    (row,) = json.loads(command("audit", "orders", "2", "--at", at, "--json", dsn=dsn))
    assert row["row"] == {"id": 2, "state": "sent"}
    assert "sent" in command("audit", "orders", "--at", at, dsn=dsn)
    assert "row_history" in command("audit", "orders", "2", "--sql", dsn=dsn)
    assert "there is no table nowhere" in command("audit", "nowhere", dsn=dsn, code=1)
    assert "is not audited" in command("audit", "pg_class", "1", dsn=dsn, code=1)


def test_operations_attach_and_detach_in_a_migration(
    db: Connection, server: Server
) -> None:
    db.execute('create table "Odd ""Name" (id int primary key, secret text)')
    engine = create_engine(
        url("psycopg", server.dsn(database=db.info.dbname)), poolclass=NullPool
    )
    with engine.begin() as connection:
        op: Any = Operations(MigrationContext.configure(connection))
        op.audit_table('Odd "Name', redact=["secret"], refuse_blast=True)
    found = db.execute(
        "select redacted, refuse_blast from agentdb.audited_table"
    ).fetchone()
    assert found == (["secret"], True)
    with engine.begin() as connection:
        op = Operations(MigrationContext.configure(connection))
        op.unaudit_table('Odd "Name')
    assert value(db, "select count(*) from agentdb.audited_table") == 0
    attach = OPERATIONS[0]("t", "public", [], [], False)
    assert isinstance(attach.reverse(), OPERATIONS[1])
    assert isinstance(attach.reverse().reverse(), OPERATIONS[0])


def test_runner_seals_and_exports_the_root(scene: Scene, tmp_path: Path) -> None:
    exported = tmp_path / "roots"
    scene.db.execute("create table t (id int primary key); select agentdb.audit_table('t');"
                     "insert into t values (1)")  # fmt: skip
    runner = scene.start_configured(f"[seal]\nfile = '{exported}'\n")
    until(lambda: runner.logged("audit sealed"))
    assert runner.stop() == 0
    (line,) = exported.read_text().splitlines()
    said = json.loads(line)
    assert (said["seal_id"], said["rows"]) == (1, 1)
    verify = "select intact from agentdb.verify_audit(%s)"
    assert value(scene.db, verify, said["root"]) is True


def test_file_that_hangs_holds_up_no_runner(scene: Scene, tmp_path: Path) -> None:
    hanging = tmp_path / "fifo"
    os.mkfifo(hanging)
    scene.receiver()
    scene.db.execute("create table t (id int primary key); select agentdb.audit_table('t');"
                     "insert into t values (1)")  # fmt: skip
    runner = scene.start_configured(AGENTDB_SEAL_FILE=str(hanging))
    until(lambda: runner.logged("audit sealed"))
    scene.trouble()
    scene.sink.wait()
    assert runner.stop() == 0


@pytest.fixture
def installed(db: Connection, server: Server) -> str:
    """The installer's DSN of a database with an audited table and some history."""
    db.execute("create schema app authorization installer;"
               "create table app.t (id int primary key, v int);"
               "alter table app.t owner to installer;"
               "select agentdb.audit_table('app.t'); insert into app.t values (1, 1)")  # fmt: skip
    return server.dsn(database=db.info.dbname, user=INSTALLER)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("drop trigger agentdb_audit_delete on app.t",
         "audit of app.t: trigger agentdb_audit_delete on app.t is missing"),
        ("alter table app.t disable trigger agentdb_audit_insert",
         "audit of app.t: trigger agentdb_audit_insert on app.t is disabled"),
        ("create or replace function agentdb._capture_1() returns trigger language plpgsql "
         "as 'begin return null; end'", "function agentdb._capture_1() was changed"),
        ("create function agentdb._capture_9() returns int language sql return 1",
         "function agentdb._capture_9() is not part of agentdb"),
    ],
)  # fmt: skip
def test_check_names_what_is_wrong_with_an_audit(
    db: Connection, installed: str, damage: str, said: str
) -> None:
    assert installation.differences(installed) == []
    db.execute(damage.encode())
    assert said in installation.differences(installed)


def test_installing_again_keeps_what_is_audited(db: Connection, installed: str) -> None:
    db.execute("alter table app.t add x int")
    installation.install(installed)
    assert installation.differences(installed) == []
    db.execute("update app.t set x = 1")
    query = "select new_values from agentdb.audit limit 1"
    assert value(db, query) == {"x": 1}


def test_uninstalling_leaves_audited_tables_as_they_were(
    db: Connection,
    installed: str,
    dump: Dump,
    make_database: MakeDatabase,
    connect: Connect,
) -> None:
    installation.uninstall(installed)
    other = make_database()
    connect(other).execute(
        "create schema app authorization installer;"
        "create table app.t (id int primary key, v int);"
        "alter table app.t owner to installer"
    )
    assert dump(db.info.dbname) == dump(other)
    db.execute("insert into app.t values (2, 2)")


def test_dump_and_restore_go_on_recording(
    db: Connection, server: Server, make_database: MakeDatabase, connect: Connect
) -> None:
    """The table has another number afterwards; maintain() finds it by its trigger."""
    import subprocess

    db.execute("create table filler (x int); create table t (id int primary key, v int);"
               "drop table filler; select agentdb.audit_table('t'); insert into t values (1, 1)")  # fmt: skip
    target = make_database()
    admin = connect(target)
    script = subprocess.run(
        [client(server, "pg_dump"), "--dbname", server.dsn(database=db.info.dbname)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    subprocess.run([client(server, "psql"), "-Xq", "-d", server.dsn(database=target)], input=script, check=True,
                   capture_output=True, text=True)  # fmt: skip
    admin.execute("select agentdb.maintain(0)")
    admin.execute("update public.t set v = 2")
    assert value(admin, "select new_values from agentdb.audit limit 1") == {"v": 2}
    assert value(admin, "select count(*) from agentdb.audit") == 2
