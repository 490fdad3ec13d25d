"""A notice wakes a run, and nothing more: what is true is asked, whoever spoke."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from pg8000 import dbapi
from psycopg.conninfo import conninfo_to_dict

from agentdb import Agent
from agentdb.admin import operation
from agentdb.client import Limits, Run
from agentdb.client import log as module

from .agents import register, value
from .conftest import Connect, Connection
from .pooler import pooler
from .scene import until
from .servers import Server

LISTENING = (
    "select count(*) from pg_stat_activity where datname = current_database()"
    " and query ilike 'listen%%'"
)


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    register(db)
    return server.dsn(database=db.info.dbname, user="agent_a")


@pytest.fixture
def operator(db: Connection, server: Server) -> str:
    return server.dsn(database=db.info.dbname, user="operator_o")


@pytest.fixture
def run(dsn: str) -> Iterator[Run]:
    with Agent(dsn, limits=Limits(window=0.05)).run() as run:
        run.progress("begun")
        assert run._log.flush()
        until(lambda: run._log._session.ear is not None)
        yield run


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks by himself: what is known is known by a notice."""
    monkeypatch.setattr(module, "LOOK_EVERY", 3600.0)


def test_kill_is_told(deaf: None, run: Run, operator: str) -> None:
    operation.kill(operator, operation.KILL_RUN, target=run.id, reason="enough")
    until(lambda: run.stopped is not None)


def test_pause_and_its_end_are_told(deaf: None, run: Run, operator: str) -> None:
    operation.pause(operator, operation.PAUSE, agent="a", reason="deploy")
    until(lambda: run.stopped is not None)
    operation.pause(operator, operation.RESUME, agent="a", reason="deployed")
    until(lambda: run.stopped is None)


def test_lock_that_is_taken_away_is_told(
    deaf: None, db: Connection, run: Run, operator: str
) -> None:
    kept, gone = run.lock("kept", ttl="1 hour"), run.lock("gone", ttl="1 hour")
    assert operation.release_lock(operator, "gone", reason="needed") != []
    assert gone.lost.wait(20)
    assert not kept.lost.is_set()


def test_lost_notice_does_no_harm(db: Connection, run: Run) -> None:
    """A kill by hand tells nobody, nor a lock that is given to another by hand."""
    lock = run.lock("nightly", ttl="1 hour")
    db.execute("listen agentdb_stop")
    db.execute("select agentdb.force_release_lock('nightly', 'needed')")
    assert lock.lost.wait(20)
    db.execute("select agentdb.kill_run(%s, 'enough')", [run.id])
    until(lambda: run.stopped is not None)
    assert list(db.notifies(timeout=0)) == []


def test_forged_notices_do_no_harm(
    db: Connection, run: Run, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another agent says that everybody is stopped, as often as it can."""
    looks: list[None] = []
    own = run._log._look
    monkeypatch.setattr(run._log, "_look", lambda: looks.append(own()))
    register(db, "b", "agent_b")
    forger, sent = connect(db.info.dbname, "agent_b"), 0
    lock = run.lock("nightly", ttl="1 hour")
    while len(looks) < 3:
        forger.execute("select pg_notify('agentdb_stop', %s)", [str(run.id)])
        sent += 1
    assert len(looks) < sent
    assert run.stopped is None and not lock.lost.is_set()
    assert run.call("t", None, lambda: 1) == 1
    assert run._log.flush()
    assert value(db, "select count(*) from agentdb.tool_call_log") == 1


def test_connection_that_breaks_is_listened_to_anew(
    deaf: None, db: Connection, run: Run, operator: str
) -> None:
    heard = run._log._session._connection.info.backend_pid
    db.execute("select pg_terminate_backend(%s)", [heard])
    until(lambda: run._log._session.ear is None)
    run.progress("on another connection")
    until(lambda: run._log._session.ear is not None)
    operation.kill(operator, operation.KILL_RUN, target=run.id, reason="enough")
    until(lambda: run.stopped is not None)


def test_behind_a_pooler_nobody_listens(db: Connection, server: Server) -> None:
    """It would be another client's session that hears."""
    register(db)
    with pooler(server, ["agent_a"]) as through:
        agent = Agent(through(db.info.dbname, "agent_a"), limits=Limits(window=0.05))
        with agent.run() as run:
            run.progress("begun")
            assert run._log.flush()
            assert run._log._session.ear is None
            assert value(db, LISTENING) == 0
            db.execute("select agentdb.kill_run(%s, 'enough')", [run.id])
            until(lambda: run.stopped is not None)


def test_driver_without_ears_looks(db: Connection, dsn: str) -> None:
    info = {key: str(each) for key, each in conninfo_to_dict(dsn).items()}
    agent = Agent(
        connect=lambda: dbapi.connect(
            info["user"], database=info["dbname"], timeout=10,
            unix_sock=f"{info['host']}/.s.PGSQL.{info['port']}",
        ),
        limits=Limits(window=0.05),
    )  # fmt: skip
    with agent.run() as run:
        lock = run.lock("nightly", ttl="1 hour")
        run.progress("begun")
        assert run._log.flush()
        assert run._log._session.ear is None
        db.execute("select agentdb.force_release_lock('nightly', 'needed')")
        assert lock.lost.wait(20)
        db.execute("select agentdb.kill_run(%s, 'enough')", [run.id])
        until(lambda: run.stopped is not None)


def test_runs_leave_no_pipe_behind(dsn: str) -> None:
    from pathlib import Path

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    if not Path("/proc/self/fd").exists():
        pytest.skip("no /proc")
    agent = Agent(dsn, limits=Limits(window=0.05))
    with agent.run():
        pass
    before = open_files()
    for _ in range(20):
        with agent.run() as run:
            run.progress("done")
        del run
    until(lambda: open_files() <= before + 2)
    assert threading.active_count() < 20
