"""A hot standby: a server that is being recovered and answers, but cannot write."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from agentdb.local import LocalServer, binaries
from agentdb.local.account import server_account
from agentdb.schema import install as installation

from .servers import tell

SETTINGS = {"wal_level": "replica"}


@contextmanager
def standby(folder: Path) -> Iterator[str]:
    """Install the pack in a server, start its data as a standby; gives its DSN."""
    account = server_account()
    with LocalServer(directory=folder, settings=SETTINGS) as primary:
        installation.install(primary.dsn())
        tell(primary.dsn(), "create role operator_s login in role agentdb_operator")
        dsn, programs = primary.dsn(user="operator_s"), primary.bin
    if not binaries.run_in_place(programs, account):
        pytest.skip(f"{account.name} cannot run {programs}")
    (folder / "data" / "standby.signal").touch()
    process = subprocess.Popen(
        [programs / "postgres", "-D", folder / "data", "-k", folder, "-h", ""],
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(process, dsn)
        yield dsn
    finally:
        process.terminate()
        process.wait()


def _await(process: subprocess.Popen[bytes], dsn: str) -> None:
    """Wait until it answers; one that ended never will."""
    while True:
        assert process.poll() is None, "the standby has ended"
        try:
            psycopg.connect(dsn, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
