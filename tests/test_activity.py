"""Totals are advanced by the runner, exactly, whatever is in flight meanwhile."""

from __future__ import annotations

from .agents import row, rows, value
from .conftest import Connect, Connection


def tokens(db: Connection) -> int:
    """What the rolled-up totals and the tail say together."""
    return int(
        value(
            db,
            "select coalesce(sum(input_tokens), 0)::bigint "
            "from agentdb._tokens_of_run(array(select run_id from agentdb.run), "
            "clock_timestamp())",
        )
    )


def test_totals_are_those_of_the_logs(db: Connection, agent: Connection) -> None:
    for step in ("a", "b", "b"):
        agent.execute("select agentdb.log_progress(%s::text)", [step])
    agent.execute(
        "select agentdb.log_tool_call('t', ok => i = 1) from generate_series(1, 4) as i"
    )
    agent.execute(
        "select agentdb.log_tokens(100, 7, 30, cost => 0.5) from generate_series(1, 3)"
    )
    db.execute("select agentdb.roll_up()")
    found = row(
        db,
        "select steps, last_step, tool_calls, tool_errors, model_calls, input_tokens,"
        " cached_input_tokens, output_tokens, cost::float from agentdb.run_activity",
    )
    assert found == {
        "steps": 3,
        "last_step": "b",
        "tool_calls": 4,
        "tool_errors": 3,
        "model_calls": 3,
        "input_tokens": 300,
        "cached_input_tokens": 90,
        "output_tokens": 21,
        "cost": 1.5,
    }
    assert (
        value(
            db,
            "select sum(input_tokens + cached_input_tokens + output_tokens)::int from agentdb.token_half_hour",
        )
        == 411
    )


def test_rolling_up_again_counts_nothing_twice(
    db: Connection, agent: Connection
) -> None:
    agent.execute("select agentdb.log_tokens(100, 1)")
    for _ in range(3):
        db.execute("select agentdb.roll_up()")
    agent.execute("select agentdb.log_tokens(100, 1)")
    assert tokens(db) == 200
    db.execute("select agentdb.roll_up()")
    assert tokens(db) == 200
    assert value(db, "select input_tokens from agentdb.run_activity") == 200


def test_late_commit_is_counted_once(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    late = connect(db.info.dbname, "agent_a")
    with late.transaction():
        late.execute("select agentdb.log_tokens(1000, 1)")
        agent.execute("select agentdb.log_tokens(100, 1)")
        db.execute("select agentdb.roll_up()")
        assert tokens(db) == 100
    assert tokens(db) == 1100
    db.execute("select agentdb.roll_up()")
    assert tokens(db) == 1100
    assert rows(db, "select input_tokens from agentdb.run_activity") == [
        {"input_tokens": 1100}
    ]


def test_rolled_back_events_are_not_counted(db: Connection, agent: Connection) -> None:
    with agent.transaction(force_rollback=True):
        agent.execute("select agentdb.log_tokens(1000, 1)")
    agent.execute("select agentdb.log_tokens(1, 1)")
    db.execute("select agentdb.roll_up()")
    assert tokens(db) == 1


def test_two_runners_roll_up_once(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    agent.execute("select agentdb.log_tokens(100, 1)")
    other = connect(db.info.dbname)
    with other.transaction():
        other.execute("select agentdb.roll_up()")
        # The first has not committed: the second leaves at once and counts nothing.
        db.execute("set lock_timeout = '100ms'")
        db.execute("select agentdb.roll_up()")
    assert tokens(db) == 100


def test_past_moment_is_answered_from_the_log(
    db: Connection, agent: Connection
) -> None:
    agent.execute("select agentdb.log_tokens(100, 1)")
    moment = value(db, "select clock_timestamp()")
    agent.execute("select agentdb.log_tokens(1000, 1)")
    query = "select sum(input_tokens)::int from agentdb._tokens_of_run(array(select run_id from agentdb.run), %s)"
    assert value(db, query, moment) == 100
    db.execute("select agentdb.roll_up()")
    assert value(db, query, moment) == 100


def test_transaction_that_stays_open_holds_up_nobody_else(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    age = "update agentdb.roll_up_state set rolled_at = now() - interval '1 hour'"
    found = "select state from agentdb.health_check where check_name = 'roll-up'"
    uncounted = "select count(*) from agentdb._uncounted_steps()"
    other = connect(db.info.dbname, "agent_a")
    with other.transaction():
        other.execute("select agentdb.log_progress('open')")
        for step in range(50):
            agent.execute("select agentdb.log_progress(%s)", [f"step {step}"])
        db.execute(age)
        assert value(db, found) == "warning"
        db.execute("select agentdb.roll_up()")
        assert value(db, found) == "ok"
        assert value(db, uncounted) == 0
        assert row(db, "select steps from agentdb.run_activity") == {"steps": 50}
    assert value(db, uncounted) == 1
    db.execute("select agentdb.roll_up()")
    assert row(db, "select steps from agentdb.run_activity") == {"steps": 51}


def test_flood_of_steps_is_looked_at_up_to_a_thousand(
    db: Connection, agent: Connection
) -> None:
    agent.execute(
        "select agentdb.log_progress_many((select jsonb_agg(jsonb_build_object("
        "'step', repeat('x', i))) from generate_series(1, 490) as i))"
    )
    agent.execute(
        "select agentdb.log_progress_many((select jsonb_agg(jsonb_build_object("
        "'step', 'step ' || i)) from generate_series(1, 1500) as i))"
    )
    newest = "select max(at) = (select max(recorded_at) from agentdb.progress_log)"
    assert value(db, f"{newest} from agentdb._evidence_tail('infinity')")
    db.execute("select agentdb.roll_up()")
    assert value(db, "select count(*) from agentdb.run_step") == 1000
    assert row(db, "select steps from agentdb.run_activity") == {"steps": 1990}
    assert value(
        db, f"{newest.replace('at)', 'evidence_at)', 1)} from agentdb.run_activity"
    )
