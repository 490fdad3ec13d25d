"""Commands that install the pack, compare it with the release and remove it."""

from __future__ import annotations

import sys

import click

from .options import dsn, reports_errors


@click.command()
@dsn
@click.option(
    "--check", is_flag=True, help="Name what differs from this release; 1 if any."
)
@click.option(
    "--sql", "as_sql", is_flag=True, help="Print the script instead of running it."
)
@reports_errors
def install(dsn: str, check: bool, as_sql: bool) -> None:
    """Install the pack into a database, or upgrade it.

    Connect as a role that owns the database and may create roles; it need not
    be a superuser.  Everything happens in one transaction.
    """
    from agentdb import installation, schema

    if as_sql:
        click.echo(schema.script(), nl=False)
    elif check:
        _check(installation.differences(dsn))
    else:
        click.echo(installation.install(dsn))
        for step in installation.next_steps(dsn):
            click.echo(f"next: {step}")


def _check(found: list[str]) -> None:
    for difference in found:
        click.echo(difference)
    if found:
        raise click.exceptions.Exit(1)
    click.echo("the database is as this release makes it")


@click.command()
@dsn
@click.option("--yes", is_flag=True, help="Do not ask.")
@reports_errors
def uninstall(dsn: str, yes: bool) -> None:
    """Remove the pack and everything it recorded; your tables stay untouched."""
    from agentdb import installation
    from agentdb.connection import shown

    if not yes:
        question = f"Remove schema agentdb and all its logs from {shown(dsn)}?"
        if not sys.stdin.isatty():
            raise click.UsageError(f"{question} Say --yes to confirm.")
        click.confirm(question, abort=True)
    installation.uninstall(dsn)
    click.echo("agentdb is gone")
