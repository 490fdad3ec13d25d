"""Measures one evaluation of every rule as the logs grow tenfold.

Prints milliseconds of server time per rule at each size and their ratio: the cost
of a poll must follow the traffic of the window, not the history.  Run as
``python -m bench.rules [ROWS]``; ROWS is the smaller size of each log.
"""

from __future__ import annotations

import statistics
import sys

import psycopg

from agentdb import installation
from agentdb.local import LocalServer

RULES = (
    "conversation_budget",
    "hung_tool_call",
    "long_tick",
    "missed_tick",
    "no_progress",
    "repeated_tool_call",
    "token_rate",
    "tool_errors",
)
AGENTS = 1000
DAYS = 14
SETTINGS = {
    "shared_buffers": "2GB",
    "max_wal_size": "8GB",
    "jit": "off",
    "autovacuum": "off",
    "fsync": "off",
}
PEOPLE = """
insert into agentdb.agent (agent_name, role_name, pooled, policy_name)
select 'a' || i, 'r' || i, true, 'default'
from generate_series(1, %(agents)s) as i;
insert into agentdb.run (
  agent_id, role_name, pooled, conversation, started_at, ended_at, outcome
)
select a.agent_id, a.role_name, true, 'c',
  now() - d * interval '1 day' - interval '20 minutes',
  case when d > 0 then now() - d * interval '1 day' end,
  case when d > 0 then 'succeeded' end
from agentdb.agent as a cross join generate_series(0, %(days)s - 1) as d;
"""
# The last ten minutes hold the same traffic at every size: history is what grows.
HISTORY = """
insert into agentdb.{log} (run_id, agent_id, recorded_at, {columns})
select r.run_id, r.agent_id,
  now() - interval '61 minutes'
    - ({days} * 86400 - 3700) * (1 - i / {rows}::double precision)
      * interval '1 second',
  {values}
from generate_series(1, {rows}) as i
join agentdb.run as r on r.run_id = 1 + (i * 7919::bigint) % ({agents} * {days});
"""
RECENT = """
insert into agentdb.{log} (run_id, agent_id, recorded_at, {columns})
select r.run_id, r.agent_id, now() - (i % 600) * interval '1 second', {values}
from generate_series(1, 20000) as i
join (select *, row_number() over (order by run_id) as n from agentdb.run
  where ended_at is null) as r on r.n = 1 + i % {agents};
"""
LOGS = {
    "tool_call_log": ("tool, ok", "'tool' || i % 20, i % 10 > 0"),
    "token_log": (
        "input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, cost",
        "500 + i % 1000, 0, 100, 0, 0.001",
    ),
    "progress_log": ("step", "'step ' || i"),
}


def fill(connection: psycopg.Connection[tuple[object, ...]], rows: int) -> None:
    """Write agents, runs and so many rows of history to each log."""
    people = PEOPLE.replace("%(agents)s", str(AGENTS)).replace("%(days)s", str(DAYS))
    connection.execute(people.encode())
    for template, count in ((HISTORY, rows), (RECENT, 20_000)):
        for log, (columns, values) in LOGS.items():
            statement = template.format(
                log=log,
                columns=columns,
                values=values,
                rows=count,
                agents=AGENTS,
                days=DAYS,
            )
            connection.execute(statement.encode())
    connection.execute("select agentdb.maintain()")
    connection.execute("select agentdb.roll_up()")
    connection.execute("vacuum analyze")


def measure(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, float]:
    """Return the median execution time of each rule's view, in milliseconds."""
    return {rule: statistics.median(_times(connection, rule)) for rule in RULES}


def _times(
    connection: psycopg.Connection[tuple[object, ...]], rule: str, laps: int = 7
) -> list[float]:
    explain = f"explain (analyze, timing off, format json) select * from agentdb.{rule}"
    return [_time(connection, explain) for _ in range(laps)]


def _time(connection: psycopg.Connection[tuple[object, ...]], explain: str) -> float:
    row = connection.execute(explain.encode()).fetchone()
    plan = row[0][0] if row and isinstance(row[0], list) else {}
    return float(plan["Planning Time"] + plan["Execution Time"])


def at(rows: int) -> dict[str, float]:
    """Measure on a server of our own with so many rows of history in each log."""
    with LocalServer(settings=SETTINGS) as server:
        installation.install(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            fill(connection, rows)
            return measure(connection)


def main(rows: int = 1_000_000) -> None:
    small, large = at(rows), at(10 * rows)
    print(f"{AGENTS} agents, {DAYS} days, rows of history in each of 3 logs")
    print(f"{'rule':22}{rows:>14,}{10 * rows:>14,}   ratio")
    for rule in RULES:
        ratio = large[rule] / small[rule]
        print(f"{rule:22}{small[rule]:11.1f} ms{large[rule]:11.1f} ms{ratio:8.2f}")
    both = sum(small.values()), sum(large.values())
    print(f"{'all':22}{both[0]:11.1f} ms{both[1]:11.1f} ms{both[1] / both[0]:8.2f}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
