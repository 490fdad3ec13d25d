"""Measures false pages and missed faults of the rules, beside those of others.

Agents of five kinds, healthy ones and ones with an injected fault, are made up from
fixed seeds (``bench/fleet.py``), written to the logs, and judged every five minutes of
a week by the rules as they are shipped, by the playbook's taken literally, and by
published detectors made again from their descriptions.  Run as
``python -m bench.detect [SEEDS]``; SEEDS is how many healthy agents a kind there are.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import psycopg

from agentdb.local import LocalServer
from agentdb.schema import install as installation
from bench.fleet import (
    FAULTS,
    JUDGE,
    LEARN,
    PROFILES,
    STEPS,
    WEEK,
    Agent,
    as_json,
    faulty,
    healthy,
    prompts,
)
from bench.published import PUBLISHED

# A Monday at midnight.
BEGIN = datetime(2026, 1, 5, tzinfo=timezone.utc)
SETTINGS = {"jit": "off", "autovacuum": "off", "fsync": "off", "work_mem": "32MB"}
DEFAULT = ("silent_loop", "token_rate", "no_progress", "tool_errors", "context_jump")
LITERAL = (
    "repeated_tool_call",
    "token_rate",
    "input_spike",
    "no_progress",
    "tool_errors",
)
# Two pages within this many seconds are one.
TOGETHER = 1800.0

Connection = psycopg.Connection[tuple[object, ...]]
Pages = dict[str, list[float]]


@dataclass
class Score:
    """How a detector did: pages of healthy agents, and delays of what it found."""

    false_pages: int = 0
    found: dict[str, list[float | None]] = field(
        default_factory=lambda: defaultdict(list)
    )


def moment(seconds: float) -> datetime:
    """Return a moment of the simulation."""
    return BEGIN + timedelta(seconds=seconds)


def write(connection: Connection, agents: list[Agent]) -> None:
    """Write what the agents did to the logs, and count it."""
    for agent in agents:
        row = connection.execute(
            "insert into agentdb.agent (agent_name, role_name, pooled, policy_name) "
            "values (%s, 'nobody', true, 'default') returning agent_id",
            [agent.name],
        ).fetchone()
        assert row is not None
        _write_agent(connection, int(str(row[0])), agent)
    connection.execute(SIGN)
    connection.execute(NORMAL_ERRORS)
    connection.execute("select agentdb.roll_up()")
    connection.execute("vacuum analyze")


STAGE = """
create temp table staged_call (
  run_id bigint, agent_id bigint, at timestamptz, tool text, args jsonb, ok boolean,
  result text
);
"""
SIGN = """
insert into agentdb.tool_call_log (
  run_id, agent_id, recorded_at, tool, args, ok, error, result_size, call_signature,
  shape_signature, result_signature
)
select run_id, agent_id, at, tool, args, ok, case when not ok then result end,
  length(result), agentdb._call_signature(tool, args),
  agentdb._shape_signature(tool, args), agentdb._result_signature(ok, result, null)
