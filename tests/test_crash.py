"""A crash is one message: what was seen, what follows from it, and who goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from agentdb.channels.text import lines
from agentdb.local import LocalServer

from .agents import (
    Row,
    age,
    evaluate,
    labels,
    register,
    row,
    rows,
    start,
    value,
    visited,
)
from .alerts import deliver, later
from .conftest import Connect, Connection, install_on
from .scene import until
from .servers import Server

# Does what it is told and then waits, as an agent does for its model.
AGENT = """
import json, sys
import psycopg
dsn, statements = json.loads(sys.argv[1])
with psycopg.connect(dsn, autocommit=True) as connection:
    for statement in statements:
        connection.execute(statement)
    print(connection.info.backend_pid, flush=True)
    sys.stdin.read()
"""
TICK = "select agentdb.start_run(tick_interval => '5 min')"
PLAIN = "select agentdb.start_run()"
LOCK = "select agentdb.acquire_lock('nightly', '10 min')"
CALL = "select agentdb.begin_tool_call('bash', null, 'c1')"
CLOSE = "select * from agentdb.close_gone_runs()"
GONE = "select not exists (select from pg_stat_activity where pid = %s)"
# The server that a test moves into the past was up then.
LONG_UP = """
create or replace function agentdb._server_up_at () returns timestamptz
  language sql stable return clock_timestamp() - interval '10 days'
"""
MOMENTS = {
    "run": ("started_at", "ended_at"),
    "run_session": ("joined_at",),
    "lock": ("acquired_at", "renewed_at", "expires_at"),
    "tool_call": ("began_at", "ended_at"),
    "alert": ("active_at", "firing_at", "seen_at", "resolved_at"),
}

Process = subprocess.Popen[str]
Spawn = Callable[..., Process]


@pytest.fixture
def spawn(db: Connection, server: Server) -> Iterator[Spawn]:
    """Start processes of agents, which are gone after the test."""
    db.execute(LONG_UP)
    with ExitStack() as stack:

        def spawn(*statements: str, role: str = "agent_a") -> Process:
            dsn = server.dsn(database=db.info.dbname, user=role)
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", AGENT, json.dumps([dsn, statements])],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield spawn


@pytest.fixture
def agent(db: Connection, spawn: Spawn) -> str:
    """An agent that is registered, and nothing more."""
    register(db)
    return "a"


def ready(process: Process) -> int:
    """Wait until a process has done what it was told; return its server process."""
    assert process.stdout
    return int(process.stdout.readline())


def shoot(db: Connection, process: Process) -> None:
    """Kill a process that is ready, and wait until the server knows."""
    pid = ready(process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    until(lambda: value(db, GONE, pid))


def leave(db: Connection, session: Connection) -> None:
    """End a session as a process that dies does."""
    pid = session.info.backend_pid
    session.close()
    until(lambda: value(db, GONE, pid))


def pass_time(db: Connection, by: str) -> None:
    """Move all that has happened into the past."""
    for table, columns in MOMENTS.items():
        for column in columns:
            age(db, table, column, by)
    later(db, by)


def messages(db: Connection) -> list[list[str]]:
    """Evaluate, deliver, and return each message as a phone shows it.

    The successor, run 2, does nothing at all in these tests, which is another incident.
    """
    evaluate(db)
    told = [lines(each["payload"]) for each in deliver(db)]
    return [message for message in told if not message[0].endswith(" run=2")]


def crashes(db: Connection, at: str = "now") -> list[Row]:
    """Return the annotations of the rule's rows at a moment."""
    query = "select annotations from agentdb.rule_crashed_run(%s) order by labels"
    return [each["annotations"] for each in rows(db, query, at)]


def crash_now(db: Connection, connect: Connect, *statements: str) -> int:
    """Have a run of agent a end as crashed a moment ago, by its successor."""
    session = connect(db.info.dbname, "agent_a")
    for statement in statements:
        session.execute(statement.encode())
    run = int(value(db, "select max(run_id) from agentdb.run"))
    leave(db, session)
    start(connect(db.info.dbname, "agent_a"))
    assert value(db, "select outcome from agentdb.run where run_id = %s", run)
    return run


