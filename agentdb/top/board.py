"""What the board shows, read in one transaction that only reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import psycopg

from ..terminal.output import Section, connect, query, rows, shown

Row = dict[str, Any]

# The worst first, what somebody sees to already last.
INCIDENTS = """
select alert_id, 'A-' || alert_id as alert, severity,
  case when silence_id is not null then 'silenced'
    when acknowledged_by is not null then 'ack ' || acknowledged_by
    else state end as state,
  rule_name as rule, age, summary, labels ->> 'agent' as agent,
  labels ->> 'run' as run
from agentdb.active_alert
order by acknowledged_by is not null or silence_id is not null, active_alert.state,
  array_position(array['critical', 'warning', 'info'], severity), since
limit {limit}
"""
AGENTS = """
select h.agent_name as agent, h.state, clock_timestamp() - h.since as since,
  clock_timestamp() - b.last_progress_at as progress, b.open_runs as runs,
  b.tokens_hour as tokens, b.cost_today as cost, b.locks_held as locks, h.why,
  b.learned as usual
from (
  select * from agentdb.agent_health
  order by urgency, since desc, agent_name
  limit {limit}
) as h
join agentdb.agent_board as b on b.agent_name = h.agent_name
order by h.urgency, h.since desc, h.agent_name
"""
LOCKS = """
select l.lock_name, l.slot,
  l.lock_name || coalesce(' slot ' || nullif(l.slot, 0), '') as lock,
  l.state, l.holder, l.held_for as held, l.time_left as left, l.waiting,
  r.run_id as run, r.agent_name as agent
from agentdb.lock_status as l
left join agentdb.run_summary as r on r.run_id = l.run_id
where l.state <> 'free'
order by array_position(array['stale', 'held', 'cooling'], l.state), l.lock_name, l.slot
limit {limit}
"""
HEALTH = """
select check_name, state, detail from agentdb.health_check where state <> 'ok'
"""
REMEDY = """
select m.diagnosis, m.remedy, m.ends_when
from agentdb.alert as a
join agentdb.alert_remedy as m on m.alert_id = a.alert_id
where a.alert_id = {alert}
"""
LIMIT = 100


@dataclass(frozen=True)
class Board:
    """One look; `away` says why there was none."""

    at: datetime
    incidents: list[Row]
    agents: list[Row]
    locks: list[Row]
    faults: list[Row]
    away: str | None = None

    def headline(self) -> str:
        """Say in one line whether all is well."""
        if self.away:
            return self.away
        if self.faults:
            worst = self.faults[0]
            return f"{worst['state']}: {worst['check_name']}: {worst['detail']}"
        return "alerting works"


def look(dsn: str) -> Board:
    """Read the board; a database that cannot be read makes an empty one."""
    at = datetime.now(timezone.utc)
    try:
        with connect(dsn) as connection:
            found = [
                rows(connection, Section("", query(statement, limit=LIMIT)))
                for statement in (INCIDENTS, AGENTS, LOCKS, HEALTH)
            ]
    except psycopg.Error as error:
        why = str(error).splitlines()[0]
        if isinstance(error, psycopg.OperationalError):
            why = f"the database is away: {why}"
        return Board(at, [], [], [], [], away=why)
    incidents, agents, locks, faults = found
    return Board(at, incidents, agents, locks, faults)


def explain(dsn: str, row: Row) -> list[str]:
    """Return all that is known of a row, a line each; of an alert what to do, too."""
    known = dict(row)
    if "alert_id" in row:
        with connect(dsn) as connection:
            statement = query(REMEDY, alert=row["alert_id"])
            for more in rows(connection, Section("", statement)):
                known |= more
    told = []
    for name, value in known.items():
        values = value if isinstance(value, list) else [value]
        told += [f"{name}: {shown(each)}" for each in values]
    return told
