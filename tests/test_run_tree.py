"""A kill reaches all that a run started, also through what has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .agents import refusal, register, rows, start, value
from .test_process import DRAIN, OUTCOME, WRITE
from .test_process import audited as audited
from .test_process import join as join

if TYPE_CHECKING:
    from .conftest import Connect, Connection
    from .test_process import Join


@pytest.fixture
def child(audited: Connection, join: Join, connect: Connect) -> Connection:
    """A child of run 1, run 2 of another agent."""
    register(audited, "b", "agent_b")
    audited.execute("grant select, update on invoice to agent_b")
    parent = join()
    start(parent)
    token = value(parent, "select agentdb.spawn_token()")
    child = connect(audited.info.dbname, "agent_b")
    start(child, spawn_token=token)
    return child


def test_drain_waits_for_grandchildren_whose_parent_has_ended(
    audited: Connection, child: Connection, connect: Connect
) -> None:
    token = value(child, "select agentdb.spawn_token()")
    grandchild = connect(audited.info.dbname, "agent_b")
    run = start(grandchild, spawn_token=token)
    child.execute("select agentdb.end_run()")
    with grandchild.transaction():
        grandchild.execute(WRITE)
        audited.execute("select agentdb.kill_run(1, 'loops')")
        short = "select * from agentdb.drain_run(1, '50 ms')"
        assert {"run_id": run, "drained": False} in rows(audited, short)
    assert {"run_id": run, "drained": True} in rows(audited, DRAIN, 1)


@pytest.mark.parametrize("how", ["kill_run(1, 'loops')", "kill_agent('a', 'loops')"])
def test_token_that_an_ended_child_left_starts_nothing_after_a_kill(
    audited: Connection, child: Connection, connect: Connect, how: str
) -> None:
    token = value(child, "select agentdb.spawn_token()")
    child.execute("select agentdb.end_run()")
    audited.execute(f"select agentdb.{how}".encode())
    late = connect(audited.info.dbname, "agent_b")
    begin = "select agentdb.start_run(spawn_token => %s)"
    refused = refusal(late, begin, token)
    assert refused.sqlstate == "ZA001"
    assert "its tree was killed" in str(refused.message_primary)


def test_start_with_the_token_of_an_ended_child_is_reached_by_the_drain(
    audited: Connection, child: Connection, connect: Connect
) -> None:
    token = value(child, "select agentdb.spawn_token()")
    child.execute("select agentdb.end_run()")
    late = connect(audited.info.dbname, "agent_b")
    with late.transaction():
        run = start(late, spawn_token=token)
        audited.execute("select agentdb.kill_run(1, 'loops')")
        short = "select * from agentdb.drain_run(1, '50 ms')"
        assert rows(audited, short) == [{"run_id": 1, "drained": False}]
    assert {"run_id": run, "drained": True} in rows(audited, DRAIN, 1)
    assert value(audited, OUTCOME, run) == "killed"


@pytest.mark.parametrize("run", [None, 1, 99])
def test_nothing_is_said_to_be_over_that_was_not_stopped(
    audited: Connection, join: Join, run: int | None
) -> None:
    start(join())
    refused = refusal(audited, "select * from agentdb.drain_run(%s)", run)
    assert refused.sqlstate == "ZA006"
    assert "is not stopped" in str(refused.message_primary)
