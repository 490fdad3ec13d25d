"""Real processes that own servers, and ways to see what becomes of them."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

linux = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="watches processes")
# Starts a server, tells where, and ends when told to.
OWNER = """
import json, os, sys
from agentdb.local import LocalServer

directory, forks = json.loads(sys.argv[1])
with LocalServer(directory=directory, fast=True) as server:
    if forks and not os.fork():
        sys.stdin.read()
        os._exit(0)
    print(json.dumps([server.dsn(), str(server.directory)]), flush=True)
    sys.stdin.read()
"""


@dataclass
class Owner:
    """A process that owns a server."""

    process: subprocess.Popen[str]
    dsn: str
    directory: Path
    postmaster: int
    keeper: int

    def end(self, number: signal.Signals) -> None:
        """Send a signal, and wait until the owner's keeper is gone as well."""
        keeper = os.pidfd_open(self.keeper)
        with self.process:
            self.process.send_signal(number)
            await_end(keeper)

    def end_alone(self) -> None:
        """Kill the owner, and wait until it is gone."""
        with self.process:
            self.process.kill()


def interruptible() -> None:
    """Undo what a shell does to its background jobs: to ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def own(directory: Path | None = None, *, forks: bool = False) -> Owner:
    """Start a process that owns a server."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            OWNER,
            json.dumps([directory and f"{directory}", forks]),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=interruptible,
    )
    assert process.stdout
    with process.stdout as answers:
        dsn, directory_used = json.loads(answers.readline())
    postmaster = postmaster_of(Path(directory_used))
    return Owner(process, dsn, Path(directory_used), postmaster, parent_of(postmaster))


def postmaster_of(directory: Path) -> int:
    return int((directory / "data" / "postmaster.pid").read_text().splitlines()[0])


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def await_end(pidfd: int) -> None:
    """Wait until a process is gone; a minute is a failure."""
    assert select.select([pidfd], [], [], 60)[0]
    os.close(pidfd)


def kill(pid: int) -> None:
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    await_end(pidfd)


def inhabitants(directory: Path) -> list[str]:
    """Return the processes that work in a directory, even a removed one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "cwd").startswith(f"{directory}/"):
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found


def nothing_left(directory: Path) -> bool:
    return not directory.exists() and not inhabitants(directory)


def permissions(path: Path) -> list[tuple[int, int, int]]:
    """Return mode and owners of all directories on the way to a path."""
    stats = [parent.stat() for parent in path.parents]
    return [(found.st_mode, found.st_uid, found.st_gid) for found in stats]
