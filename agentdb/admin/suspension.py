"""Break glass: suspending what protects a table, and putting it back in force."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg

from ..process.interrupt import committing

if TYPE_CHECKING:
    from typing_extensions import LiteralString

# By name, not as regclass: what is no name is an error there.
TABLE = """
select format('%%I.%%I', n.nspname, c.relname)
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p')
  and (%(table)s in (format('%%I.%%I', n.nspname, c.relname),
      n.nspname || '.' || c.relname)
    or pg_table_is_visible(c.oid) and %(table)s in (c.relname, quote_ident(c.relname)))
order by pg_table_is_visible(c.oid) desc, c.oid
limit 1
"""
SUSPEND = """
select suspended_table, ends_at from agentdb.suspend(%(what)s::text, %(table)s::text,
  reason => %(reason)s::text, duration => %(lasts)s::text::interval)
"""
UNSUSPEND = """
select unsuspended_table, since_at from agentdb.unsuspend(%(what)s::text,
  %(table)s::text, reason => %(reason)s::text)
"""


def suspend(
    dsn: str, what: str, table: str, *, lasts: str, reason: str
) -> list[tuple[str, datetime]]:
    """Suspend a protection; return each table, and until when."""
    return _call(dsn, SUSPEND, what=what, table=table, reason=reason, lasts=lasts)


def unsuspend(
    dsn: str, what: str, table: str, *, reason: str
) -> list[tuple[str, datetime]]:
    """Put a protection back in force; return each table, and since when it was not."""
    return _call(dsn, UNSUSPEND, what=what, table=table, reason=reason)


def _call(
    dsn: str, statement: LiteralString, *, table: str, **values: str
) -> list[tuple[str, datetime]]:
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        known = connection.execute(TABLE, {"table": table}).fetchone()
        named: dict[str, Any] = {**values, "table": known[0] if known else table}
        found = connection.execute(statement, named).fetchall()
        with committing():
            connection.commit()
    return found
