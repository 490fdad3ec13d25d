"""Builds side by side: an earlier one is installed beside this one on one server."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg

from agentdb.local import LocalServer

ROOT = Path(__file__).parent.parent
COMMAND = ("-m", "agentdb", "install", "--dsn")

Connection = psycopg.Connection[Any]


def found(stack: ExitStack, revision: str | None) -> dict[str, Path]:
    """Return the folders of the builds: that of a revision of git, and this one."""
    before = {} if revision is None else {"before": checkout(stack, revision)}
    return {**before, "now": ROOT}


def checkout(stack: ExitStack, revision: str) -> Path:
    """Return a folder with an earlier build."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    packed = subprocess.run(
        ["git", "archive", revision], cwd=ROOT, check=True, capture_output=True
    )
    subprocess.run(["tar", "-x", "-C", folder], input=packed.stdout, check=True)
    return Path(folder)


def install(server: LocalServer, admin: Connection, name: str, where: Path) -> str:
    """Install a build into a database of its own; return the name of that."""
    database = f"{name}_build"
    admin.execute(f"create database {database}".encode())
    subprocess.run(
        [sys.executable, *COMMAND, server.dsn(database=database)],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(where)},
        check=True,
        capture_output=True,
    )
    return database


def connect(stack: ExitStack, dsn: str) -> Connection:
    """Return a session that ends with the stack."""
    return stack.enter_context(psycopg.connect(dsn, autocommit=True))


def take_turns(
    steps: dict[str, Callable[[int], object]], calls: int
) -> dict[str, list[float]]:
    """Return the seconds of each call of each build.

    The builds take turns at each call, so that other work on the machine meets both.
    """
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(calls):
        for name, step in steps.items():
            began = perf_counter()
            step(number)
            times[name].append(perf_counter() - began)
    return times


def quotients(dividend: list[float], divisor: list[float]) -> tuple[float, float]:
    """Return the quotients of the medians and of the fastest tenths."""
    one, other = (statistics.quantiles(each, n=10) for each in (dividend, divisor))
    return one[4] / other[4], one[0] / other[0]
