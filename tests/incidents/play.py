"""The words in which incidents are written: agents, what they do, what must be sent.

A scenario is a generator over a `Play`: it acts by real calls in real sessions, and
yields how many seconds pass until it goes on.  With `bad` it is the incident, without
it the healthy twin, which differs in that one fact.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import psycopg

from ..agents import row, rows, value
from .clock import ClockedServer
from .site import Site

Wait: TypeAlias = Iterator[float]
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
NAMES = ("billing", "support", "triage", "importer", "pricing", "docs", "catalog")
TOOLS = ("search", "fetch", "lookup", "query", "list", "read", "find")
NOUNS = ("invoices", "tickets", "orders", "customers", "pages", "parcels", "leads")
WORDS = ("red", "late", "open", "first", "paid", "north", "small", "new", "old", "tax")
SESSION = "-c lock_timeout=2s -c statement_timeout=20s"


@dataclass(frozen=True)
class Expected:
    """A message that must be sent, known to a careful reader at a moment."""

    rules: tuple[str, ...]
    severity: str
    says: tuple[str, ...]
    known: datetime


@dataclass
class Play:
    """One scenario on the stage: its dice, its names, and what it expects."""

    tag: str
    bad: bool
    random: random.Random
    server: ClockedServer
    db: psycopg.Connection[Any]
    expected: list[Expected] = field(default_factory=list)
    allowed: dict[str, str] = field(default_factory=dict)
    updates: int = 0
    actors: list[Actor] = field(default_factory=list)
    number: int = 0
    # What claims about addresses are looked up at, where there is one.
    pages: Site | None = None

    def expect(
        self,
        *rules: str,
        severity: str = "warning",
        says: Sequence[str] = (),
        after: float = 0,
    ) -> None:
        """From now on (`after` seconds) a reader knows: one message of these rules.

        `says` are regular expressions for what the message must name.
        """
        if self.bad:
            known = self.server.now() + timedelta(seconds=after)
            self.expected.append(Expected(rules, severity, tuple(says), known))

    def allow(self, rule: str, at_most: str = "warning") -> None:
        """Take messages of a rule, up to a severity, as neither wanted nor wrong."""
        self.allowed[rule] = at_most

    def name(self, stem: str) -> str:
        """Return a name that is this scenario's alone."""
        self.number += 1
        return f"{stem}_{self.tag}_{self.number}"

    def pick(self, among: Sequence[str]) -> str:
        """Draw one."""
        return self.random.choice(among)

    def text(self, words: int = 3) -> str:
        """Draw some words."""
        return " ".join(self.random.choice(WORDS) for _ in range(words))

    def pace(self, low: float, high: float) -> float:
        """Draw seconds."""
        return self.random.uniform(low, high)

    def agent(self, *, policy: dict[str, object] | None = None) -> Actor:
        """Register an agent with a role of its own; return it, connected."""
        actor = Actor(self, self.name(self.pick(NAMES)), self.name("role"))
        self.db.execute(
            f"create role {actor.role} login in role agentdb_agent".encode()
        )
        register = "select agentdb.register_agent(%s::text, %s::text)"
        self.db.execute(register, [actor.name, actor.role])
        if policy:
            self._policy(actor, policy)
        self.actors.append(actor)
        return actor

    def _policy(self, actor: Actor, columns: dict[str, object]) -> None:
        """Give an agent a copy of the default policy with other values."""
        name = f"p{self.tag}{self.number}"
        self.db.execute(
            "insert into agentdb.policy select (jsonb_populate_record(p, %s)).*"
            " from agentdb.policy as p where policy_name = 'default'",
            [json.dumps({**columns, "policy_name": name}, default=str)],
        )
        change = "update agentdb.agent set policy_name = %s where agent_name = %s"
        self.db.execute(change, [name, actor.name])

    def person(self, group: str = "agentdb_operator") -> psycopg.Connection[Any]:
        """Return the session of somebody who is no agent."""
        role = self.name("person")
        self.db.execute(f"create role {role} login in role {group}".encode())
        return self.connect(role)

    def connect(self, role: str) -> psycopg.Connection[Any]:
        """Return a session that commits each statement."""
        dsn = self.server.dsn(database=self.db.info.dbname, user=role)
        return psycopg.connect(dsn, autocommit=True, options=SESSION)

    def table(self, *actors: Actor, lines: int = 0, audit: bool = True) -> str:
        """Make a table that actors may write; return its name with the schema."""
        name = f"public.{self.name(self.pick(NOUNS))}"
        self.db.execute(
            f"create table {name} (id int primary key, state text, amount int)".encode()
        )
        self.db.execute(
            f"insert into {name} select i, 'new', i from generate_series(1, {lines}) i".encode()
        )
        for actor in actors:
            self.db.execute(
                f"grant select, insert, update, delete, truncate on {name}"
                f" to {actor.role}".encode()
            )
        if audit:
            self.db.execute("select agentdb.audit_table(%s::regclass)", [name])
        return name

    @property
    def site(self) -> Site:
        """The server of pages that the runner may look at."""
        assert self.pages is not None
        return self.pages

    def value(self, query: str, *values: object) -> Any:
        """Ask as the owner of everything."""
        return value(self.db, query, *values)


