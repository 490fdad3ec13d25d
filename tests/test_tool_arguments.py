"""Arguments are compared with the schema of their tool as soon as a call is logged."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta
from typing import Any

import pg8000.dbapi
import pytest
from psycopg.conninfo import conninfo_to_dict

from agentdb.client.tool import log_tool_call

from .agents import refusal, register, row, rows, start, value
from .conftest import Connect, Connection
from .servers import Server
from .test_tool_registry import ANTHROPIC, register_tools


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of an agent with tools and an open run."""
    register(db)
    register_tools(db, ANTHROPIC)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


FAULTS = "select fault, detail from agentdb.faulty_call"


def test_call_with_broken_arguments_is_recorded_with_the_first_violation(
    db: Connection, agent: Connection
) -> None:
    done = log_tool_call(agent, "read_file", {"path": 7}, call_id="c")
    assert (done.fault, done.repeated) == ("invalid_args", False)
    assert done.hint == "path: 7 is not of type 'string'"
    assert row(db, FAULTS) == {"fault": "invalid_args", "detail": done.hint}
    again = log_tool_call(agent, "read_file", {"path": 7}, call_id="c")
    assert (again.repeated, again.fault) == (True, None)
    assert len(rows(db, FAULTS)) == 1


def test_call_with_right_arguments_is_recorded_as_told(
    db: Connection, agent: Connection
) -> None:
    done = log_tool_call(
        agent,
        "read_file",
        {"path": "/x"},
        ok=False,
        error="timeout",
        result_size=12,
        duration=timedelta(seconds=1.5),
    )
    assert (done.run_id, done.fault, done.hint) == (1, None, None)
    found = row(
        db,
        "select args, ok, error, result_size, duration, recorded_at "
        "from agentdb.tool_call_log",
    )
    assert found == {
        "args": {"path": "/x"},
        "ok": False,
        "error": "timeout",
        "result_size": 12,
        "duration": timedelta(seconds=1.5),
        "recorded_at": done.recorded_at,
    }
    assert rows(db, FAULTS) == []


def test_former_name_has_the_schema_of_the_tool(
    db: Connection, agent: Connection
) -> None:
    db.execute("select agentdb.rename_tool('read_file', 'read')")
    for name in ("read", "read_file"):
        assert log_tool_call(agent, name, {}).fault == "invalid_args"


def test_made_up_tool_is_answered_as_by_sql(agent: Connection) -> None:
    done = log_tool_call(agent, "read_files", {})
    assert done.fault == "unknown"
    assert "Nearest: read_file" in str(done.hint)


def test_left_out_arguments_are_an_empty_object(
    db: Connection, agent: Connection
) -> None:
    assert log_tool_call(agent, "send_mail").fault is None
    assert log_tool_call(agent, "read_file").hint == "'path' is a required property"


@pytest.mark.parametrize(
    ("args", "stored"),
    [
        ({"path": "a\0b\ud800"}, {"path": "a\ufffdb?"}),
        ({"path": float("nan")}, {"path": "nan"}),
        ({"path": b"x"}, {"path": "x"}),
        ({"path": "a", "depth": 10**30}, {"path": "a", "depth": 10**30}),
    ],
)
def test_ugly_arguments_lose_no_call(
    db: Connection, agent: Connection, args: Any, stored: Any
) -> None:
    log_tool_call(agent, "read_file", args, error="\0\ud800", result="\0")
    assert row(db, "select args, error from agentdb.tool_call_log") == {
        "args": stored,
        "error": "\ufffd?",
    }


def test_word_of_the_agent_spares_no_call_the_look_of_the_runner(
    db: Connection, agent: Connection
) -> None:
    for violation in (None, "", " ", "checked, fine"):
        agent.execute(
            "select agentdb.log_tool_call('read_file', '{\"path\": 7}', violation => %s)",
            [violation],
        )
    unchecked = rows(db, "select args from agentdb.take_unchecked_calls()")
    assert [each["args"] for each in unchecked] == [{"path": 7}] * 4
    # Only a violation is taken down, and the runner's word replaces it.
    assert [each["detail"] for each in rows(db, FAULTS)] == ["checked, fine"]
    number = value(db, "select max(tool_call_log_id) from agentdb.tool_call_log")
    told = json.dumps([{"run": 1, "call": number, "detail": "7 is no string"}])
    assert value(db, "select agentdb.note_faults(%s, '5:5:')", told) == 1
    assert [each["detail"] for each in rows(db, FAULTS)] == ["7 is no string"]


def test_calls_that_are_logged_together_tell_what_is_wrong(
    db: Connection, agent: Connection
) -> None:
    calls = [
        {"tool": "read_file", "args": {}, "violation": "'path' is missing"},
        {"tool": "read_file", "args": {"path": "x"}},
        {"tool": "read_file", "violation": {"no": "text"}},
    ]
    agent.execute("select agentdb.log_tool_call_many(%s)", [json.dumps(calls)])
    assert row(db, FAULTS)["detail"] == "'path' is missing"


def test_what_is_said_of_a_call_is_cut_and_made_harmless(
    db: Connection, agent: Connection
) -> None:
    agent.execute(
        "select agentdb.log_tool_call('send_mail', violation => %s)",
        ["\x1b[31m" + "x" * 1_000_000],
    )
    detail = value(db, "select detail from agentdb.tool_fault")
    assert len(detail) == 1000
    assert "\x1b" not in detail


