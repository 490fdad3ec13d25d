"""What recording a tool call costs the program that makes it, beside not recording.

Run it from the checkout: python -m bench.client [--calls N]
The call is a function that does nothing; the time is the caller's alone, the log is
sent in the background meanwhile.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from time import perf_counter

import psycopg

from agentdb import Agent
from agentdb.client import Run
from agentdb.local import LocalServer
from agentdb.schema import install as installation

ARGS = {"to": "ada@example.org", "subject": "Invoice of May", "lines": [1, 2, 3]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5000)
    calls = parser.parse_args().calls
    with LocalServer(fast=True) as server:
        installation.install(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute("create role writer login in role agentdb_agent")
            admin.execute("select agentdb.register_agent('writer', 'writer')")
        with Agent(server.dsn(user="writer")).run("bench") as run:
            report("not recorded", spans(nothing, calls))
            report("run.call", spans(lambda: call(run), calls))
            report("@run.tool", spans(run.tool(nothing), calls))
            run._log.flush(60)


def nothing() -> None:
    """Do what the tool of the bench does."""


def call(run: Run) -> None:
    run.call("send_mail", ARGS, nothing)


def spans(function: Callable[[], None], calls: int) -> list[float]:
    """Return the microseconds of each call."""
    found = []
    for _ in range(calls):
        began = perf_counter()
        function()
        found.append((perf_counter() - began) * 1e6)
    return found


def report(name: str, found: list[float]) -> None:
    parts = statistics.quantiles(found, n=100)
    print(f"{name:<14} p50 {parts[49]:7.1f} µs   p99 {parts[98]:7.1f} µs")


if __name__ == "__main__":
    main()
