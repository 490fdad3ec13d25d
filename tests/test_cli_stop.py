"""Stopping from the command line: asked for, named, and complete when it returns."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import psycopg
import pytest

from .agents import refusal, register, row, start, value
from .conftest import Connect, Connection
from .servers import Server
from .test_cli import agentdb


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    """An operator's connection string."""
    return server.dsn(database=db.info.dbname, user="operator_o")


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of an agent with one open run that holds a lock."""
    register(db, "billing")
    session = connect(db.info.dbname, "agent_a")
    start(session)
    session.execute("select agentdb.acquire_lock('tick')")
    session.execute("select agentdb.reserve_tokens(100)")
    return session


def test_kill_off_a_terminal_wants_yes_and_says_what_it_would_do(
    db: Connection, agent: Connection, dsn: str
) -> None:
    for call in ("c1", "c2"):
        agent.execute("select agentdb.begin_tool_call('bash', null, %s)", [call])
    agent.execute("select agentdb.ask_human('May I?')")
    said = agentdb("kill", "1", "--reason", "loops", dsn=dsn, code=2)
    assert (
        "kill run 1 of billing: 1 lock freed, 1 reservation cancelled, 0 changes"
        " withdrawn, 2 begun calls and 1 open question closed"
    ) in said
    assert "--yes" in said
    agent.execute("select agentdb.log_progress('still there')")


def test_kill_ends_the_run_for_good(
    db: Connection, agent: Connection, dsn: str
) -> None:
    said = agentdb("kill", "R-1", "--reason", "loops", "--yes", dsn=dsn)
    assert "run 1 of billing is killed: 1 lock freed, 1 reservation cancelled" in said
    assert "pg_signal_backend" in said
    assert "nothing of run 1 can commit any more" in said
    assert refusal(agent, "select agentdb.log_progress('s')").sqlstate == "ZA040"
    assert row(
        db, "select drained_at is not null as drained from agentdb.run_stop"
    ) == {"drained": True}


def test_kill_ends_the_sessions_where_it_may(
    db: Connection, agent: Connection, server: Server
) -> None:
    dsn = server.dsn(database=db.info.dbname)
    said = agentdb("kill", "billing", "--reason", "x", "--yes", dsn=dsn)
    assert f"session {agent.info.backend_pid} is ended" in said
    with pytest.raises(psycopg.OperationalError):
        agent.execute("select 1")


def test_kill_says_when_a_transaction_outlasts_it(
    db: Connection, agent: Connection, dsn: str
) -> None:
    with agent.transaction(force_rollback=True):
        agent.execute("select agentdb.end_run(); select agentdb.start_run()")
        said = agentdb("kill", "billing", "--reason", "x", "--yes", dsn=dsn)
        assert "run 1 still has a transaction open: it can commit what" in said
        assert "agent billing still has a transaction open outside its runs" in said


def test_kill_all_and_resume(db: Connection, agent: Connection, dsn: str) -> None:
    assert "run 1 of billing is killed" in agentdb(
        "kill", "--all", "--reason", "fire", "--yes", dsn=dsn
    )
    assert refusal(agent, "select agentdb.start_run()").sqlstate == "ZA040"
    agentdb("resume", "billing", "--reason", "out", "--yes", dsn=dsn)
    start(agent)


def test_pause_and_resume(db: Connection, agent: Connection, dsn: str) -> None:
    said = agentdb("pause", "billing", "--reason", "deploy", "--yes", dsn=dsn)
    assert said == "agent billing is paused, with 1 open run\n"
    assert refusal(agent, "select agentdb.log_progress('s')").sqlstate == "ZA041"
    agentdb("resume", "billing", "--reason", "deployed", "--yes", dsn=dsn)
    agent.execute("select agentdb.log_progress('s')")
    assert value(db, "select count(*) from agentdb.stop_log") == 2


def test_what_is_not_there_or_not_said_is_refused(db: Connection, dsn: str) -> None:
    assert "there is no run 99" in agentdb(
        "kill", "99", "--reason", "x", "--yes", dsn=dsn, code=1
    )
    assert "there is no agent" in agentdb(
        "pause", "nobody", "--reason", "x", "--yes", dsn=dsn, code=1
    )
    agentdb("kill", "--reason", "x", "--yes", dsn=dsn, code=2)
    agentdb("kill", "1", "--yes", dsn=dsn, code=2)


def test_kill_asks_on_a_terminal(db: Connection, agent: Connection, dsn: str) -> None:
    for answer, code in ((b"n\n", 1), (b"y\n", 0)):
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "agentdb",
                "kill",
                "1",
                "--reason",
                "x",
                "--dsn",
                dsn,
            ],
            stdin=follower,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.write(leader, answer)
        assert process.wait(30) == code
        os.close(leader)
        os.close(follower)
    assert value(db, "select outcome from agentdb.run") == "killed"


def test_kill_of_many_names_the_first_and_counts_the_rest(
    db: Connection, agent: Connection, dsn: str
) -> None:
    for _ in range(19):
        start(agent)
    said = agentdb("kill", "billing", "--reason", "x", dsn=dsn, code=2)
    assert said.count("kill run") == 15
    assert "and 5 runs more" in said


@pytest.mark.parametrize("target", ["0", "R-0", "77", "nobody"])
def test_kill_of_what_is_not_there_says_so(
    agent: Connection, dsn: str, target: str
) -> None:
    said = agentdb("kill", target, "--reason", "x", dsn=dsn, code=2)
    assert "no run is open there" in said
    said = agentdb("kill", target, "--reason", "x", "--yes", dsn=dsn, code=1)
    what = "agent nobody" if target == "nobody" else f"run {target.strip('R-')}"
    assert f"there is no {what}" in said
