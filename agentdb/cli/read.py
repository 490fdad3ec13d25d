"""Commands that show what is going on: status, alerts, runs, timeline."""

from __future__ import annotations

from collections.abc import Callable

import click
import psycopg

from ..terminal.output import Section, connect, how, query, rows, show
from .failure import Failure, failure
from .options import F, about, dsn, number_of_run

EXIT_CODES = {"ok": 0, "warning": 1, "critical": 2}
UNKNOWN = 3

STATUS = "select check_name, state, detail from agentdb.health_check"
ALERTS = """
select 'A-' || alert_id as alert, severity,
  case when silence_id is not null then 'silenced S-' || silence_id
    when acknowledged_by is not null then 'ack ' || acknowledged_by
    else state end as state,
  rule_name as rule, since, age, summary
from agentdb.active_alert
order by acknowledged_by is not null or silence_id is not null, active_alert.state,
  array_position(array['critical', 'warning', 'info'], severity), since
"""
RESOLVED = """
select 'A-' || alert_id as alert, severity, state, rule_name as rule,
  coalesce(firing_at, active_at) as since, resolved_at,
  coalesce(annotations ->> 'summary', rule_name) as summary
from agentdb.alert
order by seen_at desc
limit {limit}
"""
RUNS = """
select run_id as run, agent_name as agent, instance, parent_run_id as parent, state,
  started_at, took, tool_calls as calls,
  tool_errors as errors, input_tokens + cached_input_tokens as input,
  output_tokens as output,
  left(regexp_replace(coalesce(last_step, purpose), '[[:space:]]+', ' ', 'g'), 76)
    as last_step
from agentdb.run_summary
where ({agent}::text is null or agent_name = {agent})
  and (not {open} or state = 'running')
order by run_id desc
limit {limit}
"""
# What nobody has a price for is in no sum, and counted beside; where that is all of it,
# the cost is not known, which is not 0.
COSTS = """
select c.day, case {by} when 'model' then c.model when 'conversation' then
    c.conversation else c.agent_name end as what,
  sum(c.model_calls)::bigint as calls, sum(c.unpriced_calls)::bigint as unpriced,
  sum(c.input_tokens)::bigint as input, sum(c.cached_input_tokens)::bigint as cached,
  sum(c.output_tokens)::bigint as output,
  sum(c.input_cost) filter (where c.unpriced_calls < c.model_calls) as input_cost,
  sum(c.cached_input_cost) filter (where c.unpriced_calls < c.model_calls)
    as cached_cost,
  sum(c.output_cost) filter (where c.unpriced_calls < c.model_calls) as output_cost,
  sum(c.cost) filter (where c.unpriced_calls < c.model_calls) as cost
from agentdb.cost as c
where c.day > (now() at time zone 'UTC')::date - {days}::integer
  and ({agent}::text is null or c.agent_name = {agent})
group by 1, 2
order by 1 desc, sum(c.cost) desc, 2
limit {limit}
"""
COUNTED = """
select detail from agentdb.health_check where check_name = 'roll-up' and state <> 'ok'
"""
KNOWN_RUN = "select 1 as known from agentdb.run where run_id = {run}"
TIMELINE = """
select at, kind, ok, tokens, concat(what, ' [' || recorded_by || ']') as what, details
from (
  select t.*, row_number() over () as place from agentdb.timeline({run}) as t
  order by place desc limit {limit}
) as t
order by place
"""


