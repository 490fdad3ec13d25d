"""Asks a rule for its alerts, without trusting it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio
import psycopg

from ...secret.redact import clean
from ..session import Session

# What the server may need beyond a rule's timeout until its answer is here.
ALLOWANCE = 2.0
LONGEST_ERROR = 2000

# One message: each one more costs as much as a small rule.
BEGIN = "begin read only; set local statement_timeout = {timeout:d}"


class Garbage(Exception):
    """A rule's answer that is not a list of alerts."""


@dataclass(frozen=True)
class Rule:
    """A rule claimed for one evaluation."""

    rule_name: str
    query: str
    evaluation: int
    timeout_ms: int
    max_alerts: int
    # Until the next one is due.
    next_due_ms: int


@dataclass(frozen=True)
class Answer:
    """The alerts a rule sees at this moment."""

    instances: list[Any]
    truncated: bool
    duration_ms: float


async def ask(session: Session, rule: Rule) -> Answer:
    """Return what the rule sees, or raise whatever is wrong with it."""
    started = anyio.current_time()
    async with session.answering(rule.timeout_ms / 1000 + ALLOWANCE):
        rows = await _read(session, rule)
    duration = (anyio.current_time() - started) * 1000
    found = _only_value(rows)
    if not isinstance(found, list):
        raise Garbage("the rule's query must return one JSON array")
    truncated = len(found) > rule.max_alerts
    return Answer(found[: rule.max_alerts], truncated, duration)


async def _read(session: Session, rule: Rule) -> list[dict[str, Any]]:
    """Run the query in a transaction that leaves nothing behind, settings included."""
    connection = session.connection
    try:
        await connection.execute(BEGIN.format(timeout=rule.timeout_ms).encode())
        # Binary, because the server then takes one statement and no more.
        query = rule.query.encode()
        cursor = await connection.execute(query, prepare=True, binary=True)
        return await cursor.fetchall()
    finally:
        if not connection.closed:
            await connection.execute("rollback")


def _only_value(rows: list[dict[str, Any]]) -> Any:
    values = [value for row in rows for value in row.values()]
    if len(values) != 1:
        raise Garbage(f"the rule's query must return one value, not {len(values)}")
    return values[0]


def complaint(rule: Rule, error: Exception) -> str:
    """Say for the DBA what is wrong with a rule."""
    text = clean(str(error).strip()) or type(error).__name__
    if isinstance(error, psycopg.Error) and error.sqlstate:
        text = f"{error.sqlstate}: {text}"
    if isinstance(error, psycopg.errors.QueryCanceled):
        text += f" (timeout of the rule: {rule.timeout_ms} ms)"
    # The server takes neither lone surrogates nor NUL.
    return text.encode(errors="replace").decode().replace("\0", "")[:LONGEST_ERROR]
