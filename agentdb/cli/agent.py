"""Commands that make an agent known, and agentdb known to it."""

from __future__ import annotations

import click

from .options import dsn


@click.group()
def agent() -> None:
    """Make agents known to the database."""


@agent.command()
@dsn
@click.argument("name")
@click.option("--role", help="Login role of the agent; by default NAME.")
@click.option(
    "--policy",
    default="default",
    show_default=True,
    help="Its thresholds and budgets: a row of agentdb.policy.",
)
@click.option(
    "--pooled", is_flag=True, help="Several agents share the role, each with a secret."
)
@click.option("--create-role", is_flag=True, help="Create the role if it is missing.")
def add(
    dsn: str, name: str, role: str | None, policy: str, pooled: bool, create_role: bool
) -> None:
    """Register agent NAME under a login role.  Prints its secret if it has one."""
    from agentdb.admin import operation

    role = role or name
    if operation.is_registered(dsn, name, role=role, policy=policy, pooled=pooled):
        click.echo(f"agent {name} is registered already under role {role}")
        return
    secret = operation.register_agent(
        dsn, name, role=role, policy=policy, pooled=pooled, create_role=create_role
    )
    click.echo(f"agent {name} is registered under role {role}")
    if secret:
        click.echo(f"its secret, shown only now: {secret}")


@click.command()
@dsn
@click.argument("agent", required=False)
def prompt(dsn: str, agent: str | None) -> None:
    """Print the paragraph for the system prompt of AGENT."""
    from agentdb.admin.prompt import prompt

    click.echo(prompt(dsn, agent))