def test_process_that_is_started_again_is_one_warning(
    db: Connection, spawn: Spawn, agent: str
) -> None:
    shoot(db, spawn(TICK, LOCK, CALL))
    ready(spawn(PLAIN))
    (message,) = messages(db)
    assert message[0] == "[WARN] crashed_run A-1 agent=a run=1"
    assert message[1].startswith("run 1 of a crashed: its session is gone: process ")
    assert "; lock nightly is kept until 2" in message[1]
    assert "; begun and never ended: bash c1; it goes on in run 2, since" in message[1]
    for _ in range(3):
        pass_time(db, "4 min")
        db.execute(CLOSE.encode())
        assert messages(db) == []
    pass_time(db, "4 min")
    (over,) = messages(db)
    assert over[0].startswith("[RESOLVED] crashed_run A-1")
    assert over[1].endswith(": run 2 of a started")


def test_process_that_nobody_starts_again_is_one_page(
    db: Connection, spawn: Spawn, agent: str
) -> None:
    shoot(db, spawn(TICK, LOCK, CALL))
    assert messages(db) == []
    pass_time(db, "2 min")
    assert [each["run_id"] for each in rows(db, CLOSE)] == [1]
    (message,) = messages(db)
    assert message[0] == "[CRIT] crashed_run A-1 agent=a run=1"
    assert "; nobody has started it again, since 2" in message[1]
    # Its tick is missed and its lock is stale: that is the same incident.
    for by in ("5 min", "4 min", "10 min", "1 hour"):
        pass_time(db, by)
        assert messages(db) == []
    firing = "select rule_name from agentdb.alert where state = 'firing' order by 1"
    assert [each["rule_name"] for each in rows(db, firing)] == [
        "crashed_run",
        "lock_held_too_long",
        "missed_tick",
        "stale_lock",
    ]
    db.execute(CLOSE.encode())
    assert labels(db, "stale_lock") == []
    ready(spawn(TICK))
    (over,) = messages(db)
    assert over[0].startswith("[RESOLVED] crashed_run A-1")
    assert over[1].endswith(": run 2 of a started")
    pass_time(db, "1 hour")
    # The run that stands still is why the next tick is missing.
    evaluate(db)
    (told,) = deliver(db)
    assert (told["payload"]["rule"], told["payload"]["severity"]) == (
        "no_progress",
        "critical",
    )


@pytest.mark.parametrize("first", ["missed_tick", "stale_lock", "lock_contention"])
def test_what_was_reported_before_the_crash_was_seen_says_nothing_after_it(
    db: Connection, spawn: Spawn, agent: str, first: str
) -> None:
    others = "update agentdb.alert_rule set enabled = rule_name in ('crashed_run', %s)"
    db.execute(others, [first])
    db.execute("update agentdb.policy set lock_contention_count = 1")
    register(db, "b", "agent_b")
    shoot(db, spawn(TICK, LOCK))
    ready(spawn(PLAIN, LOCK, role="agent_b"))
    pass_time(db, "9 min" if first == "lock_contention" else "11 min")
    (message,) = messages(db)
    assert f" {first} " in message[0]
    db.execute("update agentdb.lock set expires_at = now() + interval '1 hour'")
    db.execute(CLOSE.encode())
    told = messages(db)
    assert [each[0] for each in told if " crashed_run " in each[0]]
    pass_time(db, "5 min")
    assert messages(db) == []
    ready(spawn(TICK))
    kinds = {each[0].split()[0] for each in messages(db)}
    assert "[WARN]" not in kinds and "[CRIT]" not in kinds


def test_agent_that_wants_the_lock_reports_its_holder(
    db: Connection, spawn: Spawn, agent: str
) -> None:
    register(db, "b", "agent_b")
    lock = "select agentdb.acquire_lock('l', release_on_disconnect => true)"
    shoot(db, spawn(PLAIN, lock))
    ready(spawn(PLAIN, lock, role="agent_b"))
    (found,) = crashes(db)
    assert "its sessions are gone, seen by agent_b that wants lock l" in found["seen"]
    assert found["released"]["locks"]["names"] == ["l"]
    assert "kept_locks" not in found
    assert found["severity"] == "critical"
    assert len(messages(db)) == 1


