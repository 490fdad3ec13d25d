"""The laws that the database's own record is asked for, at the end."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from .laws import Run, Truth
from .world import rows

RUNS = """
select run_id, outcome, instance,
  coalesce(extract(epoch from ended_at), 'infinity')::float8 as ended_at
from agentdb.run
"""
# What the process wrote itself into the row against what the audit says.
STRANGE = """
select a.audit_log_id, a.table_name, a.run_id, a.new_values ->> 'run' as wrote,
  extract(epoch from a.recorded_at)::float8 as recorded_at, r.outcome, r.instance,
  extract(epoch from r.ended_at)::float8 as ended_at
from agentdb.audit as a
left join agentdb.run as r on r.run_id = (a.new_values ->> 'run')::bigint
where (a.new_values ? 'run' and (a.new_values ->> 'run')::bigint is distinct from a.run_id)
  or a.run_id is null
"""
STRANGE_CHANGES = """
select c.change_id, c.run_id, r.new_values ->> 'run' as wrote
from agentdb.change as c
join agentdb.change_row as r on r.change_id = c.change_id
where (r.new_values ->> 'run')::bigint is distinct from c.run_id
"""
OWNERS = """
select distinct a.run_id, (a.new_values ->> 'process')::int as process
from agentdb.audit as a
where a.new_values ? 'process'
"""
# A write of a killed run that committed after its drain had returned.
LATE = """
select a.table_name, a.audit_log_id, pg_xact_commit_timestamp(l.xid::xid) as committed
from agentdb.audit as a
join agentdb.audit_log as l on l.audit_log_id = a.audit_log_id
where a.run_id = %s
  and pg_xact_commit_timestamp(l.xid::xid) > to_timestamp(%s)
"""
COUNT = """
select (select count(*) from public.work where run = %(run)s)
  + (select count(*) from public.ledger where run = %(run)s) as written
"""
LEAKS = {
    "lock": """
      select l.* from agentdb.lock as l join agentdb.run as r on r.run_id = l.run_id
      where r.ended_at is not null and l.expires_at > clock_timestamp()
        and (r.outcome <> 'crashed' or l.release_on_disconnect)
    """,
    "wait": """
      select w.* from agentdb.lock_waiter as w
      join agentdb.run as r on r.run_id = w.run_id where r.ended_at is not null
    """,
    "reservation": """
      select v.* from agentdb.token_reservation as v
      join agentdb.run as r on r.run_id = v.run_id
      where r.ended_at is not null and v.settled_at is null
        and v.expires_at > clock_timestamp()
    """,
    "call": """
      select c.* from agentdb.tool_call as c join agentdb.run as r on r.run_id = c.run_id
      where r.ended_at is not null and c.ended_at is null
    """,
    "change": """
      select c.change_id, c.state, c.run_id, r.outcome from agentdb.change as c
      join agentdb.run as r on r.run_id = c.run_id
      where r.ended_at is not null and (c.state = 'open'
        or r.outcome = 'killed' and c.state in ('pending', 'approved'))
    """,
    "undrained": """
      select r.run_id, r.outcome, s.kind from agentdb.run_stop as s
      join agentdb.run as r on r.run_id = s.run_id
      where r.ended_at is null or s.kind = 'killed' and s.drained_at is null
    """,
}
ALERTS = """
select (labels ->> 'run')::bigint as run from agentdb.alert where rule_name = 'crashed_run'
"""


def runs(db: psycopg.Connection) -> dict[int, Run]:
    """Return all runs."""
    return {
        each["run_id"]: Run(each["outcome"], each["ended_at"], each["instance"])
        for each in rows(db, RUNS)
    }


def faults(db: psycopg.Connection, truth: Truth) -> Iterator[str]:
    """Say what the record has against the laws."""
    for name, query in (("audit", STRANGE), ("change", STRANGE_CHANGES)):
        yield from (f"wrong run in the {name}: {each}" for each in rows(db, query))
    for each in rows(db, OWNERS):
        start = truth.starts.get(each["run_id"])
        if not start or start.process != each["process"]:
            yield f"wrong process: {each}, started by {start}"
    yield from _late(db, truth)
    yield from _lost(db, truth)
    for name, query in LEAKS.items():
        yield from (f"leaked {name}: {each}" for each in rows(db, query))
    alerted = {each["run"] for each in rows(db, ALERTS)}
    truth.alerts = len(alerted)
    yield from truth.false_alerts(alerted)


def _late(db: psycopg.Connection, truth: Truth) -> Iterator[str]:
    for stop in truth.stops:
        for run, (moment, before) in stop.written.items():
            found = rows(db, LATE, [run, moment])
            yield from (f"written after the drain of {run}: {each}" for each in found)
            [now] = rows(db, COUNT.replace("%(run)s", str(run)))
            if now["written"] != before:
                yield f"run {run} had {before} rows at its drain, has {now['written']}"


def _lost(db: psycopg.Connection, truth: Truth) -> Iterator[str]:
    """What a process was told to be committed is in the audit, as its run's."""
    known = {
        each["mark"]: each["run_id"]
        for each in rows(
            db,
            "select new_values ->> 'mark' as mark, run_id from agentdb.audit"
            " where table_name = 'public.work'",
        )
    }
    for entry in truth.entries:
        for mark in entry.marks:
            if known.get(mark) != entry.run:
                yield f"row {mark} of {entry} is {known.get(mark)}'s"
