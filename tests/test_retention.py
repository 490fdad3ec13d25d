"""What is old goes, by itself; what is still needed stays."""

from __future__ import annotations

import pytest

from .agents import age, register, rows, start, value
from .conftest import Connect, Connection


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of an agent with one open run that used everything."""
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    session.execute("select agentdb.log_tool_call('t', call_id => 'c1')")
    session.execute("select agentdb.reserve_tokens(100)")
    session.execute("select agentdb.log_tokens(10, 1)")
    return session


def counts(db: Connection) -> dict[str, int]:
    tables = ("run", "run_token", "tool_call", "token_reservation", "run_activity")
    return {
        table: value(db, f"select count(*) from agentdb.{table}") for table in tables
    }


def test_open_run_keeps_all(db: Connection, agent: Connection) -> None:
    age(db, "run", "started_at", "1 year")
    db.execute("select agentdb.roll_up()")
    agent.execute("select agentdb.log_progress('alive')")
    db.execute("select agentdb.maintain()")
    assert set(counts(db).values()) == {1}


def test_ended_run_sheds_what_only_open_ones_need(
    db: Connection, agent: Connection
) -> None:
    agent.execute("select agentdb.end_run()")
    db.execute("select agentdb.roll_up()")
    db.execute("select agentdb.maintain()")
    assert set(counts(db).values()) == {1}
    age(db, "run", "ended_at", "25 hours")
    db.execute("select agentdb.maintain()")
    assert counts(db) == {
        "run": 1,
        "run_token": 0,
        "tool_call": 0,
        "token_reservation": 0,
        "run_activity": 1,
    }


def test_run_goes_when_its_logs_and_its_audit_have_gone(
    db: Connection, agent: Connection
) -> None:
    agent.execute("select agentdb.end_run()")
    db.execute("select agentdb.roll_up()")
    age(db, "run", "ended_at", "89 days")
    db.execute("select agentdb.maintain()")
    assert counts(db)["run"] == 1
    age(db, "run", "ended_at", "2 days")
    said = rows(db, "select object from agentdb.maintain() where action = 'forgot'")
    assert said == [{"object": "1 runs"}]
    assert set(counts(db).values()) == {0}


def test_old_alert_goes_with_its_messages_unless_one_waits(db: Connection) -> None:
    db.execute(
        "insert into agentdb.alert (rule_name, fingerprint, labels, annotations, severity,"
        " state, active_at, seen_at) select 'long_tick', i::text, '{}', '{}', 'info', "
        "case when i < 3 then 'resolved' else 'firing' end, now(), "
        "now() - interval '31 days' from generate_series(1, 3) as i"
    )
    db.execute(
        "with g as (insert into agentdb.alert_group (receiver_name, group_key, labels,"
        " alert_id, open_at, look_at) select 'stdout', fingerprint, '{}', alert_id, now(),"
        " 'infinity' from agentdb.alert returning *)"
        " insert into agentdb.notification (alert_group_id, alert_id, generation, kind,"
        " receiver_name, payload, state) select g.alert_group_id, alert_id, 1, 'firing',"
        " 'stdout', '{}', case fingerprint when '1' then 'queued' else 'sent' end"
        " from g join agentdb.alert using (alert_id)"
    )
    db.execute("select agentdb.maintain()")
    left = rows(db, "select fingerprint from agentdb.alert order by 1")
    assert [each["fingerprint"] for each in left] == ["1", "3"]
    assert value(db, "select count(*) from agentdb.notification") == 2


def test_hours_of_the_baseline_stay(db: Connection, agent: Connection) -> None:
    db.execute(
        "insert into agentdb.token_half_hour select a.agent_id, now() - i * interval '1 day',"
        " 1, 0, 0, 0 from agentdb.agent as a, generate_series(1, 60) as i"
    )
    db.execute("select agentdb.maintain()")
    assert 29 <= value(db, "select count(*) from agentdb.token_half_hour") <= 31
