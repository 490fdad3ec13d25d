"""Measures what one budget of a tree costs 16 children that reserve at the same time.

Run it from the checkout: python -m bench.tree [--seconds 5] [--rounds 3]
Sixteen agents, each a process of pgbench, reserve and settle as fast as they can: as
children of one run, whose row they pass one after another, and as runs of their own.
Both take turns in one run on one server that is durable.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from agentdb.local import LocalServer
from tests.conftest import install_on

CHILDREN = 16
SETTINGS = {"max_connections": "100", "shared_buffers": "256MB", "jit": "off"}
SCRIPT = """
select reservation from agentdb.reserve_tokens(10, run => :run) \\gset
select repeated from agentdb.settle_tokens(:reservation, 1, 1, run => :run);
"""
LIMITS = (
    "update agentdb.policy set tree_budget_tokens = 1000000000000,"
    " agent_day_budget_tokens = null, conversation_budget_tokens = 1000000000000"
)


class Fleet:
    """Sixteen agents, each with a run in a tree and a run of its own."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server
        #: The runs of a kind (tree, alone), by the role of their agent.
        self.runs: dict[str, dict[str, int]] = {"tree": {}, "alone": {}}
        self._open: list[psycopg.Connection[Any]] = []

    def __enter__(self) -> Fleet:
        db = self._connect()
        db.execute(LIMITS)
        db.execute("create role root_agent login in role agentdb_agent")
        db.execute("select agentdb.register_agent('root', 'root_agent')")
        root = self._connect("root_agent")
        root.execute("select agentdb.start_run()")
        for place in range(CHILDREN):
            role = f"child_{place}"
            db.execute(f"create role {role} login in role agentdb_agent".encode())
            db.execute("select agentdb.register_agent(%s, %s)", [role, role])
            for kind, token in (
                ("alone", None),
                ("tree", _value(root, "select agentdb.spawn_token()")),
            ):
                start = "select run_id from agentdb.start_run(spawn_token => %s)"
                session = self._connect(role)
                self.runs[kind][role] = _value(session, start, token)
        return self

    def __exit__(self, *error: object) -> None:
        for session in self._open:
            session.close()

    def _connect(self, role: str = "postgres") -> psycopg.Connection[Any]:
        dsn = self._server.dsn(database="agentdb", user=role)
        self._open.append(psycopg.connect(dsn, autocommit=True))
        return self._open[-1]

    def command(self, role: str, run: int, script: Path, seconds: int) -> list[str]:
        """Return the command that works for one run."""
        dsn = self._server.dsn(database="agentdb", user=role)
        return [
            f"{self._server.bin}/pgbench", "-n", "-M", "prepared", "-c", "1",
            "-T", str(seconds), "-f", str(script), "-D", f"run={run}", dsn,
        ]  # fmt: skip


def _value(session: psycopg.Connection[Any], query: str, *values: object) -> Any:
    found = session.execute(query.encode(), values or None).fetchone()
    assert found
    return found[0]


def measure(fleet: Fleet, kind: str, script: Path, seconds: int) -> float:
    """Return how many reservations were settled a second, of all runs of a kind."""
    at_work = [
        subprocess.Popen(
            fleet.command(role, run, script, seconds),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for role, run in fleet.runs[kind].items()
    ]  # fmt: skip
    rate = 0.0
    for each in at_work:
        said, wrong = each.communicate()
        found = re.search(r"^tps = ([0-9.]+)", said, re.MULTILINE)
        if each.returncode or not found:
            raise SystemExit(f"pgbench failed: {wrong or said}")
        rate += float(found[1])
    return rate


def main() -> None:
    """Print the throughput with and without one budget of a tree, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as place,
        LocalServer(settings=SETTINGS) as server,
    ):
        os.chmod(place, 0o755)
        script = Path(place, "reserve.sql")
        script.write_text(SCRIPT)
        install_on(server)
        with Fleet(server) as fleet:
            rates: dict[str, list[float]] = {"alone": [], "tree": []}
            for _ in range(given.rounds):
                for kind, found in rates.items():
                    found.append(measure(fleet, kind, script, given.seconds))
    alone, tree = (statistics.median(rates[kind]) for kind in ("alone", "tree"))
    print(f"| {CHILDREN} runs | reservations/s |")
    print("| --- | ---: |")
    print(f"| each by itself | {alone:.0f} |")
    print(f"| children of one run | {tree:.0f} |")
    print(f"with one budget of their tree: {tree / alone:.2f} of that without")


if __name__ == "__main__":
    main()
