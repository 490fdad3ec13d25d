"""Tools that exist, tools that were made up, and what tools said against what they did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentdb.demo import airline
from agentdb.demo.recording import Event
from agentdb.demo.recording import read as recorded
from agentdb.demo.replay import replay

from .agents import age, labels, refusal, register, row, rows, start, value
from .conftest import Connect, Connection
from .scene import Scene, until
from .test_audit_replay import expected, put_back, rows_of

AIRLINE = Path(__file__).parent / "data" / "airline"
# What the recorded agents' tools do to the two tables.
WRITES = {
    "book_reservation": [("reservations", "insert"), ("users", "update")],
    "cancel_reservation": [("reservations", "update")],
    "send_certificate": [("users", "update")],
    "update_reservation_baggages": [("reservations", "update"), ("users", "update")],
    "update_reservation_flights": [("reservations", "update"), ("users", "update")],
    "update_reservation_passengers": [("reservations", "update")],
}
SCHEMA = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "depth": {"type": "integer"}},
    "required": ["path"],
    "additionalProperties": False,
}
MCP = {
    "jsonrpc": "2.0",
    "id": 1,
    "result": {
        "tools": [
            {
                "name": "read_file",
                "description": "Read a file",
                "inputSchema": SCHEMA,
                "annotations": {"readOnlyHint": True},
            },
            {
                "name": "send_mail",
                "inputSchema": {"type": "object"},
                "annotations": {"readOnlyHint": False},
            },
        ]
    },
}
OPENAI = [
    {"type": "function", "function": {"name": "read_file", "parameters": SCHEMA}},
    {"type": "function", "name": "send_mail", "parameters": {"type": "object"}},
]
ANTHROPIC = [
    {"name": "read_file", "description": "Read", "input_schema": SCHEMA},
    {"name": "send_mail", "input_schema": {"type": "object"}},
]
LOG = "select fault, hint from agentdb.log_tool_call(%s, args => %s)"


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """An agent's session with an open run."""
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


def register_tools(db: Connection, tools: object, agent: str | None = "a") -> list[str]:
    query = "select tool_name from agentdb.register_tools(%s, agent => %s)"
    return [each["tool_name"] for each in rows(db, query, json.dumps(tools), agent)]


@pytest.mark.parametrize(
    "tools",
    [MCP, MCP["result"], OPENAI, ANTHROPIC],
    ids=["answer", "result", "openai", "anthropic"],
)
def test_definitions_are_taken_as_they_come(
    db: Connection, agent: Connection, tools: object
) -> None:
    assert register_tools(db, tools) == ["read_file", "send_mail"]
    known = row(db, "select * from agentdb.tool where tool_name = 'read_file'")
    assert known["input_schema"] == SCHEMA
    assert value(db, "select count(*) from agentdb.agent_tool") == 2


def test_hints_of_an_mcp_server_tell_effects(db: Connection) -> None:
    register_tools(db, MCP, None)
    found = rows(db, "select tool_name, effect from agentdb.tool order by 1")
    assert [tuple(each.values()) for each in found] == [
        ("read_file", False),
        ("send_mail", True),
    ]


@pytest.mark.parametrize(
    "tools",
    [
        "{}",
        "[]",
        "null",
        '"read_file"',
        "[{}]",
        '[{"name": ""}]',
        '[{"name": "a", "input_schema": 7}]',
        '[{"name": "a"}, {"name": "b\\nc"}]',
    ],
)
def test_ill_formed_definitions_are_refused_whole(db: Connection, tools: str) -> None:
    problem = refusal(db, "select * from agentdb.register_tools(%s)", tools)
    assert problem.sqlstate == "ZA004"
    assert problem.message_hint
    assert rows(db, "select from agentdb.tool") == []


@pytest.mark.parametrize("writes", ['{"table": "t"}', "[{}]", '[{"table": 1}]'])
def test_ill_formed_effects_are_refused(db: Connection, writes: str) -> None:
    query = "select agentdb.register_tool('t', writes => %s)"
    assert refusal(db, query, writes).sqlstate == "ZA004"


def test_made_up_tool_is_recorded_and_answered_with_the_nearest(
    db: Connection, agent: Connection
) -> None:
    register_tools(db, ANTHROPIC)
    assert row(agent, LOG, "read_file", '{"path": "x"}') == {
        "fault": None,
        "hint": None,
    }
    answer = row(agent, LOG, "read_files", "{}")
    assert answer["fault"] == "unknown"
    assert answer["hint"] == (
        "There is no tool read_files.  Nearest: read_file, send_mail."
    )
    assert value(db, "select count(*) from agentdb.tool_call_log") == 2
    fault = row(db, "select tool, fault from agentdb.faulty_call")
    assert fault == {"tool": "read_files", "fault": "unknown"}


