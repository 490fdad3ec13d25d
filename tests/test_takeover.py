"""A lock that ran out unreleased and went to another run is told, with what followed."""

from __future__ import annotations

import pytest

from .agents import age, labels, row, rows, start, value
from .conftest import Connect, Connection
from .test_fence import session
from .test_lock import acquire, let_pass, release, renew


@pytest.fixture
def a(db: Connection, connect: Connect) -> Connection:
    """The session of agent a, which holds lock l and may write an audited table."""
    db.execute("create table public.visit (id int primary key)")
    db.execute("grant insert, select on public.visit to agent_a, agent_b")
    db.execute("select agentdb.audit_table('public.visit')")
    opened = session(db, connect, "a")
    acquire(opened)
    return opened


@pytest.fixture
def b(db: Connection, connect: Connect, a: Connection) -> Connection:
    return session(db, connect, "b")


def test_expired_lock_that_another_run_takes_is_told(
    db: Connection, a: Connection, b: Connection
) -> None:
    let_pass(db, "16 minutes")
    assert labels(db, "lock_taken_over") == []
    acquire(b)
    expected = {"lock": "l", "agent": "a", "run": "1"}
    (told,) = rows(db, "select * from agentdb.lock_taken_over")
    assert told["labels"] == expected
    assert told["annotations"]["severity"] == "warning"
    assert told["annotations"]["successor"] == "2"
    summary = told["annotations"]["summary"]
    assert "taken over at" in summary and "by run 2 of b" in summary
    assert summary.endswith("since then run 1 made 0 calls and wrote 0 audited rows")
    # The one ends where the other begins.
    assert labels(db, "stale_lock") == []


def test_what_the_former_holder_did_after_is_counted(
    db: Connection, a: Connection, b: Connection
) -> None:
    a.execute("insert into visit values (1)")
    a.execute("select agentdb.log_tool_call('t')")
    age(db, "audit_log", "recorded_at", "5 minutes")
    age(db, "tool_call_log", "recorded_at", "5 minutes")
    let_pass(db, "16 minutes")
    acquire(b)
    a.execute("insert into visit values (2), (3)")
    a.execute("select agentdb.log_tool_call('t')")
    b.execute("insert into visit values (4)")
    told = value(db, "select annotations from agentdb.lock_taken_over")
    # The lock expired a minute ago: what is older was done while it was held.
    assert (told["calls_after"], told["rows_after"]) == (1, 2)
    assert told["severity"] == "critical"


@pytest.mark.parametrize("twin", ["released", "renewed", "itself", "forced"])
def test_healthy_twin_differs_in_one_fact(
    db: Connection, a: Connection, b: Connection, twin: str
) -> None:
    if twin == "renewed":
        let_pass(db, "14 minutes")
        fence = value(db, "select fence from agentdb.lock")
        renew(a, fence)
        let_pass(db, "10 minutes")
        acquire(b)
    elif twin == "released":
        release(a, value(db, "select fence from agentdb.lock"))
        acquire(b)
    elif twin == "itself":
        let_pass(db, "16 minutes")
        acquire(a)
    else:
        db.execute("select agentdb.force_release_lock('l', reason => 'stuck')")
        acquire(b)
    assert labels(db, "lock_taken_over") == []


def test_takeover_is_told_for_its_window(
    db: Connection, a: Connection, b: Connection
) -> None:
    let_pass(db, "16 minutes")
    acquire(b)
    at = value(db, "select recorded_at::text from agentdb.lock_log")
    moment = "select (%s::timestamptz + %s::interval)::text"
    assert labels(db, "lock_taken_over", value(db, moment, at, "-1 second")) == []
    assert len(labels(db, "lock_taken_over", value(db, moment, at, "59 minutes"))) == 1
    assert labels(db, "lock_taken_over", value(db, moment, at, "1 hour")) == []


def test_successor_is_named_also_when_it_has_released(
    db: Connection, a: Connection, b: Connection
) -> None:
    let_pass(db, "16 minutes")
    acquire(b)
    release(b, value(db, "select fence from agentdb.lock"))
    b.execute("select agentdb.end_run()")
    start(b)
    acquire(b)
    told = row(db, "select annotations from agentdb.lock_taken_over")["annotations"]
    assert told["successor"] == "2"


def test_run_that_loses_its_lock_twice_is_one_alert(
    db: Connection, a: Connection, b: Connection
) -> None:
    let_pass(db, "16 minutes")
    acquire(b)
    release(b, value(db, "select fence from agentdb.lock"))
    acquire(a)
    let_pass(db, "16 minutes")
    acquire(b)
    (told,) = rows(db, "select * from agentdb.lock_taken_over")
    lost = "select max(fence) from agentdb.lock_log where outcome = 'taken_over'"
    assert told["annotations"]["fence"] == value(db, lost)
