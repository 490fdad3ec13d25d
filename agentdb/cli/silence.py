"""Commands about silences: making, listing, ending."""

from __future__ import annotations

import click

from ..terminal.output import Section, how, query, show, shown
from ..words import counted
from .options import dsn, number_of

SILENCES = """
select 'S-' || silence_id as silence, matchers, alerts, created_by as by, ends_at,
  ends_at - clock_timestamp() as left, comment
from agentdb.active_silence
order by ends_at
"""


@click.command()
@dsn
@click.argument("what", metavar="MATCHERS | expire ID", nargs=-1, required=True)
@click.option("--for", "lasts", metavar="2h", help="How long, at most 30 days.")
@click.option("-m", "--message", "comment", help="Why; others read it.")
def silence(
    dsn: str, what: tuple[str, ...], lasts: str | None, comment: str | None
) -> None:
    """Notify nobody of alerts like 'agent=x,rule~loop' for a time.

    Labels are the alert's own, and rule, severity, alert; = != ~ !~ compare, ~ with
    a regular expression.  `agentdb silence expire S-3` ends one early.
    """
    from agentdb.admin import oncall

    if what[0] == "expire":
        number = _number(what[1:])
        alerts = oncall.end_silence(dsn, number)
        click.echo(f"S-{number} is over; reported again: {counted(alerts, 'alert')}")
        return
    if len(what) > 1:
        raise click.UsageError("put the matchers into quotes: 'agent=x,rule~loop'")
    if lasts is None or comment is None:
        raise click.UsageError("say --for how long, and why with -m")
    warnings: list[str] = []
    found = oncall.silence(
        dsn, what[0], lasts=lasts, comment=comment, warn=warnings.append
    )
    number, ends, alerts = found
    fire = f"{counted(alerts, 'alert')} fire{'s' if alerts == 1 else ''}"
    click.echo(f"S-{number} until {shown(ends)}; {fire} under it")
    for warning in warnings:
        click.echo(shown(f"warning: {warning}"))
    click.echo(f"next: agentdb silence expire S-{number}")


@click.command()
@dsn
@how
def silences(dsn: str, as_json: bool, as_sql: bool) -> None:
    """List the silences in force, the next to end first."""
    section = Section("silences", query(SILENCES), "none", below="comment")
    show(dsn, [section], as_json=as_json, as_sql=as_sql)


def _number(words: tuple[str, ...]) -> int:
    found = number_of(words[0], "S") if len(words) == 1 else None
    if found is None:
        raise click.UsageError("name one silence: agentdb silence expire S-3")
    return found
