"""Every function that agents call, through every driver, directly and through a pool."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agentdb import Agent
from agentdb.admin.doctor import findings
from agentdb.client.calls import statement

from .agents import register, rows, value
from .changes import TABLES
from .conftest import Connection
from .drivers import DRIVERS, Ask
from .pooler import pooler
from .servers import Server

Call = tuple[str, dict[str, Any]]
INVOICE = {"relation": "public.invoice"}
# In order; {name} is a value of what an earlier call answered.
CALLS: list[Call] = [
    ("start_run", {"purpose": "try", "tick_interval": "15 min", "instance": "one"}),
    ("bind_run", {"token": "{token}"}),
    ("check_run", {}),
    ("spawn_token", {}),
    ("log_progress", {"step": "one", "details": {"a": [1, "ü"]}}),
    ("log_progress_many", {"steps": [{"step": "two"}]}),
    ("log_tool_call", {"tool": "t", "args": {"a": [1]}, "ok": False, "error": "no",
        "result_size": 3, "duration": "1.5 s", "call_id": "c1"}),
    ("log_tool_call_many", {"calls": [{"tool": "t", "args": {"a": 1}}]}),
    ("clean_json", {"value": "no json"}),
    ("begin_tool_call", {"tool": "t", "args": {"b": 1}, "call_id": "c2"}),
    ("end_tool_call", {"call_id": "c2", "ok": True, "result": "r"}),
    ("tool_schema", {"tool": "t"}),
    ("log_tokens", {"input": 5, "output": 1, "model": "m", "cost": 0.5,
        "input_cost": "0.3", "cached_input_cost": "0.1", "output_cost": "0.1",
        "priced_by": "us"}),
    ("log_tokens_many", {"usages": [{"input": 5, "output": 1}]}),
    ("log_events", {"events": [{"kind": "progress", "step": "three"}]}),
    ("reserve_tokens", {"estimate": 100, "max_output": 10}),
    ("settle_tokens", {"reservation": "{reservation}", "input": 50, "output": 5,
        "input_cost": "0.3", "output_cost": "0.1"}),
    ("remaining_budget", {}),
    ("ask_human", {"question": "which?", "options": ["left", "right"]}),
    ("answer_of", {"question": "{question_id}"}),
    ("acquire_lock", {"name": "l", "ttl": "5 min", "max_hold": "1 hour",
        "release_on_disconnect": False}),
    ("renew_lock", {"name": "l", "fence": "{fence}", "ttl": "5 min"}),
    ("release_lock", {"name": "l", "fence": "{fence}"}),
    ("wake_waiters", {"name": "l"}),
    ("begin_wait", {"name": "l", "at_most": "1 min"}),
    ("end_wait", {"name": "l"}),
    ("acquire_slot", {"name": "s", "slots": 2, "ttl": "5 min"}),
    ("claim_file", {"path": "/x", "min_size": 1, "within_time": "5 min"}),
    ("claim_rows", {"relation": "public.line", "operation": "update",
        "keys": [{"id": 1}], "count": 1}),
    ("claim_http", {"url": "https://shop.example/", "status": 200}),
    ("claim_message", {"channel": "mail", "recipient": "ada", "has_text": "x"}),
    ("claim_command", {"name": "check", "args": {"a": "x"}}),
    ("claim_custom", {"kind": "own", "target": "t", "expectation": {"a": 1}}),
    ("explain_access", {"relation": "public.line", "privilege": "select"}),
    ("stage_change", {**INVOICE, "operation": "update", "key": {"id": 1},
        "new_values": {"note": "x"}, "reason": "asked for"}),
    ("stage_reads", {**INVOICE, "keys": [{"id": 2}]}),
    ("my_changes", {"undecided": True}),
    ("withdraw_change", {"change": "{change_id}"}),
    ("hold_run", {"until": "{soon}", "reason": "waits"}),
    ("complete_run", {"summary": "done"}),
]  # fmt: skip
# What is theirs by a group that reads too, or is called by what is in the list, or
# needs a transaction of several calls.
OTHER = {
    "end_run", "open_change", "submit_change", "staging_view", "staging_statement",
    "staged_rows", "stage_absent", "reads_statement", "waiting_changes", "show_change",
    "show_change_rows", "change_conflicts", "approve_change", "reject_change",
    "row_policy", "next_number",
}  # fmt: skip
# Their names are those of a type elsewhere.
KINDS = {
    "duration": "interval",
    "result_size": "bigint",
    "slots": "integer",
    "undecided": "boolean",
    "at_most": "interval",
}


def prepare(db: Connection) -> None:
    db.execute(TABLES)
    db.execute("select agentdb.audit_table('public.line')")
    db.execute("select agentdb.guard_table('public.invoice')")
    db.execute(
        "create table public.mail (recipient text, sent_at timestamptz, body text);"
        "select agentdb.register_message_channel('mail', 'public.mail', 'recipient',"
        " 'sent_at', 'body')"
    )
    register(db)


def numbered(query: str) -> str:
    """Return a statement with the placeholders of most drivers."""
    number = iter(range(1, 100))
    return re.sub(r"%s", lambda _: f"${next(number)}", query)


def call_all(ask: Ask, known: dict[str, Any]) -> None:
    """Make every call, with what the calls before it answered."""
    for function, given in CALLS:
        values = {
            name: str(each).format(**known)
            if isinstance(each, str) and each[:1] == "{"
            else each
            for name, each in given.items()
        }
        query, sent = statement(function, values, KINDS)
        names = known["names"].get(function)
        if names:
            shown = ", ".join(f"{name}::text as {name}" for name in names)
            query = query.replace("select *", f"select {shown}")
        else:
            query = query.replace("select *", "select count(*)::text")
        (found, *_) = ask(numbered(query), sent)
        known |= dict(zip(names or (), found, strict=False))


NAMES = {
    "start_run": ["token", "run_id"],
    "reserve_tokens": ["reservation", "granted"],
    "ask_human": ["question_id"],
    "acquire_lock": ["fence", "acquired"],
    "stage_change": ["change_id"],
}


def told(db: Connection, asking: Callable[[], Any]) -> None:
    soon = value(db, "select (now() + interval '10 min')::text")
    with asking() as ask:
        call_all(ask, {"names": NAMES, "soon": soon})
    assert value(db, "select args from agentdb.tool_call_log order by 1 limit 1")
    found = rows(
        db,
        "select distinct jsonb_typeof(args) as kind from agentdb.tool_call_log"
        " union select jsonb_typeof(details) from agentdb.progress_log"
        " where details is not null",
    )
    assert {each["kind"] for each in found} == {"object"}
    query = "select duration::text from agentdb.tool_call_log where duration > '1 s'"
    assert value(db, query) == "00:00:01.5"
    assert value(db, "select outcome from agentdb.run") == "succeeded"


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_function_through_every_driver(
    db: Connection, server: Server, driver: str
) -> None:
    prepare(db)
    dsn = server.dsn(database=db.info.dbname, user="agent_a")
    told(db, lambda: DRIVERS[driver](dsn))


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_function_through_a_pool_in_transaction_mode(
    db: Connection, server: Server, driver: str
) -> None:
    prepare(db)
    with pooler(server, ["agent_a"]) as dsn:
        told(db, lambda: DRIVERS[driver](dsn(db.info.dbname, "agent_a")))


def test_list_holds_every_function_that_agents_may_call(db: Connection) -> None:
    found = rows(
        db,
        "select proname from pg_proc where pronamespace = 'agentdb'::regnamespace"
        " and has_function_privilege('agent_a', oid, 'execute')",
    )
    public = {each["proname"] for each in found if each["proname"][0] != "_"}
    assert public - OTHER == {function for function, _ in CALLS}


def test_documentation_names_every_driver_and_every_column(db: Connection) -> None:
    text = (Path(__file__).parent.parent / "docs" / "instrument.md").read_text()
    rows_of = [line.split(" | ") for line in text.splitlines() if line[:2] == "| "]
    assert set(DRIVERS) <= {row[0].removeprefix("| ") for row in rows_of}
    named = {name for row in rows_of for name in re.findall(r"`(\w+)`", row[0])}
    found = rows(
        db,
        "select distinct a.name from pg_proc as p"
        " cross join unnest(p.proargnames, p.proargmodes) as a (name, mode)"
        " where p.pronamespace = 'agentdb'::regnamespace and a.mode in ('t', 'o')"
        " and p.proname = any (%s)",
        [function for function, _ in CALLS],
    )
    assert {each["name"] for each in found} <= named


def test_client_works_through_a_pool_in_transaction_mode(
    db: Connection, server: Server
) -> None:
    """Two agents behind one role, whose sessions are anybody's."""
    secrets = {
        name: register(db, name, "agent_b", pooled=True) for name in ("one", "two")
    }
    with pooler(server, ["agent_b"]) as dsn:
        way = dsn(db.info.dbname, "agent_b")
        one, two = (Agent(way, name=n, secret=s) for n, s in secrets.items())
        with one.run() as first, two.run() as second:
            for run in (first, second) * 10:
                run.call("t", {"run": run.id}, lambda: None)
                run.progress(f"step of {run.id}")
                with run.lock(f"l {run.id}"), run.tokens(10) as spent:
                    spent.set(input=1, output=1)
    found = rows(
        db,
        "select a.agent_name, count(*) filter (where (l.args ->> 'run')::bigint"
        " = l.run_id) as own, count(*) as n"
        " from agentdb.tool_call_log as l join agentdb.agent as a using (agent_id)"
        " group by 1 order by 1",
    )
    assert [tuple(each.values()) for each in found] == [
        ("one", 10, 10),
        ("two", 10, 10),
    ]


def test_doctor_finds_a_pool_that_executes_anothers_statement(
    db: Connection, server: Server
) -> None:
    """PgBouncer before 1.21, as it is in transaction mode."""
    with pooler(server, ["operator_o"]) as dsn:
        way = dsn(db.info.dbname, "operator_o")
        found = {each.check_name: each for each in findings(way)}
        with psycopg.connect(way, prepare_threshold=None) as connection:
            left = connection.execute(
                "select count(*) from pg_prepared_statements where name ~ '^agentdb'"
            ).fetchone()
    assert found["pooler"].state == "warning"
    assert "max_prepared_statements" in (found["pooler"].fix or "")
    assert left == (0,)


def test_doctor_says_nothing_of_a_pool_where_there_is_none(
    db: Connection, server: Server
) -> None:
    way = server.dsn(database=db.info.dbname, user="operator_o")
    assert "pooler" not in {each.check_name for each in findings(way)}
