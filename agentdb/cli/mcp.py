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