def test_agent_reads_the_schemas_of_its_own_tools_and_no_others(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    schema = "select agentdb.tool_schema(%s)"
    assert value(agent, schema, "send_mail") == {"type": "object"}
    assert value(agent, schema, "nothing") is None
    assert value(agent, schema, None) is None
    register(db, "b", "agent_b")
    other = connect(db.info.dbname, "agent_b")
    assert refusal(other, schema, "send_mail").sqlstate == "ZA001"
    start(other)
    assert value(other, schema, "send_mail") is None
    query = "select agentdb.tool_schema('send_mail', run => 1)"
    assert refusal(other, query).sqlstate == "ZA001"
    agent.execute("select agentdb.end_run()")
    assert refusal(agent, query).sqlstate == "ZA003"


def test_agents_behind_one_role_are_told_apart(
    db: Connection, connect: Connect
) -> None:
    secrets = {name: register(db, name, "agent_pool", pooled=True) for name in "pq"}
    register_tools(db, ANTHROPIC, "p")
    session = connect(db.info.dbname, "agent_pool")
    seen = {}
    for name, secret in secrets.items():
        token = value(
            session,
            "select token from agentdb.start_run(agent => %s, secret => %s)",
            name,
            secret,
        )
        with session.transaction():
            session.execute("select agentdb.bind_run(%s)", [token])
            seen[name] = log_tool_call(session, "read_file", {"path": 7}).fault
    assert seen == {"p": "invalid_args", "q": None}


def test_arguments_of_which_only_the_head_is_kept_are_not_compared(
    db: Connection, agent: Connection
) -> None:
    huge = {"path": "x" * 100_000}
    agent.execute(
        "select agentdb.log_tool_call('read_file', args => %s)", [json.dumps(huge)]
    )
    found = rows(db, "select run_id from agentdb.take_unchecked_calls()")
    assert [each["run_id"] for each in found] == [None]
    # Where the whole is seen, it is compared.
    assert (
        log_tool_call(agent, "read_file", {**huge, "dept": 1}).fault == "invalid_args"
    )


def test_what_is_found_of_a_run_that_is_gone_is_dropped(db: Connection) -> None:
    told = '[{"run": 99, "call": 1, "detail": "x"}]'
    assert value(db, "select agentdb.note_faults(%s, '5:5:')", told) == 0
    db.execute("select agentdb.note_diagnosis(99, 1, '[]')")
    assert rows(db, "select from agentdb.tool_diagnosis") == []


def test_schema_without_end_is_refused(db: Connection) -> None:
    deep = '{"not": ' * 200 + "{}" + "}" * 200
    query = "select agentdb.register_tool('t', input_schema => %s)"
    assert refusal(db, query, deep).sqlstate == "ZA004"


def test_calls_of_one_large_transaction_are_gone_through_in_parts(
    db: Connection, agent: Connection
) -> None:
    tell = "select agentdb.register_tool('big', '{\"type\": \"object\"}', agent => 'a')"
    db.execute(tell.encode())
    many = (
        "select agentdb.log_tool_call_many((select jsonb_agg(jsonb_build_object("
        "'tool', 'big', 'args', jsonb_build_object('n', g)))"
        " from generate_series(1, 450) as g))"
    )
    with agent.transaction():
        agent.execute(many.encode())
    agent.execute(many.replace("450", "3").encode())
    seen, sizes = [], []
    while True:
        found = rows(db, "select * from agentdb.take_unchecked_calls()")
        if found[0]["run_id"] is None:
            break
        # What was taken and not told is taken again.
        assert found == rows(db, "select * from agentdb.take_unchecked_calls()")
        sizes.append(len(found))
        seen += [each["args"]["n"] for each in found]
        db.execute("select agentdb.note_faults('[]', %s)", [found[0]["horizon"]])
        # A runner that comes too late takes nothing back.
        db.execute("select agentdb.note_faults('[]', '5:5:')")
    assert sizes == [200, 200, 53]
    assert seen == [*range(1, 451), 1, 2, 3]


def test_arguments_are_looked_at_while_a_transaction_stays_open(
    db: Connection, agent: Connection, connect: Connect
) -> None:
    tell = "select agentdb.register_tool('big', '{\"type\": \"object\"}', agent => 'a')"
    db.execute(tell.encode())
    late = connect(db.info.dbname, "agent_a")
    start(late)
    log = "select agentdb.log_tool_call('big', jsonb_build_object('n', %s::int))"
    seen: list[int] = []

    def look() -> list[int]:
        found = rows(db, "select * from agentdb.take_unchecked_calls(2)")
        db.execute("select agentdb.note_faults('[]', %s)", [found[0]["horizon"]])
        return [each["args"]["n"] for each in found if each["run_id"]]

    with late.transaction():
        late.execute(log, [1])
        late.execute(log, [2])
        late.execute(log, [3])
        for number in range(10, 15):
            agent.execute(log, [number])
        while found := look():
            seen += found
        assert seen == [10, 11, 12, 13, 14]
        agent.execute(log, [15])
        assert look() == [15]
    agent.execute(log, [16])
    while found := look():
        seen += found
    assert seen == [10, 11, 12, 13, 14, 1, 2, 3, 16]
    assert look() == []


def test_connection_of_another_driver_is_refused_with_what_to_use(
    server: Server,
) -> None:
    parts = conninfo_to_dict(server.dsn())
    connection = pg8000.dbapi.connect(
        user=str(parts["user"]),
        unix_sock=f"{parts['host']}/.s.PGSQL.{parts['port']}",
    )
    with closing(connection), pytest.raises(TypeError, match="not of pg8000"):
        log_tool_call(connection, "t")
