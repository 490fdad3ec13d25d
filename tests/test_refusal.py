"""What is refused by an error leaves no row: counters outlive it, and rules read them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest

from agentdb.local import LocalServer

from .agents import (
    labels,
    policy,
    refusal,
    register,
    row,
    rows,
    start,
    value,
    visited,
)
from .changes import latest
from .conftest import Connect, Connection, install_on
from .processes import linux, postmaster_of
from .standby import standby
from .test_fence import session
from .test_lock import acquire, let_pass

WRITE = "insert into public.report values (1)"
COUNT = "select coalesce(sum(refused), 0) from agentdb._refusals(now(), '1 hour')"


@pytest.fixture
def a(db: Connection, connect: Connect) -> Connection:
    """The session of agent a, which may write a fenced table and a guarded one."""
    db.execute("create table public.report (x int)")
    db.execute("create table public.bill (id int primary key, n int)")
    db.execute("insert into public.bill values (1, 1)")
    db.execute(
        "grant select, insert, update, delete, truncate on public.report, public.bill to agent_a, agent_b"
    )
    db.execute("select * from agentdb.fence_table('public.report', 'l')")
    db.execute("select agentdb.guard_table('public.bill')")
    return session(db, connect, "a")


def test_refused_fenced_write_is_told_at_once_and_after_the_roll_up(
    db: Connection, a: Connection
) -> None:
    assert labels(db, "stale_write") == []
    refusal(a, WRITE)
    assert labels(db, "stale_write") == [{"agent": "a"}]
    db.execute("select agentdb.roll_up()")
    assert labels(db, "stale_write") == [{"agent": "a"}]
    refusal(a, WRITE)
    refusal(a, WRITE)
    told = row(db, "select value, annotations from agentdb.stale_write")
    assert told["value"] == 3
    assert "3 writes of a to a fenced table refused" in told["annotations"]["summary"]
    assert "of what is known no more" in told["annotations"]["summary"]
    db.execute("select agentdb.roll_up()")
    assert value(db, "select sum(refused) from agentdb.refusal") == 3
    db.execute("select agentdb.roll_up()")
    assert value(db, "select sum(refused) from agentdb.refusal") == 3


def test_holder_of_the_lock_is_no_sign(db: Connection, a: Connection) -> None:
    acquire(a)
    a.execute(WRITE)
    assert labels(db, "stale_write") == []
    let_pass(db, "16 minutes")
    refusal(a, WRITE)
    assert labels(db, "stale_write") == [{"agent": "a"}]


def test_a_refusal_ends_with_its_window(db: Connection, a: Connection) -> None:
    refusal(a, WRITE)
    db.execute("select agentdb.roll_up()")
    seen = value(db, "select seen_at::text from agentdb.refusal")
    at = "select (%s::timestamptz + %s::interval)::text"
    assert labels(db, "stale_write", value(db, at, seen, "-1 microsecond")) == []
    assert labels(db, "stale_write", value(db, at, seen, "9 minutes 59 seconds")) == [
        {"agent": "a"}
    ]
    db.execute("select agentdb.roll_up()")
    assert labels(db, "stale_write", value(db, at, seen, "10 minutes")) == []


def test_the_call_that_failed_says_what_it_was(db: Connection, a: Connection) -> None:
    said = refusal(a, WRITE)
    a.execute(
        "select agentdb.log_tool_call('sql', ok => false, error => %s)",
        [f"ERROR ZA020: {said.message_primary}"],
    )
    a.execute("select agentdb.log_tool_call('sql', ok => false, error => 'no idea')")
    told = value(db, "select annotations from agentdb.stale_write")
    assert "may not write public.report" in told["summary"]
    assert len(told["calls"]) == 1
    assert "known no more" not in told["summary"]


def test_each_agent_and_kind_is_counted_by_itself(
    db: Connection, connect: Connect, a: Connection
) -> None:
    b = session(db, connect, "b")
    for _ in range(5):
        refusal(a, "update bill set n = 2")
    refusal(b, WRITE)
    refusal(b, "delete from bill")
    assert labels(db, "stale_write") == [{"agent": "b"}]
    assert labels(db, "refused_write") == [{"agent": "a", "kind": "guard"}]
    db.execute("select agentdb.roll_up()")
    kept = rows(
        db,
        "select kind, agent_name, refused, others from agentdb.refusal"
        " join agentdb.agent using (agent_id) order by agent_name, kind",
    )
    assert [tuple(each.values()) for each in kept] == [
        ("guard", "a", 5, None),
        ("fence", "b", 1, None),
        ("guard", "b", 1, None),
    ]


def test_one_less_than_the_threshold_is_how_an_agent_learns(
    db: Connection, a: Connection
) -> None:
    for _ in range(4):
        refusal(a, "update bill set n = 2")
    assert labels(db, "refused_write") == []
    refusal(a, "truncate bill")
    assert labels(db, "refused_write") == [{"agent": "a", "kind": "guard"}]
    policy(db, "playbook")
    db.execute(
        "update agentdb.policy set refused_write_count = 6"
        " where policy_name = 'playbook'"
    )
    assert labels(db, "refused_write") == []


def test_who_goes_on_after_the_kill_is_told(db: Connection, a: Connection) -> None:
    db.execute("select agentdb.kill_agent('a', reason => 'enough')")
    for _ in range(5):
        assert refusal(a, "select agentdb.log_progress('on')").sqlstate == "ZA040"
    (told,) = rows(db, "select labels, annotations from agentdb.refused_write")
    assert told["labels"] == {"agent": "a", "kind": "stop"}
    assert "went on after it was killed" in told["annotations"]["summary"]


def test_who_is_paused_may_try_again(db: Connection, a: Connection) -> None:
    db.execute("select agentdb.pause_agent('a', reason => 'wait')")
    for _ in range(6):
        assert refusal(a, "select agentdb.log_progress('on')").sqlstate == "ZA041"
    assert value(db, COUNT) == 0


def stage(db: Connection, session: Connection) -> tuple[int, str]:
    """Stage an update and return the change and its digest."""
    session.execute("update agentdb_stage.bill set n = n + 1")
    change = latest(db)
    return int(change["change_id"]), str(change["digest"])


def test_agent_that_decides_its_own_change_is_told(
    db: Connection, a: Connection
) -> None:
    change, digest = stage(db, a)
    assert labels(db, "self_approval") == []
    said = refusal(a, "select * from agentdb.approve_change(%s, %s)", change, digest)
    assert said.sqlstate == "ZA055"
    (told,) = rows(db, "select labels, annotations from agentdb.self_approval")
    assert told["labels"] == {"role": "agent_a"}
    assert told["annotations"]["agents"] == ["a"]
    assert told["annotations"]["severity"] == "critical"


def test_reviewer_of_anothers_change_is_no_sign(
    db: Connection, connect: Connect, a: Connection
) -> None:
    change, digest = stage(db, a)
    reviewer = connect(db.info.dbname, "reviewer_r")
    query = "select state from agentdb.approve_change(%s, %s)"
    assert value(reviewer, query, change, digest) == "applied"
    assert labels(db, "self_approval") == []


def test_person_that_decides_its_own_change_is_told_by_role(
    db: Connection, connect: Connect, a: Connection
) -> None:
    db.execute("grant select, update on public.bill to reviewer_r")
    reviewer = connect(db.info.dbname, "reviewer_r")
    change, digest = stage(db, reviewer)
    refusal(reviewer, "select * from agentdb.approve_change(%s, %s)", change, digest)
    told = row(db, "select labels, annotations from agentdb.self_approval")
    assert told["labels"] == {"role": "reviewer_r"}
    assert told["annotations"]["severity"] == "warning"
    db.execute("select agentdb.roll_up()")
    assert labels(db, "self_approval") == [{"role": "reviewer_r"}]


def test_refusal_in_a_transaction_that_may_only_read_is_the_same_error(
    db: Connection, a: Connection
) -> None:
    db.execute("select agentdb.kill_agent('a', reason => 'enough')")
    a.execute("set default_transaction_read_only = on")
    assert refusal(a, "select agentdb.log_progress('on')").sqlstate == "ZA040"
    assert value(db, COUNT) == 0


def test_counter_that_is_gone_changes_no_error(db: Connection, a: Connection) -> None:
    for name in ("refused_fence_1", "last_fence_1"):
        db.execute(f"drop sequence agentdb.{name}".encode())
    assert refusal(a, WRITE).sqlstate == "ZA020"
    assert labels(db, "stale_write") == [{"agent": "a"}]


def test_agents_that_share_a_counter_are_named(db: Connection, a: Connection) -> None:
    number = value(db, "select agent_id from agentdb.agent")
    db.execute(
        "insert into agentdb.agent (agent_id, agent_name, role_name, pooled,"
        " policy_name) overriding system value"
        " values (%s, 'twin', 'agent_pool', true, 'default')",
        [number + 256],
    )
    refusal(a, WRITE)
    assert row(db, "select * from agentdb._unseen_refusal()")["others"] is None
    refusal(a, WRITE)
    (told,) = rows(db, "select labels, annotations from agentdb.stale_write")
    assert told["labels"] == {"agent": "a"}
    assert "some of it may be of twin" in told["annotations"]["summary"]


def test_two_sessions_refused_at_once_are_both_counted(
    db: Connection, connect: Connect, a: Connection
) -> None:
    other = connect(db.info.dbname, "agent_a")
    for each in (a, other):
        each.autocommit = False
        refusal(each, WRITE)
    other.rollback()
    assert value(db, COUNT) == 2
    a.rollback()
    assert value(db, COUNT) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "select nextval('agentdb.refused_fence_1')",
        "select setval('agentdb.refused_fence_1', 1)",
        "select setval('agentdb.last_fence_1', 2)",
        "select nextval('agentdb.refusal_seq')",
        "select last_value from agentdb.refused_fence_1",
        "select agentdb._count_refusal('fence', 1)",
        "alter sequence agentdb.refused_fence_1 restart",
        "select agentdb._make_refusal_counters(3)",
        "delete from agentdb.refusal",
        "delete from agentdb.refusal_count",
    ],
)
@pytest.mark.parametrize("user", ["agent_a", "reviewer_r"])
def test_nobody_draws_from_a_counter_but_by_being_refused(
    db: Connection, connect: Connect, a: Connection, statement: str, user: str
) -> None:
    refusal(a, WRITE)
    assert refusal(connect(db.info.dbname, user), statement).sqlstate == "42501"
    assert value(db, COUNT) == 1


def test_reading_costs_nothing_while_nobody_is_refused(
    db: Connection, a: Connection
) -> None:
    with db.transaction():
        db.execute("set local role agentdb_owner")
        db.execute(
            "select agentdb._make_refusal_counters(i) from generate_series(1, 256) as i"
        )
    refusal(a, WRITE)
    db.execute("select agentdb.roll_up()")
    assert rows(db, "select * from agentdb._refusals_since()") == []
    # One row says that nothing has risen; no counter is looked at.
    assert visited(db, "select * from agentdb._refusals_since()") == 1
    refusal(a, WRITE)
    assert value(db, "select count(*) from agentdb._refusals_since()") == 1


def test_counter_that_is_somebody_elses_breaks_no_rule(
    db: Connection, a: Connection
) -> None:
    for name in ("refused_fence_77", "last_fence_77"):
        db.execute(
            f"create sequence agentdb.{name}; select nextval('agentdb.{name}')".encode()
        )
    refusal(a, WRITE)
    assert labels(db, "stale_write") == [{"agent": "a"}]
    db.execute("select agentdb.roll_up()")
    assert labels(db, "stale_write") == [{"agent": "a"}]


@linux
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_what_was_seen_outlives_a_restart_and_a_jump_is_no_refusal(
    home: Path, how: signal.Signals
) -> None:
    def server() -> LocalServer:
        kept = {"synchronous_commit": "on"}
        return LocalServer(directory=home, fast=True, settings=kept)

    def user(server: LocalServer, name: str = "postgres") -> Connection:
        dsn = server.dsn(database="agentdb", user=name)
        return psycopg.connect(dsn, autocommit=True)

    with server() as first:
        install_on(first)
        with user(first) as db:
            db.execute("create table public.report (x int)")
            db.execute("grant insert on public.report to agent_a")
            db.execute("select * from agentdb.fence_table('public.report', 'l')")
            register(db)
            with user(first, "agent_a") as agent:
                start(agent)
                refusal(agent, WRITE)
                db.execute("select agentdb.roll_up()")
                refusal(agent, WRITE)
            assert value(db, COUNT) == 2
            # What a crash takes back of the sequences is what was not flushed.
            db.execute("create table public.flushed ()")
        os.kill(postmaster_of(home), how)
    with server() as second, user(second) as db:
        kept = value(db, "select sum(refused) from agentdb.refusal")
        assert kept == 1
        # Stopped in order it lost nothing; crashed, it says nothing that it cannot know.
        assert value(db, COUNT) == (2 if how == signal.SIGINT else 1)
        db.execute("select agentdb.roll_up()")
        assert value(db, COUNT) == (2 if how == signal.SIGINT else 1)
        before = value(db, COUNT)
        with user(second, "agent_a") as agent:
            start(agent)
            refusal(agent, WRITE)
        assert value(db, COUNT) == before + 1
        assert labels(db, "stale_write") == [{"agent": "a"}]


@linux
def test_standby_answers_by_what_was_written_down(home: Path) -> None:
    with standby(home) as dsn, psycopg.connect(dsn, autocommit=True) as db:
        for rule in ("stale_write", "self_approval", "refused_write"):
            assert labels(db, rule) == []
