"""One row an agent: how it is, since when, and why."""

from __future__ import annotations

import pytest

from .agents import age, evaluate, policy, register, row, rows, start, visited
from .conftest import Connect, Connection


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of an agent, with a runner at work."""
    register(db)
    for loop in ("evaluate", "flush", "send", "verify"):
        db.execute("select agentdb.beat('r', %s, 'h', 1, 'v')", [loop])
    return connect(db.info.dbname, "agent_a")


def health(db: Connection) -> tuple[str, str]:
    found = row(db, "select * from agentdb.agent_health")
    assert found["agent_name"] == "a"
    assert found["since"] is not None
    return found["state"], found["why"]


def test_agent_is_idle_working_waiting(db: Connection, agent: Connection) -> None:
    assert health(db) == ("idle", "it has never run")
    run = start(agent)
    assert health(db) == ("working", f"run {run} is open")
    agent.execute("select agentdb.log_progress('found 3 invoices')")
    db.execute("select agentdb.roll_up()")
    assert health(db)[1] == f"run {run} is open; its last step: found 3 invoices"
    agent.execute("select agentdb.hold_run(now() + interval '1 hour', 'CI runs')")
    state, why = health(db)
    assert state == "waiting" and why.endswith("UTC: CI runs")
    agent.execute("select agentdb.end_run()")
    assert health(db) == ("idle", f"run {run} succeeded")


def test_worst_alert_gives_the_word(db: Connection, agent: Connection) -> None:
    start(agent)
    agent.execute("select agentdb.log_tool_call('t') from generate_series(1, 6)")
    evaluate(db)
    state, why = health(db)
    assert state == "looping"
    assert "is stuck in a loop: the same call with the same result, 6 times" in why
    agent.execute("select agentdb.log_tokens(600000, 1)")
    evaluate(db)
    state, why = health(db)
    assert state == "overspending"
    assert why.endswith("and 2 more alerts")
    agent.execute("select agentdb.end_run()")
    db.execute("update agentdb.alert_rule set keep_firing = '0'")
    age(db, "run", "ended_at", "2 hours")
    evaluate(db)
    assert health(db)[0] == "idle"


def test_stopped_agent_says_by_whom_and_why(db: Connection, agent: Connection) -> None:
    start(agent)
    db.execute("select agentdb.pause_agent('a', 'month end')")
    assert health(db) == ("paused", "paused by postgres: month end")


def test_nobody_looks_while_no_runner_works(db: Connection, agent: Connection) -> None:
    start(agent)
    age(db, "runner", "evaluated_at", "5 minutes")
    assert health(db)[0] == "unwatched"
    db.execute("delete from agentdb.runner")
    found = row(db, "select state, why from agentdb.agent_health")
    assert found["state"] == "unwatched"


@pytest.mark.parametrize("user", ["auditor_u", "operator_o"])
def test_people_read_it(
    db: Connection, agent: Connection, connect: Connect, user: str
) -> None:
    policy(db, "playbook")
    start(agent)
    session = connect(db.info.dbname, user)
    assert [
        each["state"] for each in rows(session, "select * from agentdb.agent_health")
    ] == ["working"]
    for view in ("silent_loop", "token_rate", "no_progress", "missed_tick"):
        assert rows(session, f"select * from agentdb.{view}") == []


def test_alerts_of_the_past_cost_it_nothing(db: Connection, agent: Connection) -> None:
    db.execute(
        "insert into agentdb.alert (rule_name, fingerprint, labels, annotations,"
        " severity, state, active_at, seen_at) select 'no_progress', i::text,"
        " '{\"agent\": \"a\"}', '{}', 'info', 'resolved', now(), now()"
        " from generate_series(1, 3000) as i"
    )
    db.execute("analyze")
    assert visited(db, "select * from agentdb.agent_health") < 500
