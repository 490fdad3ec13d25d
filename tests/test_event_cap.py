"""Above its cap of a day an agent's events are counted and not stored; all else goes on."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from .agents import (
    age,
    evaluate,
    labels,
    policy,
    refusal,
    register,
    row,
    rows,
    start,
    value,
)
from .conftest import Connect, Connection
from .test_intake import event, record, statuses

ROLL = "select agentdb.roll_up()"
STORED = """
select (select count(*) from agentdb.tool_call_log) as calls,
  (select count(*) from agentdb.token_log) as usages,
  (select count(*) from agentdb.progress_log) as steps
"""
COUNTED = """
select sum(tool_calls)::int as calls, sum(model_calls)::int as usages,
  sum(steps)::int as steps, sum(tool_errors)::int as errors
from agentdb.run_activity
"""
DAY = "select events, unstored, capped_by from agentdb.event_day where agent_id = 1"
SPENT = "select spent, cost from agentdb.remaining_budget() where scope = %s"
SCOPES = ("run", "conversation", "agent_day", "tree")
ODD = json.dumps([{"step": "odd"}, {"step": " "}])
EVENTS = json.dumps(
    [
        {"kind": "tool_call", "tool": "t", "ok": False},
        {"kind": "tokens", "input": 5, "output": 2},
        {"kind": "progress", "step": "there"},
    ]
)
# What an agent can log, and how many events of it there are.
CALLS = {
    "log_tool_call": ("select * from agentdb.log_tool_call('t', ok => false)", 1),
    "end_tool_call": ("select * from agentdb.end_tool_call('begun')", 1),
    "log_progress": ("select * from agentdb.log_progress('x')", 1),
    "log_tokens": ("select * from agentdb.log_tokens(10, 1)", 1),
    "log_tool_call_many": (
        """select * from agentdb.log_tool_call_many('[{"tool": "t"}, {"tool": "u"}]')""",
        2,
    ),
    "odd calls": (
        """select * from agentdb.log_tool_call_many(
          '[{"tool": "t", "ok": "true"}, {"tool": "u", "violation": "x"}, {}]')""",
        2,
    ),
    "log_progress_many": (f"select * from agentdb.log_progress_many('{ODD}')", 1),
    "log_tokens_many": (
        """select * from agentdb.log_tokens_many('[{"input": 1}, {"input": 2}]')""",
        2,
    ),
    "odd usages": (
        """select * from agentdb.log_tokens_many(
          '[{"input": 1, "reasoning": 0, "input_cost": 1}, {"input": -1}]')""",
        1,
    ),
    "log_events": (f"select * from agentdb.log_events('{EVENTS}')", 3),
    "odd events": (
        """select * from agentdb.log_events('[{"kind": "progress", "step": "y"},
          {"kind": "tool_call", "tool": "t", "ok": "false"},
          {"kind": "tokens", "input": 1, "input_cost": 1},
          {"kind": "progress", "step": ""}]')""",
        3,
    ),
}


def cap(db: Connection, events: int | None = 1, size: int | None = None) -> None:
    """Set the caps of the policy."""
    db.execute(
        "update agentdb.policy set max_events_per_day = %s, max_event_bytes_per_day = %s",
        [events, size],
    )


def capped(db: Connection, session: Connection, *others: Connection) -> None:
    """Bring an agent to its cap, with a step that is stored."""
    cap(db)
    session.execute("select agentdb.log_progress('before')")
    db.execute(ROLL)


def unstored(db: Connection) -> int:
    """Return what was counted and not stored, taken by a roll-up."""
    db.execute(ROLL)
    return int(value(db, "select coalesce(sum(unstored), 0) from agentdb.event_day"))


def over(db: Connection) -> None:
    """Let the day be over."""
    age(db, "event_day", "day_at", "1 day")
    age(db, "run", "unstored_until", "1 day")


@pytest.mark.parametrize("call", CALLS)
def test_what_is_logged_above_the_cap_is_counted_and_answered(
    db: Connection, agent: Connection, call: str
) -> None:
    agent.execute("select agentdb.begin_tool_call('slow', call_id => 'begun')")
    capped(db, agent)
    before = row(db, STORED)
    query, events = CALLS[call]
    said = row(agent, query)
    assert "policy.max_events_per_day, 1" in said["advice"]
    assert "counted and not stored until 00:00 UTC" in said["advice"]
    assert said.get("repeated") in (None, False, 0)
    assert said.get("recorded") in (None, 0)
    assert said.get("recorded_at") is None
    assert row(db, STORED) == before
    assert unstored(db) == events
    assert row(db, STORED) == before


