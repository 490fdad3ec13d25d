"""A right that is missing is told by kind, with what gives it; prose about one is none."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from .agents import age, labels, register, row, rows, start, value
from .conftest import Connect, Connection


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of an agent with one open run."""
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


def fail(
    session: Connection, error: str, args: object = None, ok: bool = False
) -> None:
    """Log a call that failed."""
    session.execute(
        "select agentdb.log_tool_call('sql', %s::jsonb, ok => %s, error => %s)",
        [json.dumps(args), ok, error],
    )


def query(session: Connection, statement: str) -> None:
    """Log a statement that the server refuses, as a client does."""
    with pytest.raises(psycopg.Error) as raised:
        session.execute(statement.encode())
    error = raised.value
    fail(session, f"{error.sqlstate}: {error}", {"sql": statement})


def told_later(db: Connection) -> list[dict[str, Any]]:
    """Return what the rule says of a minute to come."""
    later = "clock_timestamp() + interval '61 seconds'"
    return rows(
        db, f"select labels, annotations from agentdb.rule_access_denied({later})"
    )


def test_one_refusal_is_news_only_where_nothing_follows(
    db: Connection, agent: Connection
) -> None:
    db.execute("create table invoice (id int)")
    query(agent, "select * from invoice")
    assert labels(db, "access_denied") == []
    assert [each["labels"]["kind"] for each in told_later(db)] == ["grant"]
    agent.execute("select agentdb.log_progress('asks somebody else')")
    assert told_later(db) == []


def test_one_refusal_is_forgotten_once_a_call_succeeds(
    db: Connection, agent: Connection
) -> None:
    db.execute("create table invoice (id int)")
    query(agent, "select * from invoice")
    fail(agent, "timeout")
    assert len(told_later(db)) == 1
    agent.execute("select agentdb.log_tool_call('search', result => 'found')")
    assert told_later(db) == []


def test_missing_grant_is_told_with_the_statement_that_gives_it(
    db: Connection, agent: Connection
) -> None:
    db.execute("create schema vault; create table vault.invoice (id int)")
    db.execute("grant usage on schema vault to agent_a")
    query(agent, "delete from vault.invoice where id = 1")
    (told,) = told_later(db)
    assert told["labels"] == {
        "agent": "a",
        "run": "1",
        "kind": "grant",
        "object": "invoice",
    }
    assert "agent_a has no DELETE on vault.invoice" in told["annotations"]["summary"]
    assert told["annotations"]["fix"] == ["grant delete on vault.invoice to agent_a;"]
    db.execute(told["annotations"]["fix"][0].encode())
    query(agent, "delete from vault.other where id = 1")
    kinds = [each["labels"]["kind"] for each in told_later(db)]
    assert kinds == ["grant"]


def test_row_security_is_another_kind(db: Connection, agent: Connection) -> None:
    db.execute(
        "create table tenant (id int); alter table tenant enable row level security"
    )
    db.execute("grant insert on tenant to agent_a")
    query(agent, "insert into tenant values (1)")
    (told,) = told_later(db)
    assert told["labels"]["kind"] == "row_security"
    assert told["labels"]["object"] == "tenant"
    assert (
        "row security of public.tenant shows agent_a only rows of"
        in (told["annotations"]["summary"])
    )


def test_missing_table_is_told_from_the_second_time_on(
    db: Connection, agent: Connection
) -> None:
    db.execute("create table invoices (id int)")
    query(agent, "select * from invoice")
    assert labels(db, "access_denied") == []
    query(agent, "select * from invoice")
    (told,) = rows(db, "select labels, annotations from agentdb.access_denied")
    assert told["labels"]["kind"] == "missing_table"
    assert "nearest: public.invoices" in told["annotations"]["summary"]
    assert "fix" not in told["annotations"]


@pytest.mark.parametrize(
    ("error", "args", "kind", "object_"),
    [
        ("cat: /srv/key.pem: Permission denied", None, "file_mode", "/srv"),
        ("[Errno 13] Permission denied: '/etc/app/x'", None, "file_mode", "/etc/app"),
        ("EACCES", {"path": "/var/lib/y"}, "file_mode", "/var/lib"),
        ("HTTP 401 Unauthorized", {"url": "https://api.example/v1"}, "http_401",
         "api.example"),
        ("status=403 from https://shop.example:8443/o?x=1", None, "http_403",
         "shop.example:8443"),
        ("403 Forbidden", None, "http_403", "sql"),
        ("42501: permission denied for schema vault", None, "grant", "schema vault"),
        ("permission denied for function pay(integer)", None, "grant",
         "function pay(integer)"),
        ('42P01: relation "public.no" does not exist', None, "missing_table", "public.no"),
        ("must be owner of table invoice", None, "grant", "invoice"),
    ],
)  # fmt: skip
def test_kind_and_object_are_read_from_the_error(
    db: Connection,
    agent: Connection,
    error: str,
    args: object,
    kind: str,
    object_: str,
) -> None:
    fail(agent, error, args)
    fail(agent, error, args)
    (told,) = labels(db, "access_denied")
    assert (told["kind"], told["object"]) == (kind, object_)


