"""The run of a call is found from the session, and never from what a caller claims."""

from __future__ import annotations

import pytest

from .agents import refusal, register, row, rows, start, value
from .conftest import Connect, Connection

LOG = "select * from agentdb.log_progress('step')"


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of a registered agent."""
    register(db)
    return connect(db.info.dbname, "agent_a")


def test_only_open_run_needs_no_naming(db: Connection, agent: Connection) -> None:
    run = start(agent)
    assert value(agent, "select run_id from agentdb.log_progress('step')") == run


def test_no_open_run_is_told_with_the_call_to_make(agent: Connection) -> None:
    refused = refusal(agent, LOG)
    assert refused.sqlstate == "ZA001"
    assert "select * from agentdb.start_run()" in (refused.message_hint or "")


def test_two_open_runs_must_be_told_apart(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    sibling, third = (connect(db.info.dbname, "agent_a") for _ in range(2))
    first, second = start(agent), start(sibling)
    refused = refusal(third, LOG)
    assert refused.sqlstate == "ZA001"
    assert f"{first}, {second}" in (refused.message_primary or "")
    named = value(
        third, "select run_id from agentdb.log_progress('s', run => %s)", first
    )
    assert named == first


def test_run_of_another_agent_is_refused_as_if_it_did_not_exist(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    register(db, "b", "agent_b")
    run = start(agent)
    other = connect(db.info.dbname, "agent_b")
    for number in (run, 999_999):
        refused = refusal(other, "select agentdb.log_progress('s', run => %s)", number)
        assert refused.sqlstate == "ZA001"
        assert refused.message_primary == f"run {number} is not open to role agent_b"


def test_set_role_does_not_change_who_speaks(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    register(db, "b", "agent_b")
    db.execute("grant agent_b to agent_a")
    start(agent)
    agent.execute("set role agent_b")
    run = value(agent, "select run_id from agentdb.log_progress('mine')")
    db.execute("revoke agent_b from agent_a")
    found = row(db, "select role_name from agentdb.run where run_id = %s", run)
    assert found["role_name"] == "agent_a"


def test_unregistered_role_cannot_start(db: Connection, connect: Connect) -> None:
    refused = refusal(connect(db.info.dbname, "agent_b"), "select agentdb.start_run()")
    assert refused.sqlstate == "ZA002"


def test_ended_run_takes_nothing_more(agent: Connection) -> None:
    run = start(agent)
    agent.execute("select agentdb.end_run()")
    refused = refusal(agent, "select agentdb.log_progress('s', run => %s)", run)
    assert refused.sqlstate == "ZA003"
    assert "succeeded" in (refused.message_detail or "")


@pytest.fixture
def pool(db: Connection, connect: Connect) -> dict[str, str]:
    """The secrets of two agents behind one role."""
    return {name: register(db, name, "agent_pool", pooled=True) for name in "ab"}


def test_pooled_agent_needs_its_own_secret(
    db: Connection, connect: Connect, pool: dict[str, str]
) -> None:
    session = connect(db.info.dbname, "agent_pool")
    start(session, agent="a", secret=pool["a"])
    for agent, secret in (("a", pool["b"]), ("a", ""), ("a", None), (None, pool["a"])):
        refused = refusal(
            session,
            "select agentdb.start_run(agent => %s::text, secret => %s::text)",
            agent,
            secret,
        )
        assert refused.sqlstate == "ZA002"


def test_pooled_run_is_reached_by_its_token_only(
    db: Connection, connect: Connect, pool: dict[str, str]
) -> None:
    session = connect(db.info.dbname, "agent_pool")
    opened = row(
        session,
        "select * from agentdb.start_run(agent => 'a', secret => %s::text)",
        pool["a"],
    )
    assert refusal(session, LOG).sqlstate == "ZA001"
    by_number = refusal(
        session, "select agentdb.log_progress('s', run => %s)", opened["run_id"]
    )
    assert by_number.sqlstate == "ZA001"
    with session.transaction():
        session.execute("select agentdb.bind_run(%s::text)", [opened["token"]])
        assert value(session, LOG.replace("*", "run_id")) == opened["run_id"]


def test_binding_ends_with_the_transaction(
    db: Connection, connect: Connect, pool: dict[str, str]
) -> None:
    session = connect(db.info.dbname, "agent_pool")
    token = value(
        session,
        "select token from agentdb.start_run(agent => 'a', secret => %s::text)",
        pool["a"],
    )
    with session.transaction():
        session.execute("select agentdb.bind_run(%s::text)", [token])
    # What a pooler hands to the next client: an empty setting, not a missing one.
    assert value(session, "select current_setting('agentdb.run_token')") == ""
    assert refusal(session, LOG).sqlstate == "ZA001"


def test_stolen_token_opens_nothing_to_another_role(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    token = value(agent, "select token from agentdb.start_run()")
    register(db, "b", "agent_b")
    thief = connect(db.info.dbname, "agent_b")
    refused = refusal(thief, "select agentdb.bind_run(%s::text)", token)
    assert refused.sqlstate == "ZA001"
    with thief.transaction(force_rollback=True):
        thief.execute("select set_config('agentdb.run_token', %s, true)", [token])
        assert refusal(thief, LOG).sqlstate == "ZA001"


@pytest.mark.parametrize("token", [None, "", "x", "0" * 64, "\U0001f512"])
def test_made_up_tokens_open_nothing(agent: Connection, token: str | None) -> None:
    start(agent)
    assert (
        refusal(agent, "select agentdb.bind_run(%s::text)", token).sqlstate == "ZA001"
    )


def test_hostile_setting_is_no_token(agent: Connection) -> None:
    run = start(agent)
    with agent.transaction(force_rollback=True):
        agent.execute("set local agentdb.run_token = 'made up'")
        # A made-up token is nobody's: the call is resolved as if there were none.
        assert value(agent, "select run_id from agentdb.log_progress('s')") == run


def test_secrets_are_stored_as_hashes_only(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    token = value(agent, "select token from agentdb.start_run()")
    stored = rows(db, "select t::text from agentdb.run_token as t")
    assert len(stored) == 1
    assert token not in stored[0]["t"]
    for user in ("auditor_u", "operator_o"):
        session = connect(db.info.dbname, user)
        for table in ("run_token", "agent_secret"):
            query = f"select * from agentdb.{table}"
            assert refusal(session, query).sqlstate == "42501"
