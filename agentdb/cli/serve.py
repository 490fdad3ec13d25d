"""Commands that keep running: the runner alone, or with a database of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import click

from agentdb.connection import shown

from .confirm import confirm
from .options import config, dsn, end_in_order, only_dsn


@click.command()
@only_dsn
@click.option("--name", help="The runner's name.")
@config
def run(dsn: str | None, name: str | None, config: Path | None) -> None:
    """Evaluate rules and deliver notifications until told to stop.

    Any number of runners may work on one database.  SIGTERM finishes what is
    in flight and exits 0, SIGHUP reads the configuration anew; a bad one exits 78.
    """
    from agentdb import runner
    from agentdb.config import Config, read

    environment = {**os.environ, **({"AGENTDB_RUNNER_NAME": name} if name else {})}

    def configuration() -> Config:
        return read(config, dsn=dsn, environment=environment)

    code = runner.run(configuration(), read=configuration)
    raise click.exceptions.Exit(code)


@click.command()
@dsn
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("agentdb-data"),
    show_default=True,
    help="Where a server of our own keeps its data.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def up(dsn: str, directory: Path, yes: bool) -> None:
    """Start a database, install the pack, and run the runner.

    Prints the connection strings for an agent, a reviewer and a DBA.  On a server that
    is given it asks before it creates their login roles, agent_1 and reviewer_1.
    """
    from agentdb import up

    if dsn and not yes and (logins := up.new_logins(dsn)):
        confirm(
            f"Create login roles {' and '.join(logins)} on the server of {shown(dsn)}?",
            about=[
                "agentdb up installs the pack, makes you an operator of it, and "
                "registers agent agent_1.  Login roles belong to the whole server."
            ],
        )
    signal.signal(signal.SIGTERM, end_in_order)
    raise click.exceptions.Exit(up.up(dsn, directory, tell=click.echo))
