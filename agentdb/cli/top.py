"""The live board."""

from __future__ import annotations

import sys

import click

from ..extra import command
from .failure import Failure
from .options import dsn


@click.command()
@dsn
@click.option(
    "--every",
    type=click.FloatRange(0.2, 3600),
    default=2.0,
    show_default=True,
    help="Seconds between two looks.",
)
def top(dsn: str, every: float) -> None:
    """Watch incidents, agents and locks, and act by a key."""
    try:
        from agentdb.top.app import Top
    except ImportError as error:
        missing = f"the extra top is missing: {error}"
        raise Failure(missing, hint=command("top")) from error
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failure("agentdb top needs a terminal", hint="agentdb status")
    Top(dsn, every=every).run()