def test_caps_are_those_of_the_issue(db: Connection) -> None:
    found = row(
        db,
        "select distinct max_events_per_day, max_event_bytes_per_day from agentdb.policy",
    )
    assert found == {
        "max_events_per_day": 200_000,
        "max_event_bytes_per_day": 1 << 30,
    }


def test_the_last_event_below_the_cap_is_stored(
    db: Connection, agent: Connection
) -> None:
    cap(db, 3)
    for _ in range(2):
        agent.execute("select agentdb.log_tokens(1, 1)")
        db.execute(ROLL)
    assert row(agent, CALLS["log_progress"][0])["advice"] is None
    assert row(agent, CALLS["log_progress"][0])["advice"] is None
    db.execute(ROLL)
    assert row(db, DAY) == {
        "events": 4,
        "unstored": 0,
        "capped_by": "max_events_per_day",
    }
    assert row(agent, CALLS["log_progress"][0])["advice"]
    assert row(db, STORED) == {"calls": 0, "usages": 2, "steps": 2}


def test_bytes_are_capped_as_they_are_stored(db: Connection, agent: Connection) -> None:
    cap(db, None, 100_000)
    # It does not compress: the log has all of it.
    large = "select agentdb.log_tool_call('t', jsonb_build_object('a', %s::text))"
    noise = value(
        db,
        "select string_agg(md5(n::text), '') from generate_series(1, 1000) as n",
    )
    for _ in range(3):
        agent.execute(large, [noise])
    db.execute(ROLL)
    assert row(db, DAY)["capped_by"] is None
    agent.execute(large, [noise])
    db.execute(ROLL)
    said = row(agent, CALLS["log_tool_call"][0])["advice"]
    assert "policy.max_event_bytes_per_day, 100000" in said
    assert row(db, STORED)["calls"] == 4
    taken = value(db, "select bytes from agentdb.events_by_agent_day")
    assert 4 * 32_000 < taken < 4 * 33_000


def test_bytes_of_small_rows_are_what_the_tables_take(
    db: Connection, agent: Connection
) -> None:
    agent.execute(
        """select agentdb.log_tool_call('search', '{"q": "one"}', result => 'x'),
          agentdb.log_tokens(100, 10, model => 'a-model'),
          agentdb.log_progress('step ' || n) from generate_series(1, 3000) as n"""
    )
    db.execute(ROLL)
    size = """
    select sum(pg_total_relation_size(l.log))::bigint
    from (select partition_name::text, log_name from agentdb.log_partition) as p,
      lateral (select ('agentdb.' || p.partition_name)::regclass as log) as l
    where p.log_name in ('tool_call_log', 'token_log', 'progress_log')
    """
    on_disk = value(db, size)
    counted = value(db, "select bytes from agentdb.event_day")
    assert 0.7 < counted / on_disk < 1.4


def test_a_batch_that_crosses_is_stored_whole_and_the_next_is_not(
    db: Connection, agent: Connection
) -> None:
    cap(db, 15)
    batch = json.dumps([{"kind": "progress", "step": f"s{n}"} for n in range(10)])
    for stored in (10, 10, 0):
        said = row(agent, "select * from agentdb.log_events(%s::jsonb)", batch)
        assert (said["recorded"], said["repeated"]) == (stored, 0)
        db.execute(ROLL)
    assert row(db, DAY)["events"] == 20
    assert unstored(db) == 10


def test_refused_rows_are_refused_above_the_cap_as_well(
    db: Connection, agent: Connection
) -> None:
    capped(db, agent)
    assert row(agent, CALLS["log_progress_many"][0])["refused"] == [
        {"row": 2, "why": "step must not be empty"}
    ]
    said = row(agent, CALLS["odd calls"][0])
    assert [each["row"] for each in said["refused"]] == [3]
    assert (said["recorded"], said["repeated"]) == (0, 0)
    assert refusal(agent, "select agentdb.log_tool_call('')").sqlstate == "ZA004"
    assert refusal(agent, "select agentdb.log_tokens(-1, 0)").sqlstate == "ZA004"


