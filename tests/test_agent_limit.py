"""Limits of locks are those of the policy, from the moment that it changes."""

from __future__ import annotations

import threading

import psycopg

from .agents import policy, refusal, row, rows, value
from .conftest import Connect, Connection
from .scene import until

LIMIT = "select agent_name, lock_max_ttl::text, renew_needs_progress from agentdb.agent_limit"


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
    assert len(rows(db, LIMIT)) == 1


def test_other_name_is_told_as_the_holder(db: Connection, agent: Connection) -> None:
    db.execute("update agentdb.agent set agent_name = 'renamed'")
    holder = value(agent, "select holder from agentdb.acquire_lock('l')")
    assert holder.endswith(" of renamed")


def test_agent_that_is_registered_while_its_policy_changes_gets_the_change(
    db: Connection, connect: Connect
) -> None:
    operator = connect(db.info.dbname, "operator_o")
    dba = psycopg.connect(db.info.dsn, dbname=db.info.dbname, autocommit=True)
    change = "update agentdb.policy set lock_max_ttl = '10 min'"
    blocked = "select cardinality(pg_blocking_pids(%s)) > 0"
    with dba:
        writer = threading.Thread(target=dba.execute, args=[change])
        with operator.transaction():
            operator.execute("select agentdb.register_agent('a', 'agent_a')")
            writer.start()
            until(lambda: value(db, blocked, dba.info.backend_pid))
        writer.join()
    assert row(db, LIMIT)["lock_max_ttl"] == "00:10:00"
