"""The command that takes something back."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import click

from agentdb.admin import operation

from ..terminal.diff import line
from .change import SIZE_OF_CHANGE, size
from .change_shown import FAILED, print_conflicts, print_rows, tell
from .options import dsn, number_of_run
from .working import working

if TYPE_CHECKING:
    from typing_extensions import LiteralString

SIZE_OF_RUN: LiteralString = """
select count(*) as rows, count(distinct table_name) as tables
from agentdb.audit where run_id = {number}
"""
SIZES: dict[str, LiteralString] = {"change": SIZE_OF_CHANGE, "run": SIZE_OF_RUN}
# What a dry run has found out.
DRY = {
    "approved": "nothing was changed; --apply instead takes it back",
    "pending": "nothing was changed; without --dry-run this becomes a change that "
    "somebody else must approve",
    "withdrawn": "nothing is left to take back",
    "conflict": "nothing was changed; the conflicts are in the way, see --on-conflict",
}


@click.command()
@dsn
@click.argument("what", metavar="RUN")
@click.option("--row", is_flag=True, help="RUN is the number of an audited write.")
@click.option("--xid", is_flag=True, help="RUN is a transaction.")
@click.option("--change", "of_change", is_flag=True, help="RUN is an applied change.")
@click.option(
    "--on-conflict",
    type=click.Choice(["refuse", "skip", "override"]),
    default="refuse",
    show_default=True,
    help="What becomes of rows that others have changed since.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="TABLE [COLUMN=VALUE …]",
    help="Only this table, or this row of it by its key; can be repeated.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="TABLE [COLUMN=VALUE …]",
    help="Leave this table, or this row of it, as it is; can be repeated.",
)
@click.option("--reason", help="Kept with the change.")
@click.option("--dry-run", is_flag=True, help="Show the diff and leave no trace.")
@click.option("--apply", is_flag=True, help="Apply it, where no table is guarded.")
def undo(
    dsn: str,
    what: str,
    row: bool,
    xid: bool,
    of_change: bool,
    on_conflict: str,
    only: tuple[str, ...],
    keep: tuple[str, ...],
    reason: str | None,
    dry_run: bool,
    apply: bool,
) -> None:
    """Take back what RUN wrote.  Makes a change that is approved like any other.

    Exits 1 on conflicts, which are named.
    """
    if row + xid + of_change > 1 or (dry_run and apply):
        raise click.UsageError("these options exclude each other")
    kind = "row" if row else "transaction" if xid else "change" if of_change else "run"
    key = number_of_run(what)
    if key is None:
        raise click.UsageError(f"{what} is no number")
    with working(f"undoing {kind} {key}{size(dsn, SIZES.get(kind), key)}"):
        done = operation.undo(
            dsn, kind, key, on_conflict=on_conflict, reason=reason, stays=not dry_run,
            apply=apply, only=chosen(only), keep=chosen(keep),
        )  # fmt: skip
    print_rows(done.rows, done.row_count)
    print_conflicts(done.conflicts)
    for said in done.left_undone:
        click.secho(f"not undone: {line(said)}", fg="yellow")
    if dry_run:
        click.echo(f"dry run: {DRY.get(done.state, done.state)}")
    else:
        tell(done.change, {"state": done.state})
        _print_way_on(done.change, done.state)
    if done.state in FAILED:
        raise SystemExit(1)


def chosen(places: tuple[str, ...]) -> list[dict[str, Any]] | None:
    """Return tables and rows as the database wants them named."""
    return [_place(place) for place in places] or None


def _place(place: str) -> dict[str, Any]:
    table, *pairs = shlex.split(place)
    if not all("=" in each for each in pairs):
        raise click.UsageError(f"{place}: a row is named so: {table} id=1")
    key = {name: _value(said) for name, _, said in (p.partition("=") for p in pairs)}
    return {"table": table, "key": key} if key else {"table": table}


def _value(said: str) -> object:
    """Return a number as one, anything else as the text that it is."""
    try:
        found = json.loads(said)
    except ValueError:
        return said
    return found if isinstance(found, int | float | bool) else said


def _print_way_on(number: int | None, state: str) -> None:
    """Say how an undo comes into force that is not."""
    if state == "pending":
        click.echo("a table of it is guarded: somebody else must approve it")
        click.echo(f"next: agentdb change show {number}")
    elif state == "approved":
        click.echo(f"next: agentdb change apply {number}")
    elif state == "withdrawn":
        click.echo("nothing is left to take back")
