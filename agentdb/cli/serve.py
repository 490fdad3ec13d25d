"""Commands that keep running: the runner alone, or with a database of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import click

from agentdb.connection import shown

from ..extra import command
from ..harmless import harmless
from .confirm import confirm
from .door import door_settings, public_host
from .door import options as door_options
from .failure import Failure
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


@click.command()
@dsn
@click.option(
    "--listen",
    metavar="ADDRESS:PORT",
    help="Where; 127.0.0.1:4318, unless there is only a --socket.",
)
@click.option(
    "--socket",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A unix socket, whose peers are known by their user.",
)
@click.option(
    "--token-required", is_flag=True, help="Nothing is taken without an intake token."
)
@click.option(
    "--behind-proxy",
    metavar="NAME",
    multiple=True,
    help="The name that a proxy is asked by; a token is required.",
)
@door_options
def serve(
    dsn: str,
    listen: str | None,
    socket: Path | None,
    token_required: bool,
    behind_proxy: tuple[str, ...],
    door: dict[str, Any],
) -> None:
    """Take what agents emit over HTTP, and show the page.

    POST /v1/traces, /v1/logs and /v1/metrics, as OTEL_EXPORTER_OTLP_ENDPOINT has them;
    /healthz and /metrics about itself.  An agent is proven by a token in the header
    `Authorization: Bearer …` (agentdb intake token AGENT), or by the user at the other
    end of the socket.  Logs in as a member of agentdb_intake.

    The page is for people, who log in: by a one-time link (agentdb web link) where only
    this machine reaches it; anywhere else by what --login says, or nobody.  For it the
    login is a member of agentdb_web as well.
    """
    try:
        from agentdb.serve.listen import serve
        from agentdb.serve.settings import Settings
    except ImportError as error:
        missing = f"the extra serve is missing: {error}"
        raise Failure(missing, hint=command("serve")) from error
    host, port = (None, 0) if socket and not listen else _address(listen)
    name, public = public_host(door)
    try:
        settings = Settings(
            host=host,
            port=port,
            socket=socket,
            token_required=token_required or bool(behind_proxy),
            names=frozenset(each.lower() for each in (*behind_proxy, name) if each),
            public=public or None,
        )
    except ValueError as error:
        hint = "add --token-required, or listen on 127.0.0.1"
        raise Failure(str(error), hint=hint) from error
    page = door_settings(door, settings, proxied=bool(behind_proxy))
    _ask_once(dsn)
    if page and not _may_show(dsn):
        page = None
    ways = ", ".join(sorted(page.modes)) if page else ""

    def told(where: str) -> None:
        click.echo(f"agentdb serve: {where}")
        if page:
            click.echo(
                f"agentdb serve: the page is at {public_url(where)} (login: {ways})"
            )

    def public_url(where: str) -> str:
        return (page and page.public_url) or where

    # The server ends in order, and then asks whoever was there before it.
    signal.signal(signal.SIGTERM, end_in_order)
    try:
        serve(dsn, settings, told, page)
    except OSError as error:
        where = listen or settings.socket or "127.0.0.1:4318"
        raise Failure(f"cannot listen on {where}: {error.strerror or error}") from error


def _ask_once(dsn: str) -> None:
    """Raise where the database is there and will never take events from this role."""
    import psycopg

    try:
        with psycopg.connect(dsn, connect_timeout=5, autocommit=True) as connection:
            connection.execute("select from agentdb.record_events('[]')")
    except psycopg.OperationalError as error:
        said = str(error).splitlines()[0]
        away = f"agentdb serve: the database is away, so far: {said}"
        click.echo(harmless(away), err=True)


def _may_show(dsn: str) -> bool:
    """Return whether there can be a page, and say what is missing."""
    import psycopg

    try:
        with psycopg.connect(dsn, connect_timeout=5, autocommit=True) as connection:
            connection.execute("select from agentdb.rights_of_person('')")
    except psycopg.errors.InsufficientPrivilege:
        hint = "there is no page: grant agentdb_web to the role that this logs in as"
        click.echo(f"agentdb serve: {hint}", err=True)
        return False
    except psycopg.OperationalError:
        pass
    return True


def _address(given: str | None) -> tuple[str, int]:
    """Return host and port of what was given."""
    host, _, port = (given or "127.0.0.1:4318").rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise click.UsageError("--listen has the form ADDRESS:PORT")
    return host.strip("[]"), int(port)