from staged_call;
"""
# Retries are nothing new: three of four of these calls always failed.
NORMAL_ERRORS = """
insert into agentdb.tool_day (agent_id, tool, day_at, calls, errors)
select a.agent_id, 'send', m.at - i * interval '1 day', 40, 30
from agentdb.agent as a
cross join generate_series(1, 14) as i
cross join (
  select date_bin('1 day', min(l.recorded_at), 'epoch') as at
  from agentdb.tool_call_log as l
) as m
"""
RUN = """
insert into agentdb.run (
  agent_id, role_name, pooled, conversation, started_at, ended_at, outcome, label,
  lock_max_ttl, renew_needs_progress
)
values (%s, 'nobody', true, 'c', %s, %s, 'succeeded', 'a run', '1 hour', false)
returning run_id
"""


def _write_agent(connection: Connection, agent_id: int, agent: Agent) -> None:
    # What a fleet does outside its sessions belongs to a run that is long over.
    former = _open(connection, agent_id, 0, 300)
    runs = [
        _open(connection, agent_id, each.start, each.end) for each in agent.sessions
    ]
    with connection.cursor() as cursor:
        with cursor.copy(
            "copy agentdb.token_half_hour (agent_id, half_hour_at, input_tokens, "
            "cached_input_tokens, output_tokens, cost) from stdin"
        ) as copy:
            for half_hour, amounts in _half_hours(agent).items():
                copy.write_row((agent_id, moment(half_hour * 1800), *amounts, 0))
        with cursor.copy(
            "copy agentdb.token_log (run_id, agent_id, recorded_at, input_tokens, "
            "cached_input_tokens, output_tokens, reasoning_tokens, cost) from stdin"
        ) as copy:
            for step in range(LEARN, STEPS):
                run = _run_at(agent, runs, step * 300.0) or former
                for at, *amounts in prompts(agent, step):
                    copy.write_row((run, agent_id, moment(at), *amounts, 0, 0))
        with cursor.copy("copy staged_call from stdin") as copy:
            for run, session in zip(runs, agent.sessions, strict=True):
                for call in session.calls:
                    copy.write_row(
                        (
                            run,
                            agent_id,
                            moment(call.at),
                            call.tool,
                            as_json(call.args),
                            call.ok,
                            call.result,
                        )
                    )
        with cursor.copy(
            "copy agentdb.progress_log (run_id, agent_id, recorded_at, step) from stdin"
        ) as copy:
            for run, session in zip(runs, agent.sessions, strict=True):
                for at, step_name in session.steps:
                    copy.write_row((run, agent_id, moment(at), step_name))


def _open(connection: Connection, agent_id: int, start: float, end: float) -> int:
    """Write a run and return its number."""
    row = connection.execute(RUN, [agent_id, moment(start), moment(end)]).fetchone()
    assert row is not None
    return int(str(row[0]))


def _half_hours(agent: Agent) -> dict[int, list[int]]:
    """Return the tokens of each half hour before the judged week."""
    found: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for step in range(LEARN):
        for _, *amounts in prompts(agent, step):
            total = found[step // 6]
            for place, amount in enumerate(amounts):
                total[place] += amount
    return found


def _run_at(agent: Agent, runs: list[int], at: float) -> int:
    """Return the run that is open at a moment; 0 where the fleet made none up."""
    for run, session in zip(runs, agent.sessions, strict=True):
        if session.start <= at < session.end:
            return run
    return 0


def judge(connection: Connection, policy: str, rules: tuple[str, ...]) -> Pages:
    """Ask the rules every five minutes of the judged week; return pages by agent."""
    connection.execute("update agentdb.agent set policy_name = %s", [policy])
    query = " union all ".join(
        f"select labels ->> 'agent' from agentdb.rule_{rule}(%(at)s::timestamptz)"
        for rule in rules
    )
    pages: Pages = defaultdict(list)
    for step in range(LEARN, STEPS):
        at = (step + 1) * 300.0
        binds = {"at": moment(at)}
        for name in {str(n) for (n,) in connection.execute(query.encode(), binds)}:
            pages[name].append(at)
    return pages


def score(agents: list[Agent], pages: Pages) -> Score:
    """Compare pages with what was injected."""
    result = Score()
    for agent in agents:
        told = sorted(pages.get(agent.name, []))
        if not agent.fault:
            result.false_pages += sum(
                place == 0 or at - told[place - 1] > TOGETHER
                for place, at in enumerate(told)
            )
            continue
        begin = agent.fault_at * 300.0
        # A bomb is seen until it has left the window of half an hour.
        end = begin + max(FAULTS[agent.fault].steps, 8) * 300.0
        delays = [at - begin for at in told if begin < at <= end]
        result.found[agent.fault].append(min(delays, default=None))
    return result


def scores(seeds: int) -> tuple[list[Agent], dict[str, Score]]:
    """Return the fleet, and how each detector did on it."""
    agents = [healthy(kind, seed) for kind in PROFILES for seed in range(seeds)]
    agents += [
        faulty(kind, 1000 + seed, fault)
        for kind in PROFILES
        for fault in FAULTS
        for seed in range(max(2, seeds // 3))
    ]
    found = {}
    with LocalServer(settings=SETTINGS, fast=True) as server:
        installation.install(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(STAGE)
            write(connection, agents)
            for name, policy, rules in (
                ("agentdb", "default", DEFAULT),
                ("playbook, literally", "playbook", LITERAL),
            ):
                found[name] = score(agents, judge(connection, policy, rules))
    for name, detector in PUBLISHED.items():
        found[name] = score(agents, {each.name: detector(each) for each in agents})
    return agents, found


def main(seeds: int = 6) -> None:
    agents, found = scores(seeds)
    weeks = sum(not agent.fault for agent in agents) * JUDGE / WEEK
    print(f"{len(agents)} agents, {weeks:g} agent-weeks without a fault")
    print("false pages an agent-week; faults found, median minutes to the page")
    heads = "".join(f"{fault:>19}" for fault in FAULTS)
    print(f"{'detector':28}{'false pages':>12}{heads}")
    for name, result in found.items():
        cells = "".join(f"{_cell(result.found[fault]):>19}" for fault in FAULTS)
        print(f"{name:28}{result.false_pages / weeks:12.2f}{cells}")


def _cell(delays: list[float | None]) -> str:
    seen = [delay for delay in delays if delay is not None]
    if not seen:
        return "0 %"
    share = 100 * len(seen) / len(delays)
    return f"{share:.0f} % ({statistics.median(seen) / 60:.0f})"


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
