"""Recorded agents work through staging views: all approved is as if they had written."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentdb.demo import airline
from agentdb.demo.recording import Event, read

from .agents import register, row, rows, start, value
from .changes import approve
from .conftest import Connect, Connection

RECORDED = Path(__file__).parent / "data" / "airline"


@pytest.fixture
def desk(db: Connection) -> Connection:
    """The airline's tables, guarded."""
    register(db)
    airline.create(db, RECORDED, "agent_a")
    for table in airline.KEYS:
        db.execute("select agentdb.guard_table(%s::regclass)", [f"airline.{table}"])
    return db


def tables(session: Connection, schema: str = "airline") -> list[str]:
    query = " union all ".join(
        f"select t::text as t from {schema}.{table} as t" for table in airline.KEYS
    )
    return sorted(each["t"] for each in rows(session, query))


def written(events: list[Event]) -> list[list[str]]:
    """Return the statements of each call that wrote."""
    return [
        [statement.as_string(None) for statement in airline.statements(event["writes"])]
        for event in events
        if event.get("writes")
    ]


def staged(statement: str) -> str:
    """Return the same statement on the staging view."""
    head, schema, rest = statement.partition("airline.")
    assert schema
    return f"{head}agentdb_stage.{rest}"


def direct(db: Connection, calls: list[list[str]]) -> list[str]:
    """Return the end state of a direct replay, which is rolled back."""
    with db.transaction(force_rollback=True):
        for call in calls:
            for statement in call:
                db.execute(statement.encode())
        return tables(db)


def test_all_approved_equals_direct_writes_and_none_approved_changes_nothing(
    desk: Connection, connect: Connect
) -> None:
    agent = connect(desk.info.dbname, "agent_a")
    reviewer = connect(desk.info.dbname, "reviewer_r")
    before, runs = tables(desk), 0
    for events in read(RECORDED / "events.jsonl").values():
        calls = written(events)
        if not calls:
            continue
        run = start(agent)
        for call in calls:
            with agent.transaction():
                for statement in call:
                    agent.execute(staged(statement).encode())
        assert tables(desk) == before
        end = direct(desk, calls)
        assert tables(agent, "agentdb_stage") == end
        for change in changes(desk, run):
            assert approve(reviewer, change)["state"] == "applied"
        assert tables(desk) == end
        agent.execute("select agentdb.end_run()")
        if end != before:
            runs += 1
            put_back(desk, reviewer, run)
        assert tables(desk) == before
    assert runs >= 50


def changes(db: Connection, run: int) -> list[int]:
    """Return the changes of a run that wait, the oldest first."""
    found = rows(
        db,
        "select change_id from agentdb.change"
        " where run_id = %s and state = 'pending' order by change_id",
        run,
    )
    return [each["change_id"] for each in found]


def put_back(db: Connection, reviewer: Connection, run: int) -> None:
    """Undo what a run did by its approved changes."""
    undone = row(db, "select change_id, state from agentdb.undo_run(%s)", run)
    assert undone["state"] == "pending"
    assert approve(reviewer, undone["change_id"])["state"] == "applied"


def test_recording_reads_its_own_writes(desk: Connection, connect: Connect) -> None:
    agent = connect(desk.info.dbname, "agent_a")
    events = next(iter(read(RECORDED / "events.jsonl").values()))
    start(agent)
    with agent.transaction():
        for call in written(events):
            for statement in call:
                agent.execute(staged(statement).encode())
    (insert,) = (
        write
        for event in events
        for write in event.get("writes", ())
        if write["op"] == "insert"
    )
    query = "select to_jsonb(r) as r from agentdb_stage.reservations as r where reservation_id = %s"
    found = value(agent, query, insert["row"]["reservation_id"])
    assert found["flights"] == insert["row"]["flights"]
    assert value(desk, "select count(*) from agentdb.change") == 1
