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
    """Offer agentdb's functions to a model, as an MCP server on standard output.

    Locks, steps, claims, staged changes, budgets and questions, in the name of a run
    that begins now and ends with the input.  A secret comes from AGENTDB_AGENT_SECRET.
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
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def gateway(
    dsn: str,
    purpose: str | None,
    agent: str | None,
    operator_dsn: str | None,
    command: tuple[str, ...],
) -> None:
    """Stand before an MCP server, COMMAND: pass everything on, record every call.

    Calls of a run that was stopped, that repeats itself or whose budget is used up are
    answered with an error that a model can act on, and not made.
    """
    from agentdb.client import Agent
    from agentdb.mcp.gateway import Gateway
    from agentdb.mcp.register import registers
    from agentdb.mcp.stdio import pass_through

    secret = os.environ.get("AGENTDB_AGENT_SECRET")
    register = registers(operator_dsn, agent) if operator_dsn else None
    with Agent(dsn, name=agent, secret=secret).run(purpose) as run:
        code = pass_through(Gateway(run, register), command)
    raise click.exceptions.Exit(code)
