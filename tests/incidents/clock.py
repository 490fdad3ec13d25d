"""A PostgreSQL server whose clock we move: hours of an incident take no time.

The server runs under libfaketime, so `clock_timestamp()`, and with it every function
of ours, sees the moment that we say.  Between moves the clock goes at its own pace, so
that timeouts and short sleeps end.  Move it between statements only: a statement that
is running sees its timeout jump.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from agentdb.local import LocalServer
from agentdb.local.account import Account

PLACES = ("/usr/lib", "/usr/local/lib", "/opt/homebrew/lib")
MISSING = (
    "libfaketime.so.1 is not on this machine, and the incidents need a clock that can "
    "be moved: apt-get install faketime (Debian, Ubuntu)"
)
# A Monday to come.  libfaketime shows a signal handler that interrupts it the real time:
# that must be the earlier one, or every timeout of the server would be over.
BEGIN = datetime(2031, 1, 6, 6, tzinfo=timezone.utc)
PROGRAM = """#!/bin/sh
LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={offset} FAKETIME_NO_CACHE=1 \\
FAKETIME_DONT_FAKE_MONOTONIC=1 exec {program} "$@"
"""


class NoClock(Exception):
    """There is nothing on this machine that moves a clock."""


def faketime() -> Path:
    """Return the library that moves the clock of a program."""
    for place in PLACES:
        for found in sorted(Path(place).glob("**/faketime/libfaketime.so.1")):
            return found
    raise NoClock(MISSING)


class ClockedServer(LocalServer):
    """A server of our own, for tests, whose clock begins at a given moment."""

    def __init__(self, begin: datetime = BEGIN, settings: dict[str, str] | None = None):
        super().__init__(fast=True, settings=settings)
        self._library = faketime()
        self._begin = begin
        self._behind = timedelta()

    def __enter__(self) -> ClockedServer:
        super().__enter__()
        return self

    def _make_order(self, account: Account, programs: Path) -> bytes:
        """Put programs in front of the server's own that give them the moved clock."""
        self._offset = self._scratch / "offset"
        self._set(self._begin)
        front = self._scratch / "clocked"
        front.mkdir(mode=0o755)
        for name in ("initdb", "pg_ctl", "postgres"):
            (front / name).write_text(
                PROGRAM.format(
                    library=self._library, offset=self._offset, program=programs / name
                )
            )
            (front / name).chmod(0o755)
        account.take(front)
        return super()._make_order(account, front)

    def now(self) -> datetime:
        """Return the moment that the server's clock shows."""
        return datetime.now(timezone.utc) + self._behind

    def move_to(self, moment: datetime) -> None:
        """Move the clock forward; a moment that is already over changes nothing."""
        if moment > self.now():
            self._set(moment)

    def _set(self, moment: datetime) -> None:
        self._behind = moment - datetime.now(timezone.utc)
        new = self._offset.with_suffix(".new")
        new.write_text(f"{self._behind.total_seconds():+.6f}\n")
        new.chmod(0o644)
        # At once, as the server may read it at any moment.
        os.replace(new, self._offset)

    def wait(self, seconds: float) -> None:
        """Let real time pass, as in front of somebody who sleeps by another clock."""
        time.sleep(seconds)
