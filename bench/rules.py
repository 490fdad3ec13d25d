"""Measures one evaluation of every rule as the logs grow tenfold.

Prints milliseconds of server time per rule at each size and their ratio: the cost
of a poll must follow the traffic of the window, not the history.  Then the same for
ten times as many agents, and what the hourly refresh of what is normal takes.  Run as
``python -m bench.rules [ROWS]``; ROWS is the smaller size of the logs of tool calls
and of tokens.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass

import psycopg

from agentdb.local import LocalServer
from agentdb.schema import install as installation

DAYS = 14
SETTINGS = {
    "shared_buffers": "2GB",
    "max_wal_size": "8GB",
    "work_mem": "64MB",
    "jit": "off",
    "autovacuum": "off",
    "fsync": "off",
}
# One agent in a hundred keeps to the playbook, so that its rules have work too.
PEOPLE = """
insert into agentdb.agent (agent_name, role_name, pooled, policy_name)
select 'a' || i, 'r' || i, true,
  case when i % 100 = 0 then 'playbook' else 'default' end
from generate_series(1, {agents}) as i;
insert into agentdb.schedule (agent_id, cron, due_at)
select agent_id, '0 2 * * *', now() + interval '1 hour' from agentdb.agent;
insert into agentdb.run (
  agent_id, role_name, pooled, conversation, started_at, ended_at, outcome, label,
  lock_max_ttl, renew_needs_progress
)
select a.agent_id, a.role_name, true, 'c' || d,
  now() - d * interval '1 day' - interval '150 minutes',
  case when d > 0 then now() - d * interval '1 day' end,
  case when d > 0 then 'succeeded' end,
  a.agent_name, '1 hour', false
from agentdb.agent as a cross join generate_series(0, {days} - 1) as d;
select agentdb.maintain();
select agentdb._add_partition(l.log, (now() at time zone 'UTC')::date - d)
from unnest(array['tool_call_log', 'token_log', 'progress_log', 'audit_log']) as l (log)
cross join generate_series(1, {days}) as d;
"""
# A log's rows: HISTORY grows, RECENT is the same traffic at every size, TAIL is what no
# roll-up has counted yet.  One run in fifty goes round in a loop.
HISTORY = """
insert into agentdb.{log} (run_id, agent_id, recorded_at, {columns})
select r.run_id, r.agent_id,
  now() - interval '151 minutes'
    - ({days} * 86400 - 9100) * (1 - i / {rows}::double precision)
      * interval '1 second',
  {values}
from generate_series(1, {rows}) as i
join (
  select *, row_number() over (order by run_id) as n
  from agentdb.run where ended_at is not null
) as r on r.n = 1 + (i * 7919::bigint) % ({agents} * ({days} - 1))
"""
RECENT = """
insert into agentdb.{log} (run_id, agent_id, recorded_at, {columns})
select r.run_id, r.agent_id,
  now() - {since} * (1 - i / {rows}::double precision) * interval '1 second', {values}