BAD: dict[str, list[Any]] = {
    "tool_call": [
        {},
        7,
        {"tool": " "},
        {"tool": "t", "ok": "perhaps"},
        {"tool": "t", "ok": 1, "call_id": "a\tb"},
        {"tool": "t", "result_size": -1},
        {"tool": "t", "result_size": "large"},
        {"tool": "t", "duration": "-1 s"},
        {"tool": "t", "duration": "200 years"},
        {"tool": "t", "duration": "soon"},
        {"tool": "t", "args": {"a": "x"}, "duration": "1 min", "violation": "v"},
    ],
    "tokens": [
        {},
        {"input": -1},
        {"input": "1e3"},
        {"input": 1, "output": 1, "reasoning": 2},
        {"input": 1, "cached_input": 5, "cached_within": True},
        {"input": 1, "cached_within": "perhaps"},
        {"input": 1, "cost": -1},
        {"input": 1, "cost": "much"},
        {"input": 1, "cost": 5, "output_cost": 1},
        {"input": 9, "cached_input": 5, "cached_within": True, "output_cost": 1},
    ],
    "progress": [{}, {"step": ""}, {"step": 7}, {"step": " \n"}, {"step": "s"}],
}


@pytest.mark.parametrize("call", ["log_events", *BAD])
def test_what_is_refused_is_refused_above_the_cap_in_the_same_words(
    db: Connection, agent: Connection, call: str
) -> None:
    if call == "log_events":
        batch = [
            {**item, "kind": kind}
            for kind, items in BAD.items()
            for item in items
            if isinstance(item, dict)
        ] + [{"kind": "other"}, {"step": "x"}]
    else:
        batch = BAD[call]
    log = {"tool_call": "log_tool_call_many", "tokens": "log_tokens_many"}
    name = log.get(call, "log_progress_many" if call == "progress" else call)
    query = f"select * from agentdb.{name}(%s::jsonb)"
    below = row(agent, query, json.dumps(batch))
    stored = sum(row(db, STORED).values())
    capped(db, agent)
    above = row(agent, query, json.dumps(batch))
    assert above["refused"] == below["refused"]
    assert len(batch) - len(above["refused"]) == stored
    assert (above["recorded"], above.get("repeated", 0)) == (0, 0)
    assert unstored(db) == stored


