"""What retention has removed stays known, whatever it is set to before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .agents import age, refusal, register, row, start, value
from .conftest import Connect, Connection

if TYPE_CHECKING:
    from typing_extensions import LiteralString

RETENTION: LiteralString = "update agentdb.policy set audit_retention = %s::interval"


@pytest.fixture
def kept(db: Connection, connect: Connect) -> Connection:
    """A superuser's session; a run began 20 days ago and goes on."""
    register(db)
    db.execute(
        "create table t (id int primary key, v int);"
        "grant select, insert, update on t to agent_a;"
        "select agentdb.audit_table('t')"
    )
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    agent.execute("insert into t values (1, 0), (2, 0)")
    age(db, "audit_log", "recorded_at", "20 days")
    age(db, "run", "started_at", "20 days")
    age(db, "audit_target", "audited_at", "30 days")
    age(db, "audit_layout", "first_at", "30 days")
    db.execute("select agentdb.seal_audit()")
    agent.execute("update t set v = 1 where id = 1")
    db.execute("select agentdb.seal_audit()")
    db.execute("select agentdb.maintain()")
    return db


def remove(db: Connection) -> None:
    db.execute(RETENTION, ["10 days"])
    db.execute("select agentdb.maintain()")
    db.execute(RETENTION, ["90 days"])
    assert value(db, "select count(*) from agentdb.audit_log") == 1


def verify(db: Connection) -> dict[str, object]:
    return row(
        db, "select intact, rows, expired, removed, problem from agentdb.verify_audit()"
    )


def test_raised_retention_makes_no_hole_of_what_was_removed(kept: Connection) -> None:
    assert verify(kept)["removed"] is None
    remove(kept)
    found = verify(kept)
    assert (found["intact"], found["rows"], found["expired"]) == (True, 3, 1)
    day, today = row(
        kept, "select day::text, (removed_at at time zone 'UTC')::date::text as today"
        " from agentdb.removed_day"
    ).values()  # fmt: skip
    assert found["removed"] == f"2 rows of {day}: removed by retention on {today}"
    with kept.transaction():
        kept.execute("set local session_replication_role = replica")
        kept.execute("update agentdb.audit_log set run_id = 7")
    assert verify(kept)["intact"] is False


@pytest.mark.parametrize(
    "statement",
    [
        "update agentdb.audit_log set run_id = 7",
        "delete from agentdb.audit_log where operation = 'insert'",
        "delete from agentdb.audit_log where row_key = '{\"id\": 2}'",
    ],
)
def test_lowered_retention_excuses_nothing_that_is_still_there(
    kept: Connection, statement: LiteralString
) -> None:
    kept.execute(RETENTION, ["10 days"])
    assert verify(kept)["intact"] is True
    with kept.transaction():
        kept.execute("set local session_replication_role = replica")
        kept.execute(statement)
    assert verify(kept)["intact"] is False


def test_day_that_could_not_be_removed_yet_is_not_noted(
    kept: Connection, connect: Connect
) -> None:
    reader = connect(kept.info.dbname)
    kept.execute(RETENTION, ["10 days"])
    with reader.transaction():
        reader.execute("select count(*) from agentdb.audit_log")
        kept.execute("select agentdb.maintain()")
    assert value(kept, "select count(*) from agentdb.removed_day") == 0
    assert verify(kept)["expired"] == 0
    kept.execute("select agentdb.maintain()")
    assert verify(kept)["expired"] == 1


def test_row_of_a_day_that_was_removed_is_no_row_of_it(kept: Connection) -> None:
    root, xid = row(
        kept, "select (select encode(root, 'hex') from agentdb.seal where seal_id = 1),"
        " (select min(xid::text) from agentdb.audit_log)"
    ).values()  # fmt: skip
    remove(kept)
    assert value(kept, "select intact from agentdb.verify_audit(%s)", root) is True
    kept.execute(
        "insert into agentdb.audit_log (recorded_at, xid, statement, audit_target_id,"
        " operation, session_role) select now() - interval '20 days', %s::xid8, 1, 1,"
        " 'insert', 'x'",
        [xid],
    )
    assert verify(kept)["intact"] is False


def test_past_refuses_what_was_removed(kept: Connection) -> None:
    call = "select agentdb.row_as_of('t', '1', now() - %s::interval)"
    assert value(kept, call, "15 days") == {"id": 1, "v": 0}
    assert value(kept, call, "25 days") is None
    remove(kept)
    assert value(kept, call, "15 days") == {"id": 1, "v": 0}
    for before in ("20 days", "25 days"):
        said = refusal(kept, call, before)
        assert said.sqlstate == "ZA033"
        assert "recorded since" in (said.message_primary or "")
    assert refusal(
        kept, "select agentdb.table_as_of('t', now() - interval '25 days')"
    ).sqlstate == "ZA033"  # fmt: skip


def test_undo_of_a_run_names_what_was_removed(kept: Connection) -> None:
    remove(kept)
    said = refusal(kept, "select agentdb.undo_run(1)")
    assert said.sqlstate == "ZA056"
    assert "removed by retention on" in (said.message_primary or "")
    assert value(
        kept, "select row_count from agentdb.undo_run(1, on_conflict => 'skip')"
    ) == 1  # fmt: skip


def test_days_that_retention_keeps_cannot_be_noted_as_removed(kept: Connection) -> None:
    said = refusal(
        kept,
        "insert into agentdb.removed_day values (current_date - 1, now(), '1 day')",
    )
    assert said.sqlstate == "23514"
