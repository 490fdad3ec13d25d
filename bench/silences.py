"""Measures what silences cost a poll: 1,000 of them by 10,000 alerts that fire.

Printed are an evaluation of the rules about alerting itself and a flush where nothing
is new, and the flush in which all alerts are new.  Run as ``python -m bench.silences``.
"""

from __future__ import annotations

import statistics
import time

import psycopg

from agentdb.local import LocalServer
from agentdb.schema import install as installation

ALERTS = 10_000
SILENCES = 1_000
POLL = ("select count(*) from agentdb.silence_ending", "select agentdb.flush()")
SETUP = """
create view public.late_seen as
  select jsonb_build_object('agent', 'a' || mod(i, 500), 'who', i) as labels,
    1::float as value, '{}'::jsonb as annotations
  from generate_series(1, %s) as i;
insert into agentdb.alert_rule (rule_name, description, view_name, max_alerts)
values ('late', '', 'public.late_seen', 100000);
select agentdb.set_route('all', 'stdout', '', '{rule}');
"""
INGEST = """
select agentdb.ingest('late', 0,
  (select jsonb_agg(to_jsonb(v)) from public.late_seen as v))
"""


def main() -> None:
    with LocalServer() as server:
        installation.install(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute((SETUP % ALERTS).encode())
            for number in range(SILENCES):
                connection.execute(
                    "select agentdb.silence_alerts(%s, '2 hours', 'bench')",
                    [f"agent=a{number % 500},who~^{number}"],
                )
            connection.execute(INGEST)
            storm = _ms(connection, "select agentdb.flush(100000)")
            polls = [sum(_ms(connection, q) for q in POLL) for _ in range(9)]
    print(f"{ALERTS} alerts, {SILENCES} silences")
    print(f"a poll with nothing new   {statistics.median(polls):8.1f} ms")
    print(f"the flush of all, once    {storm:8.1f} ms")


def _ms(connection: psycopg.Connection[tuple[object, ...]], query: str) -> float:
    began = time.perf_counter()
    while (row := connection.execute(query.encode()).fetchone()) and row[0] == 100000:
        pass
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
