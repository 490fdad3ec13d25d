"""Limits of locks are those of the policy, also for runs that began before it changed."""

from __future__ import annotations

from .agents import policy, refusal, register, row, start, value
from .conftest import Connect, Connection

LIMIT = "select lock_max_ttl::text from agentdb.run"


def longest(agent: Connection) -> str:
    """Return the maximum that a refusal names."""
    said = refusal(agent, "select agentdb.acquire_lock('l', '8 days')").message_primary
    return (said or "").removeprefix("ttl must be between 0 and ").partition(",")[0]


def test_change_of_the_policy_counts_for_open_runs(
    db: Connection, agent: Connection
) -> None:
    assert longest(agent) == "01:00:00"
    db.execute("update agentdb.policy set lock_max_ttl = '10 min'")
    assert longest(agent) == "00:10:00"
    fence = value(agent, "select fence from agentdb.acquire_lock('l', '10 min')")
    db.execute("update agentdb.policy set renew_needs_progress = true")
    renewed = row(agent, "select * from agentdb.renew_lock('l', %s, '5 min')", fence)
    assert (renewed["renewed"], renewed["outcome"]) == (False, "no_progress")


def test_other_policy_counts_at_once(db: Connection, agent: Connection) -> None:
    db.execute(
        "insert into agentdb.policy (policy_name, description, lock_max_ttl)"
        " values ('short', 'short locks', '1 min')"
    )
    policy(db, "short")
    assert longest(agent) == "00:01:00"
    db.execute(
        "update agentdb.policy set policy_name = 'brief', lock_max_ttl = '2 min'"
        " where policy_name = 'short'"
    )
    assert longest(agent) == "00:02:00"


def test_other_name_is_told_as_the_holder(db: Connection, agent: Connection) -> None:
    db.execute("update agentdb.agent set agent_name = 'renamed'")
    holder = value(agent, "select holder from agentdb.acquire_lock('l')")
    assert holder.endswith(" of renamed")


def test_policy_that_is_being_changed_keeps_no_run_from_ending(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    operator = connect(db.info.dbname, "operator_o")
    with operator.transaction():
        operator.execute("update agentdb.policy set lock_max_ttl = '10 min'")
        assert value(agent, "select ended_at from agentdb.end_run()")
        start(agent)
        assert longest(agent) == "01:00:00"
    assert longest(agent) == "00:10:00"


def test_run_in_flight_gets_the_change_at_the_next_roll_up(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    register(db, "b", "agent_b")
    starting = connect(db.info.dbname, "agent_b")
    with starting.transaction():
        start(starting)
        with agent.transaction(force_rollback=True):
            agent.execute("select agentdb.end_run()")
            # It waits for neither of them.
            db.execute("update agentdb.policy set lock_max_ttl = '10 min'")
    assert (longest(agent), longest(starting)) == ("01:00:00", "01:00:00")
    db.execute("select agentdb.roll_up()")
    assert (longest(agent), longest(starting)) == ("00:10:00", "00:10:00")


def test_ended_run_keeps_the_limits_that_it_had(
    db: Connection, agent: Connection
) -> None:
    agent.execute("select agentdb.end_run()")
    db.execute("update agentdb.policy set lock_max_ttl = '10 min'")
    db.execute("select agentdb.roll_up()")
    assert row(db, LIMIT)["lock_max_ttl"] == "01:00:00"
