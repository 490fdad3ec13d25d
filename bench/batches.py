"""Measures what an event costs in a batch, against single calls and against COPY.

The server's time a row, in microseconds: batches of 100 by the ``*_many`` functions;
the single call, prepared, one by one in one transaction; and COPY of 100 such rows into
the same tables (without identity, checks or signatures: the least that would keep
them).  The three are interleaved, medians of ROUNDS.  Arguments are of 200 bytes, each
call has an id of its own.  The last line is of what an agent does in turns (a model
call, a tool call, a step): as one batch by ``log_events``, and by a batch for each time
that the kind changes.  Run as ``python -m bench.batches [ROUNDS]``.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import psycopg

from agentdb.admin import operation
from agentdb.local import LocalServer
from agentdb.schema import install as installation

ROWS = 100
ARGS = json.dumps(
    {
        "query": "select id, total from invoice where customer = 4711",
        "limit": 20,
        "path": "/srv/data/2026-11-30/report.csv",
        "note": "fetch the open invoices",
    }
)
SINGLE = {
    "tool call": "select agentdb.log_tool_call('search', %s::jsonb, call_id => %s)",
    "tokens": "select agentdb.log_tokens(5200, 310, model => %s, cost => 0.01)",
    "progress": "select agentdb.log_progress(%s, '{\"rows\": 120}')",
}
COPY: dict[str, tuple[str, Callable[[str], str]]] = {
    "tool call": (
        "copy agentdb.tool_call_log (run_id, agent_id, tool, args, ok, call_id)"
        " from stdin",
        lambda key: f"1\t1\tsearch\t{ARGS}\tt\t{key}\n",
    ),
    "tokens": (
        "copy agentdb.token_log (run_id, agent_id, input_tokens, cached_input_tokens,"
        " output_tokens, reasoning_tokens, cost, model) from stdin",
        lambda key: f"1\t1\t5200\t0\t310\t0\t0.01\t{key}\n",
    ),
    "progress": (
        "copy agentdb.progress_log (run_id, agent_id, step, details) from stdin",
        lambda key: f'1\t1\t{key}\t{{"rows": 120}}\n',
    ),
}
MANY: dict[str, tuple[str, Callable[[str], dict[str, Any]]]] = {
    "tool call": (
        "select agentdb.log_tool_call_many(%s::jsonb)",
        lambda key: {"tool": "search", "args": json.loads(ARGS), "call_id": key},
    ),
    "tokens": (
        "select agentdb.log_tokens_many(%s::jsonb)",
        lambda key: {"input": 5200, "output": 310, "model": key, "cost": 0.01},
    ),
    "progress": (
        "select agentdb.log_progress_many(%s::jsonb)",
        lambda key: {"step": key, "details": {"rows": 120}},
    ),
}


def keys() -> list[str]:
    """Return ids that were never used."""
    return [f"call_{uuid.uuid4().hex}" for _ in range(ROWS)]


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) / ROWS * 1e6


def many(agent: psycopg.Connection, kind: str) -> float:
    query, made = MANY[kind]
    batch = json.dumps([made(key) for key in keys()])
    return timed(lambda: agent.execute(query.encode(), [batch], prepare=True))


def single(agent: psycopg.Connection, kind: str) -> float:
    """The round trips are not the server's: an empty statement's are taken off."""
    values = [[ARGS, key] if kind == "tool call" else [key] for key in keys()]

    def each(query: str, lists: list[list[str]]) -> None:
        with agent.transaction():
            for parameters in lists:
                agent.execute(query.encode(), parameters, prepare=True)

    empty = timed(lambda: each("select %s::text", [["x"]] * ROWS))
    return timed(lambda: each(SINGLE[kind], values)) - empty


def copied(admin: psycopg.Connection, kind: str) -> float:
    query, made = COPY[kind]
    lines = "".join(made(key) for key in keys())

    def copy() -> None:
        with admin.cursor() as cursor, cursor.copy(query.encode()) as stream:
            stream.write(lines)

    return timed(copy)


def mixed(agent: psycopg.Connection) -> tuple[float, float]:
    """Return the time of a row in one batch of all kinds, and in one for each turn."""
    kinds = {"tokens": "tokens", "tool call": "tool_call", "progress": "progress"}
    # Each with ids of its own: what comes twice is counted once.
    turns, others = (list(zip([*kinds] * ROWS, keys(), strict=False)) for _ in "ab")
    batch = [MANY[kind][1](key) | {"kind": kinds[kind]} for kind, key in turns]
    query, text = b"select agentdb.log_events(%s::jsonb)", json.dumps(batch)

    def by_turns() -> None:
        with agent.transaction():
            for kind, key in others:
                query, made = MANY[kind]
                agent.execute(query.encode(), [json.dumps([made(key)])], prepare=True)

    apart = timed(by_turns)
    return timed(lambda: agent.execute(query, [text], prepare=True)), apart


def main(rounds: int = 30) -> None:
    with LocalServer(
        settings={"synchronous_commit": "off", "autovacuum": "off"}
    ) as server:
        installation.install(server.dsn())
        operation.register_agent(server.dsn(), "a", role="agent_1", create_role=True)
        admin = psycopg.connect(server.dsn(), autocommit=True)
        admin.execute("select agentdb.maintain()")
        agent = psycopg.connect(server.dsn(user="agent_1"), autocommit=True)
        agent.execute("select agentdb.start_run()")
        print(f"{'us a row':12}{'batch':>8}{'single':>9}{'COPY':>8}   batch is")
        for kind in MANY:
            laps = [
                (many(agent, kind), single(agent, kind), copied(admin, kind))
                for _ in range(rounds)
            ]
            batch, one, copy = (
                statistics.median(side) for side in zip(*laps[2:], strict=True)
            )
            print(
                f"{kind:12}{batch:8.1f}{one:9.1f}{copy:8.1f}   "
                f"{one / batch:.1f}x faster than a call, {batch / copy:.1f}x of COPY"
            )
        turns = [mixed(agent) for _ in range(rounds)][2:]
        one, apart = (statistics.median(side) for side in zip(*turns, strict=True))
        print(
            f"{'in turns':12}{one:8.1f}{apart:9.1f}           {apart / one:.1f}x faster"
        )
        admin.close()
        agent.close()


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
