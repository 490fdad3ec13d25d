"""The agent's own role is hostile or confused: what it tries, and what it gets."""

from __future__ import annotations

import threading

import pytest

from .agents import age, refusal, register, row, rows, start, value
from .conftest import Connect, Connection

GRANTED = {
    "answer_of",
    "ask_human",
    "begin_tool_call",
    "bind_run",
    "spawn_token",
    "row_policy",
    "clean_json",
    "end_run",
    "end_tool_call",
    "hold_run",
    "log_events",
    "log_progress",
    "log_progress_many",
    "log_tokens",
    "log_tokens_many",
    "log_tool_call",
    "log_tool_call_many",
    "remaining_budget",
    "reserve_tokens",
    "settle_tokens",
    "start_run",
}


def test_agent_may_execute_what_is_meant_for_it_and_nothing_else(
    db: Connection,
) -> None:
    found = rows(
        db,
        "select p.proname from pg_proc as p where p.pronamespace = 'agentdb'::regnamespace"
        " and has_function_privilege('agent_a', p.oid, 'execute')",
    )
    assert {each["proname"] for each in found} >= GRANTED
    assert {each["proname"] for each in found} - GRANTED <= set(LATER)


# What other concepts grant to agents; each has its attacks in a test of its own.
LATER = (
    "acquire_lock",
    "acquire_slot",
    "approve_change",
    "begin_wait",
    "change_conflicts",
    "check_run",
    "claim_command",
    "claim_custom",
    "claim_file",
    "claim_http",
    "claim_message",
    "claim_rows",
    "complete_run",
    "end_wait",
    "explain_access",
    "my_changes",
    "next_number",
    "open_change",
    "reads_statement",
    "reject_change",
    "release_lock",
    "renew_lock",
    "show_change",
    "show_change_rows",
    "stage_absent",
    "stage_change",
    "stage_reads",
    "staged_rows",
    "staging_statement",
    "staging_view",
    "submit_change",
    "tool_schema",
    "waiting_changes",
    "wake_waiters",
    "withdraw_change",
)


@pytest.mark.parametrize("table", ["run", "policy", "tool_call_log", "alert", "runner"])
def test_agent_reads_and_writes_no_table(agent: Connection, table: str) -> None:
    for statement in (
        f"select * from agentdb.{table}",
        f"delete from agentdb.{table}",
        f"insert into agentdb.{table} default values",
        f"truncate agentdb.{table}",
        f"copy agentdb.{table} to stdout",
        f"do $$ begin lock table agentdb.{table} in access share mode; end $$",
        f"create trigger t before insert on agentdb.{table} execute function f()",
    ):
        assert refusal(agent, statement).sqlstate in ("42501", "42883")


def test_temporary_objects_shadow_nothing(db: Connection, agent: Connection) -> None:
    """A temporary type or function named like a built-in one runs as nobody else."""
    agent.execute("create temp table stolen (who text)")
    agent.execute(
        "create function pg_temp.steal() returns boolean language plpgsql as $$ begin "
        "insert into pg_temp.stolen values (current_user); return true; end $$"
    )
    for name in ("text", "jsonb", "bigint", "timestamptz", "boolean", "interval"):
        agent.execute(f'create domain pg_temp."{name}" as pg_catalog.text '.encode())
    agent.execute(
        "create function pg_temp.clock_timestamp() returns timestamptz language sql "
        "as 'select null::pg_catalog.timestamptz'"
    )
    agent.execute("create temp table run (run_id int)")
    agent.execute("create temp table policy (x int)")
    agent.execute("set search_path = pg_temp, pg_catalog, public")
    agent.execute("select agentdb.log_progress('step')")
    agent.execute(
        'select agentdb.log_tool_call_many(\'[{"tool": "t", "ok": "true"}]\')'
    )
    agent.execute("select agentdb.end_run()")
    assert value(agent, "select count(*) from pg_temp.stolen") == 0
    assert value(db, "select recorded_at from agentdb.progress_log") is not None


