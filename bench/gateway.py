"""What the gateway adds to a call of an MCP server, beside the same server alone.

Run it from the checkout: python -m bench.gateway [--calls N]
Calls take turns with and without the gateway; the server only answers.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from time import perf_counter

import psycopg

from agentdb.local import LocalServer
from agentdb.schema import install as installation

SERVER = [sys.executable, "-c", """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    content = [{"type": "text", "text": "x" * 2000}]
    result = {"content": content, "isError": False}
    answer = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
    print(json.dumps(answer), flush=True)
"""]  # fmt: skip
GATEWAY = [sys.executable, "-m", "agentdb", "gateway", "--", *SERVER]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    calls = parser.parse_args().calls
    with LocalServer(fast=True) as server:
        installation.install(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute("create role writer login in role agentdb_agent")
            admin.execute("select agentdb.register_agent('writer', 'writer')")
        environment = {**os.environ, "AGENTDB_DSN": server.dsn(user="writer")}
        alone, through = (started(each, environment) for each in (SERVER, GATEWAY))
        spans: list[tuple[float, float]] = []
        for place in range(calls + 50):
            spans.append((call(alone, place), call(through, place)))
        # The first ones start everything up.
        report("alone", [one for one, _ in spans[50:]])
        report("gateway", [two for _, two in spans[50:]])
        report("added", [two - one for one, two in spans[50:]])
        for child in (alone, through):
            child.communicate()


def started(command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )


def call(child: subprocess.Popen[bytes], place: int) -> float:
    """Return the milliseconds of one call."""
    assert child.stdin and child.stdout
    params = {"name": "search", "arguments": {"q": "May", "place": place}}
    message = {"jsonrpc": "2.0", "id": place, "method": "tools/call", "params": params}
    began = perf_counter()
    child.stdin.write(json.dumps(message).encode() + b"\n")
    child.stdin.flush()
    child.stdout.readline()
    return (perf_counter() - began) * 1e3


def report(name: str, found: list[float]) -> None:
    parts = statistics.quantiles(found, n=100)
    print(f"{name:<8} p50 {parts[49]:6.2f} ms   p99 {parts[98]:6.2f} ms")


if __name__ == "__main__":
    main()
