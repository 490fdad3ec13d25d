"""Runs SQL that operators wrote with the rights of operators, whoever looks at it.

A condition, an evidence query or a function of a rule is text that an operator may
change.  Looked at by a DBA it must not run with a DBA's rights: it is executed by a
function that belongs to agentdb_operator, as which no other role can be taken on, in a
transaction that is rolled back.
"""

from __future__ import annotations

import secrets
from typing import Any, TypeAlias

import psycopg
from psycopg import sql
from psycopg.pq import ExecStatus

Connection: TypeAlias = psycopg.Connection[Any]

# Nobody who shares a pooled session with us can have made one of that name.
NAME = sql.Identifier("pg_temp", f"agentdb_guest_{secrets.token_hex(8)}")
MAKE = sql.SQL("""
create function {name} (query text) returns setof record
  language plpgsql volatile security definer
  as $guest$ begin return query execute query; end $guest$
""").format(name=NAME)
# Roles that give nothing which an operator could not have, or take, anyway.
HARMLESS = (
    "agentdb_operator", "agentdb_auditor", "agentdb_reviewer", "pg_monitor",
    "pg_read_all_settings", "pg_read_all_stats", "pg_stat_scan_tables",
)  # fmt: skip
# Who can do no more than an operator runs nothing with rights that an operator lacks.
PLAIN = """
select not exists (
  select from pg_roles as g
  where pg_has_role(session_user, g.oid, 'member')
    and (g.rolsuper or g.rolbypassrls or g.rolcreaterole or g.rolreplication
      or g.rolname <> session_user and g.rolname <> all (%s::text[])
      or exists (select from pg_class as c where c.relowner = g.oid
        and g.rolname = session_user and c.relkind in ('r', 'p')))
) as plain
"""
TYPES = """
select format_type(t.type, t.modifier) as name
from unnest(%s::oid[], %s::integer[]) with ordinality as t (type, modifier, place)
order by t.place
"""


class Unsafe(Exception):
    """SQL of operators that cannot be run here with no more than their rights."""


def invite(connection: Connection) -> None:
    """Make what runs it, where that is needed and possible.

    To be called before the transaction only reads; whoever calls rolls it back.
    """
    if _is_plain(connection) or _is_invited(connection):
        return
    try:
        with connection.transaction():
            role = _only(connection, "select current_setting('role') as role")
            connection.execute("set local role agentdb_operator")
            connection.execute(MAKE)
            connection.execute("select set_config('role', %s::text, true)", [role])
    except psycopg.errors.Error:
        # A standby, no right to temporary objects, or none to be an operator.
        if connection.closed:
            raise


def ask(connection: Connection, statement: str) -> list[dict[str, Any]]:
    """Return the rows of one statement, run with the rights of operators.

    Raises Unsafe where that is not possible, and what is wrong with the statement.
    """
    names, types, modifiers = parse(connection, statement)
    if not _is_invited(connection):
        if _is_plain(connection):
            return _rows(connection, statement, names)
        raise Unsafe(
            "an operator wrote what shows it, and here it could only be run with your "
            "rights: run it as an operator; --sql prints it"
        )
    found = [each[0] for each in _fetch(connection, TYPES, [types, modifiers])]
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(f"c{place}"), sql.SQL(name))
        for place, name in enumerate(found)
    )
    query = sql.SQL("select * from {}({}) as e ({})").format(
        NAME, sql.Literal(statement), columns
    )
    return _rows(connection, query.as_string(connection), names)


def parse(
    connection: Connection, statement: str
) -> tuple[list[str], list[int], list[int]]:
    """Return names and types of the columns; parsed by itself it is one statement."""
    pgconn = connection.pgconn
    # Begin the transaction as psycopg does.
    connection.execute("")
    for result in (
        pgconn.prepare(b"", statement.encode()),
        pgconn.describe_prepared(b""),
    ):
        if result.status != ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(result, encoding="utf-8")
    if not result.nfields:
        raise Unsafe("what an operator wrote to show it returns no rows")
    fields = range(result.nfields)
    return (
        [(result.fname(n) or b"").decode() for n in fields],
        [result.ftype(n) for n in fields],
        [result.fmod(n) for n in fields],
    )


def _is_invited(connection: Connection) -> bool:
    name = NAME.as_string(connection)
    known = _only(
        connection, "select to_regproc(%s::text) is not null as known", [name]
    )
    return bool(known)


def _is_plain(connection: Connection) -> bool:
    return bool(_only(connection, PLAIN, [list(HARMLESS)]))


def _only(connection: Connection, query: str, binds: list[Any] | None = None) -> Any:
    [[value]] = _fetch(connection, query, binds)
    return value


def _fetch(
    connection: Connection, query: str, binds: list[Any] | None = None
) -> list[tuple[Any, ...]]:
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        return cursor.execute(query.encode(), binds).fetchall()


def _rows(connection: Connection, query: str, names: list[str]) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in _fetch(connection, query)]
