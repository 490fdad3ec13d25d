"""Logs only grow, lose nothing, and shed old days by partition."""

from __future__ import annotations

import threading

import psycopg
import pytest

from .agents import age, refusal, register, rows, start, value
from .conftest import Connect, Connection

LOGS = (
    "progress_log", "tool_call_log", "token_log", "alert_log", "lock_log", "audit_log",
    "stop_log", "unproven_log",
)  # fmt: skip


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of an agent with one open run and a row in every log of its own."""
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    session.execute("select agentdb.log_progress('s')")
    session.execute("select agentdb.log_tool_call('t')")
    session.execute("select agentdb.log_tokens(1, 1)")
    return session


@pytest.mark.parametrize("role", ["postgres", "agentdb_owner"])
@pytest.mark.parametrize("log", ["progress_log", "tool_call_log", "token_log"])
@pytest.mark.parametrize("partition", ["", "_default"])
def test_log_cannot_be_rewritten_even_by_its_owner(
    db: Connection, agent: Connection, log: str, partition: str, role: str
) -> None:
    db.execute(f"set role {role}".encode())
    for statement in ("delete from agentdb.{}", "truncate agentdb.{}"):
        refused = refusal(db, statement.format(log + partition))
        assert refused.sqlstate == "ZA008"
    update = f"update agentdb.{log}{partition} set recorded_at = now()"
    assert refusal(db, update).sqlstate == "ZA008"


def test_day_partitions_refuse_rewriting_too(db: Connection, agent: Connection) -> None:
    db.execute("select agentdb.maintain()")
    day = value(
        db,
        "select partition_name from agentdb.log_partition "
        "where log_name = 'token_log' and day = (now() at time zone 'UTC')::date",
    )
    for statement in ("delete from agentdb.{}", "truncate agentdb.{}"):
        assert refusal(db, statement.format(day)).sqlstate == "ZA008"


def test_row_without_a_partition_is_kept_and_moved(
    db: Connection, agent: Connection
) -> None:
    assert value(db, "select count(*) from agentdb.token_log_default") == 1
    before = rows(db, "select * from agentdb.token_log")
    db.execute("select agentdb.maintain()")
    assert value(db, "select count(*) from agentdb.token_log_default") == 0
    assert rows(db, "select * from agentdb.token_log") == before


def test_partitions_are_made_ahead_once(db: Connection) -> None:
    made = rows(db, "select object from agentdb.maintain(2) where action = 'added'")
    assert len(made) == 3 * len(LOGS)
    assert rows(db, "select * from agentdb.maintain(2)") == []
    ahead = value(db, "select min(day) - current_date from agentdb.log_partition")
    assert ahead == 0


def test_partitions_past_retention_are_dropped(
    db: Connection, agent: Connection
) -> None:
    age(db, "progress_log", "recorded_at", "31 days")
    age(db, "token_log", "recorded_at", "29 days")
    db.execute("select agentdb.maintain()")
    db.execute("select agentdb.maintain()")
    assert value(db, "select count(*) from agentdb.progress_log") == 0
    assert value(db, "select count(*) from agentdb.token_log") == 1


def test_busy_log_is_maintained_later(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    reader = connect(db.info.dbname)
    with reader.transaction():
        reader.execute("lock table agentdb.token_log_default in share mode")
        found = rows(
            db,
            "select distinct action from agentdb.maintain(0) where object like 'token%%'",
        )
        assert found == [{"action": "postponed"}]
    db.execute("select agentdb.maintain(0)")
    assert value(db, "select count(*) from agentdb.token_log_default") == 0
    assert value(db, "select count(*) from agentdb.token_log") == 1


def test_writers_go_on_while_partitions_are_added(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    with db.transaction():
        agent.execute("set statement_timeout = '20s'")
        db.execute("select agentdb.maintain()")
    agent.execute("select agentdb.log_progress('after')")
    assert value(db, "select count(*) from agentdb.progress_log") == 2


def test_no_call_fails_while_the_day_it_is_gets_its_partition(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    others = [connect(db.info.dbname, "agent_a") for _ in range(3)]
    stop, failed = threading.Event(), list[str]()

    def work(session: Connection) -> None:
        while not stop.is_set():
            try:
                session.execute("select agentdb.log_progress('s')")
            except psycopg.Error as error:
                failed.append(str(error))
            stop.wait(0.001)

    threads = [threading.Thread(target=work, args=[each]) for each in others]
    for each in threads:
        each.start()
    for _ in range(30):
        found = rows(db, "select * from agentdb.maintain(0)")
        if not any(each["action"] == "postponed" for each in found):
            break
    stop.set()
    for each in threads:
        each.join()
    assert failed == []
    db.execute("select agentdb.maintain(0)")
    assert value(db, "select count(*) from agentdb.progress_log_default") == 0


def test_day_in_use_gets_its_partition_when_nobody_writes(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    with agent.transaction():
        agent.execute("select agentdb.log_progress('s')")
        found = rows(db, "select * from agentdb.maintain(0) where object like 'prog%%'")
        assert [each["action"] for each in found] == ["postponed"]
    found = rows(db, "select * from agentdb.maintain(0) where object like 'prog%%'")
    assert [each["action"] for each in found] == ["added"]


@pytest.mark.parametrize("days", [None, -1, 366])
def test_odd_days_ahead_are_refused(db: Connection, days: int | None) -> None:
    assert refusal(db, "select agentdb.maintain(%s::integer)", days).sqlstate == "ZA004"
