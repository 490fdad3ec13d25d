"""Progress is evidence: not a heartbeat, not a label again; and ticks come in time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone

import pytest

from agentdb.runner.loops.schedule import next_start, set_schedules
from agentdb.runner.session import session as open_session

from .agents import (
    age,
    evaluate,
    labels,
    refusal,
    register,
    row,
    rows,
    start,
    value,
    visited,
)
from .conftest import Connect, Connection
from .scene import Scene, until
from .servers import Server


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of an agent."""
    register(db)
    return connect(db.info.dbname, "agent_a")


def test_silent_run_fires_until_it_reaches_a_step(
    db: Connection, agent: Connection
) -> None:
    run = start(agent)
    assert labels(db, "no_progress") == []
    age(db, "run", "started_at", "16 minutes")
    assert labels(db, "no_progress") == [{"agent": "a", "run": str(run)}]
    agent.execute("select agentdb.log_tool_call('t')")
    assert len(labels(db, "no_progress")) == 1
    agent.execute("select agentdb.log_progress('s')")
    assert labels(db, "no_progress") == []
    db.execute("select agentdb.roll_up()")
    assert labels(db, "no_progress") == []


def test_silent_run_is_found_also_at_a_past_moment(
    db: Connection, agent: Connection
) -> None:
    run = start(agent)
    age(db, "run", "started_at", "60 minutes")
    moment = value(db, "select (clock_timestamp() - interval '1 minute')::text")
    agent.execute("select agentdb.log_progress('s')")
    db.execute("select agentdb.roll_up()")
    assert labels(db, "no_progress") == []
    assert labels(db, "no_progress", moment) == [{"agent": "a", "run": str(run)}]
    agent.execute("select agentdb.end_run()")
    assert len(labels(db, "no_progress", moment)) == 1


@pytest.mark.parametrize("rolled_up", [False, True])
def test_label_again_is_no_progress(
    db: Connection, agent: Connection, rolled_up: bool
) -> None:
    start(agent)
    agent.execute("select agentdb.log_progress('working, attempt 1')")
    age(db, "run", "started_at", "40 minutes")
    age(db, "progress_log", "recorded_at", "20 minutes")
    if rolled_up:
        db.execute("select agentdb.roll_up()")
    agent.execute("select agentdb.log_progress('working, attempt 2')")
    assert len(labels(db, "no_progress")) == 1
    if rolled_up:
        db.execute("select agentdb.roll_up()")
        assert len(labels(db, "no_progress")) == 1
    agent.execute("select agentdb.log_progress('3 of 7 invoices sent')")
    assert labels(db, "no_progress") == []


def test_audited_write_is_progress(db: Connection, agent: Connection) -> None:
    db.execute("create table public.contact (id int primary key)")
    db.execute("grant insert on public.contact to agent_a")
    db.execute("select agentdb.audit_table('public.contact')")
    start(agent)
    age(db, "run", "started_at", "20 minutes")
    assert len(labels(db, "no_progress")) == 1
    agent.execute("insert into public.contact values (1)")
    assert labels(db, "no_progress") == []
    db.execute("select agentdb.roll_up()")
    assert labels(db, "no_progress") == []


def test_registered_long_call_is_waited_for_within_bounds(
    db: Connection, agent: Connection
) -> None:
    start(agent)
    age(db, "run", "started_at", "70 minutes")
    agent.execute("select agentdb.begin_tool_call('train', call_id => 'c')")
    age(db, "tool_call", "began_at", "60 minutes")
    assert len(labels(db, "no_progress")) == len(labels(db, "hung_tool_call")) == 1
    db.execute(
        "insert into agentdb.tool (tool_name, longest) values ('train', '2 hours')"
    )
    assert labels(db, "no_progress") == labels(db, "hung_tool_call") == []
    db.execute("update agentdb.policy set max_long_call = '40 minutes'")
    assert len(labels(db, "no_progress")) == 1
    db.execute("update agentdb.policy set max_long_call = '4 hours'")
    agent.execute("select agentdb.end_tool_call('c')")
    assert labels(db, "no_progress") == []
    age(db, "tool_call", "ended_at", "16 minutes")
    assert len(labels(db, "no_progress")) == 1