def test_budgets_have_every_token(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    spent, cost = 0, Decimal(0)

    def use(tokens: int, price: str = "0") -> None:
        nonlocal spent, cost
        spent, cost = spent + tokens, cost + Decimal(price)
        for scope in SCOPES:
            left = row(agent, SPENT, scope)
            assert (left["spent"], Decimal(str(left["cost"]))) == (spent, cost)

    agent.execute("select agentdb.log_tokens(100, 11, 7, cost => 0.5)")
    use(118, "0.5")
    capped(db, agent)
    agent.execute("select agentdb.log_tokens(200, 20, 10, model => 'm', cost => 0.25)")
    use(230, "0.25")
    db.execute(ROLL)
    use(0)
    agent.execute(
        "select agentdb.log_tokens(300, 0, input_cost => 0.1, output_cost => 0.02)"
    )
    use(300, "0.12")
    agent.execute(
        """select agentdb.log_tokens_many('[{"input": 1, "output": 2, "cost": 1.5},
          {"input": 4, "cached_input": 8, "model": "m"}]')"""
    )
    use(15, "1.5")
    agent.execute(CALLS["log_events"][0])
    use(7)
    held = value(agent, "select reservation from agentdb.reserve_tokens(100)")
    agent.execute("select agentdb.settle_tokens(%s, 40, 2)", [held])
    use(42)
    db.execute(ROLL)
    use(0)
    assert row(db, STORED)["usages"] == 1
    day = row(
        db,
        "select input_tokens + cached_input_tokens + output_tokens as tokens, cost,"
        " input_cost, output_cost from agentdb.cost_by_agent_day",
    )
    assert (day["tokens"], day["cost"]) == (spent, cost)
    assert (day["input_cost"], day["output_cost"]) == (Decimal("0.1"), Decimal("0.02"))
    models = rows(
        db,
        "select model, model_calls, unpriced_calls, input_tokens from agentdb.cost"
        " order by model",
    )
    assert models == [
        {"model": "m", "model_calls": 2, "unpriced_calls": 1, "input_tokens": 204},
        {"model": None, "model_calls": 5, "unpriced_calls": 2, "input_tokens": 446},
    ]
    # And it is refused when they are spent.
    db.execute("update agentdb.policy set run_budget_tokens = %s", [spent + 10])
    assert value(agent, "select granted from agentdb.reserve_tokens(10)")
    assert not value(agent, "select granted from agentdb.reserve_tokens(11)")


def test_a_response_is_counted_once(db: Connection, agent: Connection) -> None:
    one = "select * from agentdb.log_tokens(10, 0, response_id => %s)"
    agent.execute(one, ["response-00000000-a"])
    capped(db, agent)
    assert row(agent, one, "response-00000000-a")["repeated"]
    assert not row(agent, one, "response-00000000-b")["repeated"]
    assert row(agent, one, "response-00000000-b")["repeated"]
    batch = json.dumps(
        [{"input": 1, "response_id": f"response-00000000-{c}"} for c in "bccd"]
    )
    said = row(agent, "select * from agentdb.log_tokens_many(%s::jsonb)", batch)
    assert (said["recorded"], said["repeated"]) == (0, 2)
    assert row(agent, SPENT, "run")["spent"] == 22
    over(db)
    assert row(agent, one, "response-00000000-d")["repeated"]


def test_ids_are_remembered_as_far_as_there_is_room(
    db: Connection, agent: Connection
) -> None:
    one = "select * from agentdb.log_tokens(10, 0, response_id => %s)"
    agent.execute(one, ["response-00000000-a"])
    capped(db, agent)
    db.execute("update agentdb.event_day set unstored = 200000")
    assert row(agent, one, "response-00000000-a")["repeated"]
    for _ in range(2):
        assert not row(agent, one, "response-00000000-b")["repeated"]
    assert value(db, "select count(*) from agentdb.event_key") == 1
    assert row(agent, SPENT, "run")["spent"] == 30


def test_names_of_models_fill_no_table(db: Connection, agent: Connection) -> None:
    capped(db, agent)
    agent.execute(
        "select agentdb.log_tokens(1, 0, model => 'm' || n) from generate_series(1, 50) n"
    )
    batch = json.dumps([{"input": 1, "model": f"n{n}"} for n in range(50)])
    agent.execute("select agentdb.log_tokens_many(%s::jsonb)", [batch])
    db.execute(ROLL)
    found = row(
        db,
        "select count(*) as models, sum(input_tokens) as input from agentdb.run_cost",
    )
    assert found == {"models": 21, "input": 100}


def test_sessions_do_not_wait_for_each_other_nor_the_roll_up_for_them(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    capped(db, agent)
    other = connect(db.info.dbname, "agent_a")
    start(other)
    run = value(agent, "select run_id from agentdb.check_run()")
    with other.transaction():
        other.execute("select agentdb.log_tokens(10, 0, run => %s)", [run])
        other.execute("select agentdb.log_progress('x', run => %s)", [run])
        agent.execute("set lock_timeout = '1ms'")
        agent.execute("select agentdb.log_tokens(20, 0)")
        assert unstored(db) == 1
        assert row(agent, SPENT, "run")["spent"] == 20
        agent.execute("select agentdb.log_tokens(30, 0)")
    assert row(agent, SPENT, "run")["spent"] == 60
    assert unstored(db) == 4
    assert row(agent, SPENT, "run")["spent"] == 60


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_an_older_snapshot_counts_as_well(
    db: Connection, agent: Connection, level: str
) -> None:
    capped(db, agent)
    agent.execute("select agentdb.log_tokens(1, 0)")
    with agent.transaction():
        agent.execute(f"set transaction isolation level {level}".encode())
        agent.execute("select agentdb.log_tokens(10, 0)")
        db.execute(ROLL)
        agent.execute("select agentdb.log_tokens(20, 0)")
    assert row(agent, SPENT, "run")["spent"] == 31
    with agent.transaction():
        agent.execute(f"set transaction isolation level {level}".encode())
        assert row(agent, SPENT, "run")["spent"] == 31
        db.execute(ROLL)
        agent.execute("select agentdb.log_tokens(40, 0)")
    assert row(agent, SPENT, "run")["spent"] == 71
    assert unstored(db) == 4


def test_what_is_rolled_back_was_not_counted(db: Connection, agent: Connection) -> None:
    capped(db, agent)
    with agent.transaction(force_rollback=True):
        agent.execute("select agentdb.log_tokens(10, 0)")
    assert row(agent, SPENT, "run")["spent"] == 0
    assert unstored(db) == 0


@pytest.mark.parametrize("how", ["rolled back", "killed"])
def test_a_roll_up_that_does_not_commit_counts_nothing_twice(
    db: Connection, connect: Connect, agent: Connection, how: str
) -> None:
    cap(db, 4)
    agent.execute("select agentdb.log_tokens(10, 0), agentdb.log_progress('one')")
    runner = connect(db.info.dbname)

    def fail() -> None:
        runner.execute("begin")
        runner.execute(ROLL)
        if how == "killed":
            pid = runner.info.backend_pid
            db.execute("select pg_terminate_backend(%s, 10000)", [pid])
            runner.close()
        else:
            runner.execute("rollback")

    fail()
    assert row(db, "select count(*) as days from agentdb.event_day")["days"] == 0
    db.execute(ROLL)
    assert row(db, DAY) == {"events": 2, "unstored": 0, "capped_by": None}
    agent.execute("select agentdb.log_tokens(10, 0), agentdb.log_progress('two')")
    db.execute(ROLL)
    agent.execute("select agentdb.log_tokens(5, 0), agentdb.log_tool_call('t')")
    runner = connect(db.info.dbname)
    fail()
    assert row(agent, SPENT, "run")["spent"] == 25
    assert unstored(db) == 2
    assert unstored(db) == 2
    assert row(db, DAY)["events"] == 4
    assert row(agent, SPENT, "run")["spent"] == 25
    assert row(db, COUNTED) == {"calls": 1, "usages": 3, "steps": 2, "errors": 0}


def test_totals_of_runs_have_what_was_not_stored(
    db: Connection, agent: Connection
) -> None:
    capped(db, agent)
    for query, _ in CALLS.values():
        if "end_tool_call" not in query:
            agent.execute(query.encode())
    db.execute(ROLL)
    assert row(db, COUNTED) == {"calls": 7, "usages": 6, "steps": 5, "errors": 3}
    hour = row(
        db, "select sum(calls)::int as c, sum(errors)::int as e from agentdb.call_hour"
    )
    assert hour == {"c": 7, "e": 3}
    assert value(db, "select last_step from agentdb.run_activity") == "y"


def test_a_new_day_needs_no_runner(db: Connection, agent: Connection) -> None:
    capped(db, agent)
    assert row(agent, CALLS["log_progress"][0])["advice"]
    over(db)
    assert row(agent, CALLS["log_progress"][0])["advice"] is None
    assert row(db, STORED)["steps"] == 2
    db.execute(ROLL)
    # The cap of the new day.
    assert row(agent, CALLS["log_progress"][0])["advice"]
    assert row(db, STORED)["steps"] == 2


@pytest.mark.parametrize("events", [None, 10])
def test_a_higher_cap_counts_at_the_next_roll_up(
    db: Connection, agent: Connection, events: int | None
) -> None:
    capped(db, agent)
    agent.execute(CALLS["log_progress"][0].encode())
    cap(db, events)
    db.execute(ROLL)
    assert row(agent, CALLS["log_progress"][0])["advice"] is None
    assert row(db, STORED)["steps"] == 2
    assert row(db, DAY)["unstored"] == 1
    assert labels(db, "event_cap") == []


def test_the_runs_that_are_not_concerned_are_left_alone(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    register(db, "b", "agent_b")
    other = connect(db.info.dbname, "agent_b")
    start(other)
    before = value(db, "select xmin::text from agentdb.run where agent_id = 2")
    capped(db, agent)
    db.execute(ROLL)
    assert row(other, CALLS["log_progress"][0])["advice"] is None
    assert value(db, "select xmin::text from agentdb.run where agent_id = 2") == before
    settled = value(db, "select xmin::text from agentdb.run where agent_id = 1")
    db.execute(ROLL)
    assert value(db, "select xmin::text from agentdb.run where agent_id = 1") == settled


def test_the_rule_fires_and_ends(db: Connection, agent: Connection) -> None:
    cap(db, 2)
    agent.execute("select agentdb.log_tokens(1, 0)")
    evaluate(db)
    assert labels(db, "event_cap") == []
    agent.execute("select agentdb.log_tokens(1, 0)")
    db.execute(ROLL)
    agent.execute("select agentdb.log_progress('x'), agentdb.log_tool_call('t')")
    evaluate(db)
    (told,) = rows(db, "select * from agentdb.event_cap")
    assert (told["labels"], told["value"]) == ({"agent": "a"}, 2)
    agent.execute("select agentdb.log_progress('x')")
    (told,) = rows(db, "select * from agentdb.event_cap")
    # What the roll-up has not taken yet counts.
    assert told["value"] == 3
    summary = told["annotations"]["summary"]
    assert summary.startswith("a has stored 2 events today, ")
    assert summary.endswith(
        "reached policy.max_events_per_day (2): 3 events are counted and not stored"
    )
    alert = "select state, severity from agentdb.alert where rule_name = 'event_cap'"
    assert row(db, alert) == {"state": "firing", "severity": "warning"}
    assert "policy.max_events_per_day" in value(
        agent, "select advice from agentdb.check_run()"
    )
    # It is said once, however it is known.
    said = row(agent, CALLS["log_progress"][0])["advice"]
    assert said.count("counted and not stored") == 1
    over(db)
    evaluate(db)
    assert row(db, alert)["state"] == "resolved"
    assert value(agent, "select advice from agentdb.check_run()") is None


def test_evidence_of_the_rule_can_be_asked(db: Connection, agent: Connection) -> None:
    cap(db, 2)
    agent.execute("select agentdb.log_tool_call('search') from generate_series(1, 2)")
    evaluate(db)
    query = value(
        db, "select agentdb.evidence_query(alert_id) from agentdb.alert limit 1"
    )
    (found,) = rows(db, query)
    assert (found["tool"], found["calls"]) == ("search", 2)


def test_a_stop_stops(db: Connection, connect: Connect, agent: Connection) -> None:
    capped(db, agent)
    operator = connect(db.info.dbname, "operator_o")
    operator.execute("select agentdb.pause_agent('a', 'wait')")
    for query, _ in CALLS.values():
        assert refusal(agent, query).sqlstate == "ZA041"
    operator.execute("select agentdb.resume_agent('a', 'go on')")
    assert row(agent, CALLS["log_progress"][0])["advice"]
    operator.execute("select agentdb.kill_agent('a', 'too much')")
    for query, _ in CALLS.values():
        assert refusal(agent, query).sqlstate == "ZA040"


def test_locks_and_runs_go_on(db: Connection, agent: Connection) -> None:
    capped(db, agent)
    fence = value(agent, "select fence from agentdb.acquire_lock('l', '10 min')")
    renew = "select outcome from agentdb.renew_lock('l', %s, needs_progress => true)"
    assert value(agent, renew, fence) == "no_progress"
    # A step that was said before is none; one that was not is.
    agent.execute("select agentdb.log_progress('before')")
    assert value(agent, renew, fence) == "no_progress"
    agent.execute("select agentdb.log_progress('something new')")
    assert value(agent, renew, fence) == "renewed"
    db.execute(ROLL)
    assert value(agent, renew, fence) == "no_progress"
    agent.execute(
        """select agentdb.log_progress_many('[{"step": "more"}, {"step": "before"}]')"""
    )
    db.execute(ROLL)
    assert value(agent, renew, fence) == "renewed"
    assert value(agent, "select released from agentdb.release_lock('l', %s)", fence)
    assert value(agent, "select state from agentdb.complete_run('done')") is not None


def test_a_run_that_only_counts_is_not_silent(
    db: Connection, agent: Connection
) -> None:
    capped(db, agent)
    db.execute("update agentdb.policy set abandon_after = '30 minutes'")
    for table, column in (
        ("run", "started_at"),
        ("progress_log", "recorded_at"),
        ("run_activity", "last_progress_at"),
    ):
        age(db, table, column, "1 hour")
    with db.transaction(force_rollback=True):
        assert rows(db, "select * from agentdb._abandon_runs(null)")
    agent.execute("select agentdb.log_tool_call('t')")
    assert rows(db, "select * from agentdb._abandon_runs(null)") == []
    db.execute(ROLL)
    assert rows(db, "select * from agentdb._abandon_runs(null)") == []


def test_new_steps_are_progress_above_the_cap(
    db: Connection, agent: Connection
) -> None:
    capped(db, agent)
    for table, column in (
        ("run", "started_at"),
        ("progress_log", "recorded_at"),
        ("run_activity", "last_progress_at"),
        ("run_activity", "evidence_at"),
    ):
        age(db, table, column, "1 hour")
    agent.execute("select agentdb.log_progress('before')")
    assert len(labels(db, "no_progress")) == 1
    db.execute(ROLL)
    assert len(labels(db, "no_progress")) == 1
    agent.execute("select agentdb.log_progress('something new')")
    assert labels(db, "no_progress") == []
    db.execute(ROLL)
    assert labels(db, "no_progress") == []


def test_a_call_that_was_begun_ends_and_is_in_flight_until_then(
    db: Connection, agent: Connection
) -> None:
    begin = """select agentdb.begin_tool_call('t', '{"a": 1}', %s)"""
    flight = "select call_id, args from agentdb.tool_call where ended_at is null"
    agent.execute(begin, ["below"])
    capped(db, agent)
    agent.execute(begin, ["above"])
    agent.execute(begin, ["last"])
    assert rows(db, flight) == [
        {"call_id": "below", "args": {"a": 1}},
        {"call_id": "above", "args": None},
        {"call_id": "last", "args": None},
    ]
    end = "select repeated, duration from agentdb.end_tool_call(%s)"
    for call in ("below", "above"):
        said = row(agent, end, call)
        assert not said["repeated"]
        assert said["duration"]
        assert row(agent, end, call)["repeated"]
    agent.execute("select agentdb.log_tool_call('t', call_id => 'log')")
    assert rows(db, flight) == [{"call_id": "last", "args": None}]
    assert value(db, "select count(*) from agentdb.tool_call") == 1
    over(db)
    db.execute(ROLL)
    # Below the cap of the next day, ends that nobody remembers are no errors.
    cap(db, 100)
    db.execute(ROLL)
    assert row(agent, end, "above")["repeated"]
    assert not row(agent, end, "last")["repeated"]
    assert row(db, STORED)["calls"] == 1


def test_a_call_that_was_recorded_is_repeated_above_the_cap(
    db: Connection, agent: Connection
) -> None:
    one = "select * from agentdb.log_tool_call('t', call_id => 'c')"
    agent.execute(one)
    capped(db, agent)
    assert row(agent, one)["repeated"]
    many = """select * from agentdb.log_tool_call_many('[{"tool": "t", "call_id": "c"},
      {"tool": "t", "call_id": "d"}, {"tool": "t", "call_id": "d"}]')"""
    said = row(agent, many)
    assert (said["recorded"], said["repeated"]) == (0, 2)
    assert unstored(db) == 1


def test_no_session_and_no_run_escapes(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    capped(db, agent)
    assert value(agent, "select ended_at from agentdb.end_run()")
    start(agent)
    assert row(agent, CALLS["log_progress"][0])["advice"]
    other = connect(db.info.dbname, "agent_a")
    start(other, conversation="another")
    assert row(other, CALLS["log_progress"][0])["advice"]
    token = value(other, "select token from agentdb.start_run()")
    with agent.transaction():
        agent.execute("select agentdb.bind_run(%s)", [token])
        assert row(agent, CALLS["log_progress"][0])["advice"]
    # Also one that began while the roll-up came by.
    with other.transaction():
        run = start(other)
        cap(db, None)
        db.execute(ROLL)
        cap(db, 1)
        db.execute(ROLL)
    db.execute(ROLL)
    assert value(other, "select advice from agentdb.log_progress('x', run => %s)", run)
    assert row(db, STORED)["steps"] == 1


def test_behind_a_shared_role_agents_have_caps_of_their_own(
    db: Connection, connect: Connect
) -> None:
    pool = connect(db.info.dbname, "agent_pool")
    tokens = {}
    for name in ("p", "q"):
        secret = register(db, name, "agent_pool", pooled=True)
        tokens[name] = value(
            pool,
            "select token from agentdb.start_run(agent => %s, secret => %s)",
            name,
            secret,
        )

    def said(name: str) -> Any:
        with pool.transaction():
            pool.execute("select agentdb.bind_run(%s)", [tokens[name]])
            return row(pool, CALLS["log_progress"][0])["advice"]

    cap(db, 1)
    assert said("p") is None
    db.execute(ROLL)
    assert said("p")
    assert said("q") is None


@pytest.mark.parametrize(
    "query",
    [
        "update agentdb.run set unstored_until = null",
        "update agentdb.event_day set events = 0",
        "update agentdb.policy set max_events_per_day = null",
        "delete from agentdb.event_unstored",
        "select * from agentdb.event_day",
        "select * from agentdb.event_unstored",
        "select * from agentdb.events_by_agent_day",
        "select * from agentdb.event_cap",
        "select agentdb.roll_up()",
        "select agentdb._cap_agents()",
        "select agentdb._cap_advice(2, null)",
        "select agentdb._add_unstored(1, 2, 0, 0, 0, null, false)",
        "select agentdb._pass_limits(null)",
    ],
)
def test_an_agent_reads_and_sets_nothing_of_it(
    db: Connection, agent: Connection, query: str
) -> None:
    capped(db, agent)
    assert refusal(agent, query).sqlstate == "42501"


def test_settings_and_schemas_of_a_session_change_nothing(
    db: Connection, agent: Connection
) -> None:
    capped(db, agent)
    agent.execute("create temporary table event_unstored (x int)")
    agent.execute("set search_path = pg_temp, agentdb")
    agent.execute("set timezone = 'Pacific/Kiritimati'")
    agent.execute("set agentdb.unstored_until = '-infinity'")
    assert row(agent, CALLS["log_progress"][0])["advice"]
    assert unstored(db) == 1
    days = "select day::text from agentdb.events_by_agent_day"
    assert value(db, days) == value(db, "select (now() at time zone 'UTC')::date::text")


def test_emitters_are_counted_as_well(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    intake = connect(db.info.dbname, "intake_i")
    capped(db, agent)
    before = row(db, STORED)
    told = [
        event("start", purpose="work", ids=["s"]),
        event("begin", tool="read", args={"path": "/a"}, call_id="t1"),
        event("call", call_id="t1", ok=True, result="text"),
        event("call", tool="read", args={}, call_id="t2", ok=False, error="no"),
        event("begin", tool="write", args={"path": "/b"}, call_id="t3"),
        event("denied", tool="rm", call_id="t4", reason="no"),
        event("tokens", input=100, output=30, cost=0.5, model="m", ids=["resp_1"]),
        event("tokens", input=1, ids=["resp_2"]),
        event("progress", step="read the file", ids=["p1"]),
    ]
    assert statuses(record(intake, *told)) == [
        "recorded",
        "recorded",
        "counted",
        "counted",
        "recorded",
        *["counted"] * 4,
    ]
    assert row(db, STORED) == before
    flight = "select call_id, args from agentdb.tool_call"
    assert rows(db, flight) == [{"call_id": "t3", "args": None}]
    # Once, also when it is sent again.
    again = statuses(record(intake, told[6], told[7], event("end", ids=["e"])))
    assert again == ["repeated", "repeated", "recorded"]
    assert unstored(db) == 6
    spent = "select sum(spent) from agentdb.budget where conversation = 'c-1' and scope = 'run'"
    assert value(db, spent) == 131
    assert value(db, "select outcome from agentdb.run where opened_by = 'otlp'")
    db.execute("update agentdb.event_day set unstored = 200000")
    keys = value(db, "select count(*) from agentdb.event_key")
    assert statuses(record(intake, event("tokens", input=1, ids=["resp_3"]))) == [
        "counted"
    ]
    assert value(db, "select count(*) from agentdb.event_key") == keys


def test_emitters_of_others_are_recorded(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    intake = connect(db.info.dbname, "intake_i")
    register(db, "b", "agent_b")
    capped(db, agent)
    told = [
        event("progress", step=f"{name} {n}", agent=name)
        for n in range(3)
        for name in "ab"
    ]
    assert statuses(record(intake, *told)) == ["counted", "recorded"] * 3
    assert row(db, STORED)["steps"] == 4
    assert unstored(db) == 3


def test_files_of_the_past_have_no_cap(db: Connection) -> None:
    cap(db)
    told = json.dumps(
        [
            event(
                "tokens",
                agent="past",
                input=1,
                ids=[f"resp_{n}"],
                at=value(db, "select (now() - interval '1 minute')::text"),
            )
            for n in range(5)
        ]
    )
    imported = "select status from agentdb.import_events(%s::jsonb)"
    assert {each["status"] for each in rows(db, imported, told)} == {"recorded"}
    db.execute(ROLL)
    assert labels(db, "event_cap") == []
    more = told.replace("resp_", "more_")
    assert {each["status"] for each in rows(db, imported, more)} == {"recorded"}


def test_other_policy_other_cap(db: Connection, agent: Connection) -> None:
    db.execute(
        "insert into agentdb.policy (policy_name, description, max_events_per_day)"
        " values ('small', 'few events', 1)"
    )
    agent.execute("select agentdb.log_progress('x')")
    db.execute(ROLL)
    assert row(agent, CALLS["log_progress"][0])["advice"] is None
    policy(db, "small")
    db.execute(ROLL)
    assert row(agent, CALLS["log_progress"][0])["advice"]


@pytest.mark.parametrize("setting", ["max_events_per_day", "max_event_bytes_per_day"])
def test_a_cap_of_nothing_is_none(db: Connection, setting: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute(f"update agentdb.policy set {setting} = 0".encode())


def test_days_are_kept_as_long_as_hours(db: Connection, agent: Connection) -> None:
    capped(db, agent)
    age(db, "event_day", "day_at", "31 days")
    db.execute(ROLL)
    db.execute("select agentdb.maintain()")
    assert value(db, "select count(*) from agentdb.event_day") == 0
