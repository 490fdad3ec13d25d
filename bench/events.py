"""Measures what an agent's call costs against a bare insert of the same row.

Prints transactions a second of pgbench and their ratio, with the measurements of both
interleaved so that whatever else the machine does hits them alike.  The peer is a
table with the same columns and one BRIN index: the least that would keep the rows.
Run as ``python -m bench.events [SECONDS]``.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psycopg

from agentdb.admin import operation
from agentdb.local import LocalServer
from agentdb.schema import install as installation

ROUNDS = 5
BARE = {
    "log_progress": (
        "insert into bare_progress (run_id, agent_id, step, details) "
        "values (1, 1, 'fetched page 3', '{\"rows\": 120}')"
    ),
    "log_tool_call": (
        "insert into bare_tool_call (run_id, agent_id, tool, args, ok, result_size) "
        "values (1, 1, 'search', '{\"q\": \"May\"}', true, 5120)"
    ),
    "log_tokens": (
        "insert into bare_tokens (run_id, agent_id, input_tokens, cached_input_tokens, "
        "output_tokens, reasoning_tokens, cost, model) "
        "values (1, 1, 5200, 0, 310, 0, 0.01, 'm-1')"
    ),
}
OURS = {
    "log_progress": (
        "select from agentdb.log_progress('fetched page 3', '{\"rows\": 120}')"
    ),
    "log_tool_call": (
        "select from agentdb.log_tool_call('search', '{\"q\": \"May\"}', "
        "result_size => 5120)"
    ),
    "log_tokens": (
        "select from agentdb.log_tokens(5200, 310, model => 'm-1', cost => 0.01)"
    ),
}
TABLE = """
create table {name} (like agentdb.{log} including defaults including identity);
create index on {name} using brin (recorded_at);
grant insert on {name} to agent_1;
"""
TABLES = {
    "bare_progress": "progress_log",
    "bare_tool_call": "tool_call_log",
    "bare_tokens": "token_log",
}


def prepare(server: LocalServer) -> None:
    """Install the pack, register an agent with an open run, make the peers' tables."""
    installation.install(server.dsn())
    operation.register_agent(server.dsn(), "a", role="agent_1", create_role=True)
    with psycopg.connect(server.dsn()) as connection:
        connection.execute("select agentdb.maintain()")
        for name, log in TABLES.items():
            connection.execute(TABLE.format(name=name, log=log).encode())
    with psycopg.connect(server.dsn(user="agent_1")) as connection:
        connection.execute("select agentdb.start_run()")


def rate(server: LocalServer, script: str, clients: int, seconds: int) -> float:
    """Return the transactions a second of one statement."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script + ";\n")
        file.flush()
        command = [str(server.bin / "pgbench"), "-n", "-M", "prepared", "-f", file.name]
        options = ["-c", str(clients), "-j", "2", "-T", str(seconds)]
        return _tps([*command, *options, server.dsn(user="agent_1")])


def _tps(command: Sequence[str | Path]) -> float:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def main(seconds: int = 2) -> None:
    settings = {"synchronous_commit": "off", "autovacuum": "off"}
    with LocalServer(settings=settings) as server:
        prepare(server)
        print(f"{'call':16}{'clients':>8}{'bare insert':>14}{'ours':>12}   ratio")
        for call in OURS:
            for clients in (1, 8):
                pairs = [
                    (
                        rate(server, BARE[call], clients, seconds),
                        rate(server, OURS[call], clients, seconds),
                    )
                    for _ in range(ROUNDS)
                ]
                bare, ours = (
                    statistics.median(side) for side in zip(*pairs, strict=True)
                )
                print(
                    f"{call:16}{clients:8}{bare:10.0f} tps{ours:8.0f} tps"
                    f"{ours / bare:8.2f}"
                )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
