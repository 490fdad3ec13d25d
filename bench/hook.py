"""What a hook costs a coding agent: by HTTP, and by the command, beside bare Python.

Run it from the checkout: python -m bench.hook [--calls N]
Each round asks for one call before it is made and says that it has ended; the database
keeps its promises (fsync), as it would in production.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import psycopg

from agentdb.local import LocalServer
from agentdb.schema import install as installation

SERVE = [sys.executable, "-m", "agentdb", "serve", "--listen", "127.0.0.1:0", "--dsn"]
HOOK = Path(sys.executable).parent / "agentdb-hook"
GIVEN = {"tool_name": "Bash", "tool_input": {"command": "make test"}, "session_id": "s"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    calls = parser.parse_args().calls
    with LocalServer() as server:
        installation.install(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute("create role writer login in role agentdb_agent")
            admin.execute("create role taker login in role agentdb_intake")
            admin.execute("select agentdb.register_agent('writer', 'writer')")
            made = admin.execute(
                "select agentdb.make_intake_token('writer')"
            ).fetchone()
        assert made
        command = [*SERVE, server.dsn(user="taker")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
            assert serving.stdout
            line = serving.stdout.readline()
            url = next(word for word in line.split() if "://" in word)
            _http(url, made[0], calls)
            _command(url, made[0], min(calls, 100))
            serving.terminate()


def _http(url: str, token: str, calls: int) -> None:
    connection = HTTPConnection(urlsplit(url).netloc)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    spans: dict[str, list[float]] = {"PreToolUse": [], "PostToolUse": []}
    for number in range(calls + 50):
        for name, taken in spans.items():
            body = json.dumps(_event(name, number))
            began = perf_counter()
            connection.request("POST", "/hook", body, headers)
            answer = connection.getresponse()
            assert answer.read() == b"{}", answer.status
            if number >= 50:
                taken.append(perf_counter() - began)
    for name, taken in spans.items():
        _report(f"HTTP, {name}", taken)


def _command(url: str, token: str, calls: int) -> None:
    environment = {**os.environ, "AGENTDB_SERVE": url, "AGENTDB_INTAKE_TOKEN": token}
    bare: list[float] = []
    taken: list[float] = []
    for number in range(calls):
        event = json.dumps(_event("PreToolUse", number + 10**6)).encode()
        for command, spans in (([sys.executable, "-c", "pass"], bare), ([HOOK], taken)):
            began = perf_counter()
            subprocess.run(
                command, input=event, env=environment, check=True, capture_output=True
            )
            spans.append(perf_counter() - began)
    _report("bare Python", bare)
    _report("command", taken)


def _event(name: str, number: int) -> dict[str, object]:
    given: dict[str, object] = {
        **GIVEN,
        "hook_event_name": name,
        "tool_use_id": f"t{number}",
    }
    if name == "PostToolUse":
        given |= {"tool_response": {"stdout": f"{number} passed"}, "duration_ms": 12}
    return given


def _report(what: str, spans: list[float]) -> None:
    ninety_nine = statistics.quantiles(spans, n=100)[98] * 1000
    middle = statistics.median(spans) * 1000
    print(f"{what:20} p50 {middle:6.2f} ms, p99 {ninety_nine:6.2f} ms")


if __name__ == "__main__":
    main()
