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
    """Take a lock from its holders, for the log with a reason, and return who had it."""
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        values = {"name": name, "reason": reason, "slot": slot}
        return [str(row[0]) for row in connection.execute(RELEASE, values)]
