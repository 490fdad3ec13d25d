"""Tokens are set aside before the prompt; spent and reserved never exceed a budget."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from .agents import (
    age,
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
from .conftest import Connect, Connection
from .servers import Server

RESERVE = "select * from agentdb.reserve_tokens(%s::bigint, %s::bigint)"
SETTLE = "select * from agentdb.settle_tokens(%s::bigint, %s::bigint, %s::bigint)"


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of an agent with one open run."""
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session, conversation="case 7")
    return session


def budget(agent: Connection, scope: str = "conversation") -> dict[str, Any]:
    query = "select * from agentdb.remaining_budget() where scope = %s"
    return row(agent, query, scope)


def test_reservation_is_kept_until_it_is_settled(agent: Connection) -> None:
    said = row(agent, RESERVE, 30_000, 4_000)
    assert (said["granted"], said["scope"], said["tokens_left"]) == (
        True,
        "conversation",
        466_000,
    )
    assert budget(agent)["reserved"] == 34_000
    settled = row(agent, SETTLE, said["reservation"], 29_000, 500)
    assert settled["repeated"] is False
    assert row(agent, SETTLE, said["reservation"], 29_000, 500)["repeated"] is True
    after = budget(agent)
    assert (after["spent"], after["reserved"], after["tokens_left"]) == (
        29_500,
        0,
        470_500,
    )


def test_refusal_says_what_is_left_where_and_what_to_do(agent: Connection) -> None:
    agent.execute("select agentdb.log_tokens(480000, 0)")
    said = row(agent, RESERVE, 20_000, 1)
    assert (said["granted"], said["reservation"]) == (False, None)
    assert (said["scope"], said["tokens_left"]) == ("conversation", 20_000)
    assert "new conversation with a summary" in said["advice"]
    assert row(agent, RESERVE, 20_000, 0)["granted"] is True
    assert row(agent, RESERVE, 1, 0)["granted"] is False


def test_usage_over_the_reservation_is_recorded_all_the_same(agent: Connection) -> None:
    said = row(agent, RESERVE, 1_000, 0)
    agent.execute(SETTLE, [said["reservation"], 600_000, 10])
    assert budget(agent)["spent"] == 600_010
    assert budget(agent)["tokens_left"] == 0


def test_cancelled_prompt_settles_to_its_input(agent: Connection) -> None:
    said = row(agent, RESERVE, 1_000, 500)
    agent.execute(SETTLE, [said["reservation"], 1_000, 0])
    assert (budget(agent)["spent"], budget(agent)["reserved"]) == (1_000, 0)


def test_tokens_logged_without_a_reservation_count(
    db: Connection, agent: Connection
) -> None:
    agent.execute("select agentdb.log_tokens(100, 10, 1000)")
    assert budget(agent)["spent"] == 1_110
    db.execute("select agentdb.roll_up()")
    assert budget(agent)["spent"] == 1_110


def test_unsettled_reservation_comes_back_at_its_time_and_not_before(
    db: Connection, agent: Connection
) -> None:
    said = row(agent, RESERVE, 500_000, 0)
    age(db, "token_reservation", "expires_at", "9 minutes")
    assert row(agent, RESERVE, 1, 0)["granted"] is False
    age(db, "token_reservation", "expires_at", "1 minute")
    assert row(agent, RESERVE, 1, 0)["granted"] is True
    # What it used after all is a fact.
    agent.execute(SETTLE, [said["reservation"], 400, 0])
    assert budget(agent)["spent"] == 400


def test_new_runs_and_conversations_do_not_reset_the_day(
    db: Connection, agent: Connection
) -> None:
    db.execute("update agentdb.policy set agent_day_budget_tokens = 1000")
    agent.execute("select agentdb.log_tokens(900, 0)")
    for conversation in ("x", "y"):
        agent.execute("select agentdb.end_run()")
        start(agent, conversation=conversation)
        said = row(agent, RESERVE, 101, 0)
        assert (said["granted"], said["scope"], said["tokens_left"]) == (
            False,
            "agent_day",
            100,
        )
    # Yesterday is over.
    age(db, "token_log", "recorded_at", "1 day")
    assert row(agent, RESERVE, 101, 0)["granted"] is True


def test_day_is_counted_from_the_rolled_up_hours_too(
    db: Connection, agent: Connection
) -> None:
    agent.execute("select agentdb.log_tokens(900, 0)")
    db.execute("select agentdb.roll_up()")
    agent.execute("select agentdb.log_tokens(50, 0)")
    assert budget(agent, "agent_day")["spent"] == 950


