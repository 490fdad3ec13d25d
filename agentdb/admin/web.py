"""Who may come in to the page: one-time links, and who is whom."""

from __future__ import annotations

from datetime import timedelta

import psycopg

LINK = "select agentdb.make_web_link(%s::interval)"
MAP = "select agentdb.map_person(%s::text, %s::name)"
UNMAP = "select agentdb.unmap_person(%s::text)"


def make_link(dsn: str, lasts: timedelta) -> str:
    """Return the token of a new one-time link of the role that logs in."""
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        row = connection.execute(LINK, [lasts]).fetchone()
    assert row is not None
    return str(row[0])


def map_person(dsn: str, subject: str, role: str) -> None:
    """Give a person of the page the rights of a role."""
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        connection.execute(MAP, [subject, role])


def unmap_person(dsn: str, subject: str) -> str:
    """Make a person of the page a viewer and return the role that it had."""
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        row = connection.execute(UNMAP, [subject]).fetchone()
    assert row is not None
    return str(row[0])
