"""Runs begin, end once, and end by themselves when their process died."""

from __future__ import annotations

import threading

import pytest

from .agents import age, refusal, register, row, rows, start, value
from .conftest import Connect, Connection


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of a registered agent."""
    register(db)
    return connect(db.info.dbname, "agent_a")


def test_run_without_a_conversation_is_one_of_its_own(agent: Connection) -> None:
    found = row(agent, "select * from agentdb.start_run()")
    assert found["conversation_name"] == f"run-{found['run_id']}"
    named = row(agent, "select * from agentdb.start_run(conversation => 'case 7')")
    assert named["conversation_name"] == "case 7"


def test_run_is_written_down_as_it_began_and_ended(
    db: Connection, agent: Connection
) -> None:
    run = start(agent, purpose="send the invoices", tick_interval="15 min")
    agent.execute("select agentdb.end_run('failed', 'no invoices found')")
    found = row(
        db,
        "select role_name, purpose, outcome, summary, ended_at > started_at as ended, "
        "tick_interval::text from agentdb.run where run_id = %s",
        run,
    )
    assert found == {
        "role_name": "agent_a",
        "purpose": "send the invoices",
        "outcome": "failed",
        "summary": "no invoices found",
        "ended": True,
        "tick_interval": "00:15:00",
    }


@pytest.mark.parametrize("interval", ["0", "-1 min", "2 years", "infinity"])
def test_impossible_tick_interval_is_refused(agent: Connection, interval: str) -> None:
    refused = refusal(
        agent, "select agentdb.start_run(tick_interval => %s::text::interval)", interval
    )
    assert refused.sqlstate in ("ZA004", "22007")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 201, "a\u200bb"])
def test_odd_conversation_is_refused(agent: Connection, name: str) -> None:
    refused = refusal(agent, "select agentdb.start_run(conversation => %s::text)", name)
    assert refused.sqlstate == "ZA004"


@pytest.mark.parametrize("outcome", [None, "", "done", "abandoned"])
def test_odd_outcome_is_refused(agent: Connection, outcome: str | None) -> None:
    start(agent)
    refused = refusal(agent, "select agentdb.end_run(%s::text)", outcome)
    assert refused.sqlstate == "ZA004"
    assert "succeeded, failed or cancelled" in (refused.message_hint or "")


def test_open_runs_are_capped_also_in_a_race(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    db.execute("update agentdb.policy set max_open_runs = 5")
    refused: list[str | None] = []

    def begin() -> None:
        session = connect(db.info.dbname, "agent_a")
        for _ in range(3):
            try:
                start(session)
            except Exception as error:
                refused.append(getattr(error, "sqlstate", None))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(db, "select count(*) from agentdb.run") == 5
    assert refused == ["ZA005"] * 7


def test_dead_runs_do_not_fill_the_cap(db: Connection, agent: Connection) -> None:
    db.execute("update agentdb.policy set max_open_runs = 1, abandon_after = '1 hour'")
    dead = start(agent)
    assert refusal(agent, "select agentdb.start_run()").sqlstate == "ZA005"
    age(db, "run", "started_at", "2 hours")
    alive = start(agent)
    found = rows(db, "select run_id, outcome from agentdb.run order by run_id")
    assert found == [
        {"run_id": dead, "outcome": "abandoned"},
        {"run_id": alive, "outcome": None},
    ]


def test_run_that_still_logs_is_not_abandoned(
    db: Connection, agent: Connection
) -> None:
    db.execute("update agentdb.policy set abandon_after = '1 hour'")
    run = start(agent)
    age(db, "run", "started_at", "2 hours")
    agent.execute("select agentdb.log_tokens(10, 1)")
    assert rows(db, "select * from agentdb.maintain() where action = 'abandoned'") == []
    age(db, "token_log", "recorded_at", "90 minutes")
    found = rows(db, "select object from agentdb.maintain() where action = 'abandoned'")
    assert found == [{"object": f"run {run}"}]
