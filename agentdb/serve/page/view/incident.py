"""Incidents, one alert, and silences."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ....evidence import find
from ..door import reading
from ..render import page
from .ask import PAGE, Row, cut, missing, number, one, page_number, rows
from .status import INCIDENTS

RESOLVED = """
select alert_id, rule_name, severity, state, labels ->> 'agent' as agent,
  coalesce(firing_at, active_at) as since, resolved_at, end_reason,
  coalesce(annotations ->> 'summary', rule_name) as summary
from agentdb.alert
where resolved_at is not null
order by resolved_at desc
limit %(most)s::integer offset %(after)s::integer
"""
ALERT = """
select a.alert_id, a.rule_name, a.severity, a.state, a.labels, a.annotations, a.value,
  a.active_at, a.firing_at, a.seen_at, a.resolved_at, a.end_reason, a.episode,
  coalesce(a.annotations ->> 'summary', a.rule_name) as summary,
  agentdb._for_whom(a.labels) as on_behalf_of,
  r.description, r.fire_after, r.keep_firing,
  case when a.acknowledged_until > clock_timestamp() then a.acknowledged_by end
    as acknowledged_by, a.acknowledge_comment,
  a.acknowledged_until,
  v.silence_id, m.remedy, m.diagnosis, m.ends_when,
  (
    select min(g.alert_group_id) from agentdb.group_alert as g
    where g.alert_id = a.alert_id
  ) as alert_group_id
from agentdb.alert as a
join agentdb.alert_rule as r on r.rule_name = a.rule_name
left join agentdb.alert_remedy as m on m.alert_id = a.alert_id
left join agentdb.active_alert as v on v.alert_id = a.alert_id
where a.alert_id = %(alert)s::bigint
"""
HISTORY = """
select recorded_at, from_state, to_state, value, recorded_by, comment
from agentdb.alert_log
where alert_id = %(alert)s::bigint
order by alert_log_id desc
limit 50
"""
GROUP = """
select a.alert_id, a.rule_name, a.severity, a.state, a.labels ->> 'agent' as agent,
  coalesce(a.annotations ->> 'summary', a.rule_name) as summary,
  coalesce(a.firing_at, a.active_at) as since
from agentdb.group_alert as m
join agentdb.alert as a on a.alert_id = m.alert_id
where m.alert_group_id = %(group)s::bigint
  and a.alert_id is distinct from %(alert)s::bigint
  and a.state = 'firing'
order by array_position(array['critical', 'warning', 'info'], a.severity), since
limit %(most)s::integer
"""
KNOWN_GROUP = """
select alert_group_id from agentdb.alert_group where alert_group_id = %(group)s::bigint
"""
TOLD = """
select n.notification_id, n.receiver_name, n.kind, n.state, n.created_at,
  n.finished_at, n.error
from agentdb.notification as n
where n.alert_id = %(alert)s::bigint
  or n.alert_group_id = %(group)s::bigint
order by n.notification_id desc
limit 10
"""
RUN = """
select run_id, agent_name, state, started_at, last_step, last_progress_at
from agentdb.run_summary where run_id = %(run)s::bigint
"""
STOPPED = """
select s.kind, s.stopped_by, s.reason
from agentdb.agent_stop as s
join agentdb.agent as a on a.agent_id = s.agent_id
where a.agent_name = %(agent)s::text
"""
MOST_EVIDENCE = 50
SILENCES = """
select silence_id, matchers, alerts, created_by, created_at, ends_at, comment
from agentdb.active_silence
order by ends_at
"""


async def incidents(request: Request) -> Response:
    """List what fires, or with ?all what is over."""
    over, number_of_page = "all" in request.query_params, page_number(request)
    async with reading(request) as connection:
        found = [] if over else await rows(connection, INCIDENTS)
        resolved = await rows(
            connection, RESOLVED, most=PAGE + 1, after=PAGE * (number_of_page - 1)
        ) if over else []  # fmt: skip
    resolved, more = cut(resolved)
    start = PAGE * (number_of_page - 1)
    context = {
        "over": over,
        "found": found[start : start + PAGE],
        "resolved": resolved,
        "more": more or len(found) > start + PAGE,
        "number": number_of_page,
    }
    return page(request, "incidents.html", context)


async def alert(request: Request) -> Response:
    """Show one alert: why it fires, and what to do about it."""
    key = number(request, "alert")
    async with reading(request) as connection:
        found = await one(connection, ALERT, alert=key)
        if found is None:
            raise missing(f"alert A-{key}")
        group = found["alert_group_id"]
        run = found["labels"].get("run")
        agent = str(found["labels"].get("agent", ""))
        context: Row = {
            "alert": found,
            "history": await rows(connection, HISTORY, alert=key),
            "others": await rows(connection, GROUP, alert=key, group=group, most=PAGE),
            "told": await rows(connection, TOLD, alert=key, group=group),
            "stopped": await one(connection, STOPPED, agent=agent),
            "run": await one(connection, RUN, run=run)
            if str(run).isdecimal()
            else None,
        }
        behind = await find(connection, key, MOST_EVIDENCE)
    context |= {
        "evidence": behind.rows,
        "names": behind.names(),
        "query": behind.query,
        "problem": behind.problem,
    }
    return page(request, "alert.html", context)


async def group(request: Request) -> Response:
    """Show what is told together: a message about many alerts leads here."""
    key = number(request, "group")
    async with reading(request) as connection:
        known = await one(connection, KNOWN_GROUP, group=key)
        if known is None:
            raise missing(f"group G-{key}")
        found = await rows(connection, GROUP, alert=None, group=key, most=PAGE + 1)
    found, more = cut(found)
    return page(request, "group.html", {"group": key, "found": found, "more": more})


async def silences(request: Request) -> Response:
    """List the silences that are in force, and offer to make one."""
    async with reading(request) as connection:
        found = await rows(connection, SILENCES)
    return page(request, "silences.html", {"found": found})
