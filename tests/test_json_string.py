"""JSON that a driver sends as a JSON string is read as what the string holds."""

from __future__ import annotations

import json

import pytest

from .agents import register, row, rows, start, value
from .changes import latest
from .conftest import Connect, Connection

# Every call that an agent may make, for each of its jsonb parameters.
CALLS = {
    "log_tool_call.args": ("select agentdb.log_tool_call('t', args => %s)", {"a": 1}),
    "begin_tool_call.args": (
        "select agentdb.begin_tool_call('t', args => %s)",
        {"a": 1},
    ),
    "log_progress.details": (
        "select agentdb.log_progress('s', details => %s)",
        {"a": 1},
    ),
    "log_tool_call_many.calls": (
        "select agentdb.log_tool_call_many(calls => %s)",
        [{"tool": "t"}],
    ),
    "log_progress_many.steps": (
        "select agentdb.log_progress_many(steps => %s)",
        [{"step": "s"}],
    ),
    "log_tokens_many.usages": (
        "select agentdb.log_tokens_many(usages => %s)",
        [{"input": 1, "output": 2}],
    ),
    "log_events.events": (
        "select agentdb.log_events(events => %s)",
        [{"kind": "progress", "step": "s"}],
    ),
    "ask_human.options": (
        "select agentdb.ask_human('which?', options => %s)",
        ["yes", "no"],
    ),
    "claim_command.args": ("select agentdb.claim_command('c', args => %s)", {"a": 1}),
    "claim_custom.expectation": (
        "select agentdb.claim_custom('own', 't', expectation => %s)",
        {"a": 1},
    ),
    "claim_rows.keys": (
        "select agentdb.claim_rows('public.invoice', 'update', keys => %s)",
        [{"id": 1}],
    ),
    "claim_rows.new_values": (
        "select agentdb.claim_rows('public.invoice', 'update', new_values => %s)",
        [{"id": 1, "amount": 2}],
    ),
    "stage_change.key": (
        "select agentdb.stage_change('public.invoice', 'delete', key => %s)",
        {"id": 6},
    ),
    "stage_change.new_values": (
        "select agentdb.stage_change('public.invoice', 'insert', new_values => %s)",
        {"customer": 1, "amount": 2},
    ),
    "stage_reads.keys": (
        "select agentdb.stage_reads('public.invoice', keys => %s)",
        [{"id": 1}],
    ),
}
# What stage_reads() calls with what it has made itself.
OURS = {"reads_statement.keys", "stage_absent.keys", "staging_statement.key",
        "staging_statement.new_values"}  # fmt: skip


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    session = connect(guarded.info.dbname, "agent_a")
    start(session)
    return session


def test_every_parameter_is_in_the_list(db: Connection) -> None:
    found = rows(
        db,
        "select p.proname || '.' || a.name as name"
        " from pg_proc as p"
        " cross join unnest(p.proargnames, p.proargmodes, p.proallargtypes)"
        "   as a (name, mode, type)"
        " where p.pronamespace = 'agentdb'::regnamespace"
        " and has_function_privilege('agent_a', p.oid, 'execute')"
        " and a.mode in ('i', 'b') and a.type = 'jsonb'::regtype"
        " union all"
        " select p.proname || '.' || a.name"
        " from pg_proc as p"
        " cross join unnest(p.proargnames[1:p.pronargs], p.proargtypes::oid[])"
        "   as a (name, type)"
        " where p.pronamespace = 'agentdb'::regnamespace"
        " and p.proallargtypes is null"
        " and has_function_privilege('agent_a', p.oid, 'execute')"
        " and a.type = 'jsonb'::regtype",
    )
    assert {each["name"] for each in found} == set(CALLS) | OURS


@pytest.mark.parametrize("name", CALLS)
def test_string_that_holds_json_is_read_as_that(agent: Connection, name: str) -> None:
    statement, given = CALLS[name]
    text = json.dumps(given)
    agent.execute(statement.replace("%s", "%s::jsonb").encode(), [json.dumps(text)])


def test_what_is_recorded_is_the_same(db: Connection, connect: Connect) -> None:
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    for args in ('{"a": [1]}', json.dumps('{"a": [1]}')):
        agent.execute("select agentdb.log_tool_call('t', %s::jsonb)", [args])
    found = rows(
        db, "select distinct args, call_signature::text from agentdb.tool_call_log"
    )
    assert len(found) == 1
    assert found[0]["args"] == {"a": [1]}


@pytest.mark.parametrize("args", ['"word"', '"{not json"', "7", '"[1, 2"'])
def test_other_strings_are_arguments_too(
    db: Connection, connect: Connect, args: str
) -> None:
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    agent.execute("select agentdb.log_tool_call('t', %s::jsonb)", [args])
    assert value(db, "select args::text from agentdb.tool_call_log") == args


def test_staged_values_are_those_of_the_object(
    guarded: Connection, agent: Connection
) -> None:
    agent.execute(
        "select agentdb.stage_change('public.invoice', 'update', %s::jsonb, %s::jsonb)",
        [json.dumps('{"id": 1}'), json.dumps('{"note": "x"}')],
    )
    change = latest(guarded)["change_id"]
    staged = row(
        guarded,
        "select row_key, new_values from agentdb.change_row where change_id = %s",
        change,
    )
    assert staged == {"row_key": {"id": 1}, "new_values": {"note": "x"}}
