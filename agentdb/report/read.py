"""Reads a run out of the database: the statements are those that psql could run."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from .story import MOST, Mark, Row, Story

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Connection

FACTS = """
select s.*, clock_timestamp() as now
from agentdb.run_summary as s
where s.run_id = %(run)s
"""
# One more than is drawn comes, so that a reader knows of it.
MARKS = """
select * from agentdb.run_marks(%(run)s, %(since)s, %(until)s, %(most)s)
"""
PARTS = {
    "alerts": """
select a.alert_id, a.rule_name, a.severity, a.state, a.firing_at, a.resolved_at,
  a.end_reason, coalesce(a.annotations ->> 'summary', a.rule_name) as summary,
  m.diagnosis, m.remedy
from agentdb.alert as a
join agentdb.alert_remedy as m on m.alert_id = a.alert_id
where a.labels ->> 'run' = %(run)s::text
  and a.firing_at is not null
order by array_position(array['critical', 'warning', 'info'], a.severity), a.firing_at
limit 50
""",
    "claims": """
select claim_id, kind, target, state, expectation, evidence, claimed_at
from agentdb.claim_status
where run_id = %(run)s
order by state = 'verified', claim_id
limit 200
""",
    "changes": """
select change_id, state, reason, row_count, submitted_at, decisions, applied_by, problem
from agentdb.change_summary
where run_id = %(run)s
order by change_id
limit 200
""",
    "writes": """
select g.table_name, w.operation, count(*) as row_count,
  min(w.recorded_at) as first_at, max(w.recorded_at) as last_at
from agentdb.audit_log as w
join agentdb.audit_target as g on g.audit_target_id = w.audit_target_id
where w.run_id = %(run)s
group by g.table_name, w.operation
order by g.table_name, w.operation
limit 200
""",
    "tree": """
with recursive above (run_id, parent_run_id, depth) as (
  select r.run_id, r.parent_run_id, 0 from agentdb.run as r where r.run_id = %(run)s
  union all
  select r.run_id, r.parent_run_id, a.depth + 1
  from above as a
  join agentdb.run as r on r.run_id = a.parent_run_id
  where a.depth < 100
)
select s.run_id, s.parent_run_id, s.parent_is, s.agent_name, s.on_behalf_of, s.state,
  s.started_at, s.took
from (select a.run_id from above as a order by a.depth desc limit 1) as top
cross join lateral agentdb.run_tree(top.run_id) as t
join agentdb.run_summary as s on s.run_id = t.run_id
order by s.run_id
limit 200
""",
}
# A run that has just begun has an axis all the same.
SHORTEST = timedelta(seconds=1)
# What is written at the very end belongs to it.
MARGIN = timedelta(milliseconds=1)

Question: TypeAlias = tuple[str, dict[str, Any]]


def read(
    connection: Connection[Row],
    run: int,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Story | None:
    """Return what a run did, all of it or within a time; None where there is no run."""
    asking = _ask(run, since, until)
    try:
        statement, values = next(asking)
        while True:
            found = connection.execute(statement, values).fetchall()
            statement, values = asking.send(found)
    except StopIteration as end:
        told: Story | None = end.value
        return told


async def story(
    connection: AsyncConnection[Row],
    run: int,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Story | None:
    """Return the same, asked by a server."""
    asking = _ask(run, since, until)
    try:
        statement, values = next(asking)
        while True:
            found = await (await connection.execute(statement, values)).fetchall()
            statement, values = asking.send(found)
    except StopIteration as end:
        told: Story | None = end.value
        return told


def _ask(
    run: int, since: datetime | None, until: datetime | None
) -> Generator[Question, list[Row], Story | None]:
    """Ask one thing after another; what is sent back are the rows."""
    found = yield FACTS, {"run": run}
    if not found:
        return None
    facts = found[0]
    since = since or facts["started_at"]
    until = until or (facts["ended_at"] or facts["now"]) + MARGIN
    until = max(until, since + SHORTEST)
    marks = yield MARKS, {"run": run, "since": since, "until": until, "most": MOST}
    parts = {}
    for name, statement in PARTS.items():
        parts[name] = yield statement, {"run": run}
    return Story(
        facts=facts,
        since=since,
        until=until,
        marks=[_mark(row) for row in marks[-MOST:]],
        cut=len(marks) > MOST,
        **parts,
    )


def _mark(row: Row) -> Mark:
    return Mark(
        at=row["at"],
        ends_at=row["ends_at"],
        kind=row["kind"],
        what=row["what"] or "",
        note=row["note"] or "",
        amount=row["amount"],
        output=row["output"],
    )
