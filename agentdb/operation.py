"""What operators do to the database, one function an act."""

from __future__ import annotations

import psycopg
from psycopg import sql

REGISTER = """
select r.secret from agentdb.register_agent(
  name => %(name)s::text, role_name => %(role)s::text,
  policy => %(policy)s::text, pooled => %(pooled)s::boolean
) as r
"""

RELEASE = """
select coalesce(f.holder, 'nobody'), f.was from agentdb.force_release_lock(
  name => %(name)s::text, reason => %(reason)s::text, slot => %(slot)s::integer
) as f
"""


def register_agent(
    dsn: str,
    name: str,
    *,
    role: str,
    policy: str = "default",
    pooled: bool = False,
    create_role: bool = False,
) -> str | None:
    """Register an agent under a login role and return its secret, if it has one."""
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        if create_role:
            create_login(connection, role, "agentdb_agent")
        values = {"name": name, "role": role, "policy": policy, "pooled": pooled}
        row = connection.execute(REGISTER, values).fetchone()
    assert row is not None
    return None if row[0] is None else str(row[0])


def create_login(
    connection: psycopg.Connection[tuple[object, ...]], role: str, group: str
) -> None:
    """Create a login role unless it exists, and put it into one of our groups."""
    known = "select from pg_roles where rolname = %s::text"
    if connection.execute(known, [role]).fetchone() is None:
        create = sql.SQL("create role {} login").format(sql.Identifier(role))
        connection.execute(create)
    grant = sql.SQL("grant {} to {}").format(
        sql.Identifier(group), sql.Identifier(role)
    )
    connection.execute(grant)


def release_lock(
    dsn: str, name: str, *, reason: str, slot: int | None = None
) -> list[str]:
    """Take a lock from its holders, with a logged reason; return who had it."""
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        values = {"name": name, "reason": reason, "slot": slot}
        return [str(row[0]) for row in connection.execute(RELEASE, values)]


KILL_RUN = "select * from agentdb.kill_run(%(target)s::bigint, %(reason)s::text)"
KILL_AGENT = "select * from agentdb.kill_agent(%(target)s::text, %(reason)s::text)"
KILL_ALL = "select * from agentdb.kill_all(%(reason)s::text)"
DRAIN = "select drained from agentdb.drain_run(%s::bigint)"
END_SESSIONS = "select pid, ended, problem from agentdb.end_sessions(%s::bigint)"
PAUSE = "select runs_paused from agentdb.pause_agent(%s::text, %s::text)"
RESUME = "select runs_resumed from agentdb.resume_agent(%s::text, %s::text)"


def kill(dsn: str, statement: str, *, target: object, reason: str) -> list[str]:
    """Kill runs; return a line for each thing done, when nothing of them commits.

    The mark is committed first; then writers in flight are ended where we may
    signal them, and waited for.
    """
    with psycopg.connect(dsn, connect_timeout=10, autocommit=True) as connection:
        values = {"target": target, "reason": reason}
        killed = connection.execute(statement.encode(), values).fetchall()
        lines = [
            f"run {run} of {agent} is killed: {locks} locks freed, "
            f"{reservations} reservations cancelled"
            for run, agent, locks, reservations in killed
        ]
        for run, *_ in killed:
            lines += _finish(connection, run)
    return lines or ["no run was open"]


def _finish(
    connection: psycopg.Connection[tuple[object, ...]], run: object
) -> list[str]:
    """End the sessions of a killed run and wait for its last writers."""
    lines = [
        f"session {pid} is ended" if ended else f"session {pid} goes on: {problem}"
        for pid, ended, problem in connection.execute(END_SESSIONS, [run]).fetchall()
    ]
    row = connection.execute(DRAIN, [run]).fetchone()
    if row and row[0]:
        return [*lines, f"nothing of run {run} can commit any more"]
    return [
        *lines,
        f"run {run} still has a transaction open: it can commit what it "
        "wrote before; end its sessions",
    ]


def pause(dsn: str, statement: str, *, agent: str, reason: str) -> int:
    """Pause or resume an agent; return how many open runs that concerned."""
    with psycopg.connect(dsn, connect_timeout=10, autocommit=True) as connection:
        row = connection.execute(statement.encode(), [agent, reason]).fetchone()
    assert row is not None
    return int(str(row[0]))
