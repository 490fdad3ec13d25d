"""The command about the audit: what changed in a table or in a row, as a diff."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from ..terminal.diff import line, pair, text
from ..terminal.output import Row, Section, connect, how, query, rows, show, shown
from .failure import Failure
from .options import dsn, key_json
from .read import limit, run_number

if TYPE_CHECKING:
    from typing_extensions import LiteralString

# By name, not as regclass: who reads the log need not see the table.
KNOWN = """
select exists (
    select from agentdb.audited_table as t
    where t.table_name in ({table}, 'public.' || {table})
  ) or exists (
    select from agentdb.audit as a
    where a.table_name in ({table}, 'public.' || {table})
  ) as audited,
  quote_literal(to_regclass({table})::text) as there, (
    select format('%I.%I', n.nspname, c.relname)
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p')
      and n.nspname !~ '^(pg_|information_schema$|agentdb)'
      and lower(c.relname) = lower(replace(
        regexp_replace({table}, '^.*[.]', ''), '"', ''))
    order by n.nspname, c.relname
    limit 1
  ) as nearest
"""
CHANGES = """
select recorded_at as at, operation, row_key as key, old_values as old,
  new_values as new, coalesce(agent_name, session_role) as who, run_id as run,
  on_behalf_of, change_id as change, approved_by, table_name as "table"
from agentdb.audit
where table_name in ({table}, 'public.' || {table})
  and ({run}::bigint is null or run_id = {run})
limit {limit}
"""
GAPS = """
select began_at, ended_at, suspended_by, reason
from agentdb.recording_gap
where table_name in ({table}, 'public.' || {table})
order by began_at desc
"""
HISTORY = """
select h.recorded_at as at, h.operation,
  agentdb._canonical_key({table}::regclass, {key}::jsonb) as key, h.old_values as old,
  h.new_values as new, coalesce(h.agent_name, h.session_role) as who, h.run_id as run,
  h.on_behalf_of, h.change_id as change, h.approved_by
from agentdb.row_history({table}::regclass, {key}::jsonb) with ordinality as h
where ({run}::bigint is null or h.run_id = {run})
  and ({gaps} or h.audit_log_id is not null)
order by h.ordinality desc
limit {limit}
"""
ROW_AT = """
select agentdb.row_as_of({table}::regclass, {key}::jsonb, {at}::timestamptz,
    {mark}::text) as row,
  agentdb.exact_at({table}::regclass, {at}::timestamptz, {mark}::text,
    {key}::jsonb) as exact_at
"""
TABLE_AT = """
select row_key as key, row_values as row, exact_at
from agentdb.table_as_of({table}::regclass, {at}::timestamptz, {mark}::text)
order by row_key
limit {limit}
"""


# Values as their own text: a float would round them.
TEXTS: LiteralString = """
select c.at, c.operation, c.key::text as key, o.texts as old, n.texts as new, c.who,
  c.run, c.on_behalf_of, c.change, c.approved_by
