"""The server, the pooler and the tables that the processes work on."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from agentdb.local import LocalServer

from ..conftest import install_on
from ..pooler import pooler
from ..processes import await_end, postmaster_of
from .actor import Identity

INSTANCES = 4
# Beyond any pause of a process that lives, and within the time of the test.
SILENCE = "30 seconds"
TABLES = f"""
create table public.work (mark uuid primary key, process int, run bigint);
create index on public.work (run);
create table public.state (
  slot text primary key, process int, run bigint, updates int not null default 0
);
create table public.ledger (mark uuid primary key, process int, run bigint);
grant select, insert, update on public.work, public.state, public.ledger
  to agent_a, agent_pool;
update agentdb.policy set max_open_runs = 10000, max_pending_changes = 10000,
  run_silence = '{SILENCE}';
select agentdb.audit_table('public.work');
select agentdb.audit_table('public.state');
select agentdb.guard_table('public.ledger');
grant pg_signal_backend to operator_o;
delete from agentdb.receiver;
select agentdb.maintain();
"""
REGISTER = """
select secret from agentdb.register_agent(
  name => %s::text, role_name => %s::text, pooled => %s::boolean)
"""
SESSIONS = "select pid from pg_stat_activity where usename in ('agent_a', 'agent_pool')"


@dataclass(frozen=True)
class Outage:
    """A time without a server."""

    began: float
    ended: float
    how: str


class World:
    """A server that can be crashed, and who may log in."""

    def __init__(self, stack: ExitStack, place: Path) -> None:
        place.chmod(0o755)
        self._home = place / "home"
        self._server = self._start()
        stack.callback(lambda: self._server.__exit__(None, None, None))
        self.operator = install_on(self._server)
        self.owner = self._server.dsn(database="agentdb")
        self.reviewer = self._server.dsn(database="agentdb", user="reviewer_r")
        self.outages: list[Outage] = []
        self.slots = self._register()
        pooled = stack.enter_context(pooler(self._server, ["agent_pool"]))
        self._dsn = {
            False: self._server.dsn(database="agentdb", user="agent_a"),
            True: pooled("agentdb", "agent_pool"),
        }

    def _start(self) -> LocalServer:
        kept = {"synchronous_commit": "on", "track_commit_timestamp": "on"}
        return LocalServer(directory=self._home, fast=True, settings=kept).__enter__()

    def _register(self) -> dict[str, tuple[str, str | None]]:
        """Make the agents known; return agent and secret of each slot."""
        with self.database() as db:
            db.execute(TABLES.encode())
            db.execute(REGISTER, ["direct", "agent_a", False])
            slots: dict[str, tuple[str, str | None]] = {
                f"direct-{number}": ("direct", None) for number in range(INSTANCES)
            }
            for number in range(INSTANCES):
                agent = f"pooled-{number}"
                found = db.execute(REGISTER, [agent, "agent_pool", True]).fetchone()
                assert found
                slots[agent] = (agent, found[0])
        return slots

    def identity(self, slot: str, *, child: bool = False) -> dict[str, Any]:
        """Return who a process of a slot is, or a child that it starts."""
        agent, secret = self.slots[slot]
        pooled = secret is not None
        instance = None if child else f"host-{slot[-1]}"
        return asdict(Identity(self._dsn[pooled], pooled, agent, secret, instance))

    def database(self) -> psycopg.Connection:
        """Connect as a superuser."""
        return psycopg.connect(self.owner, autocommit=True)

    def crash(self, how: str) -> None:
        """Take the server, or one of its sessions, away and wait until it is back."""
        began = time.time()
        if how == "session":
            self._crash_session()
        else:
            number = signal.SIGQUIT if how == "immediate" else signal.SIGINT
            postmaster = postmaster_of(self._home)
            pidfd = os.pidfd_open(postmaster)
            os.kill(postmaster, number)
            await_end(pidfd)
            self._server.__exit__(None, None, None)
            time.sleep(random.uniform(0, 1))
            self._server = self._start()
        self._await(began)
        self.outages.append(Outage(began, time.time(), how))

    def _crash_session(self) -> None:
        """Kill a session of an agent: the server ends all others, and begins anew."""
        with self.database() as db:
            pids = [pid for (pid,) in db.execute(SESSIONS)]
            os.kill(random.choice(pids), signal.SIGKILL)
            # Until it ends this session too.
            while True:
                try:
                    db.execute("select pg_sleep(0.02)")
                except psycopg.OperationalError:
                    return

    def _await(self, began: float) -> None:
        while True:
            try:
                self.database().close()
                return
            except psycopg.OperationalError:
                assert time.time() < began + 60, "the server does not come back"
                time.sleep(0.02)


def rows(db: psycopg.Connection, query: str, values: Sequence[object] = ()) -> Any:
    """Return rows as dictionaries."""
    with db.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), values or None).fetchall()
