"""Installing, stopping and removing wait for nobody who only holds on to something."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from agentdb.local import LocalServer
from agentdb.schema import install as installation

from .agents import register, row, rows, start, value
from .changes import TABLES
from .conftest import INSTALLER, Connect, Connection, MakeDatabase, install_on
from .servers import Server
from .test_cli import agentdb

# Whatever key an installation could think of.
KEYS = """
select pg_advisory_lock(hashtext(name)) from unnest(array['agentdb.install', 'agentdb',
  'install', 'upgrade', 'agentdb.maintain', 'agentdb.seal']) as name
union all select pg_advisory_lock(g) from generate_series(0, 500) as g
"""


def test_no_advisory_lock_of_an_agent_is_waited_for(
    guarded: Connection, server: Server, connect: Connect
) -> None:
    agent = connect(guarded.info.dbname, "agent_a")
    agent.execute(KEYS.encode())
    run = start(agent)
    dsn = server.dsn(database=guarded.info.dbname)
    installation.install(dsn)
    guarded.execute("select agentdb.maintain(); select agentdb.roll_up()")
    guarded.execute("select agentdb.kill_run(%s, 'x')", [run])
    assert value(guarded, "select drained from agentdb.drain_run(%s)", run) is True
    installation.uninstall(dsn)


def test_two_installations_of_one_database_both_succeed(
    server: Server, make_database: MakeDatabase
) -> None:
    dsn = server.dsn(database=make_database(), user=INSTALLER)
    for _ in range(2):
        both = [
            subprocess.Popen(
                [sys.executable, "-m", "agentdb", "install"],
                env={**os.environ, "AGENTDB_DSN": dsn},
                stderr=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
            for _ in range(2)
        ]
        said = [each.communicate()[1] for each in both]
        assert [each.returncode for each in both] == [0, 0], said
    assert installation.differences(dsn) == []


def test_view_that_is_read_in_a_transaction_left_open_is_waited_for_only_so_long(
    guarded: Connection,
    server: Server,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = connect(guarded.info.dbname, "agent_a")
    dsn = server.dsn(database=guarded.info.dbname)
    monkeypatch.setenv("PGOPTIONS", "-c lock_timeout=300ms")
    with agent.transaction():
        agent.execute("select * from agentdb_stage.invoice")
        with pytest.raises(DBAPIError, match="lock timeout"):
            installation.uninstall(dsn)
    monkeypatch.delenv("PGOPTIONS")
    assert installation.differences(dsn) == []
    installation.uninstall(dsn)


def test_prepared_transaction_of_an_agent_is_named() -> None:
    settings = {"max_prepared_transactions": "2"}
    with LocalServer(fast=True, settings=settings) as server:
        install_on(server)
        dsn = server.dsn(database="agentdb")
        with (
            psycopg.connect(dsn, autocommit=True) as db,
            psycopg.connect(dsn, user="agent_a", autocommit=True) as agent,
        ):
            db.execute(TABLES.encode())
            register(db)
            db.execute("select agentdb.audit_table('line')")
            run = start(agent)
            agent.execute("begin; update line set what = 'x' where id = 1")
            agent.execute("prepare transaction 'kept'")
            found = row(db, "select * from agentdb.kill_run(%s, 'x')", run)
            assert found["run_id"] == run
            drain = "select drained from agentdb.drain_run(%s, '100 ms')"
            assert value(db, drain, run) is False
            left = rows(db, "select said from agentdb.left_after_kill(%s)", run)
            said = "rollback prepared 'kept';"
            assert [s for s in left if s["said"].endswith(said)]
            doctor = "select state, fix from agentdb.doctor where check_name ="
            named = row(db, f"{doctor} 'prepared by agent_a'")
            assert named == {"state": "critical", "fix": said}
            db.execute("rollback prepared 'kept'")
            assert value(db, drain, run) is True
            # Neither in a run nor in a table of ours, and all the same to be committed.
            register(db, "b", "agent_b")
            with psycopg.connect(dsn, user="agent_b", autocommit=True) as other:
                other.execute("begin; update customer set name = 'x' where id = 1")
                other.execute("prepare transaction 'left'")
            db.execute("select from agentdb.kill_agent('b', 'x')")
            ended = "select drained from agentdb.drain_agent('b', '100 ms')"
            assert value(db, ended) is False
            db.execute("rollback prepared 'left'")
            assert value(db, ended) is True


def test_name_of_a_prepared_transaction_is_shown_and_not_obeyed() -> None:
    settings = {"max_prepared_transactions": "2"}
    with LocalServer(fast=True, settings=settings) as server:
        install_on(server)
        dsn = server.dsn(database="agentdb")
        with (
            psycopg.connect(dsn, autocommit=True) as db,
            psycopg.connect(dsn, user="agent_a", autocommit=True) as agent,
        ):
            register(db)
            run = start(agent)
            agent.execute("begin; select 1")
            agent.execute("prepare transaction 'x\x1b[2J\u202e'")
            said = agentdb("kill", str(run), "--reason", "x", "--yes", dsn=dsn)
            assert "rollback prepared 'x\ufffd[2J\ufffd'" in said
            db.execute("rollback prepared 'x\x1b[2J\u202e'")
