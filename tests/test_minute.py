"""A window of minutes, edges and what is not counted yet is what the logs say.

The histories are drawn: events of any moment of the last hour, in transactions that
commit late or never, between them roll-ups, and minutes that are forgotten.  The judge
is a plain sum over the log, in the same statement.
"""

from __future__ import annotations

import os
import random
from datetime import datetime, timedelta

import psycopg

from .agents import register, row, rows, start, value
from .conftest import Connect, Connection

STEPS = 400
LOGS = {
    "tool_call_log": (
        "select agent_id, tool, count(*), count(*) filter (where not ok),"
        " max(result_size), min(recorded_at), max(recorded_at)"
        " from agentdb.tool_call_log",
        "_tool_use",
        "",
    ),
    "progress_log": (
        "select agent_id, count(*) from agentdb.progress_log",
        "_step_use",
        "where steps > 0",
    ),
    "token_log": (
        "select agent_id, sum(input_tokens)::bigint, sum(cached_input_tokens)::bigint,"
        " sum(output_tokens)::bigint from agentdb.token_log",
        "_token_sum",
        # Who logged steps alone has a row too.
        "where input_tokens + cached_input_tokens + output_tokens > 0",
    ),
}
DIFFERENCE = """
with log as ({log} where recorded_at > {since} and recorded_at <= {as_of} {group}),
use as (select * from agentdb.{use}({since}, {as_of}) {some})
(select 'log' as who, * from log except all select 'log', * from use)
union all
(select 'use', * from use except all select 'use', * from log)
"""
EVENTS = (
    "insert into agentdb.tool_call_log (run_id, agent_id, tool, ok, result_size,"
    " recorded_at) select run_id, agent_id, {tool}, {ok}, {size}, {at}"
    " from agentdb.run order by random() limit {rows}",
    "insert into agentdb.progress_log (run_id, agent_id, step, recorded_at)"
    " select run_id, agent_id, {at}::text, {at}"
    " from agentdb.run order by random() limit {rows}",
    "insert into agentdb.token_log (run_id, agent_id, input_tokens,"
    " cached_input_tokens, output_tokens, reasoning_tokens, recorded_at)"
    " select run_id, agent_id, {size}, 1, 2, 0, {at}"
    " from agentdb.run order by random() limit {rows}",
)


def literal(moment: datetime) -> str:
    return f"'{moment.isoformat()}'::timestamptz"


class Story:
    """Writers, and one who rolls up, forgets and compares."""

    def __init__(self, db: Connection, connect: Connect, dice: random.Random) -> None:
        self.db, self.dice = db, dice
        self.writers = [connect(db.info.dbname) for _ in range(3)]
        db.execute(
            "update agentdb.roll_up_state set minutes_begin_at = now() - interval '50 min'"
        )
        self.began = value(db, "select clock_timestamp()")

    def moment(self) -> datetime:
        """Return one of the last hour: any, at a full minute, or just beside it."""
        at: datetime = self.began - timedelta(seconds=self.dice.uniform(-5, 3600))
        if self.dice.random() < 0.4:
            at = at.replace(second=0, microsecond=self.dice.choice((0, 0, 1)))
        return at

    def write(self) -> None:
        """Log some events, or end what was begun."""
        session = self.dice.choice(self.writers)
        open_now = psycopg.pq.TransactionStatus.INTRANS
        if session.info.transaction_status == open_now and self.dice.random() < 0.4:
            session.execute(self.dice.choice((b"commit", b"commit", b"rollback")))
            return
        if session.info.transaction_status != open_now and self.dice.random() < 0.5:
            session.execute("begin")
        event = self.dice.choice(EVENTS).format(
            tool=f"'{self.dice.choice('abc')}'",
            ok=self.dice.random() < 0.6,
            size=self.dice.choice((0, 7, 10**6)),
            at=literal(self.moment()),
            rows=self.dice.randint(1, 3),
        )
        session.execute(event.encode())

    def roll_up(self) -> None:
        self.db.execute("select agentdb.roll_up()")

    def forget(self) -> None:
        """Let the oldest minutes go."""
        keep = timedelta(minutes=self.dice.uniform(40, 60))
        self.db.execute("select agentdb._forget_minutes(%s)", [keep])

    def compare(self) -> None:
        """Ask about a span that ends now or ended long ago."""
        since, as_of = sorted((self.moment(), self.moment()))
        if self.dice.random() < 0.5:
            as_of = self.began + timedelta(minutes=5)
        for log, use, some in LOGS.values():
            query = DIFFERENCE.format(
                log=log,
                use=use,
                some=some,
                since=literal(since),
                as_of=literal(as_of),
                group="group by agent_id, tool"
                if use == "_tool_use"
                else "group by agent_id",
            )
            assert rows(self.db, query) == [], query


def test_window_is_what_the_log_says(db: Connection, connect: Connect) -> None:
    seed = os.environ.get("AGENTDB_SEED") or str(random.SystemRandom().randrange(2**31))
    print(f"AGENTDB_SEED={seed}")
    for role in ("agent_a", "agent_b"):
        register(db, role, role)
        start(connect(db.info.dbname, role))
    story = Story(db, connect, random.Random(seed))
    deeds = [story.write] * 12 + [story.roll_up] * 3 + [story.compare] * 5
    for _ in range(STEPS):
        story.dice.choice([*deeds, story.forget])()
    found = row(
        db,
        "select (select count(*) from agentdb.tool_minute) as tools,"
        " (select count(*) from agentdb.agent_minute) as agents",
    )
    # Else nothing was compared but the logs with themselves.
    assert min(found.values()) > 5
