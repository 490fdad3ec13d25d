"""Measures whom slow_drift reports: healthy agents, and ones that boil slowly.

Four weeks of made-up agents (``bench/fleet.py``) are learned as a runner learns them,
and the rule is asked about each day.  Each agent has a twin that uses a tenth more each
day of the last two weeks.  Run as ``python -m bench.drift [SEEDS]``.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from datetime import datetime, timedelta, timezone

import psycopg

from agentdb.local import LocalServer
from agentdb.schema import install as installation
from bench.fleet import DAY, PROFILES, STEPS, healthy

DAYS = STEPS // DAY
BOILS = 14
HALF_HOUR = 6
STEP = timedelta(minutes=5)
ASK = """
select d, r.labels ->> 'agent'
from generate_series(1, %s) as d
cross join lateral agentdb.rule_slow_drift(
  date_bin('1 day', now(), 'epoch') + (d - %s) * interval '24 hours') as r
"""
Told = dict[str, list[int]]


def write(connection: psycopg.Connection[tuple[object, ...]], seeds: int) -> None:
    """Write the half hours of each agent and of its twin."""
    copy_in = (
        "copy agentdb.token_half_hour (agent_id, half_hour_at, input_tokens,"
        " cached_input_tokens, output_tokens, cost) from stdin"
    )
    today = datetime.now(timezone.utc).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    for profile in PROFILES:
        for seed in range(seeds):
            agent = healthy(profile, seed, judged=False)
            for boils in (False, True):
                row = connection.execute(
                    "insert into agentdb.agent (agent_name, role_name, pooled,"
                    " policy_name) values (%s, 'nobody', true, 'default')"
                    " returning agent_id",
                    [agent.name + ("-boils" if boils else "")],
                ).fetchone()
                assert row is not None
                with connection.cursor() as cursor, cursor.copy(copy_in) as copy:
                    for step in range(0, STEPS, HALF_HOUR):
                        used = sum(agent.tokens[step : step + HALF_HOUR])
                        day = step // DAY
                        if boils:
                            used *= 1.1 ** max(0, day - (DAYS - BOILS) + 1)
                        if used >= 1:
                            at = today - (STEPS - step) * STEP
                            copy.write_row((row[0], at, int(used), 0, 0, 0))


def ask(connection: psycopg.Connection[tuple[object, ...]]) -> Told:
    """Return on which days the rule reported each agent."""
    told: Told = defaultdict(list)
    for day, name in connection.execute(ASK, [DAYS, DAYS]):
        told[str(name)].append(int(str(day)))
    return told


def main(seeds: int = 20) -> None:
    with LocalServer(fast=True) as server:
        installation.install(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            write(connection, seeds)
            connection.execute("select agentdb.refresh_normal()")
            told = ask(connection)
    print(f"{'agents':16}{'false':>8}{'found':>8}{'in 7 days':>12}{'median days':>14}")
    print("(false: warnings an agent-week of healthy agents)")
    for profile in PROFILES:
        names = [healthy_name(profile, seed) for seed in range(seeds)]
        false = sum(_times(told.get(name, [])) for name in names) / (seeds * DAYS / 7)
        delays = [
            min(days) - (DAYS - BOILS)
            for days in (told.get(f"{name}-boils", []) for name in names)
            if days
        ]
        soon = sum(delay <= 7 for delay in delays) / seeds
        middle = f"{statistics.median(delays):g}" if delays else "-"
        share = len(delays) / seeds
        print(f"{profile:16}{false:8.3f}{share:8.0%}{soon:12.0%}{middle:>14}")


def healthy_name(profile: str, seed: int) -> str:
    """Return the name that the fleet gives an agent."""
    return f"{profile.split()[0]}-{seed}"


def _times(days: list[int]) -> int:
    """Return how many alerts days are: those in a row are one."""
    ordered = sorted(set(days))
    return sum(
        place == 0 or day - ordered[place - 1] > 1 for place, day in enumerate(ordered)
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
