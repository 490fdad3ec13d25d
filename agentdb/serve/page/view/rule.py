"""Rules: what there is, its thresholds, and what it would have fired of a week."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from starlette.requests import Request
from starlette.responses import Response

from ....rules import backtest
from ..door import reading
from ..render import page
from .ask import Connection, Row, missing, one, rows

RULES = """
select r.rule_name, r.description, r.severity, r.action, r.enabled, r.evaluated_at,
  r.evaluation_ms, r.failures, r.error, r.health,
  (
    select count(*) from agentdb.alert as a
    where a.rule_name = r.rule_name and a.state = 'firing'
  ) as firing
from agentdb.alert_rule as r
order by r.rule_name
"""
RULE = """
select r.*, obj_description(to_regclass(r.view_name)) as what
from agentdb.alert_rule as r where r.rule_name = %(rule)s::text
"""
SETTINGS = """
select setting, reason,
  string_agg(policy_name || ' ' || coalesce(value, 'off'), ', ' order by policy_name)
    as policies
from agentdb.rule_setting
where rule_name = %(rule)s::text
group by setting, reason
order by setting
"""
FIRED = """
select a.alert_id, a.severity, a.state, a.firing_at, a.resolved_at,
  coalesce(a.annotations ->> 'summary', a.rule_name) as summary
from agentdb.alert as a
where a.rule_name = %(rule)s::text
  and a.firing_at is not null
  and coalesce(a.resolved_at, 'infinity') > %(since)s::timestamptz
order by a.firing_at desc
limit 100
"""
# A place that an alert fills in: run {run} is the run of any alert.
PLACE = re.compile(r"(?:\b(\w+) )?\{(\w+)\}")
WEEK = timedelta(days=7)
# How often a week is looked at: more often is what the command is for.
STEPS = {"4": 4, "1": 1}
WITHIN = "350ms"


async def rules(request: Request) -> Response:
    """List the rules."""
    async with reading(request) as connection:
        found = await rows(connection, RULES)
    return page(request, "rules.html", {"rules": found})


async def rule(request: Request) -> Response:
    """Show one rule, what it fired in a week, and what it would have."""
    name = request.path_params["rule"]
    hours = STEPS.get(request.query_params.get("every", "4"), 4)
    async with reading(request) as connection:
        found = await one(connection, RULE, rule=name)
        if found is None:
            raise missing(f"rule {name}")
        now = datetime.now(request.state.zone)
        found["ends_when"] = _of_any(found["ends_when"])
        context: Row = {
            "rule": found,
            "settings": await rows(connection, SETTINGS, rule=name),
            "fired": await rows(connection, FIRED, rule=name, since=now - WEEK),
            "since": now - WEEK,
            "until": now,
            "hours": hours,
        }
        context |= await _backtest(connection, name, timedelta(hours=hours))
    context["real"] = [
        (each["firing_at"], each["resolved_at"] or now, each["summary"])
        for each in context["fired"]
    ]
    return page(request, "rule.html", context)


def _of_any(said: str | None) -> str:
    """Return when an alert ends, said of no one in particular."""
    return PLACE.sub(
        lambda m: f"the {m[2]}" if m[1] in (None, m[2]) else f"{m[1]} the {m[2]}",
        said or "",
    )


async def _backtest(connection: Connection, name: str, every: timedelta) -> Row:
    """Return the pages that a rule would have brought, or why nobody can say."""
    told: Row = {"spans": [], "episodes": [], "unknown": None, "every": every}
    known = await _found(connection, name)
    if known is None:
        return told | {"unknown": "it knows only the present"}
    moments = list(backtest.moments(known, WEEK, every))
    try:
        async with connection.transaction(force_rollback=True):
            await connection.execute(f"set local statement_timeout = '{WITHIN}'")
            answers = await _answers(connection, known, moments)
    except psycopg.errors.QueryCanceled:
        return told | {"unknown": "a week of it takes longer than a page may"}
    life = backtest.Life(known)
    for at in moments:
        life.look(at, answers.get(at, []))
    told["episodes"] = life.episodes[::-1][:50]
    told["spans"] = [
        (each.fired_at or each.began_at, each.seen_at + every / 2, each.summary)
        for each in life.episodes[:500]
    ]
    return told


async def _found(connection: Connection, name: str) -> backtest.Rule | None:
    """Return a rule that is ours and can be asked about the past.

    One of an operator's own is asked by nobody here: it would run with the page's
    rights.
    """
    cursor = await connection.execute(backtest.RULE, [name])
    row = await cursor.fetchone()
    if row is None or row["view"][0] != "agentdb":
        return None
    schema, view = row["view"]
    cursor = await connection.execute(backtest.FUNCTION, [schema, f"rule_{view}"])
    known = await cursor.fetchone()
    if known is None or not known["found"]:
        return None
    return backtest.Rule(
        name, sql.Identifier(schema, f"rule_{view}"), row["fire_after"],
        row["keep_firing"], row["setting"], row["now"], row["agents"],
    )  # fmt: skip


async def _answers(
    connection: Connection, rule: backtest.Rule, moments: Sequence[datetime]
) -> dict[datetime, list[dict[str, Any]]]:
    query = sql.SQL(
        "select m.at, r.labels, r.value, r.annotations"
        " from unnest(%s::timestamptz[]) as m (at) cross join lateral {}(m.at) as r"
    ).format(rule.function)
    found: dict[datetime, list[dict[str, Any]]] = {}
    cursor = await connection.execute(query, [list(moments)])
    async for row in cursor:
        found.setdefault(row["at"], []).append(row)
    return found