@pytest.mark.parametrize(
    "promise",
    [
        [TICK],
        [PLAIN, LOCK],
        [PLAIN, "select agentdb.acquire_slot('s', 2)"],
        [PLAIN, "select agentdb.acquire_lock('l', release_on_disconnect => true)"],
        [
            PLAIN,
            "select agentdb.acquire_slot('s', 2, release_on_disconnect => true)",
        ],
        [PLAIN, CALL],
    ],
)
def test_each_promise_is_reason_enough(
    db: Connection, connect: Connect, agent: str, promise: list[str]
) -> None:
    run = crash_now(db, connect, *promise)
    assert labels(db, "crashed_run") == [{"agent": "a", "run": str(run)}]
    assert rows(db, "select labels from agentdb.crashed_run") != []


def test_crash_of_a_run_that_promised_nothing_is_nobodys_concern(
    db: Connection, connect: Connect, agent: str
) -> None:
    crash_now(
        db,
        connect,
        PLAIN,
        "select agentdb.log_progress('s')",
        "select agentdb.reserve_tokens(1000)",
        "select agentdb.ask_human('May I?')",
        "select agentdb.release_lock('l', fence) from agentdb.acquire_lock('l')",
    )
    released = value(db, "select released from agentdb.run where run_id = 1")
    assert released.keys() & {"locks", "kept_locks"} == set()
    assert labels(db, "crashed_run") == []


@pytest.mark.parametrize(
    "end",
    [
        "select agentdb.end_run('failed')",
        "select agentdb.complete_run()",
        "select agentdb.start_run(instance => 'host-3')",
    ],
)
def test_run_that_ended_or_was_replaced_is_no_crash(
    db: Connection, connect: Connect, agent: str, end: str
) -> None:
    session, other = (connect(db.info.dbname, "agent_a") for _ in range(2))
    start(session, tick_interval="5 min", instance="host-3")
    session.execute(LOCK.encode())
    (other if "start_run" in end else session).execute(end.encode())
    leave(db, session)
    start(connect(db.info.dbname, "agent_a"))
    assert value(db, "select outcome from agentdb.run where run_id = 1") != "crashed"
    assert labels(db, "crashed_run") == []


@pytest.mark.parametrize("stop", ["kill_run(1, 'x')", "kill_agent('a', 'x')"])
def test_run_that_was_killed_is_no_crash(
    db: Connection, connect: Connect, agent: str, stop: str
) -> None:
    session = connect(db.info.dbname, "agent_a")
    start(session, tick_interval="5 min")
    session.execute(LOCK.encode())
    db.execute(f"select agentdb.{stop}".encode())
    leave(db, session)
    db.execute(CLOSE.encode())
    assert labels(db, "crashed_run") == []


def test_restart_of_the_server_is_no_crash(home: Path) -> None:
    with LocalServer(directory=home, fast=True) as server:
        install_on(server)
        dsn = server.dsn(database="agentdb", user="agent_a")
        with psycopg.connect(server.dsn(database="agentdb"), autocommit=True) as db:
            register(db)
        session = psycopg.connect(dsn, autocommit=True)
        for statement in (TICK, LOCK, CALL):
            session.execute(statement.encode())
    session.close()
    with (
        LocalServer(directory=home, fast=True) as server,
        psycopg.connect(server.dsn(database="agentdb"), autocommit=True) as db,
    ):
        assert rows(db, CLOSE) == []
        dsn = server.dsn(database="agentdb", user="agent_a")
        with psycopg.connect(dsn, autocommit=True) as session:
            opened = row(session, "select run_id, closed_runs from agentdb.start_run()")
        assert opened == {"run_id": 2, "closed_runs": []}
        assert labels(db, "crashed_run") == []


