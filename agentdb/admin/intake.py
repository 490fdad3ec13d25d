"""Who may tell of an agent: the tokens of emitters, one function an act."""

from __future__ import annotations

import psycopg

MAKE = "select agentdb.make_intake_token(%s::text)"
REGISTER = "select agentdb.register_intake_agent(%s::text, %s::text)"
REVOKE = "select agentdb.revoke_intake_token(%s::bigint)"


def make_token(dsn: str, agent: str, *, register: bool, policy: str) -> str:
    """Return a new token of an agent, which is registered first where that is asked."""
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        if register:
            connection.execute(REGISTER, [agent, policy])
        row = connection.execute(MAKE, [agent]).fetchone()
    assert row is not None
    return str(row[0])


def revoke_token(dsn: str, number: int) -> str:
    """Make a token worthless and return the agent whose it was."""
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        row = connection.execute(REVOKE, [number]).fetchone()
    assert row is not None
    return str(row[0])