class Actor:
    """An agent at work in a session of its own role."""

    def __init__(self, play: Play, name: str, role: str) -> None:
        self.play, self.name, self.role = play, name, role
        self.session: psycopg.Connection[Any] | None = None
        self.run = 0
        self.calls = 0

    @property
    def open(self) -> psycopg.Connection[Any]:
        """Its session, opened where it has none."""
        if self.session is None or self.session.closed:
            self.session = self.play.connect(self.role)
        return self.session

    def call_sql(self, function: str, /, **given: object) -> dict[str, Any]:
        """Call a function of ours by named arguments; return its row."""
        names = ", ".join(f'"{name}" => %s' for name in given)
        query = f"select * from agentdb.{function}({names})"
        return row(self.open, query, *given.values())

    def start(self, **given: object) -> int:
        """Start a run."""
        self.run = self.call_sql("start_run", **given)["run_id"]
        return self.run

    def tool(self, tool: str, args: Any = None, **given: Any) -> dict[str, Any]:
        """Log a call: `ok`, `error`, `result`, `result_size`, `duration`."""
        return self.call_sql("log_tool_call", tool=tool, args=json.dumps(args), **given)

    def fail(self, tool: str, args: Any, error: str) -> dict[str, Any]:
        """Log a call that failed."""
        return self.tool(tool, args, ok=False, error=error)

    def begin(self, tool: str, args: Any = None, **given: Any) -> str:
        """Begin a call; return its id."""
        return str(
            self.call_sql("begin_tool_call", tool=tool, args=json.dumps(args), **given)[
                "call"
            ]
        )

    def finish(self, call: str, **given: Any) -> None:
        """End a call."""
        self.call_sql("end_tool_call", call_id=call, **given)

    def step(self, text: str, **details: object) -> None:
        """Log progress."""
        self.call_sql("log_progress", step=text, details=json.dumps(details))

    def tokens(self, amount: int, output: int = 300, cached: int = 0) -> None:
        """Log a model call."""
        self.call_sql("log_tokens", input=amount, output=output, cached_input=cached)

    def lock(self, name: str, **given: object) -> dict[str, Any]:
        """Try to take a lock."""
        return self.call_sql("acquire_lock", name=name, **given)

    def claim(self, table: str, operation: str, **given: object) -> None:
        """Claim rows."""
        self.call_sql("claim_rows", relation=table, operation=operation, **given)

    def sql(self, query: str, *values: object) -> None:
        """Execute a statement as the agent."""
        self.open.execute(query.encode(), values or None)

    def refused(self, query: str, *values: object) -> str:
        """Execute what is refused; return the SQLSTATE."""
        try:
            self.sql(query, *values)
        except psycopg.Error as error:
            return error.sqlstate or ""
        raise AssertionError(f"not refused: {query}")

    def end(self, outcome: str = "succeeded") -> None:
        """End the run."""
        self.call_sql("end_run", outcome=outcome, run=self.run)

    def complete(self) -> None:
        """End the run with its claims."""
        self.call_sql("complete_run", summary="done", run=self.run)

    def crash(self) -> None:
        """Let the process die: the session is gone before anything else happens."""
        session, self.session = self.session, None
        assert session is not None
        pid = session.info.backend_pid
        session.close()
        there = "select count(*) from pg_stat_activity where pid = %s"
        while value(self.play.db, there, pid):
            self.play.server.wait(0.005)

    def close(self) -> None:
        """Leave."""
        if self.session is not None:
            with suppress(psycopg.Error):
                self.session.close()


def found(play: Play, query: str, *values: object) -> list[dict[str, Any]]:
    """Return rows as the owner of everything sees them."""
    return rows(play.db, query, *values)
