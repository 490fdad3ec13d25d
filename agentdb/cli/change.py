"""Commands about changes: what waits, what it would do, deciding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import psycopg

from agentdb.admin import operation

from ..terminal.diff import line, pair, text
from ..terminal.output import Row, Section, connect, how, query, rows, show, shown
from ..words import counted
from .confirm import confirm
from .failure import Failure
from .options import dsn
from .read import limit
from .working import working

if TYPE_CHECKING:
    from typing_extensions import LiteralString

CHANGES = """
select change_id as change, state, coalesce(agent_name, proposed_by) as who,
  run_id as run, tables, row_count as rows, approvals_missing as missing,
  expires_at as expires, reason
from agentdb.change_summary
where {every} or state in ('open', 'pending', 'approved')
order by change_id desc
limit {limit}
"""
CHANGE = """
select c.*, (
    select string_agg(format('change %s (%s)', b.change_id, b.state), ', '
      order by b.change_id)
    from agentdb.change_summary as b
    where b.change_id = any (c.builds_on)
  ) as applied_after
from agentdb.show_change({change}) as c
"""
ROWS = "select * from agentdb.show_change_rows({change}, {limit})"
SIZE_OF_CHANGE: LiteralString = """
select row_count as rows, array_length(string_to_array(tables, $$, $$), 1) as tables
from agentdb.change_summary where change_id = {number}
"""
COLOURS = {"insert": "green", "delete": "red", "update": "yellow"}
APPLY = "select * from agentdb.apply_change(change => {});"
FAILED = ("conflict", "expired")
# Of more conflicts the first are enough to decide by.
MOST = 50

number = click.argument("number", metavar="ID", type=click.IntRange(1, 2**63 - 1))


@click.command()
@dsn
@how
@click.option("--all", "every", is_flag=True, help="Also those that are decided.")
@limit
def changes(dsn: str, as_json: bool, as_sql: bool, every: bool, limit: int) -> None:
    """List the changes that wait for somebody, the newest first."""
    statement = query(CHANGES, every=every, limit=limit)
    section = Section("changes", statement, empty="none is waiting", below="reason")
    show(dsn, [section], as_json=as_json, as_sql=as_sql)


@click.group()
def change() -> None:
    """Look at one change."""


@change.command("show")
@dsn
@how
@number
@limit
def show_command(
    dsn: str, as_json: bool, as_sql: bool, number: int, limit: int
) -> None:
    """Show change ID as a diff.  Each row has its key and its context."""
    head = Section("change", query(CHANGE, change=number), card=True)
    body = Section("rows", query(ROWS, change=number, limit=limit))
    if as_json or as_sql:
        show(dsn, [head, body], as_json=as_json, as_sql=as_sql)
        return
    with connect(dsn) as connection:
        found = _found(connection, number)
        print_head(found)
        body = Section("rows", query(operation.CHANGE_ROWS, change=number, limit=limit))
        print_rows(rows(connection, body), found["row_count"], "; see --limit")
    print_conflicts((found["problem"] or {}).get("conflicts") or [])
    print_tail(found)


@click.command()
@dsn
@number
@click.option("--comment", help="Kept with the approval.")
@click.option("--digest", help="Of what you saw; without it you are shown and asked.")
def approve(dsn: str, number: int, comment: str | None, digest: str | None) -> None:
    """Approve change ID.  The last approval applies it.

    Exits 1 where it could not be applied.
    """
    if digest is None:
        digest = _seen(dsn, number)
    with working(f"approving change {number}{size(dsn, SIZE_OF_CHANGE, number)}"):
        ended = operation.approve_change(dsn, number, digest=digest, comment=comment)
    tell(number, ended)


@click.command()
@dsn
@number
@click.option("--reason", required=True, help="Why; the agent is told.")
def reject(dsn: str, number: int, reason: str) -> None:
    """Reject change ID."""
    tell(number, operation.reject_change(dsn, number, reason=reason))


def size(dsn: str, statement: LiteralString | None, number: int) -> str:
    """Return how large a job is, where that can be known before it."""
    if statement is None:
        return ""
    with connect(dsn) as connection:
        asked = Section("", query(statement, number=number), spare=True)
        found = rows(connection, asked)
    count, tables = (
        (found[0].get(name) for name in ("rows", "tables")) if found else (0, 0)
    )
    if not count or not tables:
        return ""
    return f": {counted(count, 'row')} of {counted(tables, 'table')}"


def print_head(found: Row) -> None:
    """Print who proposes what and why."""
    who = shown(found["agent_name"] or found["proposed_by"])
    run = f", run {found['run_id']}" if found["run_id"] else ""
    state = shown(found["state"])
    click.secho(f"change {found['change_id']} by {who}{run}: {state}", bold=True)
    click.echo(f"  why      {line(found['reason'])}")
    if found["effects"]:
        effects = ", ".join(f"{key} {n}" for key, n in sorted(found["effects"].items()))
        click.echo(f"  effects  {shown(effects)}")
    if found["applied_after"]:
        click.echo(f"  after    {shown(found['applied_after'])}")
    if found["decisions"]:
        click.echo(f"  decided  {shown(found['decisions'])}")
    if found["state"] == "pending":
        click.echo(f"  needs    {counted(found['approvals_missing'], 'approval')}")
    if found["state"] in ("pending", "approved"):
        click.echo(f"  until    {shown(found['expires_at'])}")
    if found["problem"]:
        click.secho(f"  problem  {line(found['problem'].get('message'))}", fg="red")
    click.echo()


def print_rows(found: list[Row], total: int | None, more: str = "") -> None:
    """Print rows as a diff: the key, its context, and of an update what differs."""
    for row in found:
        place = _listed(row["row_key"])
        context = _listed(row["context"] or {})
        click.secho(
            f"{row['operation']} {shown(row['table_name'])} {place}"
            + (f"  ({context})" if context else ""),
            fg=COLOURS.get(row["operation"]),
            bold=True,
        )
        _print_values(row)
    listed = sum(row["operation"] != "read" for row in found)
    if total and total > listed:
        click.echo(f"… and {total - listed:,} rows more{more}")


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {text(value)}" for name, value in values.items())


def print_conflicts(found: list[dict[str, Any]]) -> None:
    """Print what is in the way, a line each."""
    for conflict in found[:MOST]:
        click.secho(f"conflict: {describe(conflict)}", fg="red")
    if len(found) > MOST:
        click.secho(f"… and {len(found) - MOST:,} conflicts more", fg="red")


def _print_values(row: Row) -> None:
    old, new = row["old_values"] or {}, row["new_values"] or {}
    names = [n for n in (new or old) if n not in row["row_key"]]
    if row["operation"] != "update":
        names = [n for n in names if (new or old)[n] is not None]
    width = max(map(len, names), default=0)
    for name in sorted(names):
        if row["operation"] == "update":
            said = "  →  ".join(pair(old.get(name), new[name]))
        else:
            said = text((new or old)[name])
        click.echo(f"  {line(name):<{width}}  {said}")


def print_tail(found: Row) -> None:
    """Print what to type next."""
    if found["state"] == "pending":
        number, digest = found["change_id"], found["digest"]
        click.echo(f"\nnext: agentdb approve {number} --digest {digest}")
        click.echo(f"next: agentdb reject {number} --reason …")
    elif found["state"] == "approved" and found["apply"] == "hand":
        call = APPLY.format(found["change_id"])
        click.echo(f"\nnext, in SQL, who may write its tables: {call}")


def _found(connection: psycopg.Connection[Row], number: int) -> Row:
    """Return a change, or say that there is none of the number."""
    found = rows(connection, Section("", query(CHANGE, change=number)))
    if not found:
        raise Failure(f"there is no change {number}", hint="agentdb changes --all")
    return found[0]


def _seen(dsn: str, number: int) -> str:
    """Show a change, ask, and return the digest of what was shown."""
    instead = f"add --digest, from agentdb change show {number}"
    with connect(dsn) as connection:
        found = _found(connection, number)
        print_head(found)
        body = query(operation.CHANGE_ROWS, change=number, limit=1000)
        print_rows(
            rows(connection, Section("", body)), found["row_count"],
            f": agentdb change show {number} --limit {found['row_count']}",
        )  # fmt: skip
    confirm("Approve it?", instead=instead)
    return str(found["digest"])


def tell(number: int | None, ended: dict[str, Any]) -> None:
    """Say what became of a change; fail where it is a conflict."""
    state = ended["state"]
    name = f"change {number}" if number else "the undo"
    missing = ended.get("approvals_missing") or 0
    short = f", {counted(missing, 'approval')} missing" if missing else ""
    click.echo(f"{name}: {state}{short if state == 'pending' else ''}")
    if problem := ended.get("problem"):
        click.secho(line(problem.get("message")), fg="red")
        print_conflicts(problem.get("conflicts") or [])
    if state == "conflict":
        click.echo("it is over: the agent must stage it again")
    if state in FAILED:
        raise SystemExit(1)


def describe(conflict: dict[str, Any]) -> str:
    """Return a conflict as a person reads it."""
    if "table" not in conflict:
        return line(conflict.get("message") or conflict.get("conflict"))
    by = conflict.get("by") or {}
    who = by.get("agent") or by.get("role") or "somebody"
    run = f" in run {by['run']}" if by.get("run") else ""
    columns = "".join(
        "; {} was expected to be {} and is {}".format(
            line(name), *pair(each["expected"], each["current"])
        )
        for name, each in (conflict.get("columns") or {}).items()
    )
    place = f"{conflict['table']} {_listed(conflict['key'])}"
    return f"{place} {conflict['conflict']} by {who}{run}{columns}"
