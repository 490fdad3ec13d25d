"""The agent is the first to be told: advice in the answers of the calls that it makes."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from agentdb import Agent
from agentdb.client import Advised, Limits, Looping, Run

from .agents import evaluate, refusal, register, row, start, value
from .conftest import Connect, Connection
from .scene import until
from .servers import Server
from .test_budget_tree import spawn

SOON = Limits(window=0.05)
CALLS = {
    "log_tool_call": "select * from agentdb.log_tool_call('other')",
    "log_tool_call_many": """select * from agentdb.log_tool_call_many('[{"tool": "x"}]')""",
    "end_tool_call": "select * from agentdb.end_tool_call('call')",
    "log_progress": "select * from agentdb.log_progress('a step')",
    "log_progress_many": """select * from agentdb.log_progress_many('[{"step": "x"}]')""",
    "log_events": """select * from agentdb.log_events('[{"kind": "progress", "step": "x"}]')""",
    "reserve_tokens": "select * from agentdb.reserve_tokens(10)",
    "check_run": "select * from agentdb.check_run()",
}


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of an agent with one open run."""
    register(db)
    register(db, "b", "agent_b")
    session = connect(db.info.dbname, "agent_a")
    start(session, conversation="case 7")
    return session


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    """What a program of the agent connects by."""
    register(db)
    return server.dsn(database=db.info.dbname, user="agent_a")


def advice(session: Connection) -> Any:
    """Return what a call of the session's run is advised."""
    return row(session, CALLS["check_run"])["advice"]


def loop(session: Connection) -> None:
    """Call the same eight times."""
    for _ in range(8):
        session.execute(
            """select agentdb.log_tool_call('search', '{"q": 1}', result => 'none')"""
        )


@pytest.mark.parametrize("call", CALLS)
def test_loop_is_told_in_the_answer_of_every_call(
    db: Connection, agent: Connection, call: str
) -> None:
    agent.execute("select agentdb.begin_tool_call('slow', call_id => 'call')")
    loop(agent)
    assert advice(agent) is None
    evaluate(db)
    said = row(agent, CALLS[call])["advice"]
    assert said.startswith("You repeat yourself: ")
    assert "search" in said
    assert "8 times" in said or " 8 " in said
    assert "try another way" in said


def test_advice_goes_when_its_reason_does(db: Connection, agent: Connection) -> None:
    loop(agent)
    evaluate(db)
    assert advice(agent)
    agent.execute("select agentdb.log_progress('found it')")
    db.execute("update agentdb.alert_rule set keep_firing = '0'")
    evaluate(db)
    assert advice(agent) is None
    assert row(agent, CALLS["log_progress"])["advice"] is None


@pytest.mark.parametrize(
    ("spent", "words"),
    [
        (399_999, None),
        (
            400_000,
            "of this conversation is running low: 80% of it is used, 100000 tokens",
        ),
        (
            475_000,
            "of this conversation is nearly spent: 95% of it is used, 25000 tokens",
        ),
        (500_000, "of this conversation is spent: 100% of it is used, 0 tokens"),
    ],
)
def test_what_is_left_of_a_budget_is_told(
    db: Connection, agent: Connection, spent: int, words: str | None
) -> None:
    agent.execute("select agentdb.log_tokens(%s::bigint, 0)", [spent])
    evaluate(db)
    said = advice(agent)
    assert (words in said) if words else said is None


def test_reservation_that_leaves_little_says_so_at_once(agent: Connection) -> None:
    said = row(agent, "select * from agentdb.reserve_tokens(399999)")
    assert (said["granted"], said["advice"]) == (True, None)
    said = row(agent, "select * from agentdb.reserve_tokens(1)")
    assert said["advice"] == (
        "The budget of this conversation is running low: 100000 of 500000 tokens are left."
    )
    said = row(agent, "select * from agentdb.reserve_tokens(75000)")
    assert "is nearly spent: 25000 of 500000" in said["advice"]