def run_number(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Return a run's number, also from R-12."""
    number = number_of_run(value)
    if number is None:
        raise click.BadParameter(f"{value!r} is no run; see agentdb runs")
    return number


def unknown(error: psycopg.Error) -> Failure:
    """Return how a monitoring command says that it could not look."""
    said = failure(error, about())
    said.label, said.code = "unknown", UNKNOWN
    return said


def require_run(dsn: str, run: int) -> None:
    """Fail where there is no such run."""
    with connect(dsn) as connection:
        if not rows(connection, Section("", query(KNOWN_RUN, run=run))):
            raise Failure(f"there is no run {run}", hint="agentdb runs")


def say_if_uncounted(dsn: str) -> None:
    """Say where no runner counts calls and tokens."""
    with connect(dsn) as connection:
        for row in rows(connection, Section("", query(COUNTED))):
            said = (
                f"calls and tokens may be missing: {row['detail']}; start agentdb run"
            )
            click.echo(said, err=True)


def _limit(default: int) -> Callable[[F], F]:
    return click.option(
        "--limit", type=click.IntRange(1, 100_000), default=default, show_default=True
    )


limit = _limit(50)


@click.command()
@dsn
@how
def status(dsn: str, as_json: bool, as_sql: bool) -> None:
    """Say in one screen whether all is well.

    Exits as monitoring plugins do: 0 ok, 1 warning, 2 critical, 3 unknown.
    """
    section = Section("status", query(STATUS))
    try:
        found = show(dsn, [section], as_json=as_json, as_sql=as_sql)
    except psycopg.Error as error:
        raise unknown(error) from error
    states = (EXIT_CODES.get(row["state"], UNKNOWN) for rows in found for row in rows)
    raise click.exceptions.Exit(max(states, default=0))


@click.command()
@dsn
@how
@click.option("--all", "every", is_flag=True, help="Resolved ones too, newest first.")
@limit
def alerts(dsn: str, as_json: bool, as_sql: bool, every: bool, limit: int) -> None:
    """List what fires now, the worst first."""
    statement = query(RESOLVED, limit=limit) if every else query(ALERTS)
    section = Section("alerts", statement, "nothing fires", below="summary")
    show(dsn, [section], as_json=as_json, as_sql=as_sql)


@click.command()
@dsn
@how
@click.option("--agent", help="Only the runs of this agent.")
@click.option(
    "--open", "only_open", is_flag=True, help="Only runs that have not ended."
)
@limit
def runs(
    dsn: str,
    as_json: bool,
    as_sql: bool,
    agent: str | None,
    only_open: bool,
    limit: int,
) -> None:
    """List runs, the newest first."""
    statement = query(RUNS, agent=agent, open=only_open, limit=limit)
    section = Section("runs", statement, below="last_step")
    show(dsn, [section], as_json=as_json, as_sql=as_sql)
    if not (as_json or as_sql):
        say_if_uncounted(dsn)


@click.command()
@dsn
@how
@click.option(
    "--by",
    type=click.Choice(["agent", "model", "conversation"]),
    default="agent",
    show_default=True,
    help="Whose costs are added up.",
)
@click.option("--agent", help="Only those of this agent.")
@click.option(
    "--days", type=click.IntRange(1, 10_000), default=7, show_default=True,
    help="How many UTC days, today among them.",
)  # fmt: skip
@limit
def costs(
    dsn: str,
    as_json: bool,
    as_sql: bool,
    by: str,
    agent: str | None,
    days: int,
    limit: int,
) -> None:
    """Show what models cost a day, input apart from output.

    In the currency that the callers log.  Of calls that are unpriced nobody knows the
    cost: it is in no sum.
    """
    statement = query(COSTS, by=by, agent=agent, days=days, limit=limit)
    title = f"costs by {by} and UTC day"
    section = Section(title, statement, "no model was called")
    show(dsn, [section], as_json=as_json, as_sql=as_sql)
    if not (as_json or as_sql):
        say_if_uncounted(dsn)


@click.command()
@dsn
@how
@_limit(1000)
@click.argument("run", callback=run_number)
def timeline(dsn: str, as_json: bool, as_sql: bool, run: int, limit: int) -> None:
    """Show what RUN did on an axis, and in order.  Of a long one, the last --limit."""
    statement = query(TIMELINE, run=run, limit=limit)
    if not as_sql:
        require_run(dsn, run)
    if not (as_json or as_sql):
        _draw(dsn, run)
    section = Section(f"run {run}", statement, hidden="details")
    found = show(dsn, [section], as_json=as_json, as_sql=as_sql)
    if found and len(found[0]) == limit:
        click.echo(f"the last {limit} events; see --limit", err=True)


def _draw(dsn: str, run: int) -> None:
    """Draw the time axis of a run, as wide as the terminal."""
    from ..report.line import axis
    from ..report.read import read
    from ..terminal.console import console

    with connect(dsn) as connection:
        story = read(connection, run)
    if story is not None:
        click.echo("\n".join(axis(story, width=console().width)) + "\n")
