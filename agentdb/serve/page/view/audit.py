"""The audit: what changed in a table or a row, and what it was at any commit."""

from __future__ import annotations

import json
from datetime import datetime
from urllib.parse import urlencode

import psycopg
from starlette.requests import Request
from starlette.responses import Response

from ..door import reading
from ..render import page
from .ask import Connection, Row, one, rows, word
from .difference import Cell, compared, is_cut, longest

TABLES = """
select t.table_name, t.row_key, t.audited_at, t.fault
from agentdb.audited_table as t
order by t.table_name
limit 500
"""
# Of a table the last week: older rows are found by their key.
CHANGES = """
select a.recorded_at, a.operation, a.row_key, a.old_values, a.new_values,
  coalesce(a.agent_name, a.session_role) as who, a.agent_name, a.run_id,
  a.on_behalf_of, a.change_id, a.approved_by, a.table_name
from agentdb.audit as a
where (%(table)s::text is null
    or a.table_name in (%(table)s::text, 'public.' || %(table)s::text))
  and (%(run)s::bigint is null or a.run_id = %(run)s::bigint)
  and (%(run)s::bigint is not null
    or a.recorded_at > clock_timestamp() - interval '7 days')
limit %(most)s::integer
"""
HISTORY = """
select h.recorded_at, h.operation,
  agentdb._canonical_key(%(table)s::regclass, %(key)s::jsonb) as row_key, h.old_values,
  h.new_values, coalesce(h.agent_name, h.session_role) as who, h.agent_name, h.run_id,
  h.on_behalf_of, h.change_id, h.approved_by, %(table)s::text as table_name
from agentdb.row_history(%(table)s::regclass, %(key)s::jsonb) with ordinality as h
order by h.ordinality desc
limit %(most)s::integer
"""
# Who may not see the table reads of its row what the log has under this key.
LOGGED = """
select a.recorded_at, a.operation, a.row_key, a.old_values, a.new_values,
  coalesce(a.agent_name, a.session_role) as who, a.agent_name, a.run_id,
  a.on_behalf_of, a.change_id, a.approved_by, a.table_name
from agentdb.audit as a
where a.table_name in (%(table)s::text, 'public.' || %(table)s::text)
  and jsonb_hash_extended(a.row_key, 0) in (
    select jsonb_hash_extended(k.key, 0) from unnest(%(keys)s::jsonb[]) as k (key))
  and a.row_key = any (%(keys)s::jsonb[])
limit %(most)s::integer
"""
KEY = """
select t.row_key as columns from agentdb.audited_table as t
where t.table_name in (%(table)s::text, 'public.' || %(table)s::text)
"""
# What each write left: a commit is offered by the time of its last one.
ROW_AT = """
select agentdb.row_as_of(%(table)s::regclass, %(key)s::jsonb, %(at)s::timestamptz,
  by_clock => true) as it
"""
TABLE_AT = """
select row_key, row_values
from agentdb.table_as_of(%(table)s::regclass, %(at)s::timestamptz, by_clock => true)
order by row_key
limit %(most)s::integer
"""
KNOWN = """
select
  exists (
    select from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'f', 'v', 'm')
      and (format('%%I.%%I', n.nspname, c.relname) = %(table)s::text
        or n.nspname = 'public' and quote_ident(c.relname) = %(table)s::text)
  ) as there,
  exists (
    select from agentdb.audited_table as t
    where t.table_name in (%(table)s::text, 'public.' || %(table)s::text)
  ) as audited
"""
MOST = 100
HINT = "What the table had at a time is seen by who may select from it."


