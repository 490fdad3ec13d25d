"""A pool that executes one client's prepared statement for another, found by trying."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
from psycopg import pq

from .finding import Finding

CHECK = "pooler"
# One is told from the next by luck: another client may be given the connection.
ATTEMPTS = 5
FIX = (
    "Before PgBouncer 1.21, or with max_prepared_statements = 0, an agent's call can "
    "execute another agent's: upgrade it and set max_prepared_statements = 200, or "
    "switch prepared statements off in every client, see docs/instrument.md, Drivers."
)


def pool(dsn: str) -> Iterator[Finding]:
    """Say what a pooler does with prepared statements; nothing where there is none."""
    with _connect(dsn) as first:
        row = first.execute("select pg_backend_pid()").fetchone()
        if row and row[0] == first.info.backend_pid:
            return
        if any(_is_shared(first, dsn) for _ in range(ATTEMPTS)):
            detail = "a statement that one client prepared was executed for another"
            yield Finding(CHECK, "warning", detail, FIX)
        else:
            yield Finding(CHECK, "ok", "prepared statements are each client's own")


def _connect(dsn: str) -> psycopg.Connection:
    return psycopg.connect(
        dsn, autocommit=True, connect_timeout=5, prepare_threshold=None
    )


def _is_shared(first: psycopg.Connection, dsn: str) -> bool:
    """Prepare under a name that nobody else has, and execute it as somebody else."""
    name = f"agentdb_{secrets.token_hex(8)}"
    asked = name.encode()
    first.pgconn.prepare(asked, b"select 'one'")
    with _connect(dsn) as second:
        second.execute("begin")
        found = second.pgconn.exec_prepared(asked, [])
        shared = found.status == pq.ExecStatus.TUPLES_OK
        if shared:
            # In the transaction we still have the connection that holds it.
            second.execute(f"deallocate {name}")
    return shared