def test_one_announced_call_after_the_other_is_no_excuse_for_days(
    db: Connection, agent: Connection
) -> None:
    start(agent)
    told = []
    for place in range(4):
        call = str(place)
        begin = (
            "select agentdb.begin_tool_call('train', call_id => %s, expect => '4 h')"
        )
        agent.execute(begin, [call])
        for table, column in (("run", "started_at"), ("tool_call", "began_at")):
            age(db, table, column, "3 hours 50 minutes")
        told.append(len(labels(db, "no_progress")))
        agent.execute("select agentdb.end_tool_call(%s)", [call])
    # Eight hours, of policy.max_long_call twice, and no step.
    assert told == [0, 0, 1, 1]


def test_agent_has_an_interval_of_its_own(db: Connection, agent: Connection) -> None:
    start(agent)
    age(db, "run", "started_at", "40 minutes")
    assert len(labels(db, "no_progress")) == 1
    db.execute(
        "insert into agentdb.schedule (agent_id, no_progress_after) "
        "select agent_id, '1 hour' from agentdb.agent"
    )
    assert labels(db, "no_progress") == []
    age(db, "run", "started_at", "21 minutes")
    told = value(db, "select annotations ->> 'summary' from agentdb.no_progress")
    assert "no progress for 1 h 1 min" in told
    assert told.endswith("the limit is 1 h")


def test_promised_tick_fires_until_it_comes(db: Connection, agent: Connection) -> None:
    start(agent, tick_interval="10 min")
    agent.execute("select agentdb.end_run()")
    age(db, "run", "started_at", "10 minutes 30 seconds")
    assert labels(db, "missed_tick") == []
    age(db, "run", "started_at", "1 minute")
    assert labels(db, "missed_tick") == [{"agent": "a"}]
    start(agent, tick_interval="10 min")
    assert labels(db, "missed_tick") == []


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


# Berlin: clocks skip 02:00-03:00 on 29 March 2026, repeat it on 25 October 2026.
STARTS = {
    "every night": ("30 2 * * *", "2026-03-27 12:00", "2026-03-28 01:30"),
    "in the hour that is skipped": (
        "30 2 * * *",
        "2026-03-28 12:00",
        "2026-03-29 01:00",
    ),
    "the night after": ("30 2 * * *", "2026-03-29 01:00", "2026-03-30 00:30"),
    "in the hour that is repeated": (
        "30 2 * * *",
        "2026-10-24 12:00",
        "2026-10-25 00:30",
    ),
    "and only once": ("30 2 * * *", "2026-10-25 00:30", "2026-10-26 01:30"),
    "every hour, the first 02:00": (
        "0 * * * *",
        "2026-10-24 23:59",
        "2026-10-25 00:00",
    ),
    "every hour, the second 02:00": (
        "0 * * * *",
        "2026-10-25 00:00",
        "2026-10-25 01:00",
    ),
    "nine o'clock stays nine in winter": (
        "0 9 * * 1-5",
        "2026-10-23 12:00",
        "2026-10-26 08:00",
    ),
    "strictly after": ("0 9 * * *", "2026-07-01 07:00", "2026-07-02 07:00"),
}


@pytest.mark.parametrize("name", STARTS)
def test_next_start_knows_daylight_saving(name: str) -> None:
    cron, after, expected = STARTS[name]
    assert next_start(cron, "Europe/Berlin", moment(after)) == moment(expected)


