"""Wake-ups are no facts: a queue of NOTIFY that an agent has filled stops nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from agentdb.local import LocalServer

from .agents import refusal, register, row, start, value
from .changes import TABLES, approve, latest
from .conftest import install_on
from .scene import Scene, until
from .sink import Sink

FILL = """
do $$ begin
  for i in 1 .. 100 loop
    perform pg_notify('noise', i || repeat('x', 7000));
  end loop;
end $$
"""


def open_as(dsn: str, user: str) -> psycopg.Connection:
    return psycopg.connect(dsn, user=user, autocommit=True)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[str]:
    """A database whose queue of NOTIFY an agent has filled."""
    small = {"max_notify_queue_pages": "64"}
    try:
        server = LocalServer(fast=True, settings=small)
        server.__enter__()
    except Exception as error:  # before version 17 the queue has 8 GB
        if "max_notify_queue_pages" not in str(error):
            raise
        pytest.skip("the queue cannot be made small")
    try:
        install_on(server)
        dsn = server.dsn(database="agentdb")
        with (
            psycopg.connect(dsn, autocommit=True) as db,
            open_as(dsn, "agent_b") as deaf,
            open_as(dsn, "agent_b") as loud,
        ):
            db.execute(TABLES.encode())
            for table in ("invoice", "customer"):
                db.execute(f"select agentdb.guard_table('{table}')".encode())
            register(db)
            register(db, "b", "agent_b")
            deaf.execute("listen noise")
            deaf.execute("begin; select 1")
            with pytest.raises(psycopg.Error, match="too many notifications"):
                while True:
                    loud.execute(FILL)
            yield dsn
    finally:
        server.__exit__(None, None, None)


def test_full_queue_stops_no_decision_no_lock_and_no_kill(full: str) -> None:
    with (
        psycopg.connect(full, autocommit=True) as db,
        open_as(full, "agent_a") as agent,
        open_as(full, "reviewer_r") as reviewer,
        open_as(full, "operator_o") as operator,
    ):
        run = start(agent)
        agent.execute("update agentdb_stage.invoice set note = 'x' where id = 1")
        assert approve(reviewer, latest(db)["change_id"])["state"] == "applied"
        agent.execute("update agentdb_stage.invoice set note = 'y' where id = 2")
        agent.execute("select agentdb.withdraw_change(2)")
        lock = row(agent, "select * from agentdb.acquire_lock('l')")
        waiter = open_as(full, "agent_a")
        waiter.execute("select agentdb.begin_wait('l')")
        release = "select released from agentdb.release_lock('l', %s)"
        assert value(agent, release, lock["fence"]) is True
        # The one function of an agent that notifies: it fails, and nothing else.
        assert refusal(agent, "select agentdb.wake_waiters('l')").sqlstate == "54000"
        waiter.close()
        operator.execute("select agentdb.kill_run(%s, 'enough')", [run])
        assert value(db, "select outcome from agentdb.run") == "killed"


def test_full_queue_keeps_no_message_from_people(full: str, tmp_path: Path) -> None:
    with (
        psycopg.connect(full, autocommit=True) as db,
        Sink().serving() as sink,
        Scene(
            db, full.replace("postgres@", "operator_o@"), sink, tmp_path
        ).open() as scene,
    ):
        scene.receiver()
        scene.start(poll=0.2)
        scene.trouble(3)
        until(lambda: scene.states()["sent"] >= 1)
        assert sink.received()
