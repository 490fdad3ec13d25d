"""The rows behind an alert, found by the statement that its rule keeps for them.

An operator may have written it: it only reads, is taken back, and is run for nobody who
may do more than an operator.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import psycopg

from . import guest

Row: TypeAlias = dict[str, Any]

SHOWN = "select agentdb.evidence_query(%s::bigint) as query"
# A statement with a parameter is one statement, whatever an operator wrote into it.
EVIDENCE = "select * from (\n{query}\n) as e limit %s::integer"
# What our own services' sessions are members of: both only write, and here nothing can.
OURS = ("agentdb_web", "agentdb_intake")


@dataclass
class Evidence:
    """A statement, what it shows, or why it was not run."""

    query: str
    rows: list[Row] = field(default_factory=list)
    problem: str | None = None

    def names(self) -> list[str]:
        """Return the columns that some row has; what no row has is in the way."""
        first = self.rows[0] if self.rows else {}
        return [n for n in first if any(row[n] is not None for row in self.rows)]

    def lines(self) -> list[str]:
        """Return each row on a line, as name=value, at most 300 characters of it."""
        names = self.names()
        return [
            " ".join(f"{n}={row[n]}" for n in names if row[n] is not None)[:300]
            for row in self.rows
        ]


async def find(
    connection: psycopg.AsyncConnection[Any], alert: int, most: int
) -> Evidence:
    """Return at most so many rows behind an alert."""
    shown = await (await connection.execute(SHOWN, [alert])).fetchone()
    found = Evidence(str(shown["query"]).strip().rstrip(";") if shown else "")
    asked = await connection.execute(guest.PLAIN, [[*guest.HARMLESS, *OURS]])
    plain = await asked.fetchone()
    if not plain or not plain["plain"]:
        found.problem = (
            "an operator wrote what shows them, and you may do more than an operator"
        )
        return found
    try:
        async with connection.transaction(force_rollback=True):
            await connection.execute("set local transaction_read_only = on")
            await connection.execute("set local statement_timeout = '300ms'")
            statement = EVIDENCE.format(query=found.query.replace("%", "%%"))
            rows = await connection.execute(statement.encode(), [most])
            found.rows = await rows.fetchall()
    except psycopg.Error as error:
        found.problem = error.diag.message_primary or str(error)
    return found
