"""Once a kill has returned, nothing of the run commits any more; counted by commits."""

from __future__ import annotations

import os
import random
import threading

import psycopg
import pytest

from .agents import Row, register, row, rows, start, value
from .conftest import Connect, Connection, MakeDatabase
from .servers import Server

KILLS = int(os.environ.get("AGENTDB_KILLS", "200"))
WRITERS = 8
# Makes the row of a run too long for its page: PostgreSQL loses FOR KEY SHARE locks that
# are taken while it moves.
MOVE = """
update agentdb.run as r
set summary = (select string_agg(md5(i::text), '') from generate_series(1, 40) as i)
where r.run_id = %s
"""

AT_RETURN = """
select sum(n)::int as total, pg_current_snapshot()::text as known,
  clock_timestamp() as returned_at
from public.counter
"""
# Should there ever be one, it is told with all that can be known of it.
LATE = """
select s.run_id, s.stopped_at, s.drained_at, n.returned_at, n.known, a.xid, a.recorded_at,
  a.run_id as of_run, t.gained,
  case current_setting('track_commit_timestamp')
    when 'on' then pg_xact_commit_timestamp(a.xid::xid) end as committed_at
from (
  select %s::bigint as run_id, %s::int as total, %s::pg_snapshot as known,
    %s::timestamptz as returned_at
) as n
cross join lateral (select sum(c.n) - n.total as gained from public.counter as c) as t
join agentdb.run_stop as s on s.run_id = n.run_id
left join agentdb.audit as a on not pg_visible_in_snapshot(a.xid, n.known)
where t.gained <> 0 or a.xid is not null
"""


@pytest.fixture
def counted(db: Connection) -> Connection:
    """A database with an audited table whose rows tell their transaction."""
    db.execute("create table public.counter (id int primary key, n int)")
    db.execute("insert into public.counter select i, 0 from generate_series(1, 8) as i")
    db.execute("grant select, update on public.counter to agent_a")
    db.execute("select agentdb.audit_table('public.counter'::regclass)")
    register(db)
    return db


def write(
    session: Connection, place: int, commits: list[int], over: threading.Event
) -> None:
    """Write in transactions of random length until refused, or it is over."""
    chance = random.Random(place)
    while not over.is_set():
        try:
            with session.transaction():
                session.execute(
                    "update public.counter set n = n + 1 where id = %s", [place]
                )
                if chance.random() < 0.3:
                    session.execute("select pg_sleep(%s)", [chance.random() / 200])
        except psycopg.Error:
            return
        commits.append(place)


def test_no_write_commits_after_a_kill_has_returned(
    counted: Connection, connect: Connect, server: Server
) -> None:
    db, total = counted, 0
    late: list[Row] = []
    operator = connect(db.info.dbname, "operator_o")
    sessions = [connect(db.info.dbname, "agent_a") for _ in range(WRITERS)]
    for _ in range(KILLS):
        run = start(sessions[0])
        commits: list[int] = []
        over = threading.Event()
        threads = [
            threading.Thread(target=write, args=[session, place, commits, over])
            for place, session in enumerate(sessions, 1)
        ]
        for thread in threads:
            thread.start()
        while len(commits) < WRITERS:
            pass
        db.execute(MOVE, [run])
        operator.execute("select agentdb.kill_run(%s, 'race')", [run])
        drained = value(operator, "select drained from agentdb.drain_run(%s)", run)
        assert drained is True
        at_return = row(db, AT_RETURN)
        # Refused at once, the writers are gone; else they have time to show it.
        for thread in threads:
            thread.join(2)
        over.set()
        for thread in threads:
            thread.join()
        late += rows(db, LATE, run, *at_return.values())
        total += len(commits)
    assert late == []
    assert total >= KILLS * WRITERS
    assert value(db, "select sum(n)::int from public.counter") == total


def test_a_late_write_would_be_counted(counted: Connection, connect: Connect) -> None:
    run = start(connect(counted.info.dbname, "agent_a"))
    counted.execute("select agentdb.kill_run(%s, 'race')", [run])
    at_return = row(counted, AT_RETURN)
    assert rows(counted, LATE, run, *at_return.values()) == []
    counted.execute("update public.counter set n = n + 1 where id = 1")
    (late,) = rows(counted, LATE, run, *at_return.values())
    assert late["gained"] == 1
    assert late["xid"] is not None


def test_every_write_of_the_race_is_attributed(
    counted: Connection, connect: Connect, make_database: MakeDatabase
) -> None:
    agent = connect(counted.info.dbname, "agent_a")
    run = start(agent)
    agent.execute("update public.counter set n = 1")
    counted.execute("select agentdb.kill_run(%s, 'x')", [run])
    with pytest.raises(psycopg.Error):
        agent.execute("update public.counter set n = 2")
    found = rows(counted, "select distinct run_id from agentdb.audit")
    assert found == [{"run_id": run}]
