"""Directories that are in use for as long as somebody holds their lock.

The lock is an flock on the directory itself.  The kernel drops it with its last
holder, so a leftover is told from a live server's directory without trusting
process ids, which are reused and mean nothing in another container.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

from .account import Account
from .errors import LocalServerError

OURS = {"data", "data.new", "server.log"}
PREFIX = "agentdb-pg-"
SOCKET = ".s.PGSQL.5432"
# The kernel's limit is 107 bytes on Linux and 103 on macOS.
SOCKET_PATH_LIMIT = 103


def lock(directory: Path) -> int:
    """Return a descriptor that holds a directory's lock, or fail if it is held."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise LocalServerError(f"{directory} is in use by a running server") from error
    return descriptor


def make_private(account: Account) -> Path:
    """Create a directory for the account's temporary files, still our own."""
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=_base(account)))


def prepare(directory: Path, account: Account) -> None:
    """Create a directory to keep a server in, or accept one that is fit for it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = {path.name for path in directory.iterdir()}
    except OSError as error:
        raise LocalServerError(
            f"no server can be kept in {directory}: {error}"
        ) from error
    if not content:
        account.take(directory)
    elif not content & OURS:
        raise LocalServerError(
            f"{directory} is not empty and holds no server of ours: name another one"
        )
    if not account.can_write(directory):
        raise LocalServerError(
            f"user {account.name}, who is to run PostgreSQL, cannot use {directory}: "
            f"{account.obstacle(directory)} keeps it out",
            hint="name a place that it can reach: --directory /var/tmp/agentdb-data",
        )


def fits_socket(directory: Path) -> bool:
    """Tell whether clients can name a socket in this directory.

    The kernel limits the length, and a comma separates hosts for libpq.
    """
    path = os.fsencode(directory / SOCKET)
    return len(path) <= SOCKET_PATH_LIMIT and b"," not in path


def is_plain(path: Path) -> bool:
    """Tell whether programs can run there: initdb puts its path in double quotes."""
    return not set(str(path)) & set('"$`\\\n\r')


def _base(account: Account) -> Path:
    """Return the directory for temporary ones: the usual one, or a plainer one."""
    for name in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108
        base = Path(name).absolute()
        short = fits_socket(base / f"{PREFIX}12345678")
        if short and is_plain(base) and account.can_write(base):
            return base
    raise LocalServerError(
        f"user {account.name} can create no file in the temporary directory: set TMPDIR"
    )