def test_each_scope_and_cost_can_be_the_limit(
    db: Connection, agent: Connection
) -> None:
    db.execute(
        "update agentdb.policy set run_budget_tokens = 500, agent_day_budget_cost = 2"
    )
    assert row(agent, RESERVE, 501, 0)["scope"] == "run"
    agent.execute("select agentdb.log_tokens(1, 0, cost => 2)")
    said = row(agent, RESERVE, 1, 0)
    assert (said["granted"], said["scope"]) == (False, "agent_day")


def test_override_of_an_agent_replaces_its_policy(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    operator = connect(db.info.dbname, "operator_o")
    operator.execute(
        "insert into agentdb.budget_override (agent_id, scope, max_tokens) "
        "select agent_id, 'conversation', 10 from agentdb.agent"
    )
    assert row(agent, RESERVE, 11, 0)["granted"] is False
    operator.execute("update agentdb.budget_override set max_tokens = null")
    assert row(agent, RESERVE, 90_000_000, 0)["granted"] is True


@pytest.mark.parametrize(
    ("estimate", "output"),
    [
        (None, 1),
        (1, None),
        (-1, 1),
        (1, -1),
        (0, 0),
        (1_000_000_000, 1),
        (2**63 - 1, 1),
    ],
)
def test_odd_estimates_are_refused(
    agent: Connection, estimate: int | None, output: int | None
) -> None:
    assert refusal(agent, RESERVE, estimate, output).sqlstate == "ZA004"


def test_reservation_of_another_run_cannot_be_settled(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    said = row(agent, RESERVE, 100, 0)
    register(db, "b", "agent_b")
    other = connect(db.info.dbname, "agent_b")
    start(other)
    for number in (said["reservation"], 999, None):
        refused = refusal(other, SETTLE, number, 1, 0)
        assert refused.sqlstate == "ZA006"
    assert budget(agent)["reserved"] == 100


def test_thirty_two_workers_never_exceed_the_budget_and_use_it(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    cap = 1_000_000
    db.execute("update agentdb.policy set conversation_budget_tokens = %s", [cap])
    over: list[int] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        session = connect(db.info.dbname, "agent_a")
        for _ in range(6):
            said = row(session, RESERVE, 30_000, 20_000)
            if said["granted"]:
                used = chance.randint(30_000, 50_000)
                session.execute(SETTLE, [said["reservation"], used, 0])
            now = row(
                session,
                "select spent + reserved as total from agentdb.remaining_budget() "
                "where scope = 'conversation'",
            )
            if now["total"] > cap:
                over.append(now["total"])

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert over == []
    assert 0.94 * cap <= budget(agent)["spent"] <= cap


def test_older_snapshot_cannot_reserve_what_is_gone(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    late = connect(db.info.dbname, "agent_a")
    row(agent, RESERVE, 1, 0)
    late.execute("begin isolation level repeatable read")
    late.execute("select agentdb.remaining_budget()")
    assert row(agent, RESERVE, 499_999, 0)["granted"] is True
    assert refusal(late, RESERVE, 400_000, 0).sqlstate == "40001"
    late.execute("rollback")


WORKER = """
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as agent:
    agent.execute("select agentdb.reserve_tokens(500000)")
    print("reserved", flush=True)
    sys.stdin.read()
"""


def test_killed_worker_gives_its_share_back(
    db: Connection, server: Server, agent: Connection
) -> None:
    dsn = server.dsn(database=db.info.dbname, user="agent_a")
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, dsn],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout and worker.stdout.readline() == "reserved\n"
    os.kill(worker.pid, signal.SIGKILL)
    worker.communicate()
    assert row(agent, RESERVE, 1, 0)["granted"] is False
    age(db, "token_reservation", "expires_at", "10 minutes")
    assert row(agent, RESERVE, 500_000, 0)["granted"] is True


def test_open_transaction_holds_up_only_its_own_agent(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    register(db, "b", "agent_b")
    other = connect(db.info.dbname, "agent_b")
    start(other)
    second = connect(db.info.dbname, "agent_a")
    with agent.transaction():
        row(agent, RESERVE, 1, 0)
        assert row(other, RESERVE, 1, 0)["granted"] is True
        second.execute("select agentdb.log_tokens(1, 1)")
        assert refusal(second, RESERVE, 1, 0).sqlstate == "55P03"


def test_views_show_each_budget_and_each_day(db: Connection, agent: Connection) -> None:
    agent.execute("select agentdb.log_tokens(100, 7, 30, cost => 0.5)")
    row(agent, RESERVE, 50, 5)
    db.execute("select agentdb.roll_up()")
    found = row(db, "select * from agentdb.budget where scope = 'conversation'")
    assert (found["spent"], found["reserved"], found["conversation"]) == (
        137,
        55,
        "case 7",
    )
    day = row(db, "select * from agentdb.cost_by_agent_day")
    assert (day["input_tokens"], day["cached_input_tokens"], day["output_tokens"]) == (
        100,
        30,
        7,
    )


def test_low_budget_is_told_before_it_is_gone(
    db: Connection, agent: Connection
) -> None:
    agent.execute("select agentdb.log_tokens(249999, 0)")
    assert labels(db, "budget_low") == []
    severity = "select annotations ->> 'severity' from agentdb.budget_low"
    # One alert that rises; the day's budget is far away.
    for tokens, expected in (
        (1, "info"), (149_999, "info"), (1, "warning"), (75_000, "warning"),
        (25_000, "warning"),
    ):  # fmt: skip
        agent.execute("select agentdb.log_tokens(%s::bigint, 0)", [tokens])
        assert value(db, severity) == expected
        assert labels(db, "budget_low") == [
            {"agent": "a", "scope": "conversation", "conversation": "case 7"}
        ]
    said = value(db, "select annotations ->> 'summary' from agentdb.budget_low")
    assert said == "a has used 100% of its conversation budget: 500000 of 500000 tokens"
    db.execute("update agentdb.policy set run_budget_cost = 2")
    agent.execute("select agentdb.log_tokens(0, 0, cost => 1.999)")
    told = rows(
        db,
        "select annotations ->> 'summary' as said from agentdb.budget_low order by 1",
    )
    assert [each["said"] for each in told] == [
        "a has used 100% of its conversation budget: 500000 of 500000 tokens",
        "a has used 100% of its run budget, which is nearly spent: cost 2.00 of 2",
    ]


def test_jump_is_told_before_the_prompt_is_sent(
    db: Connection, agent: Connection
) -> None:
    run = value(db, "select run_id from agentdb.run")
    agent.execute("select agentdb.log_tokens(9000, 100)")
    row(agent, RESERVE, 20_000, 0)
    assert labels(db, "context_jump") == []
    row(agent, RESERVE, 60_001, 0)
    assert labels(db, "context_jump") == [{"agent": "a", "run": str(run)}]
    summary = value(db, "select annotations ->> 'summary' from agentdb.context_jump")
    assert "not sent yet" in summary


def test_large_result_names_the_tool(db: Connection, agent: Connection) -> None:
    agent.execute("select agentdb.log_tool_call('read_file', result_size => 100000)")
    assert labels(db, "large_tool_result") == []
    agent.execute("select agentdb.log_tool_call('read_file', result_size => 100001)")
    assert [each["tool"] for each in labels(db, "large_tool_result")] == ["read_file"]


def test_spike_of_the_input_side_is_told(db: Connection, agent: Connection) -> None:
    policy(db, "playbook")
    db.execute(
        "insert into agentdb.token_half_hour (agent_id, half_hour_at, input_tokens, "
        "cached_input_tokens, output_tokens, cost) "
        "select a.agent_id, date_trunc('hour', now()) - i * interval '1 hour', "
        "4000, 0, 90000, 0 from agentdb.agent as a, generate_series(2, 50) as i"
    )
    agent.execute("select agentdb.log_tokens(12000, 0)")
    assert labels(db, "input_spike") == [{"agent": "a"}]
    assert labels(db, "token_rate") == []


@pytest.mark.parametrize("user", ["agent_a", "app_user"])
def test_agents_set_no_limits(db: Connection, connect: Connect, user: str) -> None:
    session = connect(db.info.dbname, user)
    for statement in (
        "update agentdb.policy set conversation_budget_tokens = 1000000000",
        "delete from agentdb.token_reservation",
        "insert into agentdb.budget_override values (1, 'run', null, null)",
    ):
        assert refusal(session, statement).sqlstate == "42501"
    assert rows(db, "select * from agentdb.budget_override") == []


def test_budget_of_many_runs_is_added_up_once(
    db: Connection, agent: Connection
) -> None:
    db.execute("update agentdb.policy set agent_day_budget_tokens = 1000")
    agent.execute("select agentdb.log_tokens(500000, 0)")
    db.execute(
        "insert into agentdb.run (agent_id, role_name, pooled, conversation, ended_at,"
        " outcome, label, lock_max_ttl, renew_needs_progress)"
        " select agent_id, role_name, pooled, conversation, now(), 'failed', label,"
        " lock_max_ttl, renew_needs_progress from agentdb.run, generate_series(1, 300)"
    )
    db.execute("analyze")
    assert [each["scope"] for each in labels(db, "budget_low")] == [
        "agent_day",
        "conversation",
    ]
    assert visited(db, "select * from agentdb.budget_low") < 30 * 300
    evidence = value(
        db,
        "select evidence_query from agentdb.alert_rule where rule_name = 'budget_low'",
    )
    told = labels(db, "budget_low")[1]
    evidence = evidence.replace(":labels", f"'{json.dumps(told)}'::jsonb")
    evidence = evidence.replace(":at", "now()")
    assert len(rows(db, evidence)) == 10
    assert visited(db, evidence) < 30 * 300


def test_jump_is_told_for_as_long_as_it_is_in_the_window(
    db: Connection, agent: Connection
) -> None:
    run = str(value(db, "select run_id from agentdb.run"))
    age(db, "run", "started_at", "1 hour")
    agent.execute("select agentdb.log_tokens(21000, 0)")
    age(db, "token_log", "recorded_at", "11 minutes")
    assert labels(db, "context_jump") == []
    agent.execute("select agentdb.log_tokens(100000, 0)")
    assert labels(db, "context_jump") == [{"agent": "a", "run": run}]
    age(db, "token_log", "recorded_at", "9 minutes")
    assert labels(db, "context_jump") == [{"agent": "a", "run": run}]
    age(db, "token_log", "recorded_at", "2 minutes")
    assert labels(db, "context_jump") == []


def test_settled_reservations_cost_the_rules_nothing(
    db: Connection, agent: Connection
) -> None:
    db.execute(
        "insert into agentdb.token_reservation (run_id, agent_id, conversation, tokens,"
        " prompt_tokens, reserved_at, expires_at, settled_at)"
        " select run_id, agent_id, conversation, 1, 1, t.at, t.at, t.at"
        " from agentdb.run, generate_series(1, 3000) as i,"
        " lateral (select now() - i * interval '1 minute') as t (at)"
    )
    db.execute("analyze")
    assert visited(db, "select * from agentdb.context_jump") < 100


def test_end_of_a_run_gives_its_reservations_back_at_once(agent: Connection) -> None:
    row(agent, RESERVE, 400_000, 0)
    agent.execute("select agentdb.end_run('cancelled')")
    start(agent, conversation="case 7")
    said = row(agent, RESERVE, 200_000, 0)
    assert (said["granted"], said["tokens_left"]) == (True, 300_000)
    assert budget(agent)["reserved"] == 200_000


@pytest.mark.parametrize("limit", ["conversation_budget_tokens", "run_budget_tokens"])
def test_advice_says_that_reservations_are_in_the_way(
    db: Connection, agent: Connection, limit: str
) -> None:
    db.execute(f"update agentdb.policy set {limit} = 400000".encode())
    row(agent, RESERVE, 1, 0)
    largest = row(agent, RESERVE, 300_000, 0)["reservation"]
    said = row(agent, RESERVE, 200_000, 0)
    assert said["granted"] is False
    assert "300001 tokens are only reserved, by 2 prompts" in said["advice"]
    told = re.search(r"\((select .*);\)", said["advice"])
    assert told is not None
    assert f"reservation => {largest}," in told[1]
    agent.execute(told[1].replace("…", "10").encode())
    assert row(agent, RESERVE, 200_000, 0)["granted"] is True


def test_advice_on_a_budget_that_is_spent_speaks_of_no_reservations(
    agent: Connection,
) -> None:
    row(agent, RESERVE, 1_000, 0)
    agent.execute("select agentdb.log_tokens(450000, 0)")
    said = row(agent, RESERVE, 200_000, 0)
    assert said["granted"] is False
    assert said["advice"].startswith("Begin a new conversation")


def test_budget_without_a_limit_has_no_end(db: Connection, agent: Connection) -> None:
    start(agent)
    query = (
        "select distinct scope, tokens_left from agentdb.{} where max_tokens is null"
    )
    for source, session in (("remaining_budget()", agent), ("budget", db)):
        assert rows(session, query.format(source) + " order by 1") == [
            {"scope": "run", "tokens_left": None},
        ]
    # Only an override says of the others that there is none.
    db.execute(
        "insert into agentdb.budget_override (agent_id, scope) "
        "select agent_id, s from agentdb.agent, "
        "unnest('{agent_day,conversation,tree}'::text[]) as s"
    )
    for source, session in (("remaining_budget()", agent), ("budget", db)):
        assert rows(session, query.format(source) + " order by 1") == [
            {"scope": scope, "tokens_left": None}
            for scope in ("agent_day", "conversation", "run", "tree")
        ]
    assert value(agent, "select granted from agentdb.reserve_tokens(400000)") is True