def test_settings_of_the_session_change_nothing_that_is_recorded(
    db: Connection, agent: Connection
) -> None:
    for setting in (
        "timezone = 'Pacific/Apia'",
        "datestyle = 'SQL, DMY'",
        "intervalstyle = 'sql_standard'",
        "standard_conforming_strings = off",
        "extra_float_digits = -15",
        "default_transaction_isolation = 'serializable'",
        "agentdb.run_token = 'x'",
    ):
        agent.execute(f"set {setting}".encode())
    agent.execute("select agentdb.log_tokens(1, 1, cost => 0.1)")
    agent.execute("select agentdb.log_tool_call('t', duration => '90 minutes')")
    found = row(
        db,
        "select t.cost::float, c.duration::text, abs(extract(epoch from "
        "t.recorded_at - clock_timestamp())) < 60 as now "
        "from agentdb.token_log as t, agentdb.tool_call_log as c",
    )
    assert found == {"cost": 0.1, "duration": "01:30:00", "now": True}


def test_replica_role_and_triggers_are_out_of_reach(agent: Connection) -> None:
    for statement in (
        "set session_replication_role = replica",
        "alter table agentdb.token_log disable trigger all",
        "alter function agentdb.log_tokens reset all",
        "set role agentdb_owner",
        "set role agentdb_operator",
        "set session authorization postgres",
        "grant agentdb_operator to agent_a",
        "alter role agent_a superuser",
        "create schema agentdb_x authorization agentdb_owner",
        "create or replace function agentdb.flush() returns int language sql return 1",
        "drop function agentdb.log_tokens",
    ):
        assert refusal(agent, statement).sqlstate in ("42501", "0LP01"), statement


def test_open_transaction_of_an_agent_stops_nobody(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    register(db, "b", "agent_b")
    other = connect(db.info.dbname, "agent_b")
    age(db, "run", "started_at", "2 days")
    with agent.transaction():
        agent.execute("select agentdb.end_run()")
        agent.execute("select agentdb.start_run()")
        agent.execute("select agentdb.log_tokens(1, 1)")
        for statement in (
            "select agentdb.roll_up()",
            "select agentdb.maintain(0)",
            "select agentdb.flush()",
            "select * from agentdb.claim_rule()",
            "select * from agentdb.health_check",
        ):
            db.execute(statement)
        start(other)
        other.execute("select agentdb.log_tokens(1, 1)")
        other.execute("select agentdb.log_tool_call('t', call_id => 'c')")
        other.execute("select agentdb.end_run()")


def test_writers_of_many_agents_do_not_wait_on_each_other(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    db.execute("select agentdb.maintain()")
    for number in range(4):
        register(db, f"p{number}", "agent_pool", pooled=True)
    held = [connect(db.info.dbname) for _ in range(4)]
    for number, session in enumerate(held):
        session.execute("begin")
        session.execute("set local session authorization agent_a")
        session.execute("select agentdb.log_progress(%s::text)", [f"held {number}"])
    done = threading.Event()

    def write() -> None:
        agent.execute("select agentdb.log_progress('free')")
        done.set()

    threading.Thread(target=write).start()
    assert done.wait(10)
    for session in held:
        session.execute("rollback")
    assert value(db, "select step from agentdb.progress_log") == "free"


@pytest.mark.parametrize("size", [8_000_000])
def test_huge_arguments_cost_no_more_than_their_head(
    db: Connection, agent: Connection, size: int
) -> None:
    huge = "x" * size
    agent.execute(
        "select agentdb.log_tool_call(%s::text, to_jsonb(%s::text), false, %s::text)",
        [huge, huge, huge],
    )
    stored = value(
        db,
        "select pg_column_size(l.args) + octet_length(l.tool) + octet_length(l.error)"
        " from agentdb.tool_call_log as l",
    )
    assert stored < 10_000


def test_error_of_a_refused_call_shows_nothing_of_others(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    register(db, "secret-project", "agent_b")
    other = connect(db.info.dbname, "agent_b")
    run = start(other, purpose="hush")
    refused = refusal(agent, f"select agentdb.end_run(run => {run})")
    said = " ".join(
        filter(
            None,
            [refused.message_primary, refused.message_detail, refused.message_hint],
        )
    )
    assert "secret" not in said
    assert "hush" not in said
