"""A tool that fails more than it normally does, seldom enough to be told."""

from __future__ import annotations

import pytest

from .agents import labels, policy, value
from .conftest import Connection


def calls(agent: Connection, failed: int, ok: int = 0, tool: str = "t") -> None:
    agent.execute(
        "select agentdb.log_tool_call(%s::text, args => to_jsonb(i), ok => i > %s, "
        "error => case when i <= %s then 'E' || i end) from generate_series(1, %s) as i",
        [tool, failed, failed, failed + ok],
    )


def normally(db: Connection, share: float) -> None:
    """Let calls of the tool have failed at a rate for two weeks."""
    db.execute(
        "insert into agentdb.tool_day select agent_id, 't', "
        "date_bin('1 day', now(), 'epoch') - i * interval '1 day', 1000, %s "
        "from agentdb.agent, generate_series(1, 14) as i",
        [1000 * share],
    )


def test_tool_that_mostly_fails_fires(db: Connection, agent: Connection) -> None:
    calls(agent, 9)
    assert labels(db, "tool_errors") == []
    calls(agent, 1, 2)
    assert labels(db, "tool_errors") == [{"agent": "a", "tool": "t"}]
    summary = value(db, "select annotations ->> 'summary' from agentdb.tool_errors")
    assert summary == "10 of 12 calls of t by a failed in less than 1 s; last: E1"
    calls(agent, 0, 9)
    assert labels(db, "tool_errors") == []


def test_tool_that_always_fails_so_often_is_normal(
    db: Connection, agent: Connection
) -> None:
    normally(db, 0.6)
    calls(agent, 7, 3)
    assert labels(db, "tool_errors") == []
    policy(db, "playbook")
    assert len(labels(db, "tool_errors")) == 1


def test_the_same_failures_of_a_tool_that_never_fails_are_told(
    db: Connection, agent: Connection
) -> None:
    normally(db, 0.01)
    calls(agent, 7, 3)
    assert len(labels(db, "tool_errors")) == 1
    told = value(db, "select annotations from agentdb.tool_errors")
    assert told["normal_share"] == pytest.approx(0.01, abs=0.001)
    assert (told["setting"], told["policy"]) == ("tool_errors_count", "default")


def test_tool_of_which_all_calls_fail_is_told_though_many_do(
    db: Connection, agent: Connection
) -> None:
    normally(db, 0.4)
    calls(agent, 10)
    assert len(labels(db, "tool_errors")) == 1


def test_normal_is_counted_by_the_roll_up(db: Connection, agent: Connection) -> None:
    calls(agent, 3, 4)
    db.execute("select agentdb.roll_up()")
    calls(agent, 1, 1)
    for _ in range(2):
        db.execute("select agentdb.roll_up()")
    assert db.execute("select calls, errors from agentdb.tool_day").fetchall() == [
        (9, 4)
    ]


SAID = "select agentdb.log_tool_call('t', %s, ok => %s, error => %s)"


@pytest.mark.parametrize(
    "error",
    [
        "503 Service Unavailable for url: https://api.example.org/orders",
        "Connection reset while reading https://api.example.org/orders",
        "HTTP 502: https://api.example.org/orders",
        "42501: permission denied for table address",
        "new row violates row-level security policy for table address",
        "timed out after 30 s: https://api.example.org/orders",
    ],
)
def test_service_that_repeats_what_it_was_asked_is_not_excused_by_a_success(
    db: Connection, agent: Connection, error: str
) -> None:
    given = '{"address": "https://api.example.org/orders"}'
    for _ in range(10):
        agent.execute(SAID, [given, False, error])
    agent.execute(SAID, [given, True, None])
    assert len(labels(db, "tool_errors")) == 1


@pytest.mark.parametrize("error", ["address must be a path", "no page /orders_nr_7"])
def test_wrong_argument_that_was_put_right_is_no_broken_tool(
    db: Connection, agent: Connection, error: str
) -> None:
    given = '{"address": "/orders_nr_7"}'
    for _ in range(10):
        agent.execute(SAID, [given, False, error])
    assert len(labels(db, "tool_errors")) == 1
    agent.execute(SAID, ['{"address": "/orders/7"}', True, None])
    assert labels(db, "tool_errors") == []


def test_large_arguments_hold_up_no_rule(db: Connection, agent: Connection) -> None:
    # Nine hundred arguments a call, each of which would be looked for in each error.
    agent.execute(
        "select agentdb.log_tool_call('t' || i % 7, a.args || jsonb_build_object('n', i), ok => i > 1490,"
        " error => repeat('(', 4000)) from generate_series(1, 1500) as i, ("
        "select jsonb_object_agg('argument' || k, md5(k::text)) as args"
        " from generate_series(1, 900) as k) as a"
    )
    # Seconds; looking for each would take a minute.
    db.execute("set statement_timeout = '15 s'")
    assert len(labels(db, "tool_errors")) == 7