from ({changes}) as c
cross join lateral (select jsonb_object_agg(v.key, v.value #>> '{{}}') as texts
  from jsonb_each(c.old) as v) as o
cross join lateral (select jsonb_object_agg(v.key, v.value #>> '{{}}') as texts
  from jsonb_each(c.new) as v) as n
"""


def _run(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    return None if value is None else run_number(ctx, param, value)


MARKS = {"insert": "green", "delete": "red", "truncate": "red", "update": "yellow"}


@click.command()
@dsn
@how
@click.argument("table")
@click.argument("key", required=False)
@click.option("--by", "run", callback=_run, help="Only what this run changed.")
@click.option("--at", metavar="TIME", help="What it was at this moment instead.")
@click.option("--mark", metavar="NAME", help="What it was at this mark instead.")
@limit
def audit(
    dsn: str,
    as_json: bool,
    as_sql: bool,
    table: str,
    key: str | None,
    run: int | None,
    at: str | None,
    mark: str | None,
    limit: int,
) -> None:
    """Show what changed in TABLE, or in its row KEY, newest first.

    KEY is the primary key: a bare value, or JSON where it has several columns.
    """
    if sum(given is not None for given in (at, mark, run)) > 1:
        raise click.UsageError(
            "--by, --at and --mark ask different questions: give one of them"
        )
    if not as_sql:
        _require(dsn, table)
    values: dict[str, Any] = {"table": table, "run": run, "limit": limit}
    values |= {"at": at, "mark": mark}
    values["gaps"] = as_json or as_sql
    if key is not None:
        values["key"] = key_json(key)
    if at or mark:
        section = Section(
            f"{table} at {at or mark}", query(ROW_AT if key else TABLE_AT, **values)
        )
        show(dsn, [section], as_json=as_json, as_sql=as_sql)
        return
    statement = query(HISTORY if key else CHANGES, **values)
    if as_json or as_sql:
        show(dsn, [Section(table, statement)], as_json=as_json, as_sql=as_sql)
        return
    with connect(dsn) as connection:
        found = rows(connection, Section("", TEXTS.format(changes=statement)))
        gaps = rows(connection, Section("", query(GAPS, table=table)))
    for change in found:
        while gaps and gaps[0]["began_at"] > change["at"]:
            print_gap(gaps.pop(0))
        print_change(change)
    if len(found) < limit:
        for gap in gaps:
            print_gap(gap)
    if not found:
        click.echo(f"{table}: no change is recorded")


@click.command()
@dsn
@click.argument("name")
def mark(dsn: str, name: str) -> None:
    """Give this moment a NAME at which the past is exact.

    Before a migration, for example; then `agentdb audit TABLE --mark NAME`.
    """
    from agentdb.admin.operation import mark as make

    click.echo(f"{shown(name)} is marked: {shown(make(dsn, name))}")


def _require(dsn: str, table: str) -> None:
    """Fail where nothing was ever recorded of a table, for whatever reason."""
    with connect(dsn) as connection:
        (found,) = rows(connection, Section("", query(KNOWN, table=table)))
    if not found["audited"]:
        if not found["there"]:
            near = found["nearest"]
            hint = (
                f"is it this one?  agentdb audit {shlex.quote(near)}"
                if near
                else "select table_name from agentdb.audited_table"
            )
            raise Failure(f"there is no table {table}", hint=hint)
        hint = f"select agentdb.audit_table({found['there']})"
        raise Failure(f"table {table} is not audited", hint=hint)


def print_change(change: Row) -> None:
    """Print one change as a diff, with colours on a terminal."""
    click.secho(_headline(change), fg=MARKS.get(change["operation"]), bold=True)
    old, new = change["old"] or {}, change["new"] or {}
    for column in sorted(old.keys() | new.keys()):
        if column in old and column in new:
            was, became = pair(old[column], new[column])
        else:
            was, became = text(old.get(column)), text(new.get(column))
        if column in old:
            click.secho(f"  - {line(column)}: {was}", fg="red")
        if column in new:
            click.secho(f"  + {line(column)}: {became}", fg="green")


def print_gap(gap: Row) -> None:
    """Say since when nothing was recorded, and why."""
    until = shown(gap["ended_at"]) if gap["ended_at"] else "now"
    said = f"{shown(gap['began_at'])}  not recorded until {until}: the audit was"
    by = f"suspended by {shown(gap['suspended_by'])}: {line(gap['reason'])}"
    click.secho(f"{said} {by}", fg="yellow", bold=True)


def _headline(change: Row) -> str:
    at: datetime = change["at"]
    by = f"run {change['run']} of " if change["run"] else ""
    whom = f" for {shown(change['on_behalf_of'])}" if change["on_behalf_of"] else ""
    place = shown(change["key"])
    through = f", change {change['change']}" if change["change"] else ""
    if change["approved_by"]:
        through += f" approved by {shown(change['approved_by'])}"
    who = f"{by}{shown(change['who'])}{whom}{through}"
    return f"{shown(at)}  {change['operation']} {place}  by {who}"
