"""May a call be made?  What is answered, and that a model can act on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .agents import evaluate, refusal, rows, start, value
from .test_intake import event, intake, record

if TYPE_CHECKING:
    from .conftest import Connect, Connection

__all__ = ["intake"]


def judge(
    intake: Connection, tool: str = "read", args: object = None, **given: Any
) -> tuple[bool, str]:
    """Return whether a call may be made, and why not."""
    asked = {"conversation": "c-1", "thread": None, **given}
    found = intake.execute(
        "select allowed, coalesce(reason, '') from agentdb.judge_call('a', "
        "%(conversation)s, %(thread)s, %(tool)s, %(args)s::text::jsonb)",
        {**asked, "tool": tool, "args": json.dumps(args)},
    ).fetchone()
    assert found is not None
    return found


def test_a_call_that_goes_on_with_a_loop_is_denied(
    db: Connection, intake: Connection
) -> None:
    calls = [
        event("call", tool="read", args={"p": 1}, call_id=f"t{n}") for n in range(6)
    ]
    record(intake, *calls, by="hook")
    # Nobody has been alerted to it yet.
    assert judge(intake, "read", {"p": 1}) == (True, "")
    evaluate(db)
    allowed, reason = judge(intake, "read", {"p": 1})
    assert not allowed
    assert "You are in a loop: read with these arguments was called 6 times" in reason
    assert "do something else" in reason
    # Another way out of it is not.
    assert judge(intake, "read", {"p": 2}) == (True, "")
    assert judge(intake, "write", {"p": 1}) == (True, "")
    assert judge(intake, "read", {"p": 1}, conversation="c-2") == (True, "")


def test_a_loop_with_large_arguments_is_denied(
    db: Connection, intake: Connection
) -> None:
    args = {"content": "x" * 100_000}
    for n in range(6):
        record(intake, event("call", tool="write", args=args, call_id=f"t{n}"))
    evaluate(db)
    allowed, reason = judge(intake, "write", args)
    assert not allowed and "You are in a loop" in reason


def test_tools_that_an_agent_does_not_have(db: Connection, intake: Connection) -> None:
    db.execute("update agentdb.policy set deny_unknown_tools = true")
    # Without a registry nobody knows.
    assert judge(intake, "raed") == (True, "")
    for tool in ("read", "write"):
        db.execute("select agentdb.register_tool(%s, agent => 'a')", [tool])
    allowed, reason = judge(intake, "raed")
    assert (
        not allowed and "There is no tool raed for you" in reason and "read" in reason
    )
    assert judge(intake, "read") == (True, "")
    db.execute("select agentdb.rename_tool('write', 'store')")
    assert judge(intake, "write") == (True, "")
    db.execute("update agentdb.policy set denied_tools = '{read}'")
    allowed, reason = judge(intake, "read")
    assert not allowed and "not allowed here (policy default)" in reason


def test_a_budget_that_is_spent_ends_it(db: Connection, intake: Connection) -> None:
    db.execute(
        "update agentdb.policy set conversation_budget_tokens = 1000, "
        "agent_day_budget_tokens = 1500, run_budget_cost = 2"
    )
    record(
        intake, event("tokens", input=600, thread="sub"), event("tokens", output=399)
    )
    assert judge(intake) == (True, "")
    record(intake, event("tokens", cached_input=1, thread="sub"))
    allowed, reason = judge(intake)
    assert not allowed
    assert "budget of this conversation is spent: 1000 tokens of 1000" in reason
    assert judge(intake, thread="sub")[0] is False
    assert judge(intake, conversation="c-2") == (True, "")
    record(intake, event("tokens", input=500, conversation="c-2", cost=0.5))
    assert "agent for today" in judge(intake, conversation="c-3")[1]
    db.execute("update agentdb.policy set agent_day_budget_tokens = null")
    assert judge(intake, conversation="c-2") == (True, "")
    record(intake, event("tokens", input=1, conversation="c-2", cost=1.5))
    assert "cost 2.00 of 2" in judge(intake, conversation="c-2")[1]


def test_what_nothing_proves_spends_nothing(db: Connection, intake: Connection) -> None:
    db.execute("update agentdb.policy set conversation_budget_tokens = 1000")
    record(intake, event("tokens", input=100_000, proven=False))
    assert judge(intake) == (True, "")


def test_the_agents_own_run_is_judged_as_well(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    session = connect(db.info.dbname, "agent_a")
    run = start(session, conversation="c-1")
    # No emitter has told of it.
    db.execute("select agentdb.kill_run(%s, 'enough')", [run])
    allowed, reason = judge(intake)
    assert not allowed and "killed: enough" in reason


def test_a_pause_ends(db: Connection, intake: Connection) -> None:
    record(intake, event("start"))
    db.execute("select agentdb.pause_agent('a', 'lunch')")
    allowed, reason = judge(intake)
    assert not allowed and "paused: lunch" in reason and "in a minute" in reason
    db.execute("select agentdb.resume_agent('a', 'back')")
    assert judge(intake) == (True, "")


def test_an_agent_that_nobody_knows(db: Connection, intake: Connection) -> None:
    said = refusal(intake, "select agentdb.judge_call('nobody', 'c-1')")
    assert said.sqlstate == "ZA006"
    assert value(db, "select count(*) from agentdb.run") == 0


def test_names_that_an_agent_does_not_have_are_each_noted(
    db: Connection, intake: Connection
) -> None:
    """What they are like is looked for as often as it helps: it takes milliseconds."""
    db.execute("select agentdb.register_tool('read_file', agent => 'a')")
    db.execute("select agentdb.register_tool('write_file', agent => 'a')")
    db.execute("select agentdb.rename_tool('write_file', 'store')")
    names = [f"read_fil_{n % 30}" for n in range(60)] + ["write_file"]
    record(
        intake, *(event("call", tool=t, call_id=f"t{n}") for n, t in enumerate(names))
    )
    found = rows(
        db,
        "select l.tool, f.detail from agentdb.tool_fault as f"
        " join agentdb.tool_call_log as l using (tool_call_log_id)"
        " where f.fault = 'unknown'",
    )
    assert sorted(each["tool"] for each in found) == sorted(names[:60])
    near = [
        each for each in found if each["detail"].endswith("Nearest: read_file, store.")
    ]
    assert len({each["tool"] for each in near}) == 20
    assert len(near) == 40
