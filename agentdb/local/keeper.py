"""Keeps a PostgreSQL server for as long as its owner lives.

Run as a process of its own, by path and on the standard library alone: it may
have given up the right to read anything else.  The first line on standard input
is the order; the end of standard input is the end of the owner.  One line of
JSON on standard output tells that the server is ready, or what went wrong.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

OWNER = 0
READY = b"database system is ready to accept connections"
STOPPING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
# Until a stopped server is told more firmly: it may have much to write.
PATIENCE_S = 60
# Nothing of the owner's: PGPORT, PGOPTIONS and the like would change the server.
ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


class Failure(Exception):
    """Something the owner must know."""


def main() -> None:
    """Carry out the order on standard input, then tidy up."""
    for number in STOPPING:
        signal.signal(number, lambda *_: sys.exit())
    order = json.loads(sys.stdin.buffer.readline())
    try:
        become(**order["account"])
        sweep(order)
        keep(order)
    except (Failure, OSError) as failure:
        tell(error=str(failure))
    finally:
        shutil.rmtree(order["scratch"], ignore_errors=True)


def become(uid: int, gid: int) -> None:
    """Give up being root, for good."""
    os.umask(0o077)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def tell(**news: Any) -> None:
    """Send the owner its one line, if it is still there to read it."""
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), json.dumps(news).encode() + b"\n")


def sweep(order: dict[str, Any]) -> None:
    """Stop and remove what dead owners with dead keepers have left behind."""
    for directory in Path(order["scratch"]).parent.glob(order["prefix"] + "*"):
        # Whatever is wrong with a leftover must not keep a new server from starting.
        with contextlib.suppress(OSError, Failure), locked(directory):
            stop_leftover(directory / "data", "immediate", order)
            shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a leftover directory of ours; OSError if it is none."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(directory)
        if not os.listdir(descriptor):
            raise BlockingIOError(directory)  # new, and about to be locked
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def stop_leftover(data: Path, mode: str, order: dict[str, Any]) -> None:
    """Stop the server that runs in a directory whose owner and keeper are dead."""
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        if is_postmaster(pid, data):
            run(order, "pg_ctl", "stop", "-D", data, "-m", mode, "-t", f"{PATIENCE_S}")


def is_postmaster(pid: int, data: Path) -> bool:
    """Tell the server of a directory from a process that was given its old id."""
    if Path("/proc/self/cwd").exists():
        return os.path.samefile(f"/proc/{pid}/cwd", data)
    command = ["ps", "-p", f"{pid}", "-o", "command="]
    return str(data) in subprocess.run(command, capture_output=True, text=True).stdout


def keep(order: dict[str, Any]) -> None:
    """Run the server until its owner is gone, or itself."""
    home = Path(order["home"])
    stop_leftover(home / "data", "fast", order)
    if not (home / "data").exists():
        initialise(home, order)
    command = [f"{order['programs']}/postgres", "-D", home / "data", *order["options"]]
    with (
        open(home / "server.log", "wb", buffering=0) as log,
        subprocess.Popen(command, stderr=subprocess.PIPE, env=ENVIRONMENT) as server,
    ):
        try:
            attend(server, log)
        finally:
            stop(server, log, order["signals"])


def initialise(home: Path, order: dict[str, Any]) -> None:
    """Make the data directory: whole, or not at all."""
    new = home / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    run(order, "initdb", "-D", new, *order["initdb"])
    new.rename(home / "data")


def run(order: dict[str, Any], program: str, *arguments: str | Path) -> None:
    """Run a program of PostgreSQL to its end."""
    done = subprocess.run(
        [f"{order['programs']}/{program}", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=ENVIRONMENT,
    )
    if done.returncode:
        raise Failure(f"{program} failed: {done.stdout.decode(errors='replace')}")


def attend(server: subprocess.Popen[bytes], log: BinaryIO) -> None:
    """Write down what the server says, and tell the owner when it is ready."""
    heard, ready = b"", False
    for words in listen(server):
        log.write(words)
        heard += words if not ready else b""
        if not ready and READY in heard:
            ready = True
            tell(ready=True)
    if not ready:
        raise Failure(f"PostgreSQL did not start: {heard.decode(errors='replace')}")


def listen(server: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Yield what the server says until its owner is gone, or itself."""
    assert server.stderr is not None
    with selectors.DefaultSelector() as selector:
        selector.register(OWNER, selectors.EVENT_READ)
        selector.register(server.stderr, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                words = os.read(key.fd, 65536)
                if not words:
                    return
                yield words


def stop(server: subprocess.Popen[bytes], log: BinaryIO, signals: list[int]) -> None:
    """Stop the server, in the order asked for and by force at last."""
    for unwanted in STOPPING:
        signal.signal(unwanted, signal.SIG_IGN)
    for number in (*signals, signal.SIGKILL):
        server.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            log.write(server.communicate(timeout=PATIENCE_S)[1])
            return


if __name__ == "__main__":
    main()
