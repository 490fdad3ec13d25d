"""PgBouncer in transaction mode, as it stands between many an application and a server."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from agentdb.local.account import server_account

from .ports import free_port
from .servers import Server

CONFIGURATION = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
server_login_retry = 1
"""


@contextmanager
def pooler(server: Server, users: Sequence[str]) -> Iterator[Callable[..., str]]:
    """Start a PgBouncer before a server; gives connection strings through it."""
    if not (
        program := shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    ):
        pytest.skip("there is no pgbouncer: apt-get install pgbouncer")
    listen, parts = free_port(), conninfo_to_dict(server.dsn())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "users").write_text("".join(f'"{user}" ""\n' for user in users))
        text = CONFIGURATION.format(**parts, listen=listen, folder=folder)
        (folder / "pgbouncer.ini").write_text(text)
        account = server_account()
        account.take(folder)
        process = subprocess.Popen(
            [program, "-q", str(folder / "pgbouncer.ini")],
            user=account.uid,
            group=account.gid,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def dsn(database: str, user: str) -> str:
            return f"postgresql://{user}@127.0.0.1:{listen}/{quote(database)}"

        try:
            _await(process, dsn(str(parts["dbname"]), users[0]))
            yield dsn
        finally:
            process.terminate()
            process.wait()


def _await(process: subprocess.Popen[bytes], dsn: str) -> None:
    """Wait until it answers; one that ended never will."""
    while True:
        assert process.poll() is None, "pgbouncer has ended"
        try:
            psycopg.connect(dsn, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            continue
