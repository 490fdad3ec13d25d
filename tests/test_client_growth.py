"""A day's worth of traffic takes no more memory than its beginning."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from .agents import register, row, value
from .conftest import Connection
from .relay import Relay
from .servers import Server

ROOT = Path(__file__).parent.parent
# Calls of a program, and a usage for every tenth; a quarter of them while the database
# is away.  `make soak` has more of them.
CALLS = int(os.environ.get("AGENTDB_TRAFFIC", "24000"))
# What it may have grown by, in bytes: ten for each call of `make soak`.
GROWTH = 4 * 1024 * 1024
PROGRAM = """
    import os, sys
    from agentdb.client import Agent, Limits, Usage

    def size():
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def work(count, waits):
        for number in range(count):
            run.call("look_up", {"order": number}, lambda: "there is no order")
            if number % 10 == 0:
                run.log_tokens(Usage(700, 20, 100, model="m"))
            if waits and number % 4000 == 0:
                assert run._log.flush(60)

    limits = Limits(window=0.05, events=10_000, patience=2)
    with Agent(limits=limits).run() as run:
        for line in sys.stdin:
            count, waits = line.split()
            work(int(count), waits == "there")
            print(size(), run._log.flush(60) if waits == "there" else "", flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_traffic_of_a_day_does_not_grow(db: Connection, server: Server) -> None:
    register(db)
    parts = conninfo_to_dict(server.dsn())
    relay = Relay(str(parts["host"]), int(str(parts["port"])))
    with relay.relaying() as way:
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PROGRAM)],
            cwd=ROOT,
            env={**os.environ, "AGENTDB_DSN": way.dsn(db.info.dbname, "agent_a")},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

        def size_after(calls: int, where: str) -> int:
            assert child.stdin and child.stdout
            child.stdin.write(f"{calls} {where}\n")
            child.stdin.flush()
            return int(child.stdout.readline().split()[0])

        # All that is ever kept has been kept once: a buffer that is full, and drained.
        size_after(1000, "there")
        way.flowing.clear()
        size_after(15_000, "away")
        way.flowing.set()
        warm = size_after(5000, "there")
        part = CALLS // 4
        size_after(part, "there")
        way.flowing.clear()
        size_after(part, "away")
        way.flowing.set()
        grown = size_after(2 * part, "there") - warm
        child.communicate(timeout=60)
    assert child.returncode == 0
    # What came while it was away, beyond the buffer, was dropped and is reported.
    recorded = value(db, "select count(*) from agentdb.tool_call_log")
    assert recorded >= 3 * part + 6000
    lost = value(
        db, "select sum((details ->> 'dropped')::int) from agentdb.progress_log"
    )
    tokens = value(db, "select count(*) from agentdb.token_log")
    made = 21_000 + 4 * part
    assert recorded + tokens + lost == made + made // 10
    assert row(db, "select outcome from agentdb.run") == {"outcome": "succeeded"}
    print(f"{made:,} calls: it has grown by {grown:,} bytes")
    assert grown < GROWTH, f"it has grown by {grown:,} bytes"
