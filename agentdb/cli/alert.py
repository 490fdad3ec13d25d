"""Commands of people on call about alerts: ack, unack, resolve."""

from __future__ import annotations

import click

from ..words import counted
from .failure import Failure
from .options import dsn, number_of

message = click.option(
    "-m",
    "--message",
    "comment",
    required=True,
    help="What is known and who sees to it; kept.",
)


def alert_or_group(
    ctx: click.Context, param: click.Parameter, value: str
) -> tuple[str, int]:
    """Return which kind of thing a word names, and its number."""
    for kind, letter in (("alert", "A"), ("group", "G")):
        if (number := number_of(value, letter)) is not None:
            return kind, number
    raise click.BadParameter(f"{value!r} is no alert; see agentdb alerts")


target = click.argument("target", metavar="A-ID|G-ID", callback=alert_or_group)


@click.command()
@dsn
@target
@click.option("--for", "lasts", metavar="2h", help="For a time; else until resolved.")
@message
def ack(dsn: str, target: tuple[str, int], lasts: str | None, comment: str) -> None:
    """Say that you see to alert A-41, or to all of group G-7.

    Nobody is notified again or escalated to until it is resolved.
    """
    from agentdb.admin import oncall

    kind, number = target
    count = oncall.acknowledge(dsn, kind, number, comment=comment, lasts=lasts)
    until = f"for {lasts}" if lasts else "until resolved"
    click.echo(f"{_shown(kind, number, count)} acknowledged {until}")


@click.command()
@dsn
@target
def unack(dsn: str, target: tuple[str, int]) -> None:
    """Take an acknowledgement back: people are notified again."""
    from agentdb.admin import oncall

    kind, number = target
    count = oncall.unacknowledge(dsn, kind, number)
    if not count:
        raise Failure(
            f"{_shown(kind, number, 1)} not acknowledged", hint="agentdb alerts"
        )
    click.echo(f"{_shown(kind, number, count)} not acknowledged any more")


@click.command()
@dsn
@target
@click.option("--reason", required=True, help="Why it is over; it is kept.")
def resolve(dsn: str, target: tuple[str, int], reason: str) -> None:
    """End alert A-41, or all of group G-7, by your own decision.

    It fires again when its rule has seen it gone and come back, or more severe.
    """
    from agentdb.admin import oncall

    kind, number = target
    count = oncall.resolve(dsn, kind, number, reason=reason)
    click.echo(f"{_shown(kind, number, count)} resolved")


def _shown(kind: str, number: int, count: int) -> str:
    if kind == "alert":
        return f"A-{number} is"
    return f"{counted(count, 'alert')} of G-{number} {'is' if count == 1 else 'are'}"
