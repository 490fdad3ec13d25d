"""Each event is counted once, whoever was open when the roll-up came by.

The histories are drawn: sessions that commit late or never, savepoints, caught errors,
prepared transactions, old snapshots, and a session that writes events and rolls up in
one transaction.  The judge is a plain sum over the logs, of the same moment.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest

from agentdb.local import LocalServer

from .agents import register, rows, start, value
from .conftest import Connect, Connection, install_on

SETTINGS = {"max_prepared_transactions": "20"}
LEVELS = ("read committed", "repeatable read", "serializable")
HISTORIES, STEPS = 12, 80
# What is counted, with what is not yet, is what the logs say at this moment.
NOW = """
select
  (select coalesce(sum(steps), 0) from agentdb.run_activity)
    + (select count(*) from agentdb._uncounted_steps())
    = (select count(*) from agentdb.progress_log) as steps,
  (select coalesce(sum(tool_calls), 0) from agentdb.run_activity)
    + (select count(*) from agentdb._uncounted_tool_calls())
    = (select count(*) from agentdb.tool_call_log) as calls,
  (select coalesce(sum(input_tokens), 0) from agentdb._tokens_of_run(
    array(select run_id from agentdb.run), 'infinity'))
    = (select coalesce(sum(input_tokens), 0) from agentdb.token_log) as tokens
"""
# And nothing is missing once all are done, in any of the totals.
RUNS = """
select run_id, coalesce(p.steps, 0) as steps, coalesce(c.calls, 0) as calls,
  coalesce(c.errors, 0) as errors, coalesce(t.input, 0) as input
from agentdb.run
left join (select run_id, count(*) as steps from agentdb.progress_log group by 1) as p
  using (run_id)
left join (
  select run_id, count(*) as calls, count(*) filter (where not ok) as errors
  from agentdb.tool_call_log group by 1) as c using (run_id)
left join (select run_id, sum(input_tokens) as input from agentdb.token_log group by 1)
  as t using (run_id)
order by run_id
"""
COUNTED = """
select run_id, coalesce(steps, 0) as steps, coalesce(tool_calls, 0) as calls,
  coalesce(tool_errors, 0) as errors, coalesce(input_tokens, 0) as input
from agentdb.run left join agentdb.run_activity using (run_id) order by run_id
"""
SUMS = """
select (select sum(calls) from agentdb.tool_day) as calls_by_day,
  (select sum(calls) from agentdb.call_hour) as calls_by_hour,
  (select sum(input_tokens) from agentdb.token_half_hour) as tokens_by_half_hour,
  (select sum(input_tokens) from agentdb.run_cost) as tokens_by_model,
  (select sum(model_calls) from agentdb.run_cost) as model_calls
"""
LOGS = """
select count(*) as calls_by_day, count(*) as calls_by_hour,
  (select sum(input_tokens) from agentdb.token_log) as tokens_by_half_hour,
  (select sum(input_tokens) from agentdb.token_log) as tokens_by_model,
  (select count(*) from agentdb.token_log) as model_calls
from agentdb.tool_call_log
"""
CAUGHT = """
do $$ begin
  begin
    perform agentdb.log_tokens(7, 1);
    raise exception 'taken back';
  exception when others then
    perform agentdb.log_tokens(11, 1);
  end;
