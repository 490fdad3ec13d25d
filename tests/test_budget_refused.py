"""A reservation that a budget refuses is recorded, bounded, and told."""

from __future__ import annotations

import pytest

from .agents import age, labels, register, row, rows, start, value
from .conftest import Connect, Connection
from .test_budget import RESERVE, SETTLE
from .test_intake import event, intake, record
from .test_intake_judge import judge

__all__ = ["intake"]


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of an agent with one open run."""
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session, conversation="case 7")
    return session


def test_a_refused_reservation_is_told_with_what_was_asked_and_left(
    db: Connection, agent: Connection
) -> None:
    agent.execute("select agentdb.log_tokens(499000, 0)")
    assert row(agent, RESERVE, 1000, 0)["granted"]
    agent.execute("select agentdb.log_tokens(1000, 0)")
    assert labels(db, "budget_refused") == []
    assert not row(agent, RESERVE, 20_000, 4_000)["granted"]
    assert not row(agent, RESERVE, 30_000, 4_000)["granted"]
    (told,) = rows(db, "select * from agentdb.budget_refused")
    assert told["labels"] == {
        "agent": "a",
        "conversation": "case 7",
        "scope": "conversation",
    }
    assert told["value"] == 2
    summary = told["annotations"]["summary"]
    assert summary.startswith("a was refused 2 times by its conversation budget within")
    assert summary.endswith("it asked for 34000 tokens and had 0 left")


def test_a_thousand_refusals_are_a_row_a_minute(
    db: Connection, agent: Connection
) -> None:
    agent.execute("select agentdb.log_tokens(500000, 0)")
    agent.execute("select agentdb.reserve_tokens(1000) from generate_series(1, 1000)")
    kept = row(
        db, "select count(*) as rows, sum(refusals) as n from agentdb.budget_refusal"
    )
    assert kept["rows"] <= 2
    assert kept["n"] == 1000


def test_what_fits_to_the_last_token_is_no_sign(
    db: Connection, agent: Connection
) -> None:
    assert row(agent, RESERVE, 500_000, 0)["granted"]
    assert rows(db, "select * from agentdb.budget_refusal") == []


def test_what_is_only_set_aside_is_told_when_it_lasts(
    db: Connection, agent: Connection
) -> None:
    held = row(agent, RESERVE, 499_000, 0)["reservation"]
    assert not row(agent, RESERVE, 2_000, 0)["granted"]
    assert labels(db, "budget_refused") == []
    for column in ("minute_at", "first_at", "last_at"):
        age(db, "budget_refusal", column, "5 minutes")
    assert not row(agent, RESERVE, 2_000, 0)["granted"]
    assert len(labels(db, "budget_refused")) == 1
    agent.execute(SETTLE, [held, 100, 0])
    assert row(agent, RESERVE, 2_000, 0)["granted"]


def test_scope_of_the_day_names_no_conversation(
    db: Connection, agent: Connection
) -> None:
    db.execute("update agentdb.policy set agent_day_budget_tokens = 1000")
    assert not row(agent, RESERVE, 2_000, 0)["granted"]
    agent.execute("select agentdb.end_run()")
    start(agent, conversation="case 8")
    assert not row(agent, RESERVE, 2_000, 0)["granted"]
    assert labels(db, "budget_refused") == [{"agent": "a", "scope": "agent_day"}]
    db.execute("update agentdb.policy set agent_day_budget_tokens = null")
    db.execute("update agentdb.policy set run_budget_tokens = 10")
    assert not row(agent, RESERVE, 20, 0)["granted"]
    assert {"agent": "a", "scope": "run", "run": "2"} in labels(db, "budget_refused")


def test_a_refusal_is_told_for_its_window(db: Connection, agent: Connection) -> None:
    agent.execute("select agentdb.log_tokens(500000, 0)")
    row(agent, RESERVE, 1, 0)
    at = value(db, "select last_at::text from agentdb.budget_refusal")
    moment = "select (%s::timestamptz + %s::interval)::text"
    assert labels(db, "budget_refused", value(db, moment, at, "-1 second")) == []
    after = value(db, moment, at, "14 minutes 59 seconds")
    assert len(labels(db, "budget_refused", after)) == 1
    assert labels(db, "budget_refused", value(db, moment, at, "15 minutes")) == []


def test_a_call_that_the_hook_refuses_for_its_budget_is_recorded(
    db: Connection, intake: Connection
) -> None:
    db.execute("update agentdb.policy set conversation_budget_tokens = 1000")
    record(intake, event("tokens", input=999))
    assert judge(intake) == (True, "")
    assert labels(db, "budget_refused") == []
    record(intake, event("tokens", input=1))
    for _ in range(3):
        assert judge(intake)[0] is False
    (told,) = rows(db, "select labels, value from agentdb.budget_refused")
    assert (told["labels"]["conversation"], told["value"]) == ("c-1", 3)
    # What its policy denies anyway, no budget has refused.
    db.execute("update agentdb.policy set denied_tools = '{read}'")
    assert judge(intake)[0] is False
    assert value(db, "select value from agentdb.budget_refused") == 3
