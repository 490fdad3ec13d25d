"""What the page reads: alerting, incidents, agents, who waits for whom, changes alike."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest

from .agents import age, register, row, rows, start, value, visited
from .alerts import deliver, fire, flush, make_rule
from .changes import latest
from .conftest import Connect, Connection

LOOPS = ("evaluate", "flush", "send", "verify")


def test_alerting_is_alive_once_a_runner_has_done_all_laps(db: Connection) -> None:
    before = row(db, "select * from agentdb.alerting_status")
    assert (before["runners"], before["working"]) == (0, 0)
    assert before["sent_at"] is None and before["dead_letters"] == 0
    for loop in LOOPS[:3]:
        db.execute("select agentdb.beat('r', %s, 'h', 1, 'v')", [loop])
    assert row(db, "select * from agentdb.alerting_status")["working"] == 0
    db.execute("select agentdb.beat('r', 'verify', 'h', 1, 'v')")
    make_rule(db)
    fire(db, "x")
    flush(db)
    assert value(db, "select queued from agentdb.alerting_status") == 1
    deliver(db)
    after = row(db, "select * from agentdb.alerting_status")
    assert (after["runners"], after["working"], after["queued"]) == (1, 1, 0)
    assert after["sent_at"] == value(
        db, "select max(finished_at) from agentdb.notification"
    )


def test_dead_letters_of_a_week_are_counted(db: Connection) -> None:
    db.execute(
        "insert into agentdb.notification (kind, receiver_name, payload, state,"
        " finished_at) select k, 'stdout', '{}', 'dead',"
        " now() - d * interval '1 day' from unnest(array[1, 6, 8]) as d,"
        " unnest(array['digest', 'test']) as k"
    )
    assert value(db, "select dead_letters from agentdb.alerting_status") == 2


def test_alerts_told_together_are_one_incident(db: Connection) -> None:
    make_rule(db)
    make_rule(db, "worse", severity="critical")
    db.execute("select agentdb.set_route('all', 'stdout', group_by => '{agent}')")
    fire(db, "x", "y", agent="billing")
    (worst,) = fire(db, "z", rule="worse", agent="billing")
    make_rule(db, "third")
    fire(db, "other", rule="third", agent="mail")
    flush(db)
    found = {
        tuple(each["agents"]): each
        for each in rows(db, "select * from agentdb.incident")
    }
    assert set(found) == {("billing",), ("mail",)}
    billing = found["billing",]
    assert billing["alerts"] == 3 and billing["severity"] == "critical"
    assert billing["alert_id"] == worst and billing["state"] == "firing"
    db.execute(
        "select agentdb.acknowledge_group(%s, 'mine')", [billing["alert_group_id"]]
    )
    db.execute("select agentdb.silence_alerts('agent=mail', '1 hour', 'known')")
    states = {
        each["agents"][0]: each["state"]
        for each in rows(db, "select * from agentdb.incident")
    }
    assert states == {"billing": "acknowledged", "mail": "silenced"}


def test_incident_half_of_which_is_acknowledged_fires(db: Connection) -> None:
    make_rule(db)
    db.execute("select agentdb.set_route('all', 'stdout', group_by => '{agent}')")
    first, _ = fire(db, "x", "y", agent="billing")
    flush(db)
    db.execute("select agentdb.acknowledge_alert(%s, 'mine')", [first])
    found = row(db, "select state, alerts from agentdb.incident")
    assert found == {"state": "firing", "alerts": 2}


def test_alert_of_which_nobody_is_told_is_an_incident(db: Connection) -> None:
    db.execute("update agentdb.receiver set enabled = false")
    make_rule(db)
    fire(db, "x", "y")
    found = rows(db, "select * from agentdb.incident")
    assert [each["alerts"] for each in found] == [1, 1]


def test_board_tells_what_an_agent_uses_holds_and_claims(
    db: Connection, connect: Connect
) -> None:
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    agent.execute("select from agentdb.log_tokens(1000, 10, cost => 0.5)")
    agent.execute("select from agentdb.log_progress('half')")
    agent.execute("select from agentdb.acquire_lock('l', '1 min')")
    agent.execute("select from agentdb.claim_file('/tmp/x')")
    db.execute("select agentdb.roll_up()")
    found = row(db, "select * from agentdb.agent_board")
    weight = value(
        db, "select 1000 + 10 * output_weight from agentdb.policy"
        " where policy_name = 'default'",
    )  # fmt: skip
    assert found["tokens_hour"] == int(weight)
    assert len(found["half_hours"]) == 48 and found["half_hours"][-1] == int(weight)
    assert found["cost_today"] == Decimal("0.5") and found["normal_hour"] is None
    assert (found["open_runs"], found["locks_held"]) == (1, 1)
    assert found["last_progress_at"] is not None
    claims = [found[f"claims_{state}"] for state in ("verified", "refuted", "open")]
    assert claims == [0, 0, 1]
    db.execute("update agentdb.claim set state = 'refuted'")
    assert value(db, "select claims_refuted from agentdb.agent_board") == 1


def test_board_of_one_agent_reads_of_no_other(db: Connection) -> None:
    db.execute(
        "insert into agentdb.agent (agent_name, role_name, pooled, policy_name)"
        " select 'a' || i, 'r' || i, true, 'default' from generate_series(1, 200) as i"
    )
    db.execute(
        "insert into agentdb.token_half_hour select a.agent_id, date_bin('30 min', now(),"
        " 'epoch') - i * interval '30 min', 1, 0, 0, 0 from agentdb.agent as a,"
        " generate_series(0, 47) as i"
    )
    db.execute("vacuum analyze agentdb.token_half_hour, agentdb.agent")
    query = "select * from agentdb.agent_board where agent_name = 'a7'"
    assert row(db, query)["half_hours"] == [1] * 48
    assert visited(db, query) < 500


def test_day_budget_is_what_was_used_since_midnight(db: Connection) -> None:
    register(db)
    db.execute(
        "insert into agentdb.token_half_hour select a.agent_id, m.at, 100, 10, 1, 0.25"
        " from agentdb.agent as a, (select date_bin('1 day', now(), 'epoch')"
        " - i * interval '30 min' as at from unnest(array[0, 1]) as i) as m"
    )
    db.execute(
        "insert into agentdb.budget_override"
        " select agent_id, 'agent_day', 1000, 2 from agentdb.agent"
    )
    found = row(db, "select * from agentdb.day_budget")
    assert (found["max_tokens"], found["max_cost"]) == (1000, 2.0)
    assert (found["spent"], found["cost"]) == (111, Decimal("0.25"))


def test_who_waits_for_whom(db: Connection, connect: Connect) -> None:
    for name in "ab":
        register(db, name, f"agent_{name}")
    holder, waiter = (connect(db.info.dbname, f"agent_{name}") for name in "ab")
    held, waiting = start(holder), start(waiter)
    holder.execute("select from agentdb.acquire_lock('nightly', '10 min')")
    waiter.execute("select from agentdb.begin_wait('nightly', '10 min')")
    found = row(db, "select * from agentdb.lock_wait")
    assert (found["waiting_agent"], found["waiting_run_id"]) == ("b", waiting)
    assert (found["holding_agent"], found["holding_run_id"]) == ("a", held)
    holder.execute("select from agentdb.end_run()")
    assert row(db, "select * from agentdb.lock_wait")["holding_run_id"] is None


def test_tools_are_judged_by_what_they_did_lately(
    db: Connection, agent: Connection
) -> None:
    for ok, took in ((True, "100 ms"), (True, "200 ms"), (False, "900 ms")):
        agent.execute(
            "select from agentdb.log_tool_call('read', '{}', %s, duration => %s::interval,"
            " result => 'four')",
            [ok, took],
        )
    agent.execute("select from agentdb.log_tool_call('raed', '{}', false)")
    db.execute(
        "insert into agentdb.tool_fault (run_id, tool_call_log_id, fault) select run_id,"
        " tool_call_log_id, 'unknown' from agentdb.tool_call_log where tool = 'raed'"
    )
    found = {
        each["tool"]: each for each in rows(db, "select * from agentdb.tool_board()")
    }
    read = found["read"]
    assert (read["calls"], read["errors"], read["unknown"]) == (3, 1, 0)
    assert read["p50"].total_seconds() == 0.2
    assert 0.8 < read["p95"].total_seconds() < 0.9
    assert found["raed"]["unknown"] == 1
    age(db, "tool_call_log", "recorded_at", "7 hours")
    assert rows(db, "select * from agentdb.tool_board()") == []
    assert len(rows(db, "select * from agentdb.tool_board('8 hours')")) == 2


def proposed(guarded: Connection, connect: Connect, statement: str) -> int:
    agent = connect(guarded.info.dbname, "agent_a")
    start(agent)
    agent.execute(statement.encode())
    return int(latest(guarded)["change_id"])


def test_rows_of_a_change_are_told_by_what_is_alike(
    guarded: Connection, connect: Connect, reviewer: Connection
) -> None:
    change = proposed(
        guarded, connect,
        "update agentdb_stage.invoice set state = 'paid', amount = amount + 1",
    )  # fmt: skip
    found = rows(reviewer, "select * from agentdb.change_alike(%s)", change)
    by_column = {each["column_name"]: each for each in found}
    state, amount = by_column["state"], by_column["amount"]
    assert {each["rows"] for each in found} == {6}
    assert (state["kinds"], state["old_value"], state["new_value"]) == (
        1,
        "open",
        "paid",
    )
    assert (amount["kinds"], amount["old_value"], amount["new_value"]) == (
        6,
        None,
        None,
    )


def test_rows_of_a_change_are_seen_by_who_may_see_it(
    guarded: Connection, connect: Connect
) -> None:
    change = proposed(
        guarded, connect, "delete from agentdb_stage.invoice where id = 1"
    )
    query = "select * from agentdb.change_alike(%s)"
    auditor = connect(guarded.info.dbname, "auditor_u")
    assert rows(auditor, query, change)[0]["operation"] == "delete"
    for stranger in ("agent_b", "app_user"):
        session = connect(guarded.info.dbname, stranger)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(query, [change])


def test_cost_of_what_nobody_has_a_price_for_is_not_known(
    db: Connection, agent: Connection
) -> None:
    for model, cost in (("a", 0.5), ("a", None), ("b", None)):
        agent.execute(
            "select from agentdb.log_tokens(10, 1, model => %s, cost => %s)",
            [model, cost],
        )
    db.execute("select agentdb.roll_up()")
    found = {
        each["model"]: each
        for each in rows(db, "select * from agentdb.cost_by_model_day")
    }
    assert (found["a"]["cost"], found["a"]["unpriced_calls"]) == (Decimal("0.5"), 1)
    assert (found["b"]["cost"], found["b"]["model_calls"]) == (None, 1)
