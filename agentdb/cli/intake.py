"""Commands about what emitters tell: their tokens, and what was not understood."""

from __future__ import annotations

import click

from ..harmless import harmless
from ..terminal.output import Section, how, query, show
from .options import dsn

TOKENS = """
select token_id as token, agent_name as agent, made_at, made_by, used_on, revoked_at,
  revoked_by
from agentdb.intake_tokens
where ({agent}::text is null or agent_name = {agent})
  and ({every} or revoked_at is null)
order by token_id desc
limit {limit}
"""
PROBLEMS = """
select last_at, count, reason, path, emitter, agent_name as agent, first_at, sample
from agentdb.intake_problems
order by last_at desc
limit {limit}
"""
# What every exporter of OpenTelemetry reads; the space is written as in a URL.
HEADERS = "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20{token}"


@click.group()
def intake() -> None:
    """See who may send events, and what failed."""


@intake.command()
@dsn
@click.argument("agent")
@click.option("--register", is_flag=True, help="Register AGENT, without a login role.")
@click.option(
    "--policy",
    default="default",
    show_default=True,
    help="With --register: a row of agentdb.policy.",
)
def token(dsn: str, agent: str, register: bool, policy: str) -> None:
    """Make a token with which an emitter speaks for AGENT.  Prints it, only now."""
    from agentdb.admin.intake import make_token

    made = make_token(dsn, agent, register=register, policy=policy)
    click.echo(harmless(f"whoever has this token speaks for agent {agent}:"))
    click.echo(made)
    click.echo("set it where the emitter runs, as a header or in its environment:")
    click.echo(f"Authorization: Bearer {made}")
    click.echo(HEADERS.format(token=made))
    click.echo("or, for the hooks of a coding agent:")
    click.echo(f"AGENTDB_INTAKE_TOKEN={made}")


@intake.command()
@dsn
@how
@click.option("--agent", help="Only of this agent.")
@click.option("--all", "every", is_flag=True, help="Revoked ones too.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
def tokens(
    dsn: str, as_json: bool, as_sql: bool, agent: str | None, every: bool, limit: int
) -> None:
    """List the tokens of emitters, without what they are."""
    statement = query(TOKENS, agent=agent, every=every, limit=limit)
    section = Section("intake tokens", statement, "none: agentdb intake token AGENT")
    show(dsn, [section], as_json=as_json, as_sql=as_sql)


@intake.command()
@dsn
@click.argument("number", type=click.IntRange(1, 2**63 - 1))
def revoke(dsn: str, number: int) -> None:
    """Make token NUMBER worthless, at once."""
    from agentdb.admin.intake import revoke_token

    agent = revoke_token(dsn, number)
    click.echo(harmless(f"token {number} of agent {agent} proves nothing any more"))


@intake.command()
@dsn
@how
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
def problems(dsn: str, as_json: bool, as_sql: bool, limit: int) -> None:
    """List what came and could not be understood, the latest first."""
    section = Section(
        "intake problems", query(PROBLEMS, limit=limit), "none", below="sample"
    )
    show(dsn, [section], as_json=as_json, as_sql=as_sql)
