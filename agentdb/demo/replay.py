"""Replays a recorded run: the calls that the agent would have made, at its pace."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from . import airline
from .recording import Event

START = """
select run_id from agentdb.start_run(
  conversation => %(conversation)s::text, purpose => 'replay of a recorded run'
)
"""
TOKENS = """
select from agentdb.log_tokens(
  input => %(input)s::bigint, output => %(output)s::bigint, model => %(model)s::text,
  run => %(run)s::bigint
)
"""
TOOL_CALL = """
select from agentdb.log_tool_call(
  tool => %(tool)s::text, args => %(args)s::jsonb, ok => %(ok)s::boolean,
  error => %(error)s::text, result_size => %(size)s::bigint, run => %(run)s::bigint
)
"""
PROGRESS = (
    "select from agentdb.log_progress(step => %(step)s::text, run => %(run)s::bigint)"
)
END = "select from agentdb.end_run(outcome => 'succeeded', run => %(run)s::bigint)"


def replay(
    connection: psycopg.Connection[Any],
    name: str,
    events: Sequence[Event],
    *,
    wait: Callable[[float], object] = lambda _: None,
    tell: Callable[[Event], object] = lambda _: None,
) -> int:
    """Replay a run in an agent's own session and return its number.

    `wait` is called with the seconds from one event to the next, `tell` after
    each event.
    """
    row = connection.execute(START, {"conversation": name}).fetchone()
    assert row is not None
    run, now = int(row[0]), 0.0
    for event in events:
        wait(event["t"] - now)
        now = event["t"]
        with connection.transaction():
            _log(connection, run, event)
        tell(event)
    # The recorded agents all said that they were done.
    connection.execute(END, {"run": run})
    return run


def _log(connection: psycopg.Connection[Any], run: int, event: Event) -> None:
    if event["kind"] == "tokens":
        values = {"input": event["input"], "output": event["output"], "run": run}
        connection.execute(TOKENS, {**values, "model": event.get("model")})
    elif event["kind"] == "tool_call":
        _call(connection, run, event)
    elif event["role"] == "assistant":
        connection.execute(PROGRESS, {"step": event["text"] or "(silence)", "run": run})


def _call(connection: psycopg.Connection[Any], run: int, event: Event) -> None:
    """Do what the call changed, then say that it was made."""
    for statement in airline.statements(event.get("writes", ())):
        connection.execute(statement)
    values = {
        "tool": event["tool"],
        "args": json.dumps(event["args"]),
        "ok": event["ok"],
        "error": event.get("error"),
        "size": event.get("result_chars"),
        "run": run,
    }
    connection.execute(TOOL_CALL, values)


class Pace:
    """Waits as the recording did, faster by a factor, until somebody stops it."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._stopped = threading.Event()

    def wait(self, seconds: float) -> None:
        """Wait, or raise `Stopped`."""
        if self._stopped.wait(max(0.0, seconds) / self._factor):
            raise Stopped

    def stop(self) -> None:
        self._stopped.set()


class Stopped(Exception):
    """The replay was told to stop."""
