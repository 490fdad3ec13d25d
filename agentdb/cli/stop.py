"""Commands that stop agents: kill, pause, resume."""

from __future__ import annotations

import click

from ..harmless import harmless
from ..terminal.output import Section, connect, query, rows
from ..words import counted, freed
from .confirm import confirm
from .options import dsn, number_of_run

reason = click.option(
    "--reason", required=True, help="Why; the agent is told, and it is logged."
)
yes = click.option("--yes", is_flag=True, help="Do not ask.")

# What is asked about must stay on the screen.
SHOWN = 15

HELD = """
select r.run_id, a.agent_name,
  (select count(*) from agentdb.lock_status as l where l.run_id = r.run_id) as locks,
  (select count(*) from agentdb.token_reservation as v
    where v.run_id = r.run_id and v.settled_at is null
      and v.expires_at > clock_timestamp()) as reservations,
  (select count(*) from agentdb.change as c
    where c.run_id = r.run_id
      and c.state in ('open', 'pending', 'approved')) as changes,
  (select count(*) from agentdb.tool_call as c
    where c.run_id = r.run_id and c.ended_at is null) as calls,
  (select count(*) from agentdb.question as q
    where q.run_id = r.run_id and q.answer is null) as questions
from agentdb.run as r
join agentdb.agent as a on a.agent_id = r.agent_id
where r.ended_at is null
  and ({run}::bigint is null or r.run_id = {run}
    or {tree}::boolean and r.run_id in (
      select t.run_id from agentdb.run_tree({run}) as t))
  and ({agent}::text is null or a.agent_name = {agent})
order by r.run_id
"""


@click.command()
@dsn
@click.argument("target", metavar="RUN|AGENT", required=False)
@click.option("--all", "every", is_flag=True, help="Every agent.")
@click.option(
    "--tree/--no-tree",
    default=True,
    show_default=True,
    help="With RUN: all that it started with a spawn token, too.",
)
@reason
@yes
def kill(
    dsn: str, target: str | None, every: bool, tree: bool, reason: str, yes: bool
) -> None:
    """Kill RUN, all runs of AGENT, or --all.  Waits until nothing of them commits.

    Frees their locks, cancels their reservations and ends their sessions where
    that is allowed; says what goes on.  The process of a killed RUN may start
    another run; a killed agent starts nothing until it is resumed.
    """
    from agentdb.admin import operation

    if every == bool(target):
        raise click.UsageError("name a run or an agent, or say --all")
    number = number_of_run(target or "")
    if not yes:
        confirm(
            "Kill?", about=_held(dsn, number, target if number is None else None, tree)
        )
    statement, value = (
        (operation.KILL_ALL, None)
        if every
        else (operation.KILL_RUN, number)
        if number is not None
        else (operation.KILL_AGENT, target)
    )
    for line in operation.kill(dsn, statement, target=value, reason=reason, tree=tree):
        # Names of transactions are an agent's to choose.
        click.echo(harmless(line))


@click.command()
@dsn
@click.argument("agent")
@reason
@yes
def pause(dsn: str, agent: str, reason: str, yes: bool) -> None:
    """Refuse all that AGENT does until it is resumed."""
    _turn("pause", "open", dsn, agent, reason, yes)


@click.command()
@dsn
@click.argument("agent")
@reason
@yes
def resume(dsn: str, agent: str, reason: str, yes: bool) -> None:
    """Let AGENT go on, or start again after a kill."""
    _turn("resume", "paused", dsn, agent, reason, yes)


def _turn(verb: str, runs: str, dsn: str, agent: str, reason: str, yes: bool) -> None:
    from agentdb.admin import operation

    if not yes:
        confirm(f"{verb.capitalize()} agent {agent}?")
    statement = operation.PAUSE if verb == "pause" else operation.RESUME
    count = operation.pause(dsn, statement, agent=agent, reason=reason)
    click.echo(f"agent {agent} is {verb}d, with {counted(count, f'{runs} run')}")


def _held(dsn: str, run: int | None, agent: str | None, tree: bool) -> list[str]:
    """Return what a kill would end and free, a line a run."""
    section = Section("", query(HELD, run=run, agent=agent, tree=tree))
    with connect(dsn) as connection:
        found = rows(connection, section)
    lines = [
        f"kill run {row['run_id']} of {row['agent_name']}: "
        + freed(row["locks"], row["reservations"], row["changes"])
        + f", {counted(row['calls'], 'begun call')} and "
        f"{counted(row['questions'], 'open question')} closed"
        for row in found[:SHOWN]
    ]
    if len(found) > SHOWN:
        lines.append(f"and {len(found) - SHOWN} runs more")
    return lines or ["no run is open there"]