async def audit(request: Request) -> Response:
    """Show the audited tables, the changes of one, or the history of a row."""
    table, key = word(request, "table"), word(request, "key")
    run = word(request, "run")
    run_id = int(run) if run and run.isdecimal() and len(run) < 19 else None
    at = _moment(word(request, "as_of"))
    context: Row = {
        "table": table, "key": key, "run": run_id, "at": at, "problem": None,
        "found": [], "was": None, "was_rows": [], "commits": [], "tables": [],
        "place": 0, "veiled": None, "hint": None, "missing": False,
        "unaudited": False, "longest": longest(request),
    }  # fmt: skip
    async with reading(request) as connection:
        context["tables"] = await rows(connection, TABLES)
        if table or run_id:
            await _look_up(connection, context)
            try:
                async with connection.transaction():
                    await _read(connection, context)
            except psycopg.errors.InsufficientPrivilege as error:
                context["veiled"] = error.diag.message_primary
                context["hint"] = HINT
                await _read_log(connection, context)
            except psycopg.Error as error:
                if error.sqlstate is None or error.sqlstate.startswith(("08", "57")):
                    raise
                context["problem"] = error.diag.message_primary or str(error)
                context["hint"] = error.diag.message_hint
    context["is_cut"] = any(is_cut(each["cells"]) for each in context["found"])
    return page(request, "audit.html", context)


async def _look_up(connection: Connection, context: Row) -> None:
    """Find out whether a table is there, and audited."""
    if not context["table"]:
        return
    known = await one(connection, KNOWN, table=context["table"])
    assert known is not None
    context["missing"] = not known["there"]
    context["unaudited"] = known["there"] and not known["audited"]


async def _read(connection: Connection, context: Row) -> None:
    table, key, at = context["table"], context["key"], context["at"]
    asked = {"table": table, "most": MOST}
    if context["missing"]:
        # What it had before it was dropped is in the log.
        await _read_log(connection, context)
        return
    if table and key:
        asked["key"] = _as_json(key)
        found = await rows(connection, HISTORY, **asked)
    else:
        found = await rows(connection, CHANGES, **asked, run=context["run"])
    context["found"] = [_compared(each) for each in found]
    if not table:
        return
    _offer_commits(context, found)
    if at is None:
        return
    if key:
        row = await one(connection, ROW_AT, **asked, at=at)
        context["was"] = row["it"] if row else None
    else:
        context["was_rows"] = await rows(connection, TABLE_AT, **asked, at=at)


async def _read_log(connection: Connection, context: Row) -> None:
    """Read of a row, or a table, what the log has of it."""
    asked = {"table": context["table"], "most": MOST}
    if context["key"]:
        known = await one(connection, KEY, **asked)
        keys = _keys(context["key"], known["columns"] if known else None)
        found = await rows(connection, LOGGED, **asked, keys=keys)
    else:
        found = await rows(connection, CHANGES, **asked, run=context["run"])
    context["found"] = [_compared(each) for each in found]
    if context["table"]:
        _offer_commits(context, found)


def _offer_commits(context: Row, found: list[Row]) -> None:
    """Offer the commits of what was found: a slider goes as time does."""
    moments = sorted({each["recorded_at"] for each in found})
    base = {name: context[name] for name in ("table", "key") if context[name]}
    context["commits"] = [
        (moment, "/audit?" + urlencode({**base, "as_of": moment.isoformat()}))
        for moment in moments
    ]
    at = context["at"]
    before = len(moments) if at is None else sum(each <= at for each in moments)
    context["place"] = max(before - 1, 0)


def _keys(key: str, columns: list[str] | None) -> list[str]:
    """Return what a key can be in the log: of one column a number, too, or a text."""
    given = _as_json(key)
    if given.startswith("{") or not columns or len(columns) != 1:
        return [given]
    found = [json.dumps({columns[0]: key})]
    return [*found, json.dumps({columns[0]: int(key)})] if key.isdecimal() else found


def _compared(row: Row) -> Row:
    old, new = row["old_values"] or {}, row["new_values"] or {}
    cells: list[Cell] = []
    for name in sorted(old.keys() | new.keys()):
        if name in old and name in new:
            cells.append(compared(name, old[name], new[name]))
        else:
            kind = "insert" if name in new else "delete"
            cells.append(Cell.whole(name, old.get(name), new.get(name), kind))
    return row | {"cells": cells}


def _as_json(key: str) -> str:
    """Return a key as JSON: an object as it stands, anything else as a text."""
    try:
        if isinstance(json.loads(key), dict):
            return key
    except ValueError:
        pass
    return json.dumps(key)


def _moment(given: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(given or "")
    except ValueError:
        return None
    return at if at.tzinfo else None
