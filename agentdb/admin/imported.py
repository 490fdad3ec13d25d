"""Files of the past in the database, and what the rules would have made of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ..intake.event import Event
from ..intake.shape import shape
from ..redaction import Redaction
from ..rules import backtest

# What one call of the database takes.
BATCH = 2000
# Rules are asked at so many moments at most, and so often of a run: what repeats is
# seen some time after it began.
MOMENTS = 400
PARTS = 12
AFTER = timedelta(minutes=1)
IMPORT = """
select i.status, i.problem, i.run_id from agentdb.import_events(%s::jsonb) as i
"""
RUNS = """
select r.run_id as run, a.agent_name as agent, left(r.conversation, 13) as conversation,
  r.parent_run_id as below, r.started_at, r.ended_at - r.started_at as lasted,
  count(c.*) as calls, count(c.*) filter (where not c.ok) as failed,
  count(f.*) as faults,
  (select sum(t.input_tokens + t.cached_input_tokens + t.output_tokens)
    from agentdb.token_log as t where t.run_id = r.run_id) as tokens
from agentdb.run as r
join agentdb.agent as a on a.agent_id = r.agent_id
left join agentdb.tool_call_log as c on c.run_id = r.run_id
left join agentdb.tool_fault as f
  on (f.run_id, f.tool_call_log_id) = (c.run_id, c.tool_call_log_id)
where r.run_id = any (%s)
group by r.run_id, a.agent_name
order by r.started_at, r.run_id
"""
RULES = "select rule_name from agentdb.alert_rule where enabled order by rule_name"


@dataclass
class Imported:
    """What became of the events: counts by status, problems by their words, runs."""

    statuses: dict[str, int] = field(default_factory=dict)
    problems: dict[str, int] = field(default_factory=dict)
    runs: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Seen:
    """An alert that would have fired."""

    rule: str
    run: str | None
    fired_at: datetime
    summary: str


def load(connection: psycopg.Connection[Any], events: Iterable[Event]) -> Imported:
    """Record events of the past, a batch a transaction; the same again is repeated."""
    done, redaction = Imported(), Redaction.from_env()
    walk = iter(events)
    while batch := list(islice(walk, BATCH)):
        _load(connection, [shape(event, redaction) for event in batch], done)
    return done


def _load(
    connection: psycopg.Connection[Any], batch: list[str], done: Imported
) -> None:
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(IMPORT, [f"[{','.join(batch)}]"]):
            status = row["status"]
            done.statuses[status] = done.statuses.get(status, 0) + 1
            if row["problem"]:
                done.problems[row["problem"]] = done.problems.get(row["problem"], 0) + 1
            if row["run_id"]:
                done.runs.add(row["run_id"])


def runs(
    connection: psycopg.Connection[Any], numbers: Iterable[int]
) -> list[dict[str, Any]]:
    """Return what the runs add up to."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(RUNS, [sorted(numbers)]).fetchall()


def seen(
    connection: psycopg.Connection[dict[str, Any]], found: list[dict[str, Any]]
) -> Iterator[Seen]:
    """Give the alerts that would have fired about the runs, in the order of the rules.

    Rules are asked while runs went on and a minute longer, at up to MOMENTS moments.
    """
    if not found:
        return
    moments = _moments(found)
    mine = {str(run["run"]) for run in found} | {run["agent"] for run in found}
    for (name,) in _rules(connection):
        try:
            rule = replace(backtest.find(connection, name), setting=None)
        except backtest.Unanswerable:
            continue
        for episode in backtest.episodes(connection, rule, moments):
            labels = json.loads(episode.labels)
            if mine & {str(value) for value in labels.values()}:
                at = episode.fired_at or episode.seen_at
                yield Seen(name, labels.get("run"), at, episode.summary)


def _moments(found: list[dict[str, Any]]) -> list[datetime]:
    """Return when to ask: PARTS times in each run, and after it."""
    at = {
        run["started_at"] + (run["lasted"] + AFTER) * part / PARTS
        for run in found
        for part in range(1, PARTS + 1)
    }
    every = max(1, len(at) // MOMENTS)
    return sorted(at)[::-every][::-1]


def _rules(connection: psycopg.Connection[dict[str, Any]]) -> list[tuple[str]]:
    return [(row["rule_name"],) for row in connection.execute(RULES)]