@pytest.mark.parametrize(
    ("error", "ok"),
    [
        ("the report says: permission denied for table invoice (42501)", True),
        ("timeout", False),
        ("the price is 403 euros", False),
        ("no such file or directory: /srv/x", False),
        ("HTTP 404 Not Found", False),
        ("user 42501 does not exist, says the shop", True),
        ("the user denied permission", False),
    ],
)
def test_other_errors_and_prose_are_no_sign(
    db: Connection, agent: Connection, error: str, ok: bool
) -> None:
    for _ in range(3):
        fail(agent, error, ok=ok)
    assert labels(db, "access_denied") == []


def test_result_that_quotes_an_error_is_no_sign(
    db: Connection, agent: Connection
) -> None:
    agent.execute(
        "select agentdb.log_tool_call('read', result => %s)",
        ["FATAL 42501: permission denied for table invoice"],
    )
    assert labels(db, "access_denied") == []


def test_words_of_an_agent_break_no_rule(db: Connection, agent: Connection) -> None:
    hostile = [
        'x"; drop table y; --',
        "a.b.c.d",
        "'",
        "%s\n{}",
        "\u202egrant",
        "x" * 300,
    ]
    for each in hostile:
        fail(agent, f"42501: permission denied for table {each}", {"sql": each})
    fail(agent, "42501: permission denied for table agent_secret",
         {"sql": "select * from agentdb.agent_secret"})  # fmt: skip
    found = told_later(db)
    assert len(found) >= 3
    for told in found:
        assert "\n" not in told["labels"]["object"]
        assert told["annotations"].get("fix") is None


def test_run_that_tries_everything_is_twenty_alerts_at_most(
    db: Connection, agent: Connection
) -> None:
    for number in (*range(30), *range(30)):
        fail(agent, f"42501: permission denied for table t{number}")
    assert len(labels(db, "access_denied")) == 20


def test_null_errors_and_a_window(db: Connection, agent: Connection) -> None:
    agent.execute("select agentdb.log_tool_call('t', ok => false)")
    assert labels(db, "access_denied") == []
    fail(agent, "42501: permission denied for table t")
    age(db, "tool_call_log", "recorded_at", "14 minutes")
    assert len(labels(db, "access_denied")) == 1
    age(db, "tool_call_log", "recorded_at", "61 seconds")
    assert labels(db, "access_denied") == []


@pytest.mark.parametrize("user", ["auditor_u", "operator_o"])
def test_who_reads_alerts_reads_this_one(
    db: Connection, connect: Connect, agent: Connection, user: str
) -> None:
    query(agent, "select * from agentdb.agent_secret")
    query(agent, "select * from agentdb.agent_secret")
    reader = connect(db.info.dbname, user)
    told = row(reader, "select annotations from agentdb.access_denied")["annotations"]
    assert "it is not for agents to have" in told["summary"]


def test_who_is_refused_one_thing_after_the_other_is_told_of_though_it_gets_on(
    db: Connection, agent: Connection
) -> None:
    for number in range(5):
        assert labels(db, "access_denied") == []
        fail(agent, f"42501: permission denied for table payroll_{number}")
        fail(agent, "", ok=True)
    (told,) = rows(db, "select labels, annotations from agentdb.access_denied")
    assert told["labels"]["object"] == "payroll_0"
    assert "payroll_0 nor 4 others" in told["annotations"]["summary"]


def test_thousands_of_denials_hold_up_no_rule(
    db: Connection, agent: Connection, connect: Connect
) -> None:
    many = (
        "select agentdb.log_tool_call('t', to_jsonb(i), ok => false, error => 'permission"
        " denied for table ' || repeat('a', 99) || i || ' ' || repeat('((/a/b/c', 900))"
        " from generate_series(1, 6000) as i"
    )
    agent.execute(many)
    register(db, "b", "agent_b")
    other = connect(db.info.dbname, "agent_b")
    start(other)
    for _ in range(2):
        fail(other, "permission denied for table payroll")
    # Reading each of them takes longer than a rule may.
    db.execute("set statement_timeout = '5 s'")
    found = labels(db, "access_denied")
    assert [each["agent"] for each in found] == ["a", "b"]


def test_evidence_is_of_the_object_that_the_alert_names(
    db: Connection, agent: Connection
) -> None:
    db.execute("create table payroll (id int); create table invoice (id int)")
    for table in ("payroll", "invoice", "payroll"):
        query(agent, f"select * from {table}")
    evidence = value(
        db,
        "select evidence_query from agentdb.alert_rule where rule_name = 'access_denied'",
    )
    named = {each["labels"]["object"]: each["labels"] for each in told_later(db)}
    for table, calls in (("payroll", 2), ("invoice", 1)):
        (found,) = [labels for name, labels in named.items() if table in name]
        asked = evidence.replace(":labels", "%(labels)s::jsonb").replace(":at", "now()")
        rows_behind = db.execute(
            asked.encode(), {"labels": json.dumps(found)}
        ).fetchall()
        assert len(rows_behind) == calls