def test_rule_answers_for_any_moment(
    db: Connection, connect: Connect, agent: str
) -> None:
    session = connect(db.info.dbname, "agent_a")
    start(session, tick_interval="5 min")
    session.execute(LOCK.encode())
    leave(db, session)
    alive = value(db, "select clock_timestamp()::text")
    pass_time(db, "3 min")
    db.execute(CLOSE.encode())
    dead = value(db, "select clock_timestamp()::text")
    ready_again = start(connect(db.info.dbname, "agent_a"))
    now = value(db, "select clock_timestamp()::text")
    # Whatever becomes of the lock and of the successor later.
    db.execute("select agentdb.force_release_lock('nightly', 'free it')")
    db.execute("update agentdb.run set ended_at = now(), outcome = 'failed'"
               " where ended_at is null")  # fmt: skip
    assert crashes(db, alive) == []
    (before,), (after,) = crashes(db, dead), crashes(db, now)
    for found in (before, after):
        assert [each["lock"] for each in found["kept_locks"]] == ["nightly"]
    assert before["severity"] == "critical"
    assert "successor" not in before
    assert after["severity"] == "warning"
    assert after["summary"].endswith(f"it goes on in run {ready_again}")
    (last,) = crashes(db)
    assert last["summary"].endswith(f"run {ready_again} has started since")
    # The first that began is the one, whoever began after it.
    start(connect(db.info.dbname, "agent_a"))
    (again,) = crashes(db)
    assert again["summary"] == last["summary"]
    assert "kept_locks" not in last


def test_crash_is_over_after_the_window_and_the_locks(
    db: Connection, connect: Connect, agent: str
) -> None:
    lock = "select agentdb.acquire_lock('l', '30 min')"
    for statements in ([TICK], [TICK, lock]):
        crash_now(db, connect, *statements)
    in_minutes = "now() + interval '%s min'"
    found = {
        minutes: [
            each["run"]
            for each in labels(db, "crashed_run", value(db, f"select ({in_minutes})::text" % minutes))
        ]
        for minutes in (14, 16, 29, 31)
    }  # fmt: skip
    assert found == {14: ["1", "3"], 16: ["3"], 29: ["3"], 31: []}
    db.execute("update agentdb.policy set crashed_run_window = '1 hour'")
    after = value(db, "select (now() + interval '59 min')::text")
    assert len(labels(db, "crashed_run", after)) == 2


def test_crash_that_nobody_sees_to_is_left_to_the_missed_tick_after_a_day(
    db: Connection, connect: Connect, agent: str
) -> None:
    session = connect(db.info.dbname, "agent_a")
    start(session, tick_interval="5 min")
    leave(db, session)
    pass_time(db, "2 min")
    assert len(rows(db, CLOSE)) == 1
    pass_time(db, "23 hours")
    assert [each["severity"] for each in crashes(db)] == ["critical"]
    pass_time(db, "1 hour")
    assert crashes(db) == []
    assert labels(db, "missed_tick") == [{"agent": "a"}]


def test_only_the_same_instance_goes_on(
    db: Connection, connect: Connect, agent: str
) -> None:
    session, other = (connect(db.info.dbname, "agent_a") for _ in range(2))
    start(session, tick_interval="5 min", instance="host-3")
    leave(db, session)
    start(other, instance="host-4")
    (found,) = crashes(db)
    assert found["severity"] == "critical"
    assert found["summary"].startswith("run 1 of a (host-3) crashed: ")
    run = start(connect(db.info.dbname, "agent_a"), instance="host-3")
    (found,) = crashes(db)
    assert (found["severity"], found["successor"]) == ("warning", run)


def test_what_a_run_started_itself_does_not_go_on_for_it(
    db: Connection, connect: Connect, agent: str
) -> None:
    session, child = (connect(db.info.dbname, "agent_a") for _ in range(2))
    start(session, tick_interval="5 min")
    token = value(session, "select token from agentdb.spawn_token() as token")
    start(child, spawn_token=token)
    leave(db, session)
    pass_time(db, "2 min")
    assert [each["run_id"] for each in rows(db, CLOSE)] == [1]
    (found,) = crashes(db)
    assert found["severity"] == "critical"