def test_made_up_tools_alert_once_as_a_warning_thrice_as_critical(
    db: Connection, agent: Connection
) -> None:
    register_tools(db, ANTHROPIC)
    rule = (
        "select value, annotations ->> 'severity' as severity from agentdb.unknown_tool"
    )
    agent.execute(LOG, ["invent", None])
    assert row(db, rule) == {"value": 1, "severity": "warning"}
    agent.execute(LOG, ["invent", None])
    agent.execute(LOG, ["imagine", None])
    assert row(db, rule) == {"value": 3, "severity": "critical"}
    age(db, "tool_fault", "found_at", "2 hours")
    assert labels(db, "unknown_tool") == []


def test_agent_without_a_registry_is_not_judged(
    db: Connection, agent: Connection
) -> None:
    register_tools(db, ANTHROPIC, None)
    assert row(agent, LOG, "anything", None)["fault"] is None


def test_calls_that_were_begun_are_judged_when_they_end(
    db: Connection, agent: Connection
) -> None:
    register_tools(db, ANTHROPIC)
    agent.execute("select agentdb.begin_tool_call('invent', call_id => 'c')")
    agent.execute("select agentdb.end_tool_call('c')")
    assert value(db, "select fault from agentdb.faulty_call") == "unknown"


def test_former_name_is_known(db: Connection, agent: Connection) -> None:
    register_tools(db, ANTHROPIC)
    db.execute("select agentdb.rename_tool('read_file', 'read')")
    db.execute("select agentdb.rename_tool('read', 'open')")
    for name in ("read_file", "read", "open"):
        assert row(agent, LOG, name, None)["fault"] is None
    aliases = rows(db, "select alias, tool_name from agentdb.tool_alias order by 1")
    assert [tuple(each.values()) for each in aliases] == [
        ("read", "open"),
        ("read_file", "open"),
    ]
    # Back again: a name is not an alias of itself.
    db.execute("select agentdb.rename_tool('open', 'read')")
    assert row(agent, LOG, "read", None)["fault"] is None
    for query, state in [
        ("select agentdb.rename_tool('nothing', 'x')", "ZA006"),
        ("select agentdb.rename_tool('read', 'send_mail')", "ZA007"),
        ("select agentdb.rename_tool('read', '')", "ZA004"),
    ]:
        assert refusal(db, query).sqlstate == state


def test_call_that_was_never_made_is_told(db: Connection, agent: Connection) -> None:
    agent.execute("select agentdb.begin_tool_call('read_file', call_id => 'c')")
    assert rows(db, "select from agentdb.faulty_call") == []
    agent.execute("select agentdb.end_run()")
    assert value(db, "select fault from agentdb.faulty_call") == "not_executed"


def test_runner_compares_arguments_with_schemas(scene: Scene, connect: Connect) -> None:
    db = scene.db
    register(db)
    register_tools(db, ANTHROPIC)
    hostile = {"type": "string", "pattern": "^(a+)+$"}
    db.execute(
        "select agentdb.register_tool('slow', %s, agent => 'a')", [json.dumps(hostile)]
    )
    distant = {"$ref": "http://127.0.0.1:9/schema.json"}
    db.execute(
        "select agentdb.register_tool('far', %s, agent => 'a')", [json.dumps(distant)]
    )
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    runner = scene.start()
    agent.execute(LOG, ["slow", json.dumps("a" * 60 + "!")])
    for args in ({"path": "x"}, {"path": 7}, {}, {"path": "x", "dept": 1}):
        agent.execute(LOG, ["read_file", json.dumps(args)])
    agent.execute(LOG, ["far", "{}"])
    # The hostile pattern has its time, more than once.
    until(lambda: value(db, "select count(*) from agentdb.tool_fault") == 3, within=120)
    assert runner.stop() == 0
    found = rows(db, "select args, detail from agentdb.faulty_call order by 1")
    details = {json.dumps(each["args"]): each["detail"] for each in found}
    assert set(details) == {'{"path": 7}', "{}", '{"dept": 1, "path": "x"}'}
    assert "'path' is a required property" in details["{}"]
    assert details['{"path": 7}'].startswith("path: 7 is not of type")


def test_agent_can_neither_register_nor_judge(agent: Connection) -> None:
    for query in (
        "select agentdb.register_tool('x')",
        "select agentdb.rename_tool('x', 'y')",
        "select agentdb.note_faults('[]', '1')",
        "select * from agentdb.take_unchecked_calls()",
        "insert into agentdb.agent_tool values (1, 'x')",
    ):
        assert refusal(agent, query).sqlstate == "42501"


@pytest.fixture
def flying(db: Connection, connect: Connect) -> Connection:
    """The airline, audited, and its tools with what they write."""
    register(db)
    airline.create(db, AIRLINE, "agent_a")
    for table in airline.KEYS:
        db.execute("select agentdb.audit_table(%s::regclass)", [f"airline.{table}"])
    for tool, writes in WRITES.items():
        given = [{"table": f"airline.{t}", "operation": o} for t, o in writes]
        db.execute(
            "select agentdb.register_tool(%s, writes => %s)", [tool, json.dumps(given)]
        )
    return db


