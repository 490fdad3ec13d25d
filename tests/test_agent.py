"""Agents are registered by operators, under roles that cannot get around the pack."""

from __future__ import annotations

import pytest

from .agents import refusal, register, row, value
from .conftest import Connect, Connection


def test_operator_registers_an_agent(db: Connection, connect: Connect) -> None:
    operator = connect(db.info.dbname, "operator_o")
    register(operator, "billing", "agent_a")
    found = row(
        db,
        "select agent_name, role_name, policy_name, registered_by, pooled "
        "from agentdb.agent",
    )
    assert found == {
        "agent_name": "billing",
        "role_name": "agent_a",
        "policy_name": "default",
        "registered_by": "operator_o",
        "pooled": False,
    }


@pytest.mark.parametrize("user", ["agent_a", "auditor_u", "reviewer_r", "app_user"])
def test_nobody_else_registers_agents(
    db: Connection, connect: Connect, user: str
) -> None:
    session = connect(db.info.dbname, user)
    refused = refusal(session, "select agentdb.register_agent('x', 'agent_a')")
    assert refused.sqlstate == "42501"


@pytest.mark.parametrize(
    "name",
    ["", "A", "a b", "-a", "a" * 64, "a\u202eb", "a\n", "ä", None, "12", "r-12", "a-3"],
)
def test_odd_names_are_refused(db: Connection, name: str | None) -> None:
    refused = refusal(db, "select agentdb.register_agent(%s::text, 'agent_a')", name)
    assert refused.sqlstate == "ZA004"
    assert refused.message_hint


def test_second_agent_of_a_dedicated_role_is_refused(db: Connection) -> None:
    register(db, "a")
    refused = refusal(db, "select agentdb.register_agent('b', 'agent_a')")
    assert refused.sqlstate == "ZA007"
    assert "pooled" in (refused.message_hint or "")


@pytest.mark.parametrize("first", [True, False])
def test_shared_role_has_no_agent_that_needs_no_secret(
    db: Connection, connect: Connect, first: bool
) -> None:
    register(db, "a", "agent_pool", pooled=first)
    query = "select agentdb.register_agent('b', 'agent_pool', pooled => %s)"
    refused = refusal(db, query, not first)
    assert refused.sqlstate == "ZA007"
    assert "pooled" in (refused.message_hint or "")


def test_pooled_agents_share_a_role_with_a_secret_each(db: Connection) -> None:
    first = register(db, "a", "agent_pool", pooled=True)
    second = register(db, "b", "agent_pool", pooled=True)
    assert len(first) == len(second) == 64
    assert first != second
    stored = value(
        db, "select string_agg(secret_hash::text, '') from agentdb.agent_secret"
    )
    assert first not in stored


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("alter role agent_b superuser", "superuser"),
        ("alter role agent_b bypassrls", "row security"),
        ("alter role agent_b createrole", "create roles"),
        ("grant agentdb_operator to agent_b", "agentdb_operator"),
        ("grant agentdb_owner to agent_b", "agentdb_owner"),
    ],
)
def test_role_that_could_get_around_is_refused(
    db: Connection, statement: str, what: str
) -> None:
    with db.transaction(force_rollback=True):
        db.execute(statement.encode())
        refused = refusal(db, "select agentdb.register_agent('b', 'agent_b')")
    assert refused.sqlstate == "ZA009"
    assert what in (refused.message_primary or "")


def test_missing_role_policy_and_membership_are_told_apart(db: Connection) -> None:
    role = refusal(db, "select agentdb.register_agent('b', 'nobody_there')")
    assert (role.sqlstate, "create role nobody_there" in (role.message_hint or "")) == (
        "ZA006",
        True,
    )
    member = refusal(db, "select agentdb.register_agent('b', 'app_user')")
    assert (member.sqlstate, member.message_hint) == (
        "ZA009",
        "grant agentdb_agent to app_user;",
    )
    policy = refusal(db, "select agentdb.register_agent('b', 'agent_b', 'strict')")
    assert policy.sqlstate == "ZA006"
