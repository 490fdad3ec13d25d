"""The demonstration: a server of our own, the pack, recorded agents, the alerts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import psycopg
from rich.console import Console

from agentdb.admin import operation
from agentdb.local import LocalServer
from agentdb.runner.background import BackgroundRunner
from agentdb.schema import install as installation

from . import airline, summary
from .alerts import alert_printer
from .progress import Progress
from .recording import DATA, Event, Recording, read
from .replay import Pace, Stopped, replay

AGENTS = {"airline": "airline_agent", "coding": "coding_agent"}
# A minute of the recordings takes 7.5 seconds.
FACTOR = 8.0
# The rules would be evaluated every 15 seconds, which is too slow to watch.
HURRY = """
update agentdb.alert_rule
set evaluate_every = '1 second', fire_after = fire_after / 15;
update agentdb.receiver set group_wait = '0'
"""
SETTLED = """
select count(*) = 0
  and not exists (select from agentdb.alert where state = 'pending')
from agentdb.alert_rule
where enabled and (evaluated_at is null or evaluated_at < %s::timestamptz)
"""
TOLD = "select not exists (select from agentdb.notification where state = 'queued')"


def demo(console: Console, *, factor: float = FACTOR, keep: bool = False) -> bool:
    """Replay the recordings; print alerts as they fire and a summary read back.

    Return whether the run over its budget was among the alerts.
    """
    console.print("starting a PostgreSQL of our own and installing agentdb in it …")
    with LocalServer(fast=True) as server:
        dsn = server.dsn()
        prepare(dsn)
        with BackgroundRunner(dsn, stream=alert_printer(console), poll=0.2):
            agents = {name: server.dsn(user=role) for name, role in AGENTS.items()}
            _replay_all(agents, recordings(), console, factor)
            _wait_until_told(dsn)
            caught = summary.show(console, dsn, keep=keep)
            if keep:
                threading.Event().wait()
        return caught


def prepare(dsn: str) -> None:
    """Install the pack, the airline's tables and the two agents."""
    installation.install(dsn)
    for name, role in AGENTS.items():
        operation.register_agent(dsn, name, role=role, create_role=True)
    with psycopg.connect(dsn) as connection:
        connection.execute("select agentdb.maintain()")
        connection.execute(HURRY)
        airline.create(connection, DATA, AGENTS["airline"])


def recordings() -> dict[str, Recording]:
    """Return the recorded runs of each agent."""
    return {name: read(DATA / f"{name}.jsonl") for name in AGENTS}


def _replay_all(
    agents: dict[str, str],
    recorded: dict[str, Recording],
    console: Console,
    factor: float,
) -> None:
    """Replay all runs at the same time, each in a session of its own."""
    pace = Pace(factor)
    jobs = [
        (agents[agent], name, events)
        for agent, runs in recorded.items()
        for name, events in runs.items()
    ]
    with (
        Progress(console, jobs=[events for _, _, events in jobs]) as progress,
        ThreadPoolExecutor(len(jobs)) as pool,
    ):
        futures = [pool.submit(_play, *job, pace, progress.advance) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
        finally:
            pace.stop()


def _play(
    dsn: str, name: str, events: list[Event], pace: Pace, tell: Callable[[Event], None]
) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        try:
            replay(connection, name, events, wait=pace.wait, tell=tell)
        except Stopped:
            return


def _wait_until_told(dsn: str) -> None:
    """Wait until every rule has seen the end and every message has left."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        end = _value(connection, "select clock_timestamp()")
        while not _value(connection, SETTLED, end) or not _value(connection, TOLD):
            time.sleep(0.1)
        # The runner rolls up every few seconds; the summary wants the last event too.
        connection.execute("select agentdb.roll_up()")


def _value(
    connection: psycopg.Connection[tuple[object, ...]], query: str, *values: object
) -> object:
    row = connection.execute(query.encode(), values or None).fetchone()
    return row and row[0]