end $$
"""


class Story:
    """Sessions of one agent, a run each, and the one who rolls up."""

    def __init__(self, server: LocalServer, dice: random.Random) -> None:
        self.dice = dice
        self.stack = ExitStack()
        self.db = self._session(server, "postgres")
        self.writers = [self._session(server, "agent_a") for _ in range(4)]
        for writer in self.writers:
            start(writer)
        #: An agent and the superuser in one transaction.
        self.both = self._session(server, "postgres")
        self.both.execute("set session authorization agent_a")
        start(self.both)
        self.reader = self._session(server, "postgres")
        self.prepared: list[str] = []
        self.number = 0

    def _session(self, server: LocalServer, user: str) -> Connection:
        dsn = server.dsn(database="agentdb", user=user)
        return self.stack.enter_context(psycopg.connect(dsn, autocommit=True))

    def log(self, session: Connection) -> None:
        """Log one event, or two of which one is taken back."""
        self.number += 1
        query = self.dice.choice(
            [
                "select agentdb.log_tokens(100, 1)",
                f"select agentdb.log_tool_call('t', ok => {self.number} % 3 > 0)",
                f"select agentdb.log_progress('step {self.number}')",
                CAUGHT,
            ]
        )
        session.execute(query.encode())

    def write(self) -> None:
        """Let one of the writers do something."""
        session = self.dice.choice(self.writers)
        if session.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            if self.dice.random() < 0.5:
                level = self.dice.choice(LEVELS)
                session.execute(f"begin isolation level {level}".encode())
            return self.log(session)
        self.dice.choice([self.log, self.log, self.turn_back, self.end])(session)

    def turn_back(self, session: Connection) -> None:
        """Write in a subtransaction, and keep it or not."""
        session.execute("savepoint here")
        self.log(session)
        how = self.dice.choice(["release here", "rollback to here"])
        session.execute(how.encode())

    def end(self, session: Connection) -> None:
        """End a transaction, or leave its end to somebody else."""
        how = self.dice.choice(["commit", "commit", "rollback", "prepare"])
        if how == "prepare":
            self.number += 1
            self.prepared.append(f"p{self.number}")
            how = f"prepare transaction 'p{self.number}'"
        session.execute(how.encode())

    def settle(self) -> None:
        """End one of the prepared transactions."""
        if self.prepared:
            name = self.prepared.pop(self.dice.randrange(len(self.prepared)))
            how = self.dice.choice(["commit", "commit", "rollback"])
            self.db.execute(f"{how} prepared '{name}'".encode())

    def roll_up(self) -> None:
        self.db.execute("select agentdb.roll_up()")

    def roll_up_within(self) -> None:
        """Roll up between events of one's own transaction."""
        self.both.execute("begin")
        self.log(self.both)
        self.both.execute("reset session authorization")
        self.both.execute("select agentdb.roll_up()")
        self.both.execute("set session authorization agent_a")
        self.log(self.both)
        self.both.execute(self.dice.choice([b"commit", b"commit", b"rollback"]))
        # A rollback gives the former authorization back.
        self.both.execute("set session authorization agent_a")

    def look_back(self) -> None:
        """Roll up by a snapshot of long ago, which is refused or right."""
        status = self.reader.info.transaction_status
        if status == psycopg.pq.TransactionStatus.IDLE:
            self.reader.execute("begin isolation level repeatable read; select 1")
            return
        try:
            self.reader.execute("select agentdb.roll_up(); commit")
        except psycopg.errors.SerializationFailure:
            self.reader.execute("rollback")

    def go_on(self) -> None:
        """Take one step, and compare."""
        deeds: list[Callable[[], None]] = [self.write] * 8
        deeds += [self.roll_up] * 3 + [self.settle, self.roll_up_within, self.look_back]
        self.dice.choice(deeds)()
        assert set(rows(self.db, NOW)[0].values()) == {True}

    def finish(self) -> None:
        """Let all end, and compare all totals with the logs."""
        for session in [*self.writers, self.reader]:
            session.execute("commit")
        while self.prepared:
            self.settle()
        self.roll_up()
        assert rows(self.db, COUNTED) == rows(self.db, RUNS)
        assert rows(self.db, SUMS) == rows(self.db, LOGS)


@pytest.fixture(scope="module")
def ground() -> Iterator[LocalServer]:
    with LocalServer(fast=True, settings=SETTINGS) as server:
        install_on(server)
        with psycopg.connect(server.dsn(database="agentdb"), autocommit=True) as db:
            register(db)
        yield server


def test_every_event_is_counted_once(ground: LocalServer) -> None:
    seed = os.environ.get("AGENTDB_SEED") or str(random.SystemRandom().randrange(2**31))
    print(f"AGENTDB_SEED={seed}")
    story = Story(ground, random.Random(seed))
    with story.stack:
        for _ in range(HISTORIES):
            for _ in range(STEPS):
                story.go_on()
            story.finish()


FAILING = """
create function public.fail() returns trigger language plpgsql as
  $$ begin raise exception 'killed here'; end $$;
create trigger zz_fail before insert or update on agentdb.{table}
  for each row execute function public.fail();
"""


@pytest.mark.parametrize(
    "table",
    ["run_activity", "run_step", "tool_day", "call_hour", "token_half_hour", "run_cost",
     "roll_up_state"],
)  # fmt: skip
def test_roll_up_that_dies_anywhere_has_counted_nothing(
    db: Connection, agent: Connection, table: str
) -> None:
    for number in range(3):
        agent.execute("select agentdb.log_progress(%s)", [f"step {number}"])
        agent.execute("select agentdb.log_tool_call('t')")
        agent.execute("select agentdb.log_tokens(5, 1)")
    db.execute(FAILING.format(table=table).encode())
    with pytest.raises(psycopg.errors.RaiseException, match="killed here"):
        db.execute("select agentdb.roll_up()")
    assert rows(db, "select from agentdb.run_activity where tool_calls > 0") == []
    db.execute("drop function public.fail cascade")
    db.execute("select agentdb.roll_up()")
    assert rows(db, COUNTED) == rows(db, RUNS)
    assert rows(db, SUMS) == rows(db, LOGS)


def test_what_commits_late_takes_no_calls_from_the_loop(
    db: Connection, connect: Connect
) -> None:
    """Evidence that is older than what was counted meanwhile excuses none of it."""
    register(db)
    agent, late = (connect(db.info.dbname, "agent_a") for _ in range(2))
    token = value(agent, "select token from agentdb.start_run()")
    late.execute("select agentdb.bind_run(%s)", [token])
    late.execute("begin")
    late.execute("select agentdb.log_progress('something new')")
    for _ in range(7):
        agent.execute("select agentdb.log_tool_call('t', '{}', result => 'no')")
    db.execute("select agentdb.roll_up()")
    late.execute("commit")
    db.execute("select agentdb.roll_up()")
    query = "select calls_since, evidence_at < last_tool_call_at as older from {}"
    found = rows(db, query.format("agentdb.run_activity"))
    assert found == [{"calls_since": 7, "older": True}]
