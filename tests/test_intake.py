"""What emitters tell: each event once, in the run it belongs to, marked with who told.

Every count is compared with what the test itself has sent.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .agents import register, row, rows, start, value

if TYPE_CHECKING:
    from .conftest import Connect, Connection

Event = dict[str, Any]


@pytest.fixture
def intake(db: Connection, connect: Connect) -> Connection:
    """The session of a server that takes in what emitters tell."""
    register(db)
    return connect(db.info.dbname, "intake_i")


def event(kind: str, /, **told: Any) -> Event:
    """Return what a server sends of a proven event of agent a."""
    return {
        "kind": kind,
        "agent": "a",
        "proven": True,
        "conversation": "c-1",
        "source": "span",
        "emitter": "test 1.0",
        **told,
    }


def record(intake: Connection, *events: Any, by: str = "otlp") -> list[tuple[Any, ...]]:
    """Record a batch and return place, status, problem and run of each element."""
    return intake.execute(
        "select * from agentdb.record_events(%s::text::jsonb, %s)",
        [json.dumps(events), by],
    ).fetchall()


def statuses(answers: list[tuple[Any, ...]]) -> list[str]:
    """Return what became of each element."""
    return [answer[1] for answer in answers]


def test_a_session_becomes_one_run(db: Connection, intake: Connection) -> None:
    answers = record(
        intake,
        event("start", purpose="fix the build", model="m", ids=["s"]),
        event("begin", tool="read", args={"path": "/a"}, call_id="t1"),
        event("call", call_id="t1", ok=True, result="text", duration_ms=12.5),
        event("call", tool="read", args={}, call_id="t2", ok=False, error="no file"),
        event(
            "tokens",
            input=100,
            cached_input=820,
            output=30,
            ids=["resp_0000000000000001"],
            model="m",
        ),
        event("progress", step="read the file", ids=["p1"]),
        event("end", ids=["e"], outcome="failed", summary="no file"),
    )
    assert statuses(answers) == ["recorded"] * 7
    (run,) = {answer[3] for answer in answers}
    assert row(
        db,
        "select purpose, outcome, summary, opened_by, conversation, pooled "
        "from agentdb.run where run_id = %s",
        run,
    ) == {
        "purpose": "fix the build",
        "outcome": "failed",
        "summary": "no file",
        "opened_by": "otlp",
        "conversation": "c-1",
        "pooled": True,
    }
    assert rows(
        db,
        "select run_id, tool, args, ok, error, call_id, recorded_by "
        "from agentdb.tool_call_log order by tool_call_log_id",
    ) == [
        {
            "run_id": run,
            "tool": "read",
            "args": {"path": "/a"},
            "ok": True,
            "error": None,
            "call_id": "t1",
            "recorded_by": "otlp",
        },
        {
            "run_id": run,
            "tool": "read",
            "args": {},
            "ok": False,
            "error": "no file",
            "call_id": "t2",
            "recorded_by": "otlp",
        },
    ]
    assert row(
        db,
        "select input_tokens, cached_input_tokens, output_tokens, untold "
        "from agentdb.token_log where run_id = %s",
        run,
    ) == {
        "input_tokens": 100,
        "cached_input_tokens": 820,
        "output_tokens": 30,
        "untold": ["reasoning"],
    }
    assert value(db, "select step from agentdb.progress_log") == "read the file"
    assert (
        value(db, "select count(*) from agentdb.tool_call where ended_at is null") == 0
    )


def test_the_same_batch_again_is_repeated(db: Connection, intake: Connection) -> None:
    batch = [
        event("start", ids=["s"]),
        event("call", tool="read", args={}, call_id="t1", ids=["span-1"]),
        event("call", tool="look", at="2026-11-29T12:00:00Z"),
        event("call", tool="look", at="2026-11-29T12:00:00Z"),
        event(
            "tokens",
            input=1,
            output=2,
            ids=["resp_0000000000000001", "req_00000000000000001"],
        ),
        event("progress", step="x", ids=["p"]),
    ]
    assert statuses(record(intake, *batch)) == ["recorded"] * 6
    assert statuses(record(intake, *batch)) == ["repeated"] * 6
    assert statuses(
        record(intake, event("tokens", input=9, ids=["req_00000000000000001"]))
    ) == ["repeated"]
    assert value(db, "select count(*) from agentdb.tool_call_log") == 3
    assert value(db, "select sum(input_tokens) from agentdb.token_log") == 1
    assert value(db, "select count(*) from agentdb.run") == 1


def test_the_agents_own_run_is_the_one(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    session = connect(db.info.dbname, "agent_a")
    run = start(session, conversation="c-1")
    session.execute("select agentdb.log_tool_call('read', call_id => 't1')")
    session.execute(
        "select agentdb.log_tokens(10, 5, response_id => 'resp_0000000000000001')"
    )
    answers = record(
        intake,
        event("call", tool="read", call_id="t1"),
        event("tokens", input=10, output=5, ids=["resp_0000000000000001"]),
        event("call", tool="read", call_id="t2"),
        event("tokens", input=7, output=5, ids=["resp_0000000000000002"]),
    )
    assert statuses(answers) == ["repeated", "repeated", "recorded", "recorded"]
    assert {answer[3] for answer in answers} == {run}
    again = session.execute(
        "select repeated from agentdb.log_tokens(7, 5, response_id => 'resp_0000000000000002')"
    ).fetchone()
    assert again == (True,)
    assert value(db, "select sum(input_tokens) from agentdb.token_log") == 17
    assert value(db, "select count(*) from agentdb.tool_call_log") == 2


def test_without_proof_it_is_only_kept(db: Connection, intake: Connection) -> None:
    answers = record(
        intake,
        event("tokens", proven=False, input=10_000_000, output=1),
        event("progress", proven=False, step="done"),
        event("end", proven=False),
        {**event("call", tool="x"), "proven": "true"},
    )
    assert statuses(answers) == ["unproven"] * 4
    assert {answer[3] for answer in answers} == {None}
    for log in ("run", "token_log", "progress_log", "tool_call_log", "intake_session"):
        assert value(db, f"select count(*) from agentdb.{log}") == 0
    assert value(db, "select count(*) from agentdb.unproven_log") == 4
    assert value(db, "select events from agentdb.unproven_hour") == 4


def test_what_is_wrong_is_said_and_costs_nothing_else(
    db: Connection, intake: Connection
) -> None:
    answers = record(
        intake,
        event("call", tool="read"),
        event("jump"),
        "text",
        event("call", agent="nobody", tool="x"),
        event("tokens", input=-1),
        event("tokens"),
        event("tokens", input="12", output=3),
        event("call", tool="\u202e", conversation="a\nb"),
        event("begin", tool="x"),
        event("call"),
        event("progress", step=" "),
        event("end", outcome="won"),
        event("call", tool="read", at="2026-99-99T99:99:99Z"),
    )
    assert statuses(answers) == [
        "recorded",
        *["refused"] * 5,
        "recorded",
        *["refused"] * 5,
        "recorded",
    ]
    assert all(
        bool(problem) == (status == "refused") for _, status, problem, _ in answers
    )


def test_judge_denies_with_a_reason(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    def judge(tool: str = "read", args: object = None) -> tuple[Any, ...]:
        found = intake.execute(
            "select allowed, reason from agentdb.judge_call("
            "'a', 'c-1', null, %s, %s::text::jsonb)",
            [tool, json.dumps(args)],
        ).fetchone()
        assert found is not None
        return found

    assert judge() == (True, None)
    (answer,) = record(intake, event("start"))
    assert judge() == (True, None)
    db.execute("update agentdb.policy set denied_tools = '{rm}'")
    assert judge("rm")[0] is False
    db.execute("update agentdb.policy set conversation_budget_tokens = 100")
    record(intake, event("tokens", input=100, output=1))
    allowed, reason = judge()
    assert not allowed
    assert "101 tokens of 100" in reason
    db.execute("select agentdb.kill_run(%s, 'enough')", [answer[3]])
    allowed, reason = judge()
    assert not allowed
    assert "killed: enough" in reason


def test_a_token_proves_an_agent(db: Connection, intake: Connection) -> None:
    token = value(db, "select agentdb.make_intake_token('a')")
    assert value(intake, "select agentdb.agent_of_intake(%s)", token) == "a"
    assert value(intake, "select agentdb.agent_of_intake(%s)", token + "0") is None
    number = value(db, "select token_id from agentdb.intake_tokens")
    db.execute("select agentdb.revoke_intake_token(%s)", [number])
    assert value(intake, "select agentdb.agent_of_intake(%s)", token) is None


def test_a_file_of_the_past_is_a_run_of_the_past(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    operator = connect(db.info.dbname, "operator_o")
    day = value(db, "select (now() - interval '3 days')::date::text")
    batch = [
        event("start", agent="past", at=f"{day}T10:00:00Z", purpose="then"),
        event("begin", agent="past", tool="read", call_id="t", at=f"{day}T10:00:01Z"),
        event("call", agent="past", call_id="t", at=f"{day}T10:00:03Z"),
        event("tokens", agent="past", input=5, at=f"{day}T10:00:04Z", thread="sub"),
        event("end", agent="past", at=f"{day}T10:05:00Z", outcome="cancelled"),
        event("call", agent="past", tool="x", at="2001-01-01T00:00:00Z"),
        event("call", agent="past", tool="x"),
    ]

    def bring() -> list[str]:
        return statuses(
            operator.execute(
                "select * from agentdb.import_events(%s::text::jsonb)",
                [json.dumps(batch)],
            ).fetchall()
        )

    assert bring() == [*["recorded"] * 5, "refused", "refused"]
    assert bring() == [*["repeated"] * 5, "refused", "refused"]
    assert rows(
        db,
        "select started_at = %s::timestamptz + '10:00' as begun, ended_at - started_at "
        "= '5 min' as lasted, outcome, purpose from agentdb.run "
        "where parent_run_id is null",
        f"{day} 00:00Z",
    ) == [{"begun": True, "lasted": True, "outcome": "cancelled", "purpose": "then"}]
    assert row(
        db,
        "select recorded_at = %s::timestamptz as then, duration::text, recorded_by "
        "from agentdb.tool_call_log",
        f"{day} 10:00:03Z",
    ) == {"then": True, "duration": "00:00:02", "recorded_by": "import"}
    assert value(db, "select count(*) from agentdb.run where parent_run_id > 0") == 1


@pytest.mark.parametrize("first", ["own", "emitter", "own after the end"])
def test_call_of_the_agents_own_run_is_one_call_by_hook_too(
    db: Connection, intake: Connection, connect: Connect, first: str
) -> None:
    """The gateway has a run of its own, and knows no conversation."""
    session = connect(db.info.dbname, "agent_a")
    run = start(session)
    own = "select repeated from agentdb.log_tool_call('mcp', '{}', call_id => 'toolu_0123456789')"
    begin = event("begin", tool="mcp__x__mcp", args={}, call_id="toolu_0123456789")
    end = event("call", tool="mcp__x__mcp", ok=True, call_id="toolu_0123456789")
    assert statuses(record(intake, begin, by="hook")) == ["recorded"]
    if first == "emitter":
        assert statuses(record(intake, end, by="hook")) == ["recorded"]
        assert value(session, own) is True
    else:
        assert value(session, own) is False
        if first == "own after the end":
            session.execute("select agentdb.end_run()")
        ((_, status, _, found),) = record(intake, end, by="hook")
        assert (status, found) == ("repeated", run)
    assert value(db, "select count(*) from agentdb.tool_call_log") == 1
    assert rows(db, "select * from agentdb.tool_call where ended_at is null") == []


def test_short_id_names_nothing_beyond_its_run(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    session = connect(db.info.dbname, "agent_a")
    start(session)
    record(intake, event("call", tool="a", call_id="call_1"))
    own = "select repeated from agentdb.log_tool_call('a', call_id => 'call_1')"
    assert value(session, own) is False
    assert value(db, "select count(*) from agentdb.tool_call_log") == 2