from generate_series(1, {rows}) as i
join (
  select *, row_number() over (order by run_id) as n
  from agentdb.run where ended_at is null
) as r on r.n = 1 + i % {agents}
"""
LOOPS = "r.run_id % 50 = 0"
LOGS = {
    "tool_call_log": (
        "tool, args, ok, result_size, call_signature, shape_signature,"
        " result_signature",
        "'tool' || i % 20, '{\"q\": 7}', i * 7919::bigint % 97 > 5, 900,"
        f" case when {LOOPS} then 1 else i end, i, case when {LOOPS} then 1 else i end",
    ),
    "token_log": (
        "input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, cost",
        "500 + i % 1000, 400, 100, 0, 0.001",
    ),
    "progress_log": (
        "step",
        f"case when {LOOPS} then 'checking' else 'step ' || i end",
    ),
}
# What 10 million rows in two weeks are in an hour.
PER_HOUR = 30_000
# A new step every fourth call.
STEPS = 4
RULES = "select rule_name, view_name from agentdb.alert_rule where enabled order by 1"


@dataclass(frozen=True)
class Fleet:
    """How many agents, and how many rows of history in each log."""

    agents: int
    rows: int


@dataclass(frozen=True)
class Cost:
    """What a fleet costs: milliseconds by rule, seconds for the hourly refresh."""

    rules: dict[str, float]
    refresh: float
    alerts: int


def fill(connection: psycopg.Connection[tuple[object, ...]], fleet: Fleet) -> None:
    """Write agents, runs and the logs; count all but the last seconds of them."""
    connection.execute(PEOPLE.format(agents=fleet.agents, days=DAYS).encode())
    traffic = PER_HOUR * max(1, fleet.agents // 1000)
    write(connection, fleet, HISTORY, fleet.rows, 0)
    write(connection, fleet, RECENT, traffic * 150 // 60, 150 * 60)
    connection.execute("select agentdb.roll_up()")
    write(connection, fleet, RECENT, traffic * 5 // 3600, 5)
    connection.execute("vacuum analyze")


def write(
    connection: psycopg.Connection[tuple[object, ...]],
    fleet: Fleet,
    template: str,
    rows: int,
    since: int,
) -> None:
    """Write so many rows to each log."""
    for log, (columns, values) in LOGS.items():
        statement = template.format(
            log=log,
            columns=columns,
            values=values,
            rows=max(1, rows // STEPS if log == "progress_log" else rows),
            agents=fleet.agents,
            days=DAYS,
            since=since,
        )
        connection.execute(statement.encode())


def measure(connection: psycopg.Connection[tuple[object, ...]]) -> Cost:
    """Return the median time of each rule's view, prepared as the runner does it."""
    started = time.monotonic()
    connection.execute("select agentdb.refresh_normal()")
    refresh = time.monotonic() - started
    connection.execute("analyze agentdb.token_normal")
    views = {str(rule): str(view) for rule, view in connection.execute(RULES)}
    costs = {
        rule: statistics.median(_times(connection, view))
        for rule, view in views.items()
    }
    alerts = 0
    for view in views.values():
        alerts += connection.execute(f"select from {view}".encode()).rowcount
    return Cost(costs, refresh, alerts)


def _times(
    connection: psycopg.Connection[tuple[object, ...]], view: str, laps: int = 7
) -> list[float]:
    connection.execute(f"prepare rule as select * from {view}".encode())
    explain = "explain (analyze, timing off, format json) execute rule"
    times = [_time(connection, explain) for _ in range(laps)]
    connection.execute("deallocate rule")
    return times


def _time(connection: psycopg.Connection[tuple[object, ...]], explain: str) -> float:
    row = connection.execute(explain.encode()).fetchone()
    plan = row[0][0] if row and isinstance(row[0], list) else {}
    return float(plan["Planning Time"] + plan["Execution Time"])


def at(fleet: Fleet) -> Cost:
    """Measure on a server of our own."""
    with LocalServer(settings=SETTINGS) as server:
        installation.install(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            fill(connection, fleet)
            return measure(connection)


def main(rows: int = 1_000_000) -> None:
    fleets = [Fleet(1000, rows), Fleet(1000, 10 * rows), Fleet(10_000, rows)]
    costs = [at(fleet) for fleet in fleets]
    print(f"{DAYS} days; agents, and rows of history in the logs of calls and tokens")
    heads = "".join(f"{f'{f.agents:,} / {f.rows:,}':>22}" for f in fleets)
    print(f"{'rule':22}{heads}   ratio of history")
    for rule in costs[0].rules:
        _print(rule, [cost.rules[rule] for cost in costs])
    _print("all", [sum(cost.rules.values()) for cost in costs])
    print(f"{'alerts':22}" + "".join(f"{cost.alerts:22,}" for cost in costs))
    print(
        f"{'refresh of normal':22}"
        + "".join(f"{cost.refresh:20.2f} s" for cost in costs)
    )


def _print(name: str, times: list[float]) -> None:
    shown = "".join(f"{value:19.1f} ms" for value in times)
    print(f"{name:22}{shown}{times[1] / times[0]:9.2f}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
