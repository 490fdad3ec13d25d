"""Commands about changes: what waits, what it would do, deciding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import psycopg

from agentdb.admin import operation

from ..terminal.output import Row, Section, connect, how, query, rows, show
from ..words import counted
from .change_shown import print_conflicts, print_head, print_rows, print_tail, tell
from .confirm import confirm
from .failure import Failure
from .options import dsn
from .read import limit
from .working import working

if TYPE_CHECKING:
    from typing_extensions import LiteralString

CHANGES = """
select change_id as change, state,
  concat(coalesce(agent_name, proposed_by), ' for ' || on_behalf_of) as who,
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
CONFLICTS = "select agentdb.change_conflicts({change}) as conflicts"

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
        conflicts = _conflicts(connection, found)
    print_conflicts(conflicts)
    print_tail(found, crossed=bool(conflicts))


@change.command("rebase")
@dsn
@number
@click.option("--keep-theirs", "skip", is_flag=True, help="What others wrote stays.")
@click.option("--override", is_flag=True, help="Write over what others wrote.")
@click.option("--reason", help="Why; needed to override.")
def rebase(
    dsn: str, number: int, skip: bool, override: bool, reason: str | None
) -> None:
    """Stage change ID anew on its rows as they are now, to be approved again.

    Without an option it is refused where others wrote in the same columns.
    """
    if skip and override:
        raise click.UsageError("--keep-theirs and --override exclude each other")
    if override and not reason:
        raise click.UsageError("--override needs --reason")
    on_conflict = "skip" if skip else "override" if override else "refuse"
    with working(f"staging change {number} anew"):
        made = operation.rebase_change(
            dsn, number, on_conflict=on_conflict, reason=reason
        )
    click.echo(f"change {number} is staged anew as change {made['change_id']}")
    click.echo(f"next: agentdb approve {made['change_id']}")


@change.command("apply")
@dsn
@number
def apply(dsn: str, number: int) -> None:
    """Apply change ID, which is approved and waits for a hand."""
    with working(f"applying change {number}{size(dsn, SIZE_OF_CHANGE, number)}"):
        ended = operation.apply_change(dsn, number)
    tell(number, ended)


@change.command("withdraw")
@dsn
@number
def withdraw(dsn: str, number: int) -> None:
    """Take back change ID, which is not applied yet: one's own, or as an operator."""
    tell(number, operation.withdraw_change(dsn, number))


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


def _conflicts(connection: psycopg.Connection[Row], found: Row) -> list[Row]:
    """Return what was in the way of a change, or would be now."""
    if found["state"] not in ("pending", "approved"):
        return (found["problem"] or {}).get("conflicts") or []
    asked = Section("", query(CONFLICTS, change=found["change_id"]))
    return rows(connection, asked)[0]["conflicts"] or []