def test_restart_before_anybody_saw_the_crash_counts(
    db: Connection, connect: Connect, agent: str
) -> None:
    former, successor = (connect(db.info.dbname, "agent_a") for _ in range(2))
    start(former, tick_interval="5 min")
    assert start(successor) == 2
    leave(db, former)
    pass_time(db, "2 min")
    assert [each["run_id"] for each in rows(db, CLOSE)] == [1]
    (found,) = crashes(db)
    assert (found["severity"], found["successor"]) == ("warning", 2)


def test_nobody_waits_for_an_agent_that_is_stopped(
    db: Connection, connect: Connect, agent: str
) -> None:
    session = connect(db.info.dbname, "agent_a")
    start(session, tick_interval="5 min")
    leave(db, session)
    pass_time(db, "2 min")
    db.execute(CLOSE.encode())
    db.execute("select agentdb.pause_agent('a', 'weekend')")
    (found,) = crashes(db)
    assert found["severity"] == "warning"
    assert found["summary"].endswith("; its agent is stopped")
    pass_time(db, "16 min")
    db.execute("update agentdb.agent_stop set stopped_at = now() - interval '1 min'")
    assert crashes(db) == []


def test_lock_of_a_crashed_run_is_free_with_its_time_and_not_before(
    db: Connection, connect: Connect, agent: str
) -> None:
    crash_now(db, connect, TICK, LOCK)
    state = "select state from agentdb.lock_status where lock_name = 'nightly'"
    for sweep in (CLOSE, "select * from agentdb.maintain()"):
        db.execute(sweep.encode())
        assert value(db, state) == "held"
    pass_time(db, "11 min")
    assert labels(db, "stale_lock") != []
    db.execute(CLOSE.encode())
    assert labels(db, "stale_lock") == []
    logged = row(db, "select run_id, outcome, expires_at from agentdb.lock_log")
    assert (logged["run_id"], logged["outcome"]) == (1, "crashed")
    assert rows(db, "select * from agentdb._release_ended()") == []


def test_crashes_of_one_agent_are_one_message(
    db: Connection, connect: Connect, agent: str
) -> None:
    for _ in range(12):
        crash_now(db, connect, TICK)
    (message,) = messages(db)
    assert message[1].startswith("12 alerts: 12 crashed_run of a")


def test_message_is_short_however_much_was_held(
    db: Connection, connect: Connect, agent: str
) -> None:
    crash_now(
        db,
        connect,
        PLAIN,
        "select agentdb.acquire_lock(repeat('l', 100) || g) from generate_series(1, 40) as g",
        "select agentdb.begin_tool_call(repeat('t', 100), null, 'c' || g)"
        " from generate_series(1, 300) as g",
    )
    (found,) = crashes(db)
    assert "; so are 37 more; " in found["summary"]
    assert " and 297 more; " in found["summary"]
    assert len(found["summary"]) < 1200
    assert len(found["kept_locks"]) == 40


def test_runs_that_did_not_crash_cost_nothing(
    db: Connection, connect: Connect, agent: str
) -> None:
    crash_now(db, connect, TICK, LOCK)
    # All runs of a day that ended well, and the crashes of the days before it.
    db.execute(
        "insert into agentdb.run (agent_id, role_name, pooled, conversation, started_at,"
        " ended_at, outcome, tick_interval, label, lock_max_ttl, renew_needs_progress)"
        " select r.agent_id, role_name, pooled, conversation, t.at, t.at,"
        " case when g < 4700 then 'failed' else 'crashed' end, '1 min', label,"
        " lock_max_ttl, renew_needs_progress"
        " from agentdb.run as r, generate_series(1, 5000) as g,"
        " lateral (select started_at - g * interval '18.5 s' as at) as t"
        " where r.run_id = 1"
    )
    db.execute("vacuum analyze agentdb.run")
    assert len(crashes(db)) == 1
    assert visited(db, "select * from agentdb.crashed_run") < 100
