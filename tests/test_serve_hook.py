"""`POST /hook` as a coding agent meets it: what is recorded, and what it is told."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from .agents import evaluate, row, rows, value
from .serving import Serving, called, traces
from .test_serve import until

if TYPE_CHECKING:
    from .conftest import Connect, Connection

Event = dict[str, Any]


def event(name: str, /, **given: Any) -> Event:
    return {"hook_event_name": name, "session_id": "s-1", **given}


def call(name: str, number: int = 1, tool: str = "Bash", **given: Any) -> Event:
    """Return an event about one call."""
    made = {"tool_name": tool, "tool_input": {"command": f"ls {number}"}}
    return event(name, **made, tool_use_id=f"t{number}", **given)


def send(serve: Serving, given: Event, **headers: str) -> Any:
    """Send an event and return the answer of a 200."""
    answer = serve.post("/hook", json.dumps(given).encode(), **headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def calls(db: Connection) -> list[Event]:
    return rows(
        db,
        "select tool, ok, call_id, recorded_by from agentdb.tool_call_log"
        " order by tool_call_log_id",
    )


def test_call_is_in_flight_until_it_ends(db: Connection, serve: Serving) -> None:
    send(serve, event("SessionStart", source="startup"))
    assert send(serve, call("PreToolUse")) == {}
    flying = "select call_id from agentdb.tool_call where ended_at is null"
    assert value(db, flying) == "t1"
    send(serve, call("PostToolUse", tool_response={"stdout": "a"}, duration_ms=1500))
    assert rows(db, flying) == []
    found = row(db, "select args, ok, duration, recorded_by from agentdb.tool_call_log")
    assert found["args"] == {"command": "ls 1"}
    assert (found["ok"], found["recorded_by"]) == (True, "hook")
    assert found["duration"].total_seconds() == 1.5
    send(serve, event("SessionEnd", reason="other"))
    assert value(db, "select outcome from agentdb.run") == "succeeded"


def test_resumed_session_is_another_run(db: Connection, serve: Serving) -> None:
    for source in ("startup", "resume"):
        send(serve, event("SessionStart", source=source))
        send(serve, call("PreToolUse"))
        send(serve, event("SessionEnd"))
    assert value(db, "select count(*) from agentdb.run") == 2


def test_stop_of_the_turn_is_not_the_end(db: Connection, serve: Serving) -> None:
    send(serve, event("SessionStart"))
    send(serve, event("Stop", stop_hook_active=False))
    send(serve, call("PostToolUse", tool_response="x"))
    assert value(db, "select count(*) from agentdb.run where ended_at is null") == 1


def test_turn_that_broke_off_has_failed(db: Connection, serve: Serving) -> None:
    send(serve, event("SessionStart"))
    send(serve, event("StopFailure", error="API Error: Connection refused"))
    send(serve, event("SessionEnd", reason="other"))
    found = row(db, "select outcome, summary from agentdb.run")
    assert found == {"outcome": "failed", "summary": "API Error: Connection refused"}
    # The session goes on: as another run.
    send(serve, event("UserPromptSubmit", prompt="try again"))
    send(serve, call("PreToolUse"))
    assert value(db, "select count(*) from agentdb.run where ended_at is null") == 1


@pytest.mark.parametrize("stop", ["kill_run(1, 'x')", "pause_agent('coder', 'x')"])
def test_stopped_agent_calls_nothing(db: Connection, serve: Serving, stop: str) -> None:
    send(serve, event("SessionStart"))
    db.execute(f"select agentdb.{stop}".encode())
    answer = send(serve, call("PreToolUse"))
    said = answer["hookSpecificOutput"]
    assert said["permissionDecision"] == "deny"
    assert said["permissionDecisionReason"].startswith("agentdb: This ")
    # Who was killed has nothing more to ask its model; who is paused waits.
    assert answer.get("continue", True) == stop.startswith("pause")
    asked = send(serve, event("UserPromptSubmit", prompt="go on"))
    assert asked["decision"] == "block"
    assert value(db, "select count(*) from agentdb.run") == 1
    codex = event("PreToolUse", turn_id="1", tool_name="Bash", tool_input={})
    assert set(send(serve, codex)) == {"hookSpecificOutput"}
    gemini = event("BeforeTool", tool_name="ls", tool_input={})
    assert send(serve, gemini)["decision"] == "deny"
    # It says so itself: the session starts anew, which a pause does not let it.
    send(serve, event("SessionStart", source="resume"))
    allowed = send(serve, call("PreToolUse", 2)) == {}
    assert allowed == stop.startswith("kill")


def test_compacted_session_is_the_same(db: Connection, serve: Serving) -> None:
    send(serve, event("SessionStart", source="startup"))
    db.execute("select agentdb.kill_run(1, 'x')")
    send(serve, event("PreCompact", trigger="auto"))
    assert send(serve, event("SessionStart", source="compact")) == {}
    assert send(serve, call("PreToolUse"))["continue"] is False
    assert value(db, "select count(*) from agentdb.run") == 1


def test_no_is_said_where_it_cannot_be_written_down(
    db: Connection, serve: Serving, connect: Connect
) -> None:
    send(serve, event("SessionStart"))
    db.execute("select agentdb.kill_run(1, 'x')")
    holder = connect(db.info.dbname)
    holder.autocommit = False
    holder.execute("select from agentdb.run for update")
    assert send(serve, call("PreToolUse"))["continue"] is False
    assert send(serve, event("UserPromptSubmit"))["decision"] == "block"
    holder.rollback()
    found = until(db, "select reason from agentdb.intake_problem")
    assert found[0]["reason"].startswith("denied, not recorded: ")


def test_secrets_of_what_is_not_a_call_yet_are_blanked(
    db: Connection, serve: Serving
) -> None:
    secret = "ghp_" + "a1B2" * 9
    half = {"kind": "call", "call_id": "h", "result": f"found {secret}"}
    bad = {"kind": "call", "tool": "x", "occurrence": 0, "args": {"password": secret}}
    send(serve, event("Stop", agentdb_transcript=[half, bad]))
    serve.token = ""
    told = called(1, gen_ai__tool__call__result=f"found {secret}")
    serve.send(traces(told, service__name="coder"))
    problems = until(db, "select sample from agentdb.intake_problem")
    halves = rows(db, "select known from agentdb.tool_call where call_id = 'h'")
    seen = rows(db, "select event from agentdb.unproven_log")
    assert all(map(len, (problems, halves, seen)))
    assert secret not in json.dumps([problems, halves, seen])


def test_subagents_are_stopped_with_their_session(
    db: Connection, serve: Serving
) -> None:
    send(serve, event("SessionStart"))
    send(serve, event("SubagentStart", agent_id="sub", agent_type="x"))
    send(serve, call("PreToolUse", agent_id="sub"))
    parent = row(db, "select parent_run_id from agentdb.run where run_id = 2")
    assert parent == {"parent_run_id": 1}
    db.execute("select agentdb.kill_run(1, 'x')")
    assert send(serve, call("PreToolUse", 2, agent_id="sub"))
    assert send(serve, call("PreToolUse", 3, agent_id="another"))


def test_spent_budget_denies(db: Connection, serve: Serving) -> None:
    db.execute("update agentdb.policy set conversation_budget_tokens = 1000")
    used = {"kind": "tokens", "ids": ["m1"], "input": 900, "output": 200}
    send(serve, event("Stop", agentdb_transcript=[used]))
    said = send(serve, call("PreToolUse"))["hookSpecificOutput"]
    assert "budget" in said["permissionDecisionReason"]


def spend(db: Connection, serve: Serving, tokens: int, nth: int) -> None:
    """Use tokens of a budget of 1000, and look at the rules."""
    db.execute("update agentdb.policy set conversation_budget_tokens = 1000")
    used = {"kind": "tokens", "ids": [f"m{nth}"], "input": tokens, "output": 0}
    send(serve, event("Stop", agentdb_transcript=[used]))
    evaluate(db)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (call("PreToolUse"), call("PostToolUse", tool_response="x")),
        (call("PreToolUse"), call("PostToolUseFailure", error="x")),
        (call("PreToolUse", turn_id="1"), call("PostToolUse", turn_id="1")),
        (call("BeforeTool"), call("AfterTool", tool_response={})),
    ],
)
def test_advice_is_told_after_a_call_once_for_each_kind(
    db: Connection, serve: Serving, before: Event, after: Event
) -> None:
    send(serve, event("SessionStart"))
    assert [send(serve, each) for each in (before, after)] == [{}, {}]
    spend(db, serve, 810, 1)
    assert send(serve, before) == {}
    said = send(serve, after)["hookSpecificOutput"]
    assert set(said) == {"hookEventName", "additionalContext"}
    assert said["hookEventName"] == after["hook_event_name"]
    assert said["additionalContext"].startswith("agentdb: The budget of this conv")
    assert "81% of it is used, 190 tokens are left" in said["additionalContext"]
    # Another number is nothing new.
    spend(db, serve, 10, 2)
    assert [send(serve, each) for each in (before, after, before, after)] == [{}] * 4
    spend(db, serve, 140, 3)
    assert send(serve, before) == {}
    assert "nearly spent: 96%" in str(send(serve, after))
    assert [send(serve, each) for each in (before, after)] == [{}, {}]


def test_advice_is_told_with_a_prompt_and_to_its_session_alone(
    db: Connection, serve: Serving
) -> None:
    for session in ("s-1", "s-2"):
        send(serve, {**event("SessionStart"), "session_id": session})
    spend(db, serve, 850, 1)
    assert send(serve, {**event("UserPromptSubmit"), "session_id": "s-2"}) == {}
    said = send(serve, event("UserPromptSubmit", prompt="go on"))
    assert "85% of it" in said["hookSpecificOutput"]["additionalContext"]
    assert send(serve, event("UserPromptSubmit", prompt="go on")) == {}


def test_what_a_denial_has_said_is_not_said_again_as_advice(
    db: Connection, serve: Serving
) -> None:
    for number in range(12):
        again = {**call("PostToolUse", number, tool_response="none"),
                 "tool_input": {"command": "ls"}}  # fmt: skip
        send(serve, again)
    evaluate(db)
    same = {**call("PreToolUse", 99), "tool_input": {"command": "ls"}}
    said = send(serve, same)["hookSpecificOutput"]
    assert "You are in a loop" in said["permissionDecisionReason"]
    other = [
        call(name, 100, tool_response="x") for name in ("PreToolUse", "PostToolUse")
    ]
    assert [send(serve, each) for each in other] == [{}, {}]


def test_advice_survives_a_denial_that_is_about_something_else(
    db: Connection, serve: Serving
) -> None:
    db.execute("update agentdb.policy set denied_tools = '{Write}'")
    send(serve, event("SessionStart"))
    spend(db, serve, 850, 1)
    said = send(serve, call("PreToolUse", tool="Write"))["hookSpecificOutput"]
    assert "not allowed here" in said["permissionDecisionReason"]
    send(serve, call("PreToolUse", 2))
    said = send(serve, call("PostToolUse", 2, tool_response="x"))
    assert "85% of it" in said["hookSpecificOutput"]["additionalContext"]


def test_batch_names_what_no_other_event_does(db: Connection, serve: Serving) -> None:
    made = [("Nope", "<tool_use_error>Error: No such tool available: Nope</tool_use_error>"),
            ("Read", "<tool_use_error>InputValidationError: no path</tool_use_error>"),
            ("Bash", "PreToolUse:Bash hook error: [other]: no"),
            ("Edit", "done")]  # fmt: skip
    batch = [
        {
            "tool_name": tool,
            "tool_input": {},
            "tool_use_id": f"t{n}",
            "tool_response": said,
        }
        for n, (tool, said) in enumerate(made)
    ]
    send(serve, event("PostToolBatch", tool_calls=batch))
    faults = """
      select l.tool, f.fault from agentdb.tool_fault as f
      join agentdb.tool_call_log as l using (tool_call_log_id) order by 1
    """
    found = [tuple(each.values()) for each in rows(db, faults)]
    assert found == [("Nope", "unknown"), ("Read", "invalid_args")]
    assert [c["tool"] for c in calls(db)] == ["Nope", "Read", "Bash"]


def test_transcript_of_another_session_is_this_ones(
    db: Connection, serve: Serving
) -> None:
    db.execute("select agentdb.register_intake_agent('other')")
    used = {"kind": "tokens", "ids": ["m"], "input": 5, "output": 5, "agent": "other",
            "proven": False, "conversation": "s-2"}  # fmt: skip
    ends = {"kind": "end", "conversation": "s-2", "outcome": "failed"}
    send(serve, event("Stop", agentdb_transcript=[used, ends, 5, None, {"kind": []}]))
    found = row(
        db,
        "select agent_name, conversation, outcome from agentdb.run"
        " join agentdb.agent using (agent_id)",
    )
    assert found == {"agent_name": "coder", "conversation": "s-1", "outcome": None}
    assert value(db, "select count(*) from agentdb.token_log") == 1


def test_without_a_token_nothing_is_believed_or_denied(
    db: Connection, serve: Serving
) -> None:
    db.execute("select agentdb.pause_agent('coder', 'x')")
    serve.token = ""
    assert send(serve, {**call("PreToolUse"), "agent": "coder"}) == {}
    send(serve, event("Stop", agentdb_transcript=[
        {"kind": "tokens", "ids": ["m"], "input": 5, "output": 5, "agent": "coder"}]))  # fmt: skip
    assert rows(db, "select * from agentdb.run") == []
    assert rows(db, "select * from agentdb.token_log") == []
    deadline = time.monotonic() + 20
    while not (noted := rows(db, "select reason from agentdb.intake_problems")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert {each["reason"] for each in noted} == {"no token"}
    assert serve.post("/hook/whoami", b"{}").text == ""
    wrong = serve.post("/hook", json.dumps(call("PreToolUse")).encode(), token="wrong")
    assert wrong.status_code == 401
    assert "agentdb intake token" in wrong.text


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"5", b"{}", b"\xff", b"[" * 100_000, b'{"hook_event_name": 5}',
     b'{"hook_event_name": "Stop", "session_id": ""}'],
)  # fmt: skip
def test_what_is_no_event_is_said_and_kept(
    standing: tuple[Connection, Serving], body: bytes
) -> None:
    _, serve = standing
    answer = serve.post("/hook", body)
    assert answer.status_code == 400
    assert "JSON" in answer.text or "is missing" in answer.text
    send(serve, call("PreToolUse"))


@pytest.mark.parametrize("name", ["PreToolUse", "PostToolUse", "PostToolUseFailure",
                                  "PostToolBatch", "PermissionDenied", "Made up",
                                  "AfterTool", "SubagentStop", "SessionEnd"])  # fmt: skip
@pytest.mark.parametrize(
    "odd", [None, 5, [], {}, "\x00\ud800", "x" * 100_000, [[{}]], True]
)
def test_odd_values_are_no_fault(
    standing: tuple[Connection, Serving], name: str, odd: Any
) -> None:
    given = event(name, tool_name=odd, tool_input=odd, tool_use_id=odd, agent_id=odd,
                  tool_response=odd, error=odd, duration_ms=odd, tool_calls=odd,
                  reason=odd, agentdb_transcript=odd)  # fmt: skip
    send(standing[1], given)


def test_hooks_at_once_are_each_recorded(db: Connection, serve: Serving) -> None:
    def work(session: int) -> None:
        for number in range(20):
            for name in ("PreToolUse", "PostToolUse"):
                given = call(name, number, tool_response="x")
                send(serve, {**given, "session_id": f"s-{session}"})

    threads = [threading.Thread(target=work, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(db, "select count(*) from agentdb.tool_call_log") == 160
    assert value(db, "select count(*) from agentdb.run") == 8


def test_without_a_database_the_agent_is_told_to_go_on(
    db: Connection, serve: Serving
) -> None:
    send(serve, call("PreToolUse"))
    db.execute("alter role intake_i nologin")
    try:
        db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where usename = 'intake_i' and datname = current_database()"
        )
        answer = serve.post("/hook", json.dumps(call("PreToolUse", 2)).encode())
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
    finally:
        db.execute("alter role intake_i login")


def test_agent_that_holds_its_run_locked_loses_no_event(
    db: Connection, serve: Serving, connect: Connect
) -> None:
    send(serve, call("PreToolUse"))
    holder = connect(db.info.dbname)
    holder.autocommit = False
    holder.execute("select from agentdb.intake_session for update")
    # Another agent does not wait for it.
    db.execute("select agentdb.register_intake_agent('other')")
    other = db.execute("select agentdb.make_intake_token('other')").fetchone()
    assert other
    threading.Timer(0.6, holder.rollback).start()
    assert send(serve, event("SessionStart", session_id="o"), token=other[0]) == {}
    send(serve, call("PostToolUse", tool_response="x"))
    assert [each["call_id"] for each in calls(db)] == ["t1"]
    holder.execute("select from agentdb.intake_session for update")
    late = serve.post("/hook", json.dumps(call("PostToolUse", 2)).encode())
    assert late.status_code == 503
    holder.rollback()
    send(serve, call("PostToolUse", 2, tool_response="x"))
    assert [each["call_id"] for each in calls(db)] == ["t1", "t2"]
