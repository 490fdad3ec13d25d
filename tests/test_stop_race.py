"""Once a kill has returned, nothing of the run commits any more; counted by commits."""

from __future__ import annotations

import os
import random
import threading

import psycopg
import pytest

from .agents import register, rows, start, value
from .conftest import Connect, Connection, MakeDatabase
from .servers import Server

KILLS = int(os.environ.get("AGENTDB_KILLS", "30"))
WRITERS = 8


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
    db, late, total = counted, 0, 0
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
        operator.execute("select agentdb.kill_run(%s, 'race')", [run])
        drained = value(operator, "select drained from agentdb.drain_run(%s)", run)
        assert drained is True
        at_return = value(db, "select sum(n)::int from public.counter")
        # Refused at once, the writers are gone; else they have time to show it.
        for thread in threads:
            thread.join(2)
        over.set()
        for thread in threads:
            thread.join()
        late += value(db, "select sum(n)::int from public.counter") - at_return
        total += len(commits)
    assert late == 0
    assert total >= KILLS * WRITERS
    assert value(db, "select sum(n)::int from public.counter") == total


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
