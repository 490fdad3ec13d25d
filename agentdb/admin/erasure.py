"""Erasing a person from the record of an audited table."""

from __future__ import annotations

import psycopg

from ..process.interrupt import committing

ERASE = """
select place, rows from agentdb.erase_subject(%s::text::regclass, %s::jsonb,
  %s::text, %s::text[])
"""
NAME = "select pseudonym from agentdb.erasure_log order by erasure_id desc limit 1"


def erase(
    dsn: str, table: str, key: str, *, reason: str, terms: list[str], dry_run: bool
) -> tuple[str, list[tuple[str, int]]]:
    """Erase a row; return its pseudonym and how many rows of what were changed.

    A dry run does the same and takes it back.
    """
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        # It reads all that was logged: as long as it takes.
        connection.execute("set local statement_timeout = 0")
        values = (table, key, reason, terms)
        found = connection.execute(ERASE, values).fetchall()
        name = connection.execute(NAME).fetchone()
        assert name is not None
        if dry_run:
            connection.rollback()
        else:
            with committing():
                connection.commit()
    return name[0], found
