"""Commands that break the glass: suspend what protects a table, and unsuspend."""

from __future__ import annotations

import shlex

import click

from ..terminal.output import shown
from .options import dsn

MEANS = {
    "audit": "what is written until then is in no history and cannot be undone",
    "guard": "agents may write it directly until then",
    "fence": "runs that do not hold its lock may write it until then",
}

what = click.argument("what", type=click.Choice(list(MEANS)))
table = click.argument("table")
reason = click.option("--reason", required=True, help="Why; it is kept and reported.")


@click.command()
@dsn
@what
@table
@click.option(
    "--for", "lasts", metavar="1h", default="1h", show_default=True,
    help="How long, at most 24 hours; again, to extend it.",
)  # fmt: skip
@reason
def suspend(dsn: str, what: str, table: str, lasts: str, reason: str) -> None:
    """Suspend the audit, guard or fence of TABLE at once.  For its owner.

    Waits for nobody, ends by itself, and is reported until then.
    """
    from agentdb.admin import suspension

    found = suspension.suspend(dsn, what, table, lasts=lasts, reason=reason)
    for name, ends in found:
        click.echo(f"the {what} of {name} is suspended until {shown(ends)}")
    click.echo(MEANS[what])
    back = shlex.quote(found[0][0])
    click.echo(f"put it back in force: agentdb unsuspend {what} {back} --reason …")


@click.command()
@dsn
@what
@table
@reason
def unsuspend(dsn: str, what: str, table: str, reason: str) -> None:
    """Put the audit, guard or fence of TABLE back in force."""
    from agentdb.admin import suspension

    found = suspension.unsuspend(dsn, what, table, reason=reason)
    for name, since in found:
        click.echo(
            f"the {what} of {name} is in force again; it was not since {shown(since)}"
        )
    if not found:
        click.echo(f"the {what} of {table} was not suspended")
