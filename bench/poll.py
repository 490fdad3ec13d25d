"""Measures what a runner asks of the database at each poll, part by part.

AGENTS agents with a session and an open run each log calls, steps and tokens; then all
rules are claimed, asked and ingested as a runner does it, roll-up, health of runs and
failed calls beside them.  Prints milliseconds of each part, medians of ROUNDS, and the
dearest rules; then the same with ten times the rows, and, twice as many again, while a
transaction is held open that began before them, and after it.  Run as ``python -m
bench.poll [AGENTS [CALLS [ROUNDS]]]``; 50 agents and 20 calls of each take a minute.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections import defaultdict
from contextlib import ExitStack

import psycopg

from agentdb.admin import operation
from agentdb.local import LocalServer
from agentdb.schema import install as installation

SETTINGS = {"autovacuum": "off", "max_connections": "2100", "shared_buffers": "1GB"}
TOOLS = ("search", "read", "edit", "fetch", "query")
PARTS = {
    "roll-up": "select agentdb.roll_up()",
    "runs that are gone": "select * from agentdb.close_gone_runs()",
    "failed calls": "select * from agentdb.take_failed_calls()",
    "flush": "select agentdb.flush()",
}


# In the order of their time, as they would have been written.
MOVED = """
create temp table moved as
  select * from agentdb.{log} where xid >= (select agentdb._counted_below());
update moved set recorded_at = recorded_at - interval '28 minutes' * random();
delete from agentdb.{log} where xid >= (select agentdb._counted_below());
insert into agentdb.{log} overriding system value
  select * from moved order by recorded_at;
drop table moved
"""


def work(session: psycopg.Connection, number: int, calls: int, past: int) -> None:
    """Log what an agent that gets on does in half an hour; nothing of it twice."""
    batch = [
        {
            "tool": TOOLS[(number + i) % len(TOOLS)],
            "args": {"q": f"word{number} {i}", "path": f"/srv/{i}/report.csv"},
            "ok": i % 17 > 0,
            "error": None if i % 17 else "502 bad gateway",
            "result": f"{i} rows of {number}",
        }
        for i in range(past, past + calls)
    ]
    session.execute("select agentdb.log_tool_call_many(%s::jsonb)", [json.dumps(batch)])
    steps = [{"step": f"page {i} of {number}"} for i in range(past, past + calls, 5)]
    session.execute("select agentdb.log_progress_many(%s::jsonb)", [json.dumps(steps)])
    usages = [{"input": 900 + i, "output": 50} for i in range(calls // 2)]
    session.execute("select agentdb.log_tokens_many(%s::jsonb)", [json.dumps(usages)])


def spread(db: psycopg.Connection) -> None:
    """Let what is not counted yet have happened within the last half hour."""
    db.execute(
        "update agentdb.roll_up_state set minutes_begin_at = now() - interval '1 h'"
    )
    # Logs are append-only: only a superuser can, and so.
    db.execute("set session_replication_role = replica")
    for log in ("tool_call_log", "progress_log", "token_log"):
        db.execute(MOVED.format(log=log).encode())
    db.execute("reset session_replication_role")
    db.execute("vacuum analyze")


def poll(db: psycopg.Connection, spent: dict[str, list[float]]) -> None:
    """Do once what a runner does, and add the time of each part."""

    def timed(part: str, query: str, *values: object) -> list[tuple[object, ...]]:
        began = time.perf_counter()
        found = db.execute(query.encode(), values or None, prepare=True).fetchall()
        spent[part].append((time.perf_counter() - began) * 1000)
        return found

    def rule() -> bool:
        claim = "select rule_name, query, evaluation from agentdb.claim_rule()"
        claimed = timed("claims", claim)
        if not claimed:
            return False
        name, query, evaluation = claimed[0]
        ((found,),) = timed(f"rule {name}", str(query))
        ingest = "select * from agentdb.ingest(%s::text, %s::bigint, %s::jsonb)"
        timed("ingest", ingest, name, evaluation, json.dumps(found))
        return True

    for part, query in PARTS.items():
        timed(part, query)
    while rule():
        pass


def measure(db: psycopg.Connection, rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each part of a poll, of the rules each."""
    laps: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        db.execute("update agentdb.alert_rule set next_evaluation_at = now()")
        spent: dict[str, list[float]] = defaultdict(list)
        poll(db, spent)
        for part, times in spent.items():
            laps[part].append(sum(times))
    return {part: statistics.median(times[2:]) for part, times in laps.items()}


def told(found: dict[str, float]) -> None:
    """Print what a poll cost, part by part."""
    rules = {part: each for part, each in found.items() if part.startswith("rule ")}
    rest = {part: each for part, each in found.items() if part not in rules}
    for part, each in (rest | {f"{len(rules)} rules": sum(rules.values())}).items():
        print(f"  {part:28}{each:8.1f} ms")
    for part, each in sorted(rules.items(), key=lambda rule: -rule[1])[:8]:
        print(f"    {part:26}{each:8.1f} ms")


def main(agents: int = 50, calls: int = 20, rounds: int = 12) -> None:
    with LocalServer(settings=SETTINGS, fast=True) as server, ExitStack() as stack:
        installation.install(server.dsn())
        db, other = (
            stack.enter_context(psycopg.connect(server.dsn(), autocommit=True))
            for _ in range(2)
        )
        db.execute("select agentdb.maintain()")
        sessions = []
        for number in range(agents):
            role = f"agent_{number}"
            operation.register_agent(server.dsn(), role, role=role, create_role=True)
            dsn = server.dsn(user=role)
            session = stack.enter_context(psycopg.connect(dsn, autocommit=True))
            session.execute("select agentdb.start_run()")
            sessions.append(session)

        past = 0

        def lap(name: str, times: int, former: float | None = None) -> float:
            nonlocal past
            for _ in range(times):
                for number, session in enumerate(sessions):
                    work(session, number, calls, past)
                past += calls
            spread(db)
            found = measure(db, rounds)
            spent = sum(found.values())
            ratio = f", {spent / former:.2f}x" if former else ""
            print(f"{name}: {spent:.0f} ms a poll{ratio}", flush=True)
            told(found)
            return spent

        first = lap(f"{agents} agents, {agents * calls} calls", 1)
        lap("ten times the rows", 9, first)
        other.execute("begin")
        other.execute("select pg_current_xact_id()")
        held = lap("twenty times, half of them since a transaction is open", 10)
        other.execute("commit")
        free = lap("the same without it", 0)
        print(f"while it is held: {held / free:.2f}x")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
