"""The schema goes up, down and sideways without leaving a trace of the way."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from agentdb import REVISION
from agentdb.local import LocalServer
from agentdb.schema import check as catalog
from agentdb.schema import code as schema
from agentdb.schema import install as installation

from .agents import refusal
from .conftest import INSTALLER, Connect, Connection, Dump, MakeDatabase
from .revision import second_revision
from .servers import Server, answer, client, tell
from .shapes import rights, shapes

HERE = Path(__file__).parent
GOLDEN = {"schema.txt": shapes, "rights.txt": rights}
REVISIONS = [
    script.revision
    for script in ScriptDirectory.from_config(schema.config()).walk_revisions()
][::-1]


def install(engine: Engine, revision: str = "head") -> None:
    with engine.begin() as connection:
        schema.install(connection, revision)


def downgrade(engine: Engine, revision: str = "base") -> None:
    with engine.begin() as connection:
        schema.downgrade(connection, revision)


def run(engine: Engine, text: str) -> None:
    with engine.begin() as connection:
        schema.run(connection, text)


def differences(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        found = catalog.differences(connection)
        connection.rollback()
    return found


def dumped(dump: Dump, engine: Engine) -> str:
    assert engine.url.database is not None
    return dump(engine.url.database)


def test_release_knows_its_newest_revision() -> None:
    assert REVISIONS[-1] == REVISION


def test_stairway(empty: Engine, dump: Dump) -> None:
    """Each revision looks the same whether reached from below or from above."""
    stairs = [("base", dumped(dump, empty))]
    for revision in REVISIONS:
        install(empty, revision)
        stairs.append((revision, dumped(dump, empty)))
    for revision, expected in reversed(stairs[:-1]):
        downgrade(empty, revision)
        assert dumped(dump, empty) == expected


def test_installing_twice_changes_nothing(empty: Engine, dump: Dump) -> None:
    install(empty)
    first = dumped(dump, empty)
    install(empty)
    assert dumped(dump, empty) == first
    assert differences(empty) == []


def test_both_drivers_and_the_printed_script_install_the_same(
    db: Connection,
    server: Server,
    make_database: MakeDatabase,
    empty: Engine,
    dump: Dump,
) -> None:
    install(empty)
    printed = make_database()
    with psycopg.connect(
        server.dsn(database=printed, user=INSTALLER), autocommit=True
    ) as connection:
        connection.execute(schema.script().encode())
    assert dump(printed) == dumped(dump, empty) == dump(db.info.dbname)


def test_psql_runs_the_printed_script(
    server: Server,
    make_database: MakeDatabase,
    tmp_path: Path,
    db: Connection,
    dump: Dump,
) -> None:
    script = tmp_path / "install.sql"
    script.write_text(schema.script())
    database = make_database()
    subprocess.run(
        [
            client(server, "psql"),
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-f",
            script,
            server.dsn(database=database, user=INSTALLER),
        ],
        check=True,
        capture_output=True,
    )
    assert dump(database) == dump(db.info.dbname)


@pytest.mark.parametrize("golden", GOLDEN)
def test_shape_of_the_schema_is_the_reviewed_one(db: Connection, golden: str) -> None:
    """Set AGENTDB_WRITE_SCHEMA=1 to take a wanted change over, then read the diff."""
    found = GOLDEN[golden](db)
    if os.environ.get("AGENTDB_WRITE_SCHEMA"):
        (HERE / golden).write_text(found)
    assert found == (HERE / golden).read_text()


def test_expected_tables_are_those_of_the_baseline(empty: Engine) -> None:
    install(empty)
    with empty.connect() as connection:
        expected = (schema.bundled("alembic") / "tables.txt").read_text().splitlines()
        assert catalog.tables(connection) == expected


@pytest.mark.parametrize(
    "edits",
    [
        {
            "create or replace function agentdb._counted_below() returns xid8 language sql stable return '1'::xid8": "function agentdb._counted_below() was changed",
            "alter table agentdb.token_log disable trigger agentdb_append_only": "trigger agentdb_append_only on agentdb.token_log was changed",
            "comment on view agentdb.no_progress is 'edited'": "view agentdb.no_progress was changed",
            "grant execute on function agentdb.flush to public": "function agentdb.flush(integer) was changed",
            "grant select on agentdb.run_token to public": "grants on agentdb.run_token was changed",
            "create function agentdb.backdoor() returns int language sql return 1": "function agentdb.backdoor() is not part of agentdb",
            "alter table agentdb.run drop constraint run_outcome_check": "missing: constraint run.run_outcome_check",
            "alter table agentdb.run add extra int": "unexpected: column run.extra integer",
            "drop index agentdb.run_ended_at_idx": "missing: index CREATE INDEX run_ended_at_idx",
        },
        {
            "drop trigger agentdb_append_only on agentdb.token_log": "trigger agentdb_append_only on agentdb.token_log is missing",
            "drop view agentdb.no_progress": "view agentdb.no_progress is missing",
        },
    ],
)
def test_check_names_what_was_edited(
    template: str, make_database: MakeDatabase, server: Server, edits: dict[str, str]
) -> None:
    name = make_database(template)
    for edit in edits:
        tell(server.dsn(database=name), edit)
    installer = server.dsn(database=name, user=INSTALLER)
    found = installation.differences(installer)
    assert len(found) == len(edits)
    for said in edits.values():
        assert [each for each in found if each.startswith(said)], (said, found)
    # Looking changes nothing: the second look sees the same.
    assert installation.differences(installer) == found


def test_installing_again_mends_edited_code(db: Connection, server: Server) -> None:
    db.execute("drop view agentdb.no_progress")
    db.execute("comment on function agentdb.flush is 'edited'")
    dsn = server.dsn(database=db.info.dbname, user=INSTALLER)
    installation.install(dsn)
    assert installation.differences(dsn) == []


def test_what_a_dba_set_survives_an_installation(
    db: Connection, server: Server
) -> None:
    db.execute(
        "update agentdb.alert_rule set enabled = false, severity = 'info', "
        "evaluate_every = '1 hour', description = 'x' where rule_name = 'long_tick'"
    )
    installation.install(server.dsn(database=db.info.dbname, user=INSTALLER))
    found = db.execute(
        "select enabled, severity, evaluate_every::text, description = 'x' "
        "from agentdb.alert_rule where rule_name = 'long_tick'"
    ).fetchone()
    assert found == (False, "info", "01:00:00", False)


@pytest.mark.parametrize(
    "squat",
    [
        "create schema agentdb",
        "create schema agentdb; create table agentdb.run (x int)",
        "create schema agentdb; create table agentdb.alembic_version (version_num text)",
    ],
)
def test_nothing_of_somebody_elses_is_adopted(
    empty: Engine, connect: Connect, dump: Dump, squat: str
) -> None:
    database = empty.url.database
    assert database is not None
    connect(database).execute(squat.encode())
    before = dump(database)
    with pytest.raises(DBAPIError, match="already exists and is not ours"):
        install(empty)
    assert dump(database) == before


def test_roles_of_somebody_else_are_not_adopted() -> None:
    with LocalServer(fast=True) as server:
        for fault in ("login", "createdb", "superuser", "bypassrls"):
            tell(server.dsn(), f"create role agentdb_owner {fault}")
            with pytest.raises(DBAPIError, match="role agentdb_owner already exists"):
                installation.install(server.dsn())
            tell(server.dsn(), "drop role agentdb_owner")
        tell(
            server.dsn(),
            "create role agentdb_owner",
            "create role eve login in role agentdb_owner",
        )
        with pytest.raises(DBAPIError, match="eve is a member of agentdb_owner"):
            installation.install(server.dsn())


def test_nobody_is_left_a_member_of_the_owners(db: Connection) -> None:
    members = db.execute(
        "select m.roleid::regrole::text, m.member::regrole::text "
        "from pg_auth_members as m where m.roleid::regrole::text in "
        "('agentdb_owner', 'agentdb_capture', 'agentdb_applier') "
        "and (not m.admin_option or coalesce((to_jsonb(m) ->> 'set_option')::bool, true))"
    ).fetchall()
    assert members == []


def test_eight_installations_at_once_all_succeed(
    server: Server, make_database: MakeDatabase
) -> None:
    names = (make_database(), make_database())
    dsns = [server.dsn(database=name, user=INSTALLER) for name in names]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "agentdb", "install", "--dsn", dsn],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for dsn in dsns * 4
    ]
    said = [process.communicate(timeout=100)[0] for process in processes]
    assert [
        s for s, process in zip(said, processes, strict=True) if process.returncode
    ] == []
    assert [installation.differences(dsn) for dsn in dsns] == [[], []]


def test_uninstalling_leaves_the_users_own_tables(empty: Engine, dump: Dump) -> None:
    run(
        empty,
        "create schema mine; create table mine.t (id int primary key); "
        "insert into mine.t values (1)",
    )
    before = dumped(dump, empty)
    install(empty)
    run(empty, "insert into mine.t values (2)")
    downgrade(empty)
    assert dumped(dump, empty) == before
    with empty.connect() as connection:
        count = connection.exec_driver_sql("select count(*) from mine.t").scalar()
    assert count == 2


def test_uninstalling_with_data_and_partitions_leaves_nothing(
    db: Connection,
    connect: Connect,
    server: Server,
    dump: Dump,
    make_database: MakeDatabase,
) -> None:
    db.execute("select agentdb.maintain()")
    installation.uninstall(server.dsn(database=db.info.dbname, user=INSTALLER))
    assert dump(db.info.dbname) == dump(make_database())


def test_users_view_stops_the_removal_and_is_named(
    db: Connection, server: Server
) -> None:
    db.execute("create view public.mine as select * from agentdb.run_summary")
    dsn = server.dsn(database=db.info.dbname, user=INSTALLER)
    with pytest.raises(
        DBAPIError, match=r"view public\.mine depends on view agentdb\.run_summary"
    ):
        installation.uninstall(dsn)
    assert installation.differences(dsn) == []


def test_roles_go_with_the_last_database_only() -> None:
    count = "select count(*) from pg_roles where rolname like 'agentdb%'"
    with LocalServer(fast=True) as server:
        tell(
            server.dsn(),
            "create role installer login createrole",
            "create database one owner installer",
            "create database two owner installer",
        )
        dsns = [server.dsn(database=name, user="installer") for name in ("one", "two")]
        for dsn in dsns:
            installation.install(dsn)
        installation.uninstall(dsns[0])
        assert answer(server.dsn(), count) == 9
        with psycopg.connect(server.dsn()) as connection:
            test_nobody_is_left_a_member_of_the_owners(connection)
        assert installation.differences(dsns[1]) == []
        installation.uninstall(dsns[1])
        assert answer(server.dsn(), count) == 0


def test_database_in_another_encoding_is_refused(
    server: Server, admin: Connection
) -> None:
    admin.execute(
        "create database agentdb_latin encoding 'SQL_ASCII' template template0 "
        "owner installer"
    )
    try:
        with pytest.raises(DBAPIError, match="UTF8"):
            installation.install(server.dsn(database="agentdb_latin", user=INSTALLER))
    finally:
        admin.execute("drop database agentdb_latin")


def test_unprivileged_role_cannot_install(
    server: Server, make_database: MakeDatabase
) -> None:
    with pytest.raises(DBAPIError) as failure:
        installation.install(server.dsn(database=make_database(), user="app_user"))
    assert getattr(failure.value.orig, "sqlstate", None) == "42501"


def test_later_revision_keeps_former_code_beside_it(tmp_path: Path) -> None:
    """The machinery for released code, proven with a made-up second revision."""
    copy = second_revision(tmp_path)
    with LocalServer(fast=True) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "bundled", lambda name: copy / name)
        comment = (
            "select left(obj_description('agentdb.runner_health'::regclass), 4), "
            "to_regclass('agentdb.shout') is not null"
        )
        engine = create_engine(schema.url(server.dsn()), poolclass=NullPool)
        for step, expected in (
            ("0001", ("Each", False)),
            ("0002", ("EACH", True)),
            ("-0001", ("Each", False)),
            ("0002", ("EACH", True)),
        ):
            (downgrade if step.startswith("-") else install)(engine, step.lstrip("-"))
            with psycopg.connect(server.dsn()) as connection:
                assert connection.execute(comment).fetchone() == expected


def released() -> list[str]:
    return (HERE / "released.txt").read_text().splitlines()


@pytest.mark.parametrize("line", released())
def test_released_code_is_frozen(line: str) -> None:
    """A revision that went out keeps its code: later changes bring a revision."""
    revision, digest = line.split()
    assert hashlib.sha256(schema.code(revision).encode()).hexdigest() == digest


def test_no_agent_may_create_in_our_schema(db: Connection, connect: Connect) -> None:
    agent = connect(db.info.dbname, "agent_a")
    refused = refusal(agent, "create table agentdb.x (id int)")
    assert refused.sqlstate == "42501"
