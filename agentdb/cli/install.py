"""Commands that install the pack, compare it with the release, keep and remove it."""

from __future__ import annotations

import click

from ..harmless import harmless
from .confirm import confirm
from .options import dsn
from .working import working


@click.command()
@dsn
@click.option(
    "--check", is_flag=True, help="Name what differs from this release; 1 if any."
)
@click.option(
    "--sql", "as_sql", is_flag=True, help="Print the script instead of running it."
)
def install(dsn: str, check: bool, as_sql: bool) -> None:
    """Install the pack into a database, or upgrade it.

    Connect as a role that owns the database and may create roles; it need not
    be a superuser.  Everything happens in one transaction.
    """
    from agentdb.connection import shown
    from agentdb.schema import code as schema
    from agentdb.schema import install as installation

    if as_sql:
        click.echo(schema.script(), nl=False)
    elif check:
        _check(installation.differences(dsn))
    else:
        with working(f"installing agentdb in {shown(dsn)}"):
            said = installation.install(dsn)
        click.echo(said)
        for step in installation.next_steps(dsn):
            click.echo(harmless(f"next: {step}"))


def _check(found: list[str]) -> None:
    for difference in found:
        click.echo(harmless(difference))
    if found:
        raise click.exceptions.Exit(1)
    click.echo("the database is as this release makes it")


@click.command()
@dsn
@click.option("--yes", is_flag=True, help="Do not ask.")
def uninstall(dsn: str, yes: bool) -> None:
    """Remove the pack and all it recorded.  Your tables stay untouched."""
    from agentdb.connection import shown
    from agentdb.schema import install as installation

    if not yes:
        confirm(f"Remove schema agentdb and all its logs from {shown(dsn)}?")
    with working(f"removing agentdb from {shown(dsn)}"):
        installation.uninstall(dsn)
    click.echo("agentdb is gone")


MAINTAIN = "select action, object from agentdb.maintain(%s)"


@click.command()
@dsn
@click.option(
    "--days-ahead",
    type=click.IntRange(0, 365),
    default=3,
    show_default=True,
    help="For how many days logs get their partitions.",
)
def maintain(dsn: str, days_ahead: int) -> None:
    """Do what the runner does every hour.

    That is: partitions, retention, altered tables.

    Run it after a migration where no runner works.  Prints what it did.
    """
    import psycopg

    from agentdb.connection import shown
    from agentdb.process.interrupt import committing

    with (
        working(f"maintaining agentdb in {shown(dsn)}"),
        psycopg.connect(dsn, connect_timeout=10) as connection,
    ):
        done = connection.execute(MAINTAIN, [days_ahead]).fetchall()
        with committing():
            connection.commit()
    for action, name in done:
        click.echo(harmless(f"{action} {name}"))
    if not done:
        click.echo("there was nothing to do")
