"""The command that explains: which rows, which rule, what to do next."""

from __future__ import annotations

import click
import psycopg
from psycopg import sql

from ..terminal.output import Row, Section, connect, how, query, show
from .failure import Failure
from .options import dsn
from .read import say_if_uncounted

ALERT = """
select 'A-' || a.alert_id as alert, a.severity, a.state,
  case when a.acknowledged_until > clock_timestamp()
    then a.acknowledged_by || ': ' || a.acknowledge_comment end as acknowledged,
  a.rule_name as rule, coalesce(a.firing_at, a.active_at) as since,
  a.seen_at as last_seen,
  coalesce(a.annotations ->> 'summary', a.rule_name) as summary,
  agentdb._for_whom(a.labels) as says_it_works_for,
  a.value, a.annotations -> 'threshold' as threshold,
  a.annotations ->> 'policy' as policy, a.annotations ->> 'setting' as setting,
  r.fire_after as fires_after, r.keep_firing, r.description as reason,
  a.resolved_at, case when a.state = 'resolved' then a.end_reason end as ended
from agentdb.alert as a
join agentdb.alert_rule as r on r.rule_name = a.rule_name
where a.alert_id = {alert}
"""
REMEDY = """
select r.diagnosis, r.remedy, 'It ends when ' || r.ends_when || '.' as ends_when,
  case when a.state = 'firing' then array['Or because you decide that it is over:',
    'agentdb resolve A-' || a.alert_id || ' --reason …'] end as resolve
from agentdb.alert_remedy as r
join agentdb.alert as a on a.alert_id = r.alert_id
where r.alert_id = {alert}
  and a.state <> 'resolved'
"""
DIAGNOSES = """
select max(e.recorded_at) as at, e.tool, count(*) as calls, e.diagnosis
from (
  select e.recorded_at, e.tool, e.diagnosis
  from (
    select e.recorded_at, e.tool, agentdb._diagnosis_text(e.diagnosis) as diagnosis
    from agentdb.tool_error as e
    where e.run_id = {run}
  ) as e
  where e.diagnosis is not null
) as e
group by e.tool, e.diagnosis
order by at desc
limit 5
"""
RUN = "select * from agentdb.run_summary where run_id = {run}"
RUN_FAMILY = """
select case sign(depth) when -1 then 'above' when 1 then 'below' else '' end as place,
  run_id as run, parent_run_id as parent, parent_is, agent_name as agent, state,
  on_behalf_of, purpose
from agentdb.run_family({run})
where (select count(*) > 1 from agentdb.run_family({run}))
order by depth, run_id
limit 50
"""
RUN_ALERTS = """
select 'A-' || alert_id as alert, severity, state, rule_name as rule,
  coalesce(annotations ->> 'summary', rule_name) as summary
from agentdb.alert
where labels ->> 'run' = {run}::text
order by seen_at desc
limit 20
"""
RUN_EVENTS = """
select at, kind, ok, tokens, concat(what, ' [' || recorded_by || ']') as what
from (
  select t.*, row_number() over () as place from agentdb.timeline({run}) as t
) as t
order by place desc
limit 10
"""
GROUP = """
select 'G-' || g.alert_group_id as group, g.receiver_name as receiver,
  g.route_name as route, g.told as told_last, g.told_at
from agentdb.alert_group as g
where g.alert_group_id = {group}
"""
GROUP_ALERTS = """
select 'A-' || a.alert_id as alert, a.severity, m.state, a.rule_name as rule,
  coalesce(a.firing_at, a.active_at) as since,
  coalesce(a.annotations ->> 'summary', a.rule_name) as summary
from agentdb.group_alert as m
join agentdb.alert as a on a.alert_id = m.alert_id
where m.alert_group_id = {group}
order by m.state <> 'firing',
  array_position(array['critical', 'warning', 'info'], a.severity), since
limit 20
"""
AGENT = """
select a.agent_name as agent, h.state, h.since, h.why,
  a.role_name as role, a.policy_name as policy,
  count(*) filter (where s.state = 'running') as open_runs, count(s.run_id) as runs,
  max(s.started_at) as last_start, max(s.last_progress_at) as last_progress
from agentdb.agent as a
join agentdb.agent_health as h on h.agent_name = a.agent_name
left join agentdb.run_summary as s on s.agent_name = a.agent_name
where a.agent_name = {agent}
group by a.agent_id, h.state, h.since, h.why
"""
AGENT_ALERTS = """
select 'A-' || alert_id as alert, severity, state, rule_name as rule, summary
from agentdb.active_alert
where labels ->> 'agent' = {agent}
order by since
"""
AGENT_USUAL = """
select measure, round(usual::numeric) as usual, round(spread::numeric) as spread,
  samples, learned
from agentdb.agent_baseline
where agent_name = {agent}
"""
AGENT_RUNS = """
select run_id as run, state, started_at, took, tool_calls as calls,
  tool_errors as errors, input_tokens + cached_input_tokens as input,
  output_tokens as output
from agentdb.run_summary
where agent_name = {agent}
order by run_id desc
limit 5
"""
KINDS = (("A-", "alert"), ("G-", "group"), ("R-", "run"), ("", "run"))