def runs() -> dict[str, list[Event]]:
    return {
        name: list(events)
        for name, events in recorded(AIRLINE / "events.jsonl").items()
    }


def differences(db: Connection, run: int) -> list[tuple[str, Any]]:
    """Return what the log and the audit of a run disagree about, as it happened."""
    found = rows(
        db,
        "select finding, coalesce(tool, operation || ' ' || table_name) as what, "
        "row_key from agentdb.tool_diff(%s) order by recorded_at, tool_call_log_id",
        run,
    )
    return [(each["finding"], each["what"]) for each in found]


def test_every_call_that_wrote_nothing_and_said_ok_is_found_and_no_other(
    flying: Connection, connect: Connect
) -> None:
    agent = connect(flying.info.dbname, "agent_a")
    found = 0
    for name, events in runs().items():
        tables = {table: rows_of(flying, table) for table in airline.KEYS}
        empty = [
            ("nothing written", event["tool"])
            for event in events
            if not expected(tables, [event]) and event.get("tool") in WRITES
        ]
        # The recorded agents never heard of an error.
        lying = [{**e, "ok": True} if e["kind"] == "tool_call" else e for e in events]
        assert differences(flying, replay(agent, name, lying)) == empty, name
        found += len(empty)
        put_back(flying, events)
    assert found > 60


def test_every_row_that_no_call_tells_of_is_found_and_no_other(
    flying: Connection, connect: Connect
) -> None:
    agent = connect(flying.info.dbname, "agent_a")
    found = 0
    for name, events in runs().items():
        tables = {table: rows_of(flying, table) for table in airline.KEYS}
        rows_written = [
            ("written without a call", f"{operation} {table}")
            for table, operation, *_ in expected(tables, events)
        ]
        # What wrote is logged as something that writes nothing.
        silent = [
            {**e, "tool": "think"} if e.get("tool") in WRITES else e for e in events
        ]
        told = differences(flying, replay(agent, name, silent))
        assert sorted(told) == sorted(rows_written), name
        found += len(rows_written)
        put_back(flying, events)
    assert found > 100


def test_honest_runs_agree_with_the_audit(flying: Connection, connect: Connect) -> None:
    agent = connect(flying.info.dbname, "agent_a")
    for name, events in runs().items():
        tables = {table: rows_of(flying, table) for table in airline.KEYS}
        honest = [e for e in events if _changed(tables, e) or not _said_ok(e)]
        assert differences(flying, replay(agent, name, honest)) == [], name
        put_back(flying, events)


def _changed(tables: dict[str, Any], event: Event) -> bool:
    return bool(expected(tables, [event]))


def _said_ok(event: Event) -> bool:
    return event.get("tool") in WRITES and bool(event.get("ok"))


def test_disagreement_alerts(flying: Connection, connect: Connect) -> None:
    agent = connect(flying.info.dbname, "agent_a")
    run = start(agent)
    agent.execute(LOG, ["cancel_reservation", "{}"])
    agent.execute("update airline.users set email = 'x' where user_id = 'mia_li_3668'")
    agent.execute(LOG, ["think", "{}"])
    for table in ("tool_call_log", "audit_log"):
        age(flying, table, "recorded_at", "6 seconds")
    assert labels(flying, "unbacked_tool_call") == [
        {"agent": "a", "run": str(run), "tool": "cancel_reservation"}
    ]
    assert labels(flying, "unannounced_write") == [
        {"agent": "a", "run": str(run), "what": "update of airline.users"}
    ]


def test_run_that_writes_outside_of_its_declared_tables_is_told_without_a_call(
    flying: Connection, connect: Connect
) -> None:
    agent = connect(flying.info.dbname, "agent_a")
    start(agent)
    agent.execute("update airline.users set email = 'x' where user_id = 'mia_li_3668'")
    age(flying, "audit_log", "recorded_at", "6 seconds")
    # No tool of this agent says what it writes: nobody knows what is outside.
    flying.execute("delete from agentdb.agent_tool")
    assert labels(flying, "unannounced_write") == []
    tables = '[{"table": "airline.reservations", "operation": "update"}]'
    flying.execute(
        "select agentdb.register_tool('book', writes => %s::jsonb, agent => 'a')",
        [tables],
    )
    (told,) = rows(flying, "select annotations from agentdb.unannounced_write")
    assert told["annotations"]["summary"].endswith(
        "update of airline.users, written without a call;"
        " its tools write only airline.reservations"
    )
    # A table that a tool of its writes is not outside, though no call wrote it.
    start(agent)
    agent.execute(
        "update airline.reservations set status = 'x' where reservation_id = '1N99U6'"
    )
    age(flying, "audit_log", "recorded_at", "6 seconds")
    summaries = [
        each["annotations"]["summary"]
        for each in rows(flying, "select annotations from agentdb.unannounced_write")
    ]
    assert sum("its tools write only" in each for each in summaries) == 1
    assert len(summaries) == 2
