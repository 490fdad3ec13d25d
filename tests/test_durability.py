"""Batches of events may commit without waiting for the disk, where nothing came before."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest

from agentdb.local import LocalServer

from .agents import register, start, value
from .conftest import Connect, Connection, install_on
from .processes import linux, postmaster_of

BATCH = 'select agentdb.log_events(\'[{"kind": "progress", "step": "read"}]\')'
EMITTED = (
    'select agentdb.record_events(\'[{"kind": "progress", "agent": "{}",'
    ' "proven": true, "conversation": "c", "step": "read"}]\')'
)
LIGHT = "update agentdb.policy set events_wait_for_disk = false"
SETTING = "select current_setting('synchronous_commit')"


def within(session: Connection, *statements: str) -> str:
    """Return how a transaction of these would commit."""
    session.execute("set synchronous_commit = on")
    with session.transaction():
        for each in statements:
            session.execute(each.encode())
        found = value(session, SETTING)
    assert value(session, SETTING) == "on"
    return str(found)


def test_policy_decides_how_a_batch_commits(db: Connection, agent: Connection) -> None:
    assert within(agent, BATCH) == "on"
    db.execute(LIGHT)
    assert within(agent, BATCH) == "off"
    assert within(agent, BATCH, BATCH) == "off"


def test_what_else_was_written_commits_as_it_was_asked_for(
    db: Connection, agent: Connection
) -> None:
    db.execute(LIGHT)
    db.execute("create table paid (id int); grant insert on paid to agent_a")
    assert within(agent, "insert into paid values (1)", BATCH) == "on"
    assert within(agent, "select agentdb.log_progress('x')", BATCH) == "on"


def test_emitters_batch_is_as_all_its_agents_have_it(
    db: Connection, connect: Connect
) -> None:
    for name in ("a", "b"):
        db.execute("select agentdb.register_intake_agent(%s)", [name])
    db.execute(
        "insert into agentdb.policy (policy_name, description, events_wait_for_disk)"
        " values ('light', 'x', false)"
    )
    db.execute("update agentdb.agent set policy_name = 'light' where agent_name = 'a'")
    emitter = connect(db.info.dbname, "intake_i")
    one, other = (EMITTED.replace("{}", name) for name in "ab")
    assert within(emitter, one) == "off"
    assert within(emitter, other) == "on"
    both = one.replace("]')", "") + "," + other.partition("[")[2]
    assert within(emitter, both) == "on"


@pytest.mark.parametrize("setting", ["off", "local", "on"])
def test_without_the_policy_a_session_commits_as_it_wants(
    agent: Connection, setting: str
) -> None:
    agent.execute(f"set synchronous_commit = {setting}".encode())
    with agent.transaction():
        agent.execute(BATCH.encode())
        assert value(agent, SETTING) == setting


@linux
def test_what_waited_for_the_disk_outlives_a_crash(home: Path) -> None:
    """Each payment waited, and with it what came before; the rest is no more than lost."""
    settings = {"synchronous_commit": "on"}
    with LocalServer(directory=home, fast=True, settings=settings) as server:
        install_on(server)
        dsn = server.dsn(database="agentdb")
        with psycopg.connect(dsn, autocommit=True) as db:
            register(db)
            db.execute(LIGHT)
            db.execute("create table paid (id int); grant insert on paid to agent_a")
        session = psycopg.connect(
            server.dsn(database="agentdb", user="agent_a"), autocommit=True
        )
        start(session)
        for number in range(20):
            session.execute(BATCH.encode())
            session.execute("insert into paid values (%s)", [number])
        os.kill(postmaster_of(home), signal.SIGKILL)
        session.close()
    with (
        LocalServer(directory=home, fast=True, settings=settings) as server,
        psycopg.connect(server.dsn(database="agentdb"), autocommit=True) as db,
    ):
        assert value(db, "select count(*) from paid") == 20
        assert value(db, "select count(*) from agentdb.progress_log") == 20
