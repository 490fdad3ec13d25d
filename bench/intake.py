"""Measures what an event of an emitter costs the database, in batches as they come.

Prints microseconds an event, the median of several rounds, for batches of one kind and
for the mix of a coding agent (two events of a call to one of a model), new and
repeated; and milliseconds of one judgement.  Run as ``python -m bench.intake
[ROUNDS]``.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import psycopg

from agentdb.admin import operation
from agentdb.local import LocalServer
from agentdb.schema import install as installation

Event = dict[str, Any]
CALL = "select count(*) from agentdb.record_events(%s::text::jsonb)"
JUDGE = "select * from agentdb.judge_call('a', 'c-1', null, 'read', %s::jsonb)"
number = itertools.count()


def event(kind: str, session: int, **told: object) -> Event:
    """Return an event of one of the agent's sessions."""
    return {
        "kind": kind,
        "agent": "a",
        "proven": True,
        "conversation": f"c-{session}",
        "at": "2026-11-29T12:00:00.123456Z",
        "emitter": "claude-code 2.1.332",
        "source": "span",
        "ids": [f"span-{next(number)}"],
        **told,
    }


def call(session: int) -> Event:
    """Return a call with arguments as a coding agent makes them."""
    place = next(number)
    args = {"file_path": f"/src/app/module_{place}.py", "limit": 200, "offset": place}
    return event(
        "call",
        session,
        tool="Read",
        args=args,
        call_id=f"toolu_{place}",
        ok=True,
        result_size=5120,
        duration_ms=12.5,
    )


def tokens(session: int) -> Event:
    """Return the tokens of a model call."""
    return event(
        "tokens", session, model="m-1", input=120, cached_input=9000, output=310
    )


def mixed(session: int) -> Event:
    """Return one of what a coding agent tells, in turn."""
    return (call, call, tokens)[next(number) % 3](session)


def batches(make: Callable[[int], Event], size: int, sessions: int) -> Iterator[str]:
    """Yield batches without end."""
    while True:
        yield json.dumps([make(place % sessions) for place in range(size)])


def cost(connection: psycopg.Connection, batch: str) -> float:
    """Return the seconds that a batch takes."""
    begun = perf_counter()
    connection.execute(CALL, [batch])
    return perf_counter() - begun


def report(connection: psycopg.Connection, rounds: int) -> None:
    """Print a line for each kind and size."""
    cases = itertools.product((call, tokens, mixed), (1, 50, 500), (1, 20))
    for make, size, sessions in cases:
        stream = batches(make, size, sessions)
        taken = [next(stream) for _ in range(rounds)]
        fresh = statistics.median(cost(connection, batch) for batch in taken)
        again = statistics.median(cost(connection, batch) for batch in taken)
        print(
            f"{make.__name__:8}{size:6} events of {sessions:3} sessions"
            f"{fresh / size * 1e6:10.0f} µs new{again / size * 1e6:10.0f} µs repeated"
        )


def judge(connection: psycopg.Connection) -> None:
    """Print what one judgement takes."""
    begun = perf_counter()
    for place in range(200):
        connection.execute(JUDGE, [json.dumps({"path": f"/{place}"})])
    print(f"judge_call {(perf_counter() - begun) / 200 * 1e3:.2f} ms")


def main(rounds: int = 15) -> None:
    settings = {"synchronous_commit": "off", "autovacuum": "off"}
    with LocalServer(settings=settings) as server:
        installation.install(server.dsn())
        operation.register_agent(server.dsn(), "a", role="agent_1", create_role=True)
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute("create role intake_1 login in role agentdb_intake")
            connection.execute("select agentdb.maintain()")
        dsn = server.dsn(user="intake_1")
        with psycopg.connect(dsn, autocommit=True) as connection:
            report(connection, rounds)
            # As a runner does every few seconds.
            with psycopg.connect(server.dsn(), autocommit=True) as owner:
                owner.execute("select agentdb.roll_up()")
            judge(connection)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