def test_low_budget_of_a_tree_is_told_to_each_of_it_and_names_nobody(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    db.execute("update agentdb.policy set tree_budget_tokens = 1000")
    child = connect(db.info.dbname, "agent_b")
    spawn(agent, child)
    stranger = connect(db.info.dbname, "agent_b")
    start(stranger)
    agent.execute("select agentdb.log_tokens(900, 0)")
    evaluate(db)
    for session in (agent, child):
        assert advice(session) == (
            "The budget of the tree of this run is running low: 90% of it is used, "
            "100 tokens are left."
        )
    assert advice(stranger) is None


def test_whom_it_waits_for_is_told(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    other = connect(db.info.dbname, "agent_b")
    start(other, purpose="secret work")
    other.execute("select agentdb.acquire_lock('ledger')")
    agent.execute("select agentdb.begin_wait('ledger', '5 min')")
    question = value(agent, "select question_id from agentdb.ask_human('May I?')")
    evaluate(db)
    said = advice(agent)
    assert "You wait for lock ledger, since 20" in said
    assert f"agentdb.answer_of(question => {question})" in said
    assert "secret" not in said
    assert "agent_b" not in said
    assert advice(other) is None
    operator = connect(db.info.dbname, "operator_o")
    operator.execute("select agentdb.answer_question(%s::bigint, 'yes')", [question])
    agent.execute("select agentdb.end_wait('ledger')")
    evaluate(db)
    assert advice(agent) is None


def test_advice_is_one_line_of_bounded_length_whatever_tools_are_called(
    db: Connection, agent: Connection
) -> None:
    tool = "x\n\t\u202e\x1b[31m" + "y" * 5000
    for _ in range(8):
        agent.execute(
            "select agentdb.log_tool_call(%s::text, result => 'same')", [tool]
        )
    for place in range(5):
        agent.execute("select agentdb.ask_human(%s::text)", [f"may I {place}?"])
    evaluate(db)
    said = advice(agent)
    assert 300 < len(said) <= 1000
    assert said.isprintable()


def test_agent_cannot_write_what_it_is_advised(agent: Connection) -> None:
    change = "update agentdb.run set advice = 'all is well'"
    assert refusal(agent, change).sqlstate == "42501"
    assert refusal(agent, "select agentdb._pass_advice()").sqlstate == "42501"


SCANNED = """
select coalesce(jsonb_object_agg(relname, seq_scan + coalesce(idx_scan, 0)), '{}')::text
from pg_stat_xact_all_tables
where schemaname = 'agentdb' and seq_scan + coalesce(idx_scan, 0) > 0
"""


def looked_at(session: Connection, call: str) -> tuple[dict[str, int], int]:
    """Return how often a call looks into each table, and how many blocks it reads."""
    with session.transaction(force_rollback=True):
        # What came before may not have been passed on yet.
        former = json.loads(value(session, SCANNED))
        session.execute(call.encode())
        counted = json.loads(value(session, SCANNED))
    tables = {
        name: count - former.get(name, 0)
        for name, count in counted.items()
        if count > former.get(name, 0)
    }
    with session.transaction(force_rollback=True):
        explain = f"explain (analyze, buffers, timing off, format json) {call}"
        ((plan,),) = session.execute(explain.encode())
    top = plan[0]["Plan"]
    return tables, top["Shared Hit Blocks"] + top["Shared Read Blocks"]


@pytest.mark.parametrize("call", ["log_tool_call", "log_progress", "end_tool_call"])
def test_advice_costs_no_look_at_any_table_more(
    db: Connection, agent: Connection, call: str
) -> None:
    agent.execute("select agentdb.begin_tool_call('slow', call_id => 'call')")
    loop(agent)
    for _ in range(3):
        looked_at(agent, CALLS[call])
    tables, blocks = looked_at(agent, CALLS[call])
    evaluate(db)
    # Anything that was left behind by others is seen to.
    db.execute("vacuum analyze agentdb.run")
    assert row(agent, CALLS["check_run"])["advice"]
    for _ in range(3):
        looked_at(agent, CALLS[call])
    advised, more = looked_at(agent, CALLS[call])
    assert all(count <= tables.get(name, 0) for name, count in advised.items())
    assert more <= blocks
    assert not {"alert", "question", "lock_waiter", "change", "policy"} & set(advised)


def test_program_reads_its_advice_and_is_not_interrupted(
    db: Connection, dsn: str
) -> None:
    db.execute("update agentdb.policy set conversation_budget_tokens = 1000")
    with Agent(dsn, limits=SOON).run() as run:
        assert run.advice is None
        run._ask("log_tokens", input=900, output=1)
        evaluate(db)
        until(lambda: run.advice is not None)
        assert "90% of it is used" in str(run.advice)
        assert run.call("add", {}, lambda: 3) == 3


def told(run: Run, words: str) -> bool:
    return words in str(run.advice)


def test_program_that_asks_for_it_has_advice_raised_once_for_each_kind(
    db: Connection, dsn: str
) -> None:
    db.execute("update agentdb.policy set conversation_budget_tokens = 1000")
    with Agent(dsn, limits=SOON, on_advice="raise").run() as run:
        for used, words in ((810, "running low: 81%"), (150, "nearly spent: 96%")):
            run._ask("log_tokens", input=used, output=0)
            evaluate(db)
            until(partial(told, run, words))
            with pytest.raises(Advised, match=words):
                run.call("add", {}, lambda: 3)
            assert run.call("add", {}, lambda: 3) == 3
        run._ask("log_tokens", input=10, output=0)
        evaluate(db)
        until(lambda: "97%" in str(run.advice))
        # Only a number is another.
        assert run.call("add", {}, lambda: 3) == 3


def test_loop_is_raised_as_a_loop_and_not_again_as_advice(
    db: Connection, dsn: str
) -> None:
    with Agent(dsn, limits=SOON, on_advice="raise").run() as run:
        for _ in range(12):
            run.call("search", {"q": "May"}, lambda: "nothing")
        run._log.flush()
        evaluate(db)
        until(lambda: run._log._looping is not None)
        with pytest.raises(Looping):
            run.call("search", {"q": "May"}, lambda: "nothing")
        assert run.call("other", {"q": "June"}, lambda: "found") == "found"
        assert str(run.advice).startswith("You repeat yourself")


def test_way_to_be_advised_is_one_of_two() -> None:
    with pytest.raises(ValueError, match="return or raise"):
        Agent(on_advice="shout")  # type: ignore[arg-type]
    assert Agent(on_advice="raise")._raise_advice is True
