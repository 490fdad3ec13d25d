"""A loop is what repeats itself and gets nowhere: scripted agents, and recorded ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentdb.demo.recording import lines, read
from agentdb.demo.replay import replay

from .agents import age, labels, policy, register, row, rows, value, visited
from .conftest import Connect, Connection

DATA = Path(__file__).parent / "data"
Call = dict[str, Any]


def call(tool: str, args: Any, result: str, ok: bool = True) -> Call:
    return {"tool": tool, "args": args, "result": result, "ok": ok}


def failed(tool: str, args: Any, error: str) -> Call:
    return {"tool": tool, "args": args, "error": error, "ok": False}


def log(agent: Connection, calls: list[Call]) -> None:
    agent.execute("select agentdb.log_tool_call_many(%s::jsonb)", [json.dumps(calls)])


def pattern(db: Connection) -> str | None:
    """The pattern that the rule sees, and how bad it is."""
    found = rows(db, "select annotations from agentdb.silent_loop")
    return (
        f"{found[0]['annotations']['pattern']}: {found[0]['annotations']['severity']}"
        if found
        else None
    )


def varied(number: int) -> str:
    return f"{number:08x}-3d1f-4a7b-9a3e-{number * 7919:012x}"


# What each agent does over and over, 40 times.
LOOPS: dict[str, tuple[Callable[[int], list[Call]], str]] = {
    "exact call, same error": (
        lambda i: [failed("check", {"job": 7}, "HTTP 502")],
        "the same call failing: critical",
    ),
    "result carries a time and a request id": (
        lambda i: [
            call(
                "get_job",
                {"job": 7},
                f'{{"state": "error", "at": "2026-11-22T03:{i:02}:{i:02}Z", '
                f'"request_id": "{varied(i)}", "took": "{i} ms", "attempt": {i}}}',
            )
        ],
        "the same call with the same result: critical",
    ),
    "arguments carry a request id and an attempt": (
        lambda i: [
            call("fetch", {"url": "/x", "request_id": varied(i), "attempt": i}, "none")
        ],
        "the same call with the same result: critical",
    ),
    "ping-pong": (
        lambda i: [
            call("read_file", {"p": "a"}, "v1"),
            call("run_tests", {"p": "a"}, "1 failed"),
        ],
        "a cycle of 2 calls: critical",
    ),
    "alternating error": (
        lambda i: [failed("query", {"q": "orders"}, f"E{i % 2}: no table {i}")],
        "the same call failing: critical",
    ),
    "a tool that does not exist, arguments vary": (
        lambda i: [
            failed("crm_update", {"id": i, "x" * (i + 1): i}, f"E {i}: unknown")
        ],
        "a tool failing whatever the arguments: critical",
    ),
    "varying address, the same page": (
        lambda i: [
            call("fetch", {"url": f"/p/{chr(97 + i % 26)}{i}"}, "robot? " + "x" * 1500)
        ],
        "the same result whatever the arguments: warning",
    ),
    "cosmetic counter": (
        lambda i: [call("bash", {"command": "echo noop", "name": f"noop{i}"}, "noop")],
        "the same call but for numbers and ids: warning",
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loop_is_told_by_its_pattern(
    db: Connection, agent: Connection, name: str
) -> None:
    lap, expected = LOOPS[name]
    log(agent, lap(0))
    assert pattern(db) is None
    for number in range(1, 40):
        log(agent, lap(number))
    assert pattern(db) == expected
    db.execute("select agentdb.roll_up()")
    assert pattern(db) == expected


def test_same_call_warns_at_five_and_is_critical_at_eight(
    db: Connection, agent: Connection
) -> None:
    seen = []
    for _ in range(8):
        log(agent, [call("check", {"job": 7}, "unknown")])
        seen.append(pattern(db))
    assert seen[3] is None
    assert seen[4] == "the same call with the same result: warning"
    assert seen[7] == "the same call with the same result: critical"


@pytest.mark.parametrize("period", range(2, 7))
def test_cycle_of_a_few_calls_is_told_in_the_third_lap(
    db: Connection, agent: Connection, period: int
) -> None:
    for number in range(3 * period):
        assert pattern(db) is None
        step = number % period
        log(agent, [call(f"t{step}", {"step": step}, f"r{step}")])
    severity = "warning" if period < 4 else "critical"
    assert pattern(db) == f"a cycle of {period} calls: {severity}"


def test_little_diversity_is_critical(db: Connection, agent: Connection) -> None:
    for step in (0, 1, 2, 1, 0, 2, 2, 0, 1, 0):
        log(agent, [call(f"t{step}", {}, f"r{step}")])
    assert pattern(db) == "hardly a call that is new: critical"


def test_model_that_calls_no_tool_goes_round(db: Connection, agent: Connection) -> None:
    agent.execute("select agentdb.log_tokens(100, 9) from generate_series(1, 19)")
    assert pattern(db) is None
    agent.execute("select agentdb.log_tokens(100, 9)")
    assert pattern(db) == "model calls without a tool call: warning"
    db.execute("select agentdb.roll_up()")
    assert pattern(db) == "model calls without a tool call: warning"
    log(agent, [call("t", {}, "r")])
    assert pattern(db) is None
    db.execute("select agentdb.roll_up()")
    assert pattern(db) is None


HEALTHY: dict[str, list[Call]] = {
    "polling whose result changes": [
        call("get_job", {"job": 9}, f'{{"done": {i * 3}}}') for i in range(60)
    ],
    "different inserts": [
        call("insert", {"name": f"{chr(97 + i % 26)}{i * 7919:x}", "id": i}, "ok")
        for i in range(2400)
    ],
    "mails to different people": [
        call("send_mail", {"to": f"{'ghijkl'[i % 6] * (i + 1)}@x.test"}, "sent")
        for i in range(50)
    ],
    "orders by their UUIDs": [
        call("get_order", {"id": varied(i)}, f"order of {i} items") for i in range(50)
    ],
    "edit and test, failures change": [
        step
        for i in range(12)
        for step in (
            call("edit", {"old": f"x{i}", "new": f"y{i}"}, "applied"),
            call("run_tests", {}, f"{12 - i} failed, {i} passed"),
        )
    ],
    "pages by a cursor": [
        call("list", {"cursor": f"c{i}"}, json.dumps(list(range(i * 50, i * 50 + 50))))
        for i in range(60)
    ],
    "three retries, then success": [
        *[failed("send", {"to": "a"}, "429")] * 4,
        call("send", {"to": "a"}, "sent"),
    ],
    "searches that find nothing": [
        call("search", {"q": f"acme {word}"}, "no results") for word in "abcdefgh"
    ],
    "a file read again after each edit": [
        step
        for i in range(15)
        for step in (
            call("read_file", {"p": "a"}, f"version {i * 31:x}"),
            call("edit_file", {"p": "a", "n": i}, f"applied to line {i}"),
        )
    ],
}


@pytest.mark.parametrize("name", HEALTHY)
def test_work_that_gets_somewhere_is_no_loop(
    db: Connection, agent: Connection, name: str
) -> None:
    for each in HEALTHY[name][:100]:
        log(agent, [each])
        assert pattern(db) is None
    log(agent, HEALTHY[name][100:])
    assert pattern(db) is None


def same(agent: Connection, times: int, tool: str = "check") -> None:
    log(agent, [call(tool, {"job": 7}, "pending")] * times)


def test_what_came_before_evidence_does_not_count(
    db: Connection, agent: Connection
) -> None:
    for step in ("one", "two", "three"):
        same(agent, 4)
        assert pattern(db) is None
        agent.execute("select agentdb.log_progress(%s::text)", [step])
    db.execute("select agentdb.roll_up()")
    same(agent, 4)
    assert pattern(db) is None


def test_failing_call_that_succeeds_is_no_loop_any_more(
    db: Connection, agent: Connection
) -> None:
    log(agent, [failed("query", {"q": "orders"}, "permission denied")] * 9)
    assert pattern(db) == "the same call failing: critical"
    log(agent, [call("query", {"q": "orders"}, "3 rows")])
    assert pattern(db) is None


def test_label_that_is_repeated_is_no_evidence(
    db: Connection, agent: Connection
) -> None:
    for number in range(8):
        same(agent, 1)
        step = f"checking status, attempt {number} at 12:00:{number:02}"
        agent.execute("select agentdb.log_progress(%s::text)", [step])
        if number == 3:
            db.execute("select agentdb.roll_up()")
    assert pattern(db) == "the same call with the same result: warning"


def test_audited_write_is_evidence(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    db.execute("create table public.contact (id int primary key)")
    db.execute("grant insert on public.contact to agent_a")
    db.execute("select agentdb.audit_table('public.contact')")
    for number in range(3):
        same(agent, 4)
        agent.execute("insert into public.contact values (%s)", [number])
        if number == 1:
            db.execute("select agentdb.roll_up()")
    assert pattern(db) is None
    same(agent, 5)
    assert pattern(db) == "the same call with the same result: warning"


def test_held_run_is_not_judged_and_begins_anew(
    db: Connection, agent: Connection
) -> None:
    same(agent, 9)
    assert pattern(db) is not None
    agent.execute(
        "select agentdb.hold_run(until => now() + interval '20 min', reason => 'CI')"
    )
    assert pattern(db) is None
    age(db, "tool_call_log", "recorded_at", "21 minutes")
    db.execute("update agentdb.run set held_until_at = now() - interval '1 s'")
    same(agent, 4)
    assert pattern(db) is None
    same(agent, 1)
    assert pattern(db) is not None


def test_registered_tools_are_judged_by_what_they_do(
    db: Connection, agent: Connection
) -> None:
    db.execute(
        "insert into agentdb.tool (tool_name, poll, effect) "
        "values ('queue_depth', true, false), ('invite', false, true)"
    )
    same(agent, 14, "queue_depth")
    log(agent, [call("invite", {"to": f"user{i}@x.test"}, "sent") for i in range(50)])
    assert pattern(db) is None
    same(agent, 1, "queue_depth")
    assert pattern(db) == "the same call with the same result: warning"


def test_calls_of_nobody_knows_what_result_still_repeat(
    db: Connection, agent: Connection
) -> None:
    agent.execute(
        "select agentdb.log_tool_call('t', result_size => i) from generate_series(1, 9) as i"
    )
    assert pattern(db) is None
    agent.execute("select agentdb.log_tool_call('u') from generate_series(1, 5) as i")
    assert pattern(db) == "the same call with the same result: warning"


def test_slow_loop_is_found_and_an_old_one_is_over(
    db: Connection, agent: Connection
) -> None:
    for _ in range(5):
        same(agent, 1)
        age(db, "tool_call_log", "recorded_at", "20 minutes")
    age(db, "run", "started_at", "3 hours")
    assert pattern(db) is not None
    age(db, "tool_call_log", "recorded_at", "30 minutes")
    assert pattern(db) is None


def test_past_moment_sees_the_loop_of_then(db: Connection, agent: Connection) -> None:
    same(agent, 6)
    moment = value(db, "select clock_timestamp()::text")
    agent.execute("select agentdb.log_progress('got out')")
    agent.execute("select agentdb.end_run()")
    db.execute("select agentdb.roll_up()")
    assert labels(db, "silent_loop") == []
    assert len(labels(db, "silent_loop", moment)) == 1


def test_policy_playbook_has_no_such_rule(db: Connection, agent: Connection) -> None:
    same(agent, 9)
    policy(db, "playbook")
    assert pattern(db) is None
    assert len(labels(db, "repeated_tool_call")) == 1


def test_large_result_is_hashed_not_kept(db: Connection, agent: Connection) -> None:
    for number in range(2):
        head = f"at 12:00:0{number} "
        agent.execute(
            "select agentdb.log_tool_call('t', result => %s::text || repeat('x', 5000000)"
            " || %s::text)",
            [head, head],
        )
    agent.execute(
        "select agentdb.log_tool_call('t', result => repeat('x', 2500000) || '7'"
        " || repeat('x', 2500000))"
    )
    found = rows(
        db,
        "select result_signature, result_size, pg_column_size(l.*) as bytes "
        "from agentdb.tool_call_log as l order by tool_call_log_id",
    )
    assert found[0]["result_signature"] == found[1]["result_signature"]
    assert found[1]["result_signature"] != found[2]["result_signature"]
    assert found[0]["result_size"] == 5_000_024
    assert max(each["bytes"] for each in found) < 500


def test_alert_names_its_rows_threshold_and_policy(
    db: Connection, agent: Connection
) -> None:
    same(agent, 6)
    log(agent, [call("other", {}, "x")])
    found = row(db, "select value, annotations from agentdb.silent_loop")
    told = found["annotations"]
    assert found["value"] == 6
    assert (told["policy"], told["setting"]) == ("default", "silent_loop_same")
    assert told["threshold"] == 5
    tools = rows(
        db,
        "select tool from agentdb.tool_call_log where tool_call_log_id = any(%s)",
        told["calls"],
    )
    assert [each["tool"] for each in tools] == ["check"] * 6
    assert (
        "is stuck in a loop: the same call with the same result, 6 times"
        in told["summary"]
    )


def recorded() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for actor in ("airline", "coding"):
        for name, events in read(DATA / actor / "events.jsonl").items():
            yield name, [{k: v for k, v in e.items() if k != "writes"} for e in events]


def test_recorded_runs_that_reached_their_goal_never_alert(
    db: Connection, connect: Connect
) -> None:
    """All 102 runs, looked at after each tool call; what agents say is no evidence."""
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    reward = {
        each["run"]: each["reward"] for each in lines(DATA / "airline" / "truth.jsonl")
    }
    flagged: set[str] = set()
    for name, events in recorded():
        deeds = [event for event in events if event["kind"] != "message"]

        def look(event: dict[str, Any], name: str = name) -> None:
            if event["kind"] == "tool_call" and pattern(db):
                flagged.add(name)

        replay(agent, name, deeds, tell=look)
        if len(flagged) % 10 == 0:
            db.execute("select agentdb.roll_up()")
    good = {name for name in reward if reward[name] == 1}
    assert len(good) == 31
    assert not flagged & good
    assert {"airline-03-0", "airline-13-0", "airline-09-2"} <= flagged
    assert not [name for name in flagged if name.startswith("coding")]


def test_long_runs_cost_the_rule_no_more_than_short_ones(
    db: Connection, agent: Connection
) -> None:
    log(agent, [call("t", {"i": i}, str(i)) for i in range(3000)])
    agent.execute("select agentdb.log_progress('a step')")
    log(agent, [call("t", {"i": i}, str(i)) for i in range(6)])
    usage = json.dumps([{"input": 1}] * 3000)
    agent.execute("select agentdb.log_tokens_many(%s::jsonb)", [usage])
    db.execute("select agentdb.roll_up()")
    db.execute("analyze")
    assert pattern(db) == "model calls without a tool call: warning"
    assert visited(db, "select * from agentdb.silent_loop") < 2500


def test_long_names_of_tools_leave_the_summary_short(
    db: Connection, agent: Connection
) -> None:
    names = [f"{i}{'x' * 150}" for i in range(6)]
    log(agent, [call(name, {}, "same") for _ in range(5) for name in names])
    assert (
        len(value(db, "select annotations ->> 'summary' from agentdb.silent_loop"))
        < 400
    )
