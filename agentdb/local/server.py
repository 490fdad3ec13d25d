"""A PostgreSQL server that lives as long as the process that started it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import quote, urlencode

from . import binaries, directories
from .account import Account, server_account
from .errors import LocalServerError

INITDB = (
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--no-instructions",
)
# For databases that nobody will miss when the power fails.
FAST = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "jit": "off",
    "max_connections": "200",
    "max_wal_senders": "0",
    "shared_buffers": "64MB",
    "synchronous_commit": "off",
    "wal_level": "minimal",
}
# What the keeper and the clients rely on.  Everybody who may open the socket is
# trusted, so nobody else may: the directory keeps them out, and so does the
# socket itself, in case the directory is a given one and open.
FIXED = {
    "listen_addresses": "",
    "log_destination": "stderr",
    "logging_collector": "off",
    "port": "5432",
    "unix_socket_permissions": "0700",
}


class LocalServer:
    """A server on a Unix socket of its own, to be used as a context manager.

    Without a directory the databases are gone at the end.  With one they are
    kept in it, and found there by the next server.  ``fast`` gives up durability.
    """

    directory: Path
    bin: Path
    _order: bytes
    _scratch: Path
    _sockets: Path

    def __init__(
        self,
        *,
        directory: str | os.PathLike[str] | None = None,
        fast: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._wanted = None if directory is None else Path(directory).absolute()
        self._fast = fast
        self._settings = {**(FAST if fast else {}), **(settings or {}), **FIXED}
        self._locks: list[int] = []
        self._keeper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> LocalServer:
        account = server_account()
        self._scratch = directories.make_private(account)
        try:
            self._start(account)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def unix_socket(self) -> Path:
        """The socket that the server listens on."""
        return self._sockets / directories.SOCKET

    def dsn(self, *, database: str = "postgres", user: str = "postgres") -> str:
        """Return the URI of a database, for libpq, psycopg and SQLAlchemy."""
        place = {"host": os.fsencode(self._sockets), "port": FIXED["port"]}
        return (
            f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}"
            f"?{urlencode(place, safe='', quote_via=quote)}"
        )

    def _start(self, account: Account) -> None:
        self._locks.append(directories.lock(self._scratch))
        # From here on it is not empty, and is swept if nobody holds its lock.
        (self._scratch / "owner").write_text(f"{os.getpid()}\n")
        self.directory = self._wanted or self._scratch
        if self._wanted:
            directories.prepare(self._wanted, account)
            self._locks.append(directories.lock(self._wanted))
        self.bin = programs = binaries.find(self.directory / "data")
        if not binaries.run_in_place(programs, account):
            programs = binaries.copy(programs, self._scratch / "programs", account)
        # Last, so that nobody else has a hand in what we do there as root.
        account.take(self._scratch)
        fits = directories.fits_socket(self.directory)
        self._sockets = self.directory if fits else self._scratch
        self._order = self._make_order(account, programs)
        self._employ_keeper()

    def _make_order(self, account: Account, programs: Path) -> bytes:
        """Return what the keeper has to know, on one line."""
        sockets = str(self._sockets).replace('"', '""')
        settings = {**self._settings, "unix_socket_directories": f'"{sockets}"'}
        kept = self._wanted and not self._fast
        order = {
            "account": {"uid": account.uid, "gid": account.gid},
            "home": str(self.directory),
            "initdb": [*INITDB, *([] if kept else ["--no-sync"])],
            "options": [f"--{name}={value}" for name, value in settings.items()],
            "prefix": directories.PREFIX,
            "programs": str(programs),
            "scratch": str(self._scratch),
            # Data that is thrown away needs no checkpoint.
            "signals": [*([signal.SIGINT] if self._wanted else []), signal.SIGQUIT],
        }
        return json.dumps(order).encode() + b"\n"

    def _employ_keeper(self) -> None:
        """Start the keeper, and return when it has started the server."""
        self._keeper = keeper = self._new_keeper()
        _alive.add(self)
        assert keeper.stdin and keeper.stdout
        with keeper.stdout as answers:
            with suppress(BrokenPipeError):
                keeper.stdin.write(self._order)
            answer = json.loads(answers.readline() or '{"error": "its keeper died"}')
        if "error" in answer:
            raise LocalServerError(f"no local server: {answer['error']}")

    def _new_keeper(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", Path(__file__).with_name("keeper.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd="/",
            pass_fds=self._locks,
            start_new_session=True,  # a Ctrl-C is for us alone
        )

    def _stop(self) -> None:
        self._let_go()
        if self._keeper and self._keeper.wait() < 0:
            # Somebody killed the keeper.  Another one, whose owner is gone from
            # the beginning, finishes its work.
            self._keeper = self._new_keeper()
            self._keeper.communicate(self._order)
        if not self._keeper or self._keeper.returncode:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _let_go(self) -> None:
        """Close what tells the keeper, and those who sweep, that we are alive."""
        if self._keeper and self._keeper.stdin:
            self._keeper.stdin.close()
        while self._locks:
            os.close(self._locks.pop())


_alive: weakref.WeakSet[LocalServer] = weakref.WeakSet()


def _let_go_of_all() -> None:
    for server in _alive:
        server._let_go()


# A forked child that outlives us must not keep our server alive.
os.register_at_fork(after_in_child=_let_go_of_all)
