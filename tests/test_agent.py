"""Agents are registered by operators, under roles that cannot get around the pack."""

from __future__ import annotations

import pytest

from .agents import refusal, register, row, rows, value
from .conftest import Connect, Connection

OWN_DATABASE = """
do $$ begin execute format('alter database %I owner to agent_b', current_database());
end $$;
"""


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
        ("grant agentdb_applier to agent_b with admin option", "agentdb_applier"),
        ("grant pg_write_all_data to agent_b", "pg_write_all_data"),
        ("grant pg_read_all_data to agent_b", "pg_read_all_data"),
        ("grant pg_execute_server_program to agent_b", "pg_execute_server_program"),
        ("grant pg_read_server_files to agent_b", "pg_read_server_files"),
        ("grant pg_write_server_files to agent_b", "pg_write_server_files"),
        ("grant pg_signal_backend to agent_b", "pg_signal_backend"),
        # By another role, and without inheriting what that may.
        (
            "create role zz_team role agent_b; grant pg_write_all_data to zz_team;"
            "alter role agent_b noinherit",
            "pg_write_all_data",
        ),
        ("create role zz_admin createrole role agent_b", "zz_admin"),
        ("create role zz_super superuser role agent_b", "zz_super"),
        ("create role zz_copy replication role agent_b", "zz_copy"),
        (OWN_DATABASE, "pg_database_owner"),
    ],
)
def test_role_that_could_get_around_is_refused_or_named_by_the_doctor(
    db: Connection, statement: str, what: str
) -> None:
    with db.transaction(force_rollback=True):
        db.execute(statement.encode())
        refused = refusal(db, "select agentdb.register_agent('b', 'agent_b')")
        assert refused.sqlstate == "ZA009"
        assert what in (refused.message_primary or "")
    named = (
        "select detail from agentdb.doctor where check_name in"
        " ('role of b', 'role of agent_b') and state = 'critical'"
    )
    for registered in (True, False) if what != "superuser" else (True,):
        with db.transaction(force_rollback=True):
            if registered:
                register(db, "b", "agent_b")
            db.execute(statement.encode())
            # A role that is not registered is an agent as long as it inherits.
            db.execute("alter role agent_b inherit")
            details = [each["detail"] for each in rows(db, named)]
            assert [what in detail for detail in details] == [True]


@pytest.mark.parametrize("role", ["pg_signal_autovacuum_worker", "pg_maintain",
    "pg_checkpoint", "pg_create_subscription", "pg_use_reserved_connections",
    "pg_signal_backend"])  # fmt: skip
def test_no_role_of_the_server_but_those_that_look_makes_an_agent(
    db: Connection, role: str
) -> None:
    if not value(db, "select count(*) from pg_roles where rolname = %s", role):
        pytest.skip("the server has no such role")
    with db.transaction(force_rollback=True):
        db.execute(f"grant {role} to agent_b".encode())
        refused = refusal(db, "select agentdb.register_agent('b', 'agent_b')")
        assert refused.sqlstate == "ZA009"
    with db.transaction(force_rollback=True):
        db.execute("grant pg_monitor to agent_b")
        register(db, "b", "agent_b")


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
