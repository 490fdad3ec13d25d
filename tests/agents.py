"""What many tests say: an agent is registered, a run is open, a rule is asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

if TYPE_CHECKING:
    from .conftest import Connection

Row = dict[str, Any]


def rows(connection: Connection, query: str, *values: object) -> list[Row]:
    """Return the rows of a query as dictionaries."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), values or None).fetchall()


def row(connection: Connection, query: str, *values: object) -> Row:
    """Return the only row of a query."""
    (only,) = rows(connection, query, *values)
    return only


def value(connection: Connection, query: str, *values: object) -> Any:
    """Return the only value of a query."""
    (only,) = row(connection, query, *values).values()
    return only


def register(
    db: Connection, name: str = "a", role: str = "agent_a", *, pooled: bool = False
) -> str:
    """Register an agent and return its secret, empty where it has none."""
    return (
        value(
            db,
            "select secret from agentdb.register_agent("
            "name => %s::text, role_name => %s::text, pooled => %s::boolean)",
            name,
            role,
            pooled,
        )
        or ""
    )


def start(session: Connection, /, **arguments: str) -> int:
    """Open a run in an agent's session and return its number."""
    names = ", ".join(f"{name} => %({name})s" for name in arguments)
    query = f"select run_id from agentdb.start_run({names})"
    found = session.execute(query.encode(), arguments or None).fetchone()
    assert found is not None
    return int(found[0])


def refusal(
    connection: Connection, query: str, *values: object
) -> psycopg.errors.Diagnostic:
    """Return what the database says when it refuses a call."""
    try:
        connection.execute(query.encode(), values or None)
    except psycopg.Error as error:
        return error.diag
    raise AssertionError(f"not refused: {query}")


def labels(db: Connection, rule: str, at: str = "now") -> list[Row]:
    """Return the labels of the rows that a rule has at a moment, in their order."""
    query = f"select r.labels from agentdb.rule_{rule}(%s::timestamptz) as r order by r.labels"
    found = rows(db, query, at)
    return [each["labels"] for each in found]


def policy(db: Connection, name: str, agent: str = "a") -> None:
    """Give an agent another policy."""
    change = "update agentdb.agent set policy_name = %s where agent_name = %s"
    db.execute(change, [name, agent])


def age(db: Connection, table: str, column: str, by: str) -> None:
    """Move the moments of a table's rows into the past, as its owner could not."""
    change = f"update agentdb.{table} set {column} = {column} - %s::interval"
    with db.transaction():
        db.execute("set local session_replication_role = replica")
        db.execute(change.encode(), [by])


READ = """
select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint
from pg_stat_xact_user_tables
where schemaname = 'agentdb'
"""


def visited(db: Connection, query: str) -> int:
    """Return how many rows of our tables a query reads, also within functions."""
    with db.transaction():
        before = value(db, READ)
        db.execute(query.encode())
        return int(value(db, READ) - before)


def evaluate(db: Connection) -> None:
    """Do what a runner does: roll up, evaluate every rule, flush."""
    db.execute("select agentdb.roll_up()")
    db.execute("update agentdb.alert_rule set next_evaluation_at = now()")
    while claimed := db.execute("select * from agentdb.claim_rule()").fetchone():
        name, query, evaluation = claimed[:3]
        (found,) = db.execute(query).fetchone() or ()
        db.execute(
            "select agentdb.ingest(%s::text, %s::bigint, %s::jsonb)",
            [name, evaluation, json.dumps(found)],
        )
    db.execute("select agentdb.flush()")
