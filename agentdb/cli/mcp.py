"""Commands that speak the Model Context Protocol."""

from __future__ import annotations

import os

import click

from ..extra import command
from .failure import Failure
from .options import dsn


@click.command()
@dsn
@click.option("--purpose", help="What the run is for, in words.")
@click.option("--agent", envvar="AGENTDB_AGENT", help="Who, behind a shared role.")
def mcp(dsn: str, purpose: str | None, agent: str | None) -> None:
    """Offer agentdb's functions to a model, as an MCP server.

    On standard output: locks, steps, claims, staged changes, budgets and questions, in
    the name of a run that begins now and ends with the input.  SIGTERM (143) and Ctrl-C
    (130) cancel it.  A secret comes from AGENTDB_AGENT_SECRET.
    """
    try:
        from agentdb.mcp.server import serve
    except ImportError as error:
        missing = f"the extra mcp is missing: {error}"
        raise Failure(missing, hint=command("mcp")) from error
    from agentdb.client import Agent

    secret = os.environ.get("AGENTDB_AGENT_SECRET")
    serve(Agent(dsn, name=agent, secret=secret), purpose)


@click.command(context_settings={"ignore_unknown_options": True})
@dsn
@click.option("--purpose", help="What the run is for, in words.")
@click.option("--agent", envvar="AGENTDB_AGENT", help="Who, behind a shared role.")
@click.option(
    "--operator-dsn",
    envvar="AGENTDB_OPERATOR_DSN",
    help="Registers the server's tools, as an operator.",
)
@click.option("--http", metavar="URL", help="The server's address, not a command.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Ours, with --http."
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def gateway(
    dsn: str,
    purpose: str | None,
    agent: str | None,
    operator_dsn: str | None,
    http: str | None,
    port: int,
    command: tuple[str, ...],
) -> None:
    """Stand before an MCP server and record every call.

    Runs COMMAND and passes everything on, or stands on 127.0.0.1 before a server at the
    URL of --http.  Calls of a run that was stopped, that repeats itself or has used up
    a budget are answered with an error that a model can act on, and not made.  Ends
    with the server's exit code: of one that a signal ended, 128 and its number.
    """
    from agentdb.client import Agent
    from agentdb.mcp.gateway import Gateway
    from agentdb.mcp.register import registers

    if bool(http) == bool(command):
        raise click.UsageError("give a command after --, or --http URL")
    secret = os.environ.get("AGENTDB_AGENT_SECRET")
    register = registers(operator_dsn, agent) if operator_dsn else None
    with Agent(dsn, name=agent, secret=secret).run(purpose) as run:
        if http is not None:
            from agentdb.mcp.http import pass_requests

            pass_requests(Gateway(run, register), http, port)
            return
        from agentdb.mcp.stdio import pass_through

        end = pass_through(Gateway(run, register), command)
        if end.told:
            run.end("cancelled", "the gateway was told to end")
        elif end.code:
            run.end("failed", f"the server ended with {end.code}")
    raise click.exceptions.Exit(end.code)
