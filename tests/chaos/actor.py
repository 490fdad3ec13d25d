"""One run of an agent and its connections, as docs/runs.md has a process keep them."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from .journal import LEFT, LOST, Entry, Journal

Row = tuple[Any, ...]
BIND = "select agentdb.bind_run(%s)"
START = """
select run_id, token, closed_runs from agentdb.start_run(agent => %s::text, secret => %s::text,
  instance => %s::text, spawn_token => %s::text, tick_interval => %s::text::interval)
"""


@dataclass(frozen=True)
class Call:
    """A statement; `answers` says that its first column is the run it was done for."""

    query: str
    values: Sequence[object] = ()
    answers: bool = False
    mark: str = ""


@dataclass(frozen=True)
class Identity:
    """Who a process is."""

    dsn: str
    pooled: bool
    agent: str
    secret: str | None = None
    instance: str | None = None


class Actor:
    """Starts a run and speaks for it, over one connection or two."""

    def __init__(
        self, who: Identity, process: int, journal: Journal, width: int = 1
    ) -> None:
        self.who = who
        self.run: int | None = None
        self.parent: int | None = None
        self._process = process
        self._journal = journal
        self._token: str | None = None
        self._spawn_token: str | None = None
        self._connections: list[psycopg.Connection | None] = [None] * width
        self._since = [0.0] * width

    def start(self, spawn_token: str | None = None, parent: int | None = None) -> None:
        """Open a run; the other connections say that they are its."""
        self.leave()
        self.parent = parent
        who = self.who
        tick = random.choice([None, "1 minute"])
        values = (who.agent, who.secret, who.instance, spawn_token, tick)
        [[row]] = self._transact("start", [Call(START, values, answers=True)])
        self.run, self._token = row[:2]
        for number, connection in enumerate(self._connections[1:], 1):
            if connection:
                self._bind(number)

    def leave(self) -> None:
        """Be no process of the run any more, as far as the journal goes."""
        if self.run is not None:
            now = time.time()
            self._note(now, LEFT, state=LEFT)
        self.run = self._token = None

    def do(self, what: str, *calls: Call, isolation: str = "") -> list[list[Row]]:
        """Do all of it in one transaction, over any of the connections."""
        number = random.randrange(len(self._connections))
        return self._transact(what, calls, number, isolation)

    def forget(self) -> None:
        """Clear the session as a client's pool does, and say again whose it is."""
        if not self.who.pooled:
            self._transact("discard", [Call("discard all")])
            self._bind(0)

    def drop(self, first: int = 0) -> None:
        """Close the connections from this one on."""
        for number, connection in enumerate(self._connections):
            if connection and number >= first:
                connection.close()
                self._connections[number] = None

    def _transact(
        self, what: str, calls: Sequence[Call], number: int = 0, isolation: str = ""
    ) -> list[list[Row]]:
        connection = self._connected(number)
        began, single = time.time(), len(calls) == 1 and not isolation
        try:
            if single and not (self.who.pooled and self._token):
                found = [_fetch(connection, calls[0])]
            else:
                found = self._in_one(connection, calls, isolation)
        except psycopg.Error as error:
            self._refused(began, what, error, number)
            raise
        self._note(
            began,
            what,
            answers=_answers(calls, found),
            marks=[call.mark for call in calls if call.mark],
            connected=self._since[number],
            closed=found[0][0][2] if what == "start" else [],
        )
        return found

    def _in_one(
        self, connection: psycopg.Connection, calls: Sequence[Call], isolation: str
    ) -> list[list[Row]]:
        with connection.transaction():
            if isolation:
                connection.execute(
                    f"set transaction isolation level {isolation}".encode()
                )
            if self.who.pooled and self._token:
                connection.execute(BIND, [self._token])
            return [_fetch(connection, call) for call in calls]

    def _connected(self, number: int) -> psycopg.Connection:
        found = self._connections[number]
        if found and not found.closed:
            return found
        began = time.time()
        try:
            found = psycopg.connect(
                self.who.dsn, autocommit=True, prepare_threshold=None
            )
        except psycopg.Error as error:
            self._note(began, "connect", state=LOST, said=str(error))
            raise
        self._connections[number], self._since[number] = found, began
        if self._token and not self.who.pooled:
            try:
                self._bind(number)
            except psycopg.Error:
                # It is nobody's, and not to be used.
                found.close()
                self._connections[number] = None
                raise
        return found

    def _bind(self, number: int) -> None:
        self._transact("bind", [Call(BIND, [self._token], answers=True)], number)

    def _refused(self, began: float, what: str, error: psycopg.Error, n: int) -> None:
        state, since = error.sqlstate or LOST, self._since[n]
        self._note(began, what, state=state, said=str(error)[:300], connected=since)
        connection = self._connections[n]
        if connection and connection.closed:
            self._connections[n] = None

    def _note(self, began: float, what: str, **rest: Any) -> None:
        answers = rest.get("answers") or []
        run = answers[0] if what == "start" and answers else self.run
        entry = Entry(
            began,
            time.time(),
            self._process,
            self.who.agent,
            what,
            run,
            self.parent,
            **rest,
        )
        self._journal.note(entry)


def _answers(calls: Sequence[Call], found: list[list[Row]]) -> list[int]:
    """Return the runs that were named by what was to name one."""
    pairs = zip(calls, found, strict=True)
    return [row[0] for call, each in pairs for row in each if call.answers]


def _fetch(connection: psycopg.Connection, call: Call) -> list[Row]:
    cursor = connection.execute(call.query.encode(), call.values or None)
    with suppress(psycopg.ProgrammingError):
        return cursor.fetchall()
    return []
