"""The commands about rules: what there is and why, whether it works, what it does."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from ..harmless import harmless
from ..terminal.output import Section, connect, how, print_table, query, rows, show
from .failure import Failure
from .options import dsn
from .working import working

if TYPE_CHECKING:
    from agentdb.rules import backtest as past

LIST = """
select rule_name as rule, case when enabled then severity else 'off' end as severity,
  action, evaluated_at as evaluated, round(evaluation_ms::numeric, 1) as ms, alerts,
  case when failures > 0 then failures || ' failures: ' || error end as trouble
from agentdb.alert_rule
order by rule_name
"""
RULE = """
select r.rule_name as rule, obj_description(to_regclass(r.view_name)) as what,
  r.description as why, r.remedy, r.ends_when, r.severity,
  r.health as agent_is_then, r.action,
  r.enabled, r.evaluate_every,
  r.fire_after as fires_after, r.keep_firing, r.view_name as view, r.evaluated_at,
  r.evaluation_ms as ms, r.alerts, r.error
from agentdb.alert_rule as r
where r.rule_name = {rule}
"""
SETTINGS = """
select s.setting, string_agg(s.policy_name || ' ' || coalesce(s.value, 'off'), ', '
  order by s.policy_name) as policies, s.reason
from agentdb.rule_setting as s
where s.rule_name = {rule}
group by s.setting, s.reason
order by min(array_position(array(
  select a.attname::text from pg_attribute as a
  where a.attrelid = 'agentdb.policy'::regclass order by a.attnum), s.setting))
"""
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _span(ctx: click.Context, param: click.Parameter, value: str) -> timedelta:
    """Return a length of time from 30m, 6h, 14d or 2w."""
    found = re.fullmatch(r"([0-9]{1,5})([mhdw])", value)
    if found is None or int(found[1]) == 0:
        raise click.BadParameter(f"{value!r} is no span of time: 30m, 6h, 14d, 2w")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


since = click.option(
    "--since",
    callback=_span,
    metavar="SPAN",
    default="14d",
    show_default=True,
    help="How far back to look: 30m, 6h, 14d, 2w.",
)
every = click.option(
    "--every",
    callback=_span,
    metavar="SPAN",
    default="15m",
    show_default=True,
    help="How often to ask.",
)
setting = click.option("--setting", help="Column of agentdb.policy to vary.")


@click.group()
def rules() -> None:
    """See and check the rules that alert, and try out their thresholds."""


@rules.command(name="list")
@dsn
@how
def list_rules(dsn: str, as_json: bool, as_sql: bool) -> None:
    """List the rules, when each was last evaluated and what it cost."""
    show(
        dsn,
        [Section("rules", query(LIST), below="trouble")],
        as_json=as_json,
        as_sql=as_sql,
    )


@rules.command()
@dsn
@how
@click.argument("rule")
def explain(dsn: str, as_json: bool, as_sql: bool, rule: str) -> None:
    """Say what RULE looks for.  Each threshold has its reason."""
    sections = [
        Section("rule", query(RULE, rule=rule), card=True),
        Section("settings", query(SETTINGS, rule=rule), "none", below="reason"),
    ]
    if not as_sql:
        with connect(dsn) as connection:
            if not rows(connection, sections[0]):
                raise Failure(f"there is no rule {rule}", hint="agentdb rules list")
    show(dsn, sections, as_json=as_json, as_sql=as_sql)


@rules.command()
@dsn
@click.argument("rule", metavar="[RULE|SCHEMA.VIEW]", required=False)
def lint(dsn: str, rule: str | None) -> None:
    """Check a rule, a view to become one, or all.  Exits 1 on findings."""
    from agentdb.rules.lint import lint as look

    with connect(dsn, guest=True) as connection:
        findings = look(connection, rule)
    for finding in findings:
        said = f"{finding.rule}: {finding.problem}\n  hint: {finding.hint}"
        click.echo(harmless(said))
    if findings:
        raise click.exceptions.Exit(1)
    click.echo("no problems found")


@rules.command()
@dsn
@click.argument("rule")
@since
@every
@setting
def backtest(
    dsn: str, rule: str, since: timedelta, every: timedelta, setting: str | None
) -> None:
    """Say when RULE would have paged, also at other thresholds."""
    from agentdb.rules import backtest as past

    found, results = _compare(dsn, rule, since, every, setting, past.FACTORS)
    (now,) = (result for result in results if result.threshold == "1x")
    rows = [
        {
            "fired": episode.fired_at,
            "last_seen": episode.seen_at,
            "peak": episode.peak,
            "labels": episode.labels,
            "summary": episode.summary,
        }
        for episode in now.episodes[:50]
    ]
    print_table(Section(f"{rule} would have paged", "", "never", below="summary"), rows)
    _print_alternatives(found, results, since)


@rules.command()
@dsn
@click.argument("rule")
@since
@every
@setting
@click.option(
    "--pages",
    type=click.FloatRange(0),
    default=0.1,
    show_default=True,
    help="How many pages an agent and week are bearable.",
)
def tune(
    dsn: str,
    rule: str,
    since: timedelta,
    every: timedelta,
    setting: str | None,
    pages: float,
) -> None:
    """Suggest a threshold for RULE.  It pages no more than --pages.

    Every page counts as false: look at a time in which nothing was wrong.
    """
    from agentdb.rules import backtest as past

    found, results = _compare(dsn, rule, since, every, setting, past.GRID)
    if found.setting is None:
        raise click.ClickException(f"rule {rule} has no threshold; give --setting")
    _print_alternatives(found, results, since)
    best = past.suggest(found, results, since, pages)
    if best is None:
        raise click.ClickException("no threshold tried here pages that seldom")
    factor = best.threshold.removesuffix("x")
    click.echo(
        f"\nthe lowest that keeps to {pages:g} pages an agent and week is "
        f"{best.threshold}:"
        f"\nupdate agentdb.policy set {found.setting} = {found.setting} * {factor} "
        "where policy_name = …;"
    )


def _compare(
    dsn: str,
    rule: str,
    since: timedelta,
    every: timedelta,
    setting: str | None,
    factors: tuple[float, ...],
) -> tuple[past.Rule, list[past.Result]]:
    import psycopg
    from psycopg.rows import dict_row

    from agentdb.rules import backtest as past

    with psycopg.connect(
        dsn,
        autocommit=True,
        row_factory=dict_row,
        connect_timeout=5,
        prepare_threshold=None,
    ) as connection:
        try:
            found = past.find(connection, rule, setting)
        except past.Unanswerable as error:
            raise Failure(str(error), hint="agentdb rules list") from None
        steps = past.questions(found, since, every, factors)
        with working(
            f"asking {rule} about the past {steps:,} times", steps=steps
        ) as step:
            return found, past.compare(
                connection, found, since=since, every=every, factors=factors, tell=step
            )


def _print_alternatives(
    rule: past.Rule, results: list[past.Result], since: timedelta
) -> None:
    from agentdb.rules import backtest as past

    rows = [
        {
            "threshold": f"{result.threshold} {rule.setting or ''}".strip(),
            "pages": len(result.episodes),
            "alerts": len({episode.labels for episode in result.episodes}),
            "an_agent_and_week": round(past.pages_a_week(rule, result, since), 3),
            "note": result.refused or None,
        }
        for result in results
    ]
    print_table(Section("with other thresholds", ""), rows)
