"""The command that erases a person from the record of an audited table."""

from __future__ import annotations

import click

from ..harmless import harmless
from ..words import counted
from .confirm import confirm
from .options import dsn, key_json
from .working import working


@click.command()
@dsn
@click.argument("table")
@click.argument("key")
@click.option("--reason", required=True, help="Why; it is kept and reported.")
@click.option(
    "--term",
    "terms",
    multiple=True,
    metavar="TEXT",
    help="Another spelling of the person, such as an address; can be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(
    dsn: str,
    table: str,
    key: str,
    reason: str,
    terms: tuple[str, ...],
    dry_run: bool,
    yes: bool,
) -> None:
    """Erase what is recorded of a person, in all copies.

    Of the row KEY of TABLE, for good.  KEY is the primary key: a bare value, or JSON
    where it has several columns.  The row itself is its application's to delete,
    before.
    """
    from agentdb.admin import erasure

    if not dry_run and not yes:
        about = [f"what is recorded of row {key} of {table} is gone for good"]
        confirm("Erase?", about=[*about, "--dry-run says how much of what it is"])
    with working("looking through all that was logged"):
        name, found = erasure.erase(
            dsn,
            table,
            key_json(key),
            reason=reason,
            terms=list(terms),
            dry_run=dry_run,
        )
    for place, count in found:
        click.echo(harmless(f"{place}: {counted(count, 'row')}"))
    click.echo(
        "nothing was changed; without --dry-run this is erased"
        if dry_run
        else f"erased; {name} stands for its key in all copies"
    )
