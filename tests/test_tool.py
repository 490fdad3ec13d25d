"""Tool calls are counted once, and one that hangs is seen."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from .agents import refusal, row, rows, start, value
from .conftest import Connect, Connection


def test_call_is_recorded_as_told(db: Connection, agent: Connection) -> None:
    agent.execute(
        "select agentdb.log_tool_call(tool => 'search', args => '{\"q\": 1}', ok => false,"
        " error => 'timeout', result_size => 12, duration => '1.5 s', call_id => 'c1')"
    )
    found = row(
        db,
        "select tool, args, ok, error, result_size, duration, call_id "
        "from agentdb.tool_call_log",
    )
    assert found == {
        "tool": "search",
        "args": {"q": 1},
        "ok": False,
        "error": "timeout",
        "result_size": 12,
        "duration": timedelta(seconds=1.5),
        "call_id": "c1",
    }


def test_repeated_call_id_is_counted_once(db: Connection, agent: Connection) -> None:
    query = "select repeated from agentdb.log_tool_call('t', call_id => 'c1')"
    assert [value(agent, query) for _ in range(3)] == [False, True, True]
    assert value(db, "select count(*) from agentdb.tool_call_log") == 1


def test_begun_call_that_is_logged_as_a_whole_has_ended(
    db: Connection, agent: Connection
) -> None:
    agent.execute("select agentdb.begin_tool_call('t', call_id => 'c1')")
    query = (
        "select repeated from agentdb.log_tool_call('t', '{\"q\": 1}', call_id => 'c1')"
    )
    assert [value(agent, query) for _ in range(2)] == [False, True]
    assert value(agent, "select repeated from agentdb.end_tool_call('c1')") is True
    agent.execute("select agentdb.end_run()")
    assert value(db, "select args from agentdb.tool_call_log") == {"q": 1}
    assert rows(db, "select from agentdb.faulty_call") == []


def test_retries_in_a_race_are_counted_once(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    sessions = [connect(db.info.dbname, "agent_a") for _ in range(8)]
    threads = [
        threading.Thread(
            target=session.execute,
            args=["select agentdb.log_tool_call('t', call_id => 'same')"],
        )
        for session in sessions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(db, "select count(*) from agentdb.tool_call_log") == 1


def test_same_call_id_in_another_run_is_another_call(
    db: Connection, agent: Connection
) -> None:
    second = start(agent)
    first = value(db, "select min(run_id) from agentdb.run")
    for run in (first, second):
        agent.execute(
            "select agentdb.log_tool_call('t', call_id => 'c1', run => %s)", [run]
        )
    assert value(db, "select count(*) from agentdb.tool_call_log") == 2


def test_begun_call_is_in_flight_until_it_ends(
    db: Connection, agent: Connection
) -> None:
    call = value(
        agent, "select call from agentdb.begin_tool_call('fetch', '{\"u\": 1}')"
    )
    flying = row(db, "select tool, args from agentdb.tool_call where ended_at is null")
    assert flying == {"tool": "fetch", "args": {"u": 1}}
    assert value(db, "select count(*) from agentdb.tool_call_log") == 0
    ended = row(
        agent, "select * from agentdb.end_tool_call(%s::text, false, 'x')", call
    )
    found = row(db, "select tool, args, ok, error, duration from agentdb.tool_call_log")
    assert found == {
        "tool": "fetch",
        "args": {"u": 1},
        "ok": False,
        "error": "x",
        "duration": ended["duration"],
    }
    again = row(agent, "select * from agentdb.end_tool_call(%s::text)", call)
    assert again["repeated"] is True
    assert value(db, "select count(*) from agentdb.tool_call_log") == 1


def test_call_that_never_began_is_told(agent: Connection) -> None:
    refused = refusal(agent, "select agentdb.end_tool_call('nothing')")
    assert refused.sqlstate == "ZA006"
    assert "log_tool_call" in (refused.message_hint or "")


def test_calls_in_flight_are_capped(agent: Connection) -> None:
    agent.execute("select agentdb.begin_tool_call('t') from generate_series(1, 1000)")
    refused = refusal(agent, "select agentdb.begin_tool_call('t')")
    assert refused.sqlstate == "ZA005"
    agent.execute((refused.message_hint or "").split(": ", 1)[1].encode())
    agent.execute("select agentdb.begin_tool_call('t')")


@pytest.mark.parametrize(
    "arguments",
    [
        "tool => null",
        "tool => ' '",
        "tool => 't', ok => null",
        "tool => 't', result_size => -1",
        "tool => 't', duration => '-1 s'",
        "tool => 't', duration => '290000 years'",
        "tool => 't', call_id => ''",
        "tool => 't', call_id => repeat('x', 201)",
    ],
)
def test_odd_arguments_are_refused(
    db: Connection, agent: Connection, arguments: str
) -> None:
    query = f"select agentdb.log_tool_call({arguments})"
    assert refusal(agent, query).sqlstate == "ZA004"
    assert value(db, "select count(*) from agentdb.tool_call_log") == 0


def test_many_calls_are_one_call(db: Connection, agent: Connection) -> None:
    calls = (
        '[{"tool": "a", "ok": true, "result_size": 3, "duration": "250 ms"},'
        ' {"tool": "b", "ok": false, "error": "no", "args": {"x": [1]}, "call_id": "k"},'
        ' {"tool": "b", "call_id": "k"}]'
    )
    said = row(agent, "select * from agentdb.log_tool_call_many(%s::jsonb)", calls)
    assert (said["recorded"], said["repeated"]) == (2, 1)
    found = rows(
        db,
        "select tool, ok, error from agentdb.tool_call_log order by tool_call_log_id",
    )
    assert found == [
        {"tool": "a", "ok": True, "error": None},
        {"tool": "b", "ok": False, "error": "no"},
    ]


@pytest.mark.parametrize(
    "bad",
    [
        '{"tool": "b", "ok": "perhaps"}',
        '{"tool": "b", "result_size": "big"}',
        '{"tool": "b", "result_size": 1e30}',
        '{"tool": "b", "duration": "long"}',
        '{"tool": "b", "result_size": -1}',
        '{"tool": ""}',
        "7",
    ],
)
def test_a_bad_call_refuses_itself(db: Connection, agent: Connection, bad: str) -> None:
    calls = f'[{{"tool": "a"}}, {bad}, {{"tool": "c"}}]'
    found = row(agent, "select * from agentdb.log_tool_call_many(%s::jsonb)", calls)
    assert (found["recorded"], found["repeated"]) == (2, 0)
    (refused,) = found["refused"]
    assert refused["row"] == 2
    assert refused["why"]
    kept = rows(db, "select tool from agentdb.tool_call_log order by tool_call_log_id")
    assert [each["tool"] for each in kept] == ["a", "c"]
