"""Waits for a lock of the database: told by NOTIFY where it can be, else asking."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import psycopg

CHANNEL = "agentdb_lock"
# How long to sleep between two attempts, at least and at most; a random time between.
FIRST, LONGEST = 0.05, 2.0

ACQUIRE = """
select acquired, fence, ttl_ms, holder, outcome
from agentdb.acquire_lock(
  name => %s::text, ttl => %s::interval, max_hold => %s::interval, run => %s::bigint,
  release_on_disconnect => %s::boolean
)
"""


@dataclass(frozen=True)
class Lock:
    """A lock that was acquired, or who holds it instead."""

    name: str
    acquired: bool
    fence: int | None
    ttl_ms: int | None
    holder: str | None
    outcome: str


def wait_for_lock(
    connection: psycopg.Connection,
    name: str,
    *,
    timeout: float = 60,
    ttl: str = "15 minutes",
    max_hold: str | None = None,
    run: int | None = None,
    release_on_disconnect: bool = False,
) -> Lock:
    """Acquire a lock as soon as it is free, or return the last refusal.

    The connection must be in autocommit mode: in a transaction others would not
    see that we hold the lock, nor we that it is free.  With release_on_disconnect
    others may take it as soon as the sessions of our run are gone.
    """
    if not connection.autocommit:
        raise ValueError("wait_for_lock needs a connection in autocommit mode")
    wanted: list[object] = [name, ttl, max_hold, run, release_on_disconnect]
    end = time.monotonic() + timeout
    found = _acquire(connection, name, wanted)
    if found.acquired or timeout <= 0:
        return found
    listens = _can_listen(connection)
    connection.execute(
        "select from agentdb.begin_wait(%s::text, %s * interval '1 s', %s::bigint)",
        [name, min(timeout + 1, 86400), run],
    )
    try:
        if listens:
            connection.execute(f"listen {CHANNEL}")
        pause = FIRST
        while not found.acquired and (left := end - time.monotonic()) > 0:
            # What is told may get lost: a lock that expires tells nobody.
            ends = LONGEST if found.ttl_ms is None else found.ttl_ms / 1000
            longest = min(LONGEST if not listens else 5 * LONGEST, max(ends, FIRST))
            pause = min(pause * 2, longest)
            _sleep(
                connection, name, min(left, random.uniform(pause / 2, pause)), listens
            )
            found = _acquire(connection, name, wanted)
    finally:
        if not connection.closed:
            if listens:
                connection.execute(f"unlisten {CHANNEL}")
            connection.execute(
                "select from agentdb.end_wait(%s::text, %s::bigint)", [name, run]
            )
    return found


def release_lock(
    connection: psycopg.Connection, name: str, fence: int, *, run: int | None = None
) -> bool:
    """Release a lock, wake who waits for it, and return whether we still held it."""
    query = (
        "select released, waiting from agentdb.release_lock(%s, %s, run => %s::bigint)"
    )
    row = connection.execute(query, [name, fence, run]).fetchone()
    assert row is not None
    # In a transaction of its own: a NOTIFY that fails must not undo the release.
    if row[0] and row[1] and connection.autocommit:
        connection.execute(
            "select from agentdb.wake_waiters(%s::text, %s::bigint)", [name, run]
        )
    return bool(row[0])


def _acquire(connection: psycopg.Connection, name: str, wanted: list[object]) -> Lock:
    row = connection.execute(ACQUIRE, wanted).fetchone()
    assert row is not None
    return Lock(name, *row)


def _can_listen(connection: psycopg.Connection) -> bool:
    """Tell whether we talk to one session all the time, and to no pooler."""
    row = connection.execute("select pg_backend_pid()").fetchone()
    return row is not None and row[0] == connection.info.backend_pid


def _sleep(
    connection: psycopg.Connection, name: str, seconds: float, listens: bool
) -> None:
    """Sleep until the time is over, or until we are told that the lock is free."""
    if not listens:
        time.sleep(seconds)
        return
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        told = connection.notifies(timeout=left, stop_after=1)
        if any(notice.payload == name for notice in told):
            # Not all at once.
            time.sleep(random.uniform(0, 0.01))
            return
