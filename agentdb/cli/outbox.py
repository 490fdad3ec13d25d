"""Commands about delivery: outbox, notify test."""

from __future__ import annotations

import click

from ..terminal.output import Section, how, query, show, shown
from .failure import Failure
from .options import dsn
from .read import limit

OUTBOX = """
select n.notification_id as id, n.receiver_name as receiver, n.kind, n.state,
  coalesce('A-' || n.alert_id, 'G-' || n.alert_group_id, '') as about,
  n.attempt as tries, n.created_at as since, n.status, n.error,
  n.payload ->> 'summary' as summary
from agentdb.notification as n
where n.state = case when {dead} then 'dead' else 'queued' end
order by n.notification_id desc
limit {limit}
"""
RECEIVERS = "select receiver_name, enabled from agentdb.receiver lists them"
number = click.argument("number", metavar="ID", type=click.IntRange(1))


@click.group(invoke_without_command=True)
@dsn
@how
@click.option("--dead", is_flag=True, help="What was given up instead.")
@limit
@click.pass_context
def outbox(
    ctx: click.Context, dsn: str, as_json: bool, as_sql: bool, dead: bool, limit: int
) -> None:
    """List messages that wait to be delivered, or were given up."""
    if ctx.invoked_subcommand is None:
        section = Section(
            "outbox", query(OUTBOX, dead=dead, limit=limit), "empty", below="summary"
        )
        show(dsn, [section], as_json=as_json, as_sql=as_sql)


@outbox.command()
@dsn
@number
def retry(dsn: str, number: int) -> None:
    """Send message ID, which was given up, again."""
    from agentdb.admin import oncall

    oncall.retry(dsn, number)
    click.echo(f"message {number} is queued again")


@outbox.command()
@dsn
@number
def drop(dsn: str, number: int) -> None:
    """Drop message ID, which waits or was given up."""
    from agentdb.admin import oncall

    oncall.drop(dsn, number)
    click.echo(f"message {number} is dropped")


@click.group()
def notify() -> None:
    """Try out receivers."""


@notify.command("test")
@dsn
@click.argument("receiver", required=False)
@click.option("--wait", default=30.0, show_default=True, help="Seconds, at most.")
def test_command(dsn: str, receiver: str | None, wait: float) -> None:
    """Send RECEIVER, or each, a message that says it is a test, through the runner.

    Exits 1 where one was not delivered.
    """
    from agentdb.admin import oncall

    receivers = [receiver] if receiver else oncall.receivers(dsn)
    if not receivers:
        raise Failure("no receiver is switched on", hint=RECEIVERS)
    failed = [said for each in receivers if (said := _try(dsn, each, wait))]
    if failed:
        raise click.ClickException("\n".join(failed))


def _try(dsn: str, receiver: str, wait: float) -> str | None:
    """Say that a test arrived, or return why it did not."""
    from agentdb.admin import oncall

    number, state, error = oncall.try_receiver(dsn, receiver, wait=wait)
    if state == "sent":
        click.echo(f"message {number} was delivered to {receiver}")
        return None
    if state == "queued":
        why = oncall.runner_trouble(dsn) or "runners work, and have not come to it yet"
        return f"message {number} to {receiver} waits: {shown(why)}"
    return f"message {number} to {receiver} is {state}: {shown(error)}"
