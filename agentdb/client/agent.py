"""An agent: who it is and how its runs are recorded."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Literal

from .. import connection
from ..redaction import Redaction
from .log import Limits
from .run import Run
from .session import Connect, connector

# What has not ended when the process does: sent then, and forgotten by a fork.
_open: weakref.WeakSet[Run] = weakref.WeakSet()


class Agent:
    """An agent of agentdb, known by its login role, or by name and secret behind one.

    `dsn` is a connection string of libpq (else AGENTDB_DSN, else libpq's variables), or
    `connect` opens connections of any DB-API driver with %s parameters: `psycopg`,
    `pg8000.dbapi`, an engine's `raw_connection`.  `name` and `secret` are for agents
    that share a role.  With `fail_closed` nothing goes on that cannot be asked for.
    `redaction` is what never leaves the process, else what AGENTDB_REDACTION names.
    What the database has to say to a run is its `advice`; with `on_advice="raise"` the
    next call of a tool raises it as Advised.
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        name: str | None = None,
        secret: str | None = None,
        connect: Connect | None = None,
        fail_closed: bool = False,
        limits: Limits | None = None,
        redaction: Redaction | None = None,
        on_advice: Literal["return", "raise"] = "return",
    ) -> None:
        if on_advice not in ("return", "raise"):
            raise ValueError(f"on_advice is return or raise, not {on_advice!r}")
        self.name = name
        self._secret = secret
        self._limits = limits or Limits()
        self._connect = connect or connector(
            connection.dsn(dsn),
            application=name or "agent",
            patience=self._limits.patience,
        )
        self._fail_closed = fail_closed
        self._raise_advice = on_advice == "raise"
        self._redaction = redaction or Redaction.from_env()

    @classmethod
    def from_env(
        cls, environment: Mapping[str, str] = os.environ, **options: Any
    ) -> Agent:
        """Return the agent of AGENTDB_DSN, AGENTDB_AGENT and AGENTDB_AGENT_SECRET."""
        given = {
            "dsn": environment.get("AGENTDB_DSN"),
            "name": environment.get("AGENTDB_AGENT"),
            "secret": environment.get("AGENTDB_AGENT_SECRET"),
        }
        return cls(**{**given, **options})

    def run(
        self,
        purpose: str | None = None,
        *,
        conversation: str | None = None,
        tick_interval: str | None = None,
        tick_max: str | None = None,
        on_behalf_of: str | None = None,
        instance: str | None = None,
        spawn_token: str | None = None,
    ) -> Run:
        """Return a run, to be entered by `with`.

        `conversation` is the scope of a budget; `tick_interval`, an interval such as
        '15 min', says when the next run is due, `tick_max` how long this one may take;
        `on_behalf_of` for whom it works;
        `instance` which of several processes this is.
        """
        start = {
            "agent": self.name, "secret": self._secret, "purpose": purpose,
            "conversation": conversation, "tick_interval": tick_interval,
            "tick_max": tick_max, "on_behalf_of": on_behalf_of, "instance": instance,
            "spawn_token": spawn_token,
        }  # fmt: skip
        run = Run(
            self._connect, start, fail_closed=self._fail_closed, limits=self._limits,
            redaction=self._redaction, raise_advice=self._raise_advice,
        )  # fmt: skip
        _open.add(run)
        _listen_for_end()
        return run


def _flush() -> None:
    for run in list(_open):
        run._log.flush()


def _forget() -> None:
    for run in list(_open):
        run._session.forget()
        run._log.forget()
    if util := sys.modules.get("multiprocessing.util"):
        # Its processes end without a word, but for what is told to it after the fork.
        util.register_after_fork(_flush, _flush_at_end)


def _flush_at_end(flush: Callable[[], None]) -> None:
    from multiprocessing.util import Finalize

    Finalize(None, flush, exitpriority=100)


def _ended(number: int, frame: FrameType | None) -> None:
    """Send what is kept, and then end as if nobody had listened.

    A signal comes in between anything: where we ourselves are at work that goes on,
    and the signal comes again.
    """
    if any(run._log.busy() or run._busy() for run in list(_open)):
        again = threading.Timer(0.002, os.kill, [os.getpid(), number])
        again.daemon = True
        again.start()
        return
    signal.signal(number, signal.SIG_DFL)
    _flush()
    os.kill(os.getpid(), number)


def _listen_for_end() -> None:
    """Hear of SIGTERM where nobody else does: it would end us without a word."""
    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):
        signal.signal(signal.SIGTERM, _ended)


atexit.register(_flush)
os.register_at_fork(after_in_child=_forget)