@pytest.mark.parametrize(
    ("cron", "zone", "said"),
    [
        ("61 * * * *", "UTC", "is no cron expression"),
        ("0 0 30 2 *", "UTC", "is no cron expression"),
        ("x", "UTC", "is no cron expression"),
        ("0 9 * * *", "Mars/Olympus", "there is no time zone"),
        ("0 9 * * *", "../../etc/passwd", "there is no time zone"),
    ],
)
def test_what_cannot_be_read_is_said(cron: str, zone: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        next_start(cron, zone, moment("2026-01-01 00:00"))


@pytest.fixture
def reckon(db: Connection, server: Server) -> object:
    """Do what a runner does for schedules; return how many it set."""

    async def once() -> int:
        dsn = server.dsn(database=db.info.dbname, user="operator_o")
        async with open_session(dsn) as session:
            return await set_schedules(session)

    return lambda: asyncio.run(once())


def schedule(db: Connection, cron: str, zone: str = "UTC") -> None:
    db.execute(
        "insert into agentdb.schedule (agent_id, cron, time_zone) "
        "select agent_id, %s, %s from agentdb.agent",
        [cron, zone],
    )


def lateness(db: Connection, span: str) -> None:
    db.execute(
        "update agentdb.schedule set due_at = clock_timestamp() - %s::interval", [span]
    )


def test_missed_tick_is_told_once_until_a_run_starts(
    db: Connection, agent: Connection, reckon: object
) -> None:
    assert callable(reckon)
    schedule(db, "* * * * *")
    assert reckon() == 1
    assert reckon() == 0
    due = value(db, "select due_at > clock_timestamp() from agentdb.schedule")
    assert due and labels(db, "missed_tick") == []
    lateness(db, "50 seconds")
    assert labels(db, "missed_tick") == []
    for span in ("2 minutes", "3 hours"):
        lateness(db, span)
        assert reckon() == 0
        evaluate(db)
    assert rows(
        db, "select episode, state from agentdb.alert where rule_name = 'missed_tick'"
    ) == [{"episode": 1, "state": "firing"}]
    start(agent)
    assert labels(db, "missed_tick") == []
    assert reckon() == 1
    assert value(db, "select due_at > clock_timestamp() from agentdb.schedule")
    assert labels(db, "missed_tick") == []


def test_runner_reckons_schedules_and_learns_what_is_normal(scene: Scene) -> None:
    register(scene.db)
    schedule(scene.db, "0 9 * * 1-5", "Europe/Berlin")
    scene.db.execute(
        "insert into agentdb.token_half_hour select agent_id, "
        "now() - interval '3 days', 7, 0, 0, 0 from agentdb.agent"
    )
    scene.start()
    due = "select due_at > now() as due from agentdb.schedule"
    until(lambda: value(scene.db, due))
    until(lambda: value(scene.db, "select count(*) from agentdb.token_normal"))


def test_start_a_little_early_meets_one_tick_only(
    db: Connection, agent: Connection, reckon: object
) -> None:
    assert callable(reckon)
    schedule(db, "0 * * * *")
    reckon()
    db.execute(
        "update agentdb.schedule set due_at = clock_timestamp() + interval '40 s'"
    )
    start(agent)
    assert reckon() == 1
    lateness(db, "-10 seconds")
    assert reckon() == 0
    lateness(db, "2 minutes")
    assert labels(db, "missed_tick") == [{"agent": "a"}]


def test_start_by_hand_is_not_the_tick(
    db: Connection, agent: Connection, reckon: object
) -> None:
    assert callable(reckon)
    schedule(db, "0 * * * *")
    reckon()
    db.execute(
        "update agentdb.schedule set grace = '30 minutes',"
        " due_at = clock_timestamp() + interval '20 minutes'"
    )
    start(agent)
    agent.execute("select agentdb.end_run()")
    assert reckon() == 0
    age(db, "run", "started_at", "51 minutes")
    lateness(db, "31 minutes")
    assert labels(db, "missed_tick") == [{"agent": "a"}]


def test_unreadable_schedule_is_an_alert_until_it_is_mended(
    db: Connection, agent: Connection, connect: Connect, reckon: object
) -> None:
    assert callable(reckon)
    schedule(db, "61 * * * *")
    assert reckon() == 1
    assert reckon() == 0
    told = value(db, "select annotations ->> 'summary' from agentdb.missed_tick")
    assert "cannot be read" in told and "61 * * * *" in told
    operator = connect(db.info.dbname, "operator_o")
    operator.execute("update agentdb.schedule set cron = '0 9 * * 1-5'")
    assert labels(db, "missed_tick") == []
    assert reckon() == 1
    assert row(db, "select error, due_at is not null as due from agentdb.schedule") == {
        "error": None,
        "due": True,
    }


def test_stopped_agent_misses_nothing(
    db: Connection, agent: Connection, reckon: object
) -> None:
    assert callable(reckon)
    schedule(db, "0 * * * *")
    reckon()
    lateness(db, "2 hours")
    db.execute("select agentdb.pause_agent('a', 'holiday')")
    assert labels(db, "missed_tick") == []
    assert reckon() == 1
    db.execute("select agentdb.resume_agent('a', 'back')")
    assert labels(db, "missed_tick") == []


def test_interval_of_the_schedule_stands_in_for_the_promise(
    db: Connection, agent: Connection
) -> None:
    start(agent)
    db.execute(
        "insert into agentdb.schedule (agent_id, tick_interval, grace) "
        "select agent_id, '10 minutes', '5 minutes' from agentdb.agent"
    )
    age(db, "run", "started_at", "14 minutes")
    assert labels(db, "missed_tick") == []
    age(db, "run", "started_at", "2 minutes")
    assert labels(db, "missed_tick") == [{"agent": "a"}]


@pytest.mark.parametrize(
    "wrong",
    [
        "cron = '0 9 * * *; drop'",
        "time_zone = 'a b'",
        "tick_interval = '0'",
        "cron = '0 9 * * *', tick_interval = '1 hour'",
    ],
)
def test_schedule_is_checked(db: Connection, agent: Connection, wrong: str) -> None:
    schedule(db, "0 0 * * *")
    assert refusal(db, f"update agentdb.schedule set {wrong}").sqlstate == "23514"


def test_agents_cannot_change_what_is_expected_of_them(
    db: Connection, agent: Connection
) -> None:
    for attempt in (
        "insert into agentdb.tool (tool_name, longest) values ('t', '1 year')",
        "update agentdb.schedule set cron = null",
        "select agentdb.set_due(1, 'x', 'UTC', now(), now(), null)",
        "select * from agentdb.unset_schedule()",
        "select agentdb.refresh_normal()",
    ):
        assert refusal(agent, attempt).sqlstate == "42501"


@pytest.mark.parametrize(
    "column",
    [
        "no_progress_after",
        "max_long_call",
        "hung_tool_call_after",
        "missed_tick_grace",
        "long_tick_after",
        "lock_held_too_long_after",
        "token_rate_min_history",
        "change_waiting_after",
        "abandon_after",
        "log_retention",
    ],
)
def test_no_span_is_so_long_that_a_rule_breaks(db: Connection, column: str) -> None:
    longest = f"update agentdb.policy set {column} = '100 years'"
    db.execute(longest.encode())
    for rule in ("no_progress", "hung_tool_call", "long_tick", "missed_tick"):
        labels(db, rule)
    assert refusal(db, longest.replace("100", "10000")).sqlstate == "23514"


def test_calls_that_have_ended_cost_the_rules_nothing(
    db: Connection, agent: Connection
) -> None:
    run = start(agent)
    db.execute("insert into agentdb.tool (tool_name, longest) values ('slow', '1 h')")
    db.execute(
        "insert into agentdb.tool_call (run_id, call_id, agent_id, tool, ended_at)"
        " select run_id, 'c' || i, agent_id, 'slow', now()"
        " from agentdb.run, generate_series(1, 3000) as i"
    )
    age(db, "run", "started_at", "30 minutes")
    age(db, "tool_call", "began_at", "30 minutes")
    db.execute("analyze")
    assert labels(db, "no_progress") == [{"agent": "a", "run": str(run)}]
    for rule in ("no_progress", "hung_tool_call"):
        assert visited(db, f"select * from agentdb.{rule}") < 500