@click.command()
@dsn
@how
@click.argument("what", metavar="ALERT|GROUP|RUN|AGENT")
def why(dsn: str, as_json: bool, as_sql: bool, what: str) -> None:
    """Explain an alert (A-41), a group (G-7), a run (12) or an agent."""
    kind, number = _recognise(what)
    with connect(dsn) as connection:
        if not _exists(connection, kind, number or what):
            raise Failure(
                f"there is no {kind} {what}",
                hint="agentdb alerts and agentdb runs list what there is",
            )
        sections = _sections(connection, kind, number, what)
    found = show(dsn, sections, as_json=as_json, as_sql=as_sql)
    if not (as_json or as_sql):
        if kind == "run":
            say_if_uncounted(dsn)
        hints = _next(kind, what, found)
        click.echo("\n".join(["", *(f"next: {hint}" for hint in hints)]))


def _recognise(what: str) -> tuple[str, int]:
    """Return which kind of thing a word names, and its number if it has one."""
    text = what.upper()
    for prefix, kind in KINDS:
        digits = text.removeprefix(prefix)
        if text.startswith(prefix) and digits.isdecimal() and len(digits) <= 18:
            return kind, int(digits)
    return "agent", 0


def _exists(connection: psycopg.Connection[Row], kind: str, key: object) -> bool:
    table = "alert_group" if kind == "group" else kind
    statement = sql.SQL("select from agentdb.{table} where {column} = {key}").format(
        table=sql.Identifier(table),
        column=sql.Identifier("agent_name" if kind == "agent" else f"{table}_id"),
        key=sql.Literal(key),
    )
    return connection.execute(statement).fetchone() is not None


def _sections(
    connection: psycopg.Connection[Row], kind: str, number: int, what: str
) -> list[Section]:
    if kind == "alert":
        return [
            Section("alert", query(ALERT, alert=number), card=True),
            Section("remedy", query(REMEDY, alert=number), "it is over", page=True),
            Section(
                "evidence",
                _evidence(connection, number),
                below="args",
                spare=True,
                guest=True,
            ),
        ]
    if kind == "group":
        its = query(GROUP_ALERTS, group=number)
        return [
            Section("group", query(GROUP, group=number), card=True),
            Section("alerts", its, "none any more", below="summary"),
        ]
    if kind == "run":
        return [
            Section("run", query(RUN, run=number), card=True),
            Section(
                "tree",
                query(RUN_FAMILY, run=number),
                "no run started it, and it started none",
                below="purpose",
            ),
            Section("alerts", query(RUN_ALERTS, run=number), below="summary"),
            Section(
                "diagnosis",
                query(DIAGNOSES, run=number),
                "no failed call was looked into",
                below="diagnosis",
            ),
            Section("last events", query(RUN_EVENTS, run=number), spare=True),
        ]
    return [
        Section("agent", query(AGENT, agent=what), card=True),
        Section("alerts", query(AGENT_ALERTS, agent=what), below="summary"),
        Section("usual at this hour", query(AGENT_USUAL, agent=what)),
        Section("last runs", query(AGENT_RUNS, agent=what)),
    ]


def _evidence(connection: psycopg.Connection[Row], alert: int) -> str:
    """Return the statement that shows the rows which tripped the rule."""
    asked = "select agentdb.evidence_query(%s::bigint) as text"
    row = connection.execute(asked, [alert]).fetchone()
    assert row is not None
    return str(row["text"])


def _next(kind: str, what: str, found: list[list[Row]]) -> list[str]:
    """Return the commands to type after this answer."""
    if kind == "group":
        alerts = [row for row in found[1] if row["state"] == "firing"]
        hints = [f"agentdb why {row['alert']}" for row in alerts[:1]]
        return [*hints, f"agentdb ack {what} -m …"] if alerts else ["agentdb alerts"]
    if kind == "run":
        return [f"agentdb timeline {what}"]
    if kind == "alert":
        hints = [f"agentdb why {what} --sql"]
        alert = found[0][0] if found[0] else {}
        if alert.get("acknowledged"):
            hints.append(f"agentdb unack {what}")
        elif alert.get("state") == "firing":
            hints.append(f"agentdb ack {what} -m …")
        return hints
    return [f"agentdb runs --agent {what}", "agentdb alerts"]
