"""What a change writes is its proposer's, in whosever session it is applied."""

from __future__ import annotations

from typing import Any

import pytest

from .agents import labels, register, row, rows, start, value
from .changes import approve, latest
from .conftest import Connect, Connection

RECORD = """
select row_key ->> 'id' as id, agent_name, run_id, change_id, approved_by, session_role
from agentdb.audit where table_name = 'public.invoice' order by audit_log_id
"""


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    session = connect(guarded.info.dbname, "agent_a")
    session.execute("set search_path = agentdb_stage, public")
    start(session, purpose="notes")
    return session


def stage(agent: Connection, db: Connection, key: int = 1) -> int:
    agent.execute("update agentdb_stage.invoice set note = 'x' where id = %s", [key])
    return int(latest(db)["change_id"])


def by(change: int, session: str, approved: str | None) -> dict[str, Any]:
    return {
        "id": "1", "agent_name": "a", "run_id": 1, "change_id": change,
        "approved_by": approved, "session_role": session,
    }  # fmt: skip


def test_approved_change_is_recorded_as_its_proposers(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    change = stage(agent, guarded)
    agent.execute("select agentdb.end_run()")
    approve(reviewer, change, "seen")
    assert rows(guarded, RECORD) == [by(change, "reviewer_r", "reviewer_r")]
    history = "select run_id, change_id from agentdb.row_history('invoice', '1')"
    assert rows(guarded, history) == [{"run_id": 1, "change_id": change}]
    found = rows(guarded, "select new_values, approved_by from agentdb.run_changes(1)")
    assert found == [{"new_values": {"note": "x"}, "approved_by": "reviewer_r"}]
    # Nobody wrote outside any run, and what was reviewed is not too wide.
    assert labels(guarded, "unattributed_write") == []


def test_change_applied_by_the_runner_names_who_approved_it(
    guarded: Connection, agent: Connection, reviewer: Connection, connect: Connect
) -> None:
    guarded.execute("select agentdb.guard_table('invoice', apply => 'runner')")
    change = stage(agent, guarded)
    approve(reviewer, change)
    runner = connect(guarded.info.dbname, "operator_o")
    runner.execute("select * from agentdb.advance_changes()")
    assert rows(guarded, RECORD) == [by(change, "operator_o", "reviewer_r")]


def test_change_that_needs_nobody_is_still_a_change(
    guarded: Connection, agent: Connection
) -> None:
    guarded.execute(
        "select agentdb.guard_table('invoice', auto_approve => '{\"rows\": 1}')"
    )
    change = stage(agent, guarded)
    assert rows(guarded, RECORD) == [by(change, "agent_a", None)]


def test_change_that_an_agent_approves_is_not_the_validators(
    guarded: Connection, agent: Connection, connect: Connect
) -> None:
    register(guarded, "b", "agent_b")
    guarded.execute("select agentdb.guard_table('invoice', validators => '{b}')")
    change = stage(agent, guarded)
    validator = connect(guarded.info.dbname, "agent_b")
    run = start(validator)
    assert approve(validator, change)["state"] == "applied"
    assert rows(guarded, RECORD) == [by(change, "agent_b", "agent_b")]
    assert rows(guarded, "select * from agentdb.run_changes(%s)", run) == []


def test_persons_change_that_an_agent_approves_is_no_write_outside_a_run(
    guarded: Connection, connect: Connect
) -> None:
    register(guarded, "b", "agent_b")
    guarded.execute("select agentdb.guard_table('invoice', validators => '{b}')")
    person = connect(guarded.info.dbname, "operator_o")
    change = stage(person, guarded)
    validator = connect(guarded.info.dbname, "agent_b")
    start(validator)
    assert approve(validator, change)["state"] == "applied"
    assert labels(guarded, "unattributed_write") == []


def test_what_triggers_and_cascades_write_belongs_to_the_change(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute("select agentdb.audit_table('line')")
    agent.execute("delete from agentdb_stage.invoice where id = 1")
    change = latest(guarded)["change_id"]
    approve(reviewer, change)
    found = rows(
        guarded,
        "select distinct table_name, run_id, change_id from agentdb.audit order by 1",
    )
    assert found == [
        {"table_name": table, "run_id": 1, "change_id": change}
        for table in ("public.invoice", "public.line")
    ]


def test_undo_of_the_run_takes_its_change_back_and_says_so(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    before = rows(guarded, "select * from invoice order by id")
    approve(reviewer, stage(agent, guarded))
    undone = row(guarded, "select * from agentdb.undo_run(1)")
    assert approve(reviewer, undone["change_id"])["state"] == "applied"
    assert rows(guarded, "select * from invoice order by id") == before
    last = rows(guarded, RECORD)[-1]
    assert (last["agent_name"], last["run_id"]) == (None, None)
    assert last["change_id"] == undone["change_id"]
    redo = row(guarded, "select * from agentdb.undo_change(%s)", undone["change_id"])
    assert (redo["state"], redo["row_count"]) == ("pending", 1)


def test_undo_with_rights_of_ones_own_is_recorded_as_that_undo(
    db: Connection, connect: Connect
) -> None:
    """And the guard of other tables stays shut while it is applied."""
    db.execute(
        "create table plain (id int primary key, v int); insert into plain values (1, 1);"
        "create table kept (v int primary key);"
        "grant select, update on plain to agent_a, operator_o;"
        "grant insert on kept to operator_o;"
        "select agentdb.audit_table('plain');"
        "select agentdb.guard_table('kept', everybody => true)"
    )
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    run = start(agent)
    agent.execute("update plain set v = 2")
    operator = connect(db.info.dbname, "operator_o")
    undone = row(operator, "select * from agentdb.undo_run(%s)", run)
    apply = "select state, problem from agentdb.apply_change(%s)"
    with db.transaction(force_rollback=True):
        db.execute(
            "create function spread() returns trigger language plpgsql as"
            " 'begin insert into public.kept values (new.v); return null; end';"
            "create trigger spread after update on plain for each row execute function spread()"
        )
        db.execute("set local session authorization operator_o")
        ended = row(db, apply, undone["change_id"])
        assert (ended["state"], ended["problem"]["sqlstate"]) == ("conflict", "ZA050")
    assert row(operator, apply, undone["change_id"])["state"] == "applied"
    last = (
        "select agent_name, run_id, change_id, session_role from agentdb.audit limit 1"
    )
    assert row(db, last) == {
        "agent_name": None, "run_id": None, "change_id": undone["change_id"],
        "session_role": "operator_o",
    }  # fmt: skip
    redone = row(operator, "select * from agentdb.undo_change(%s)", undone["change_id"])
    assert row(operator, apply, redone["change_id"])["state"] == "applied"
    assert value(db, "select v from plain") == 2


def test_timeline_shows_what_became_of_a_change(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    approve(reviewer, stage(agent, guarded), "looks right")
    second = stage(agent, guarded, 2)
    reviewer.execute("select agentdb.reject_change(%s, 'not this one')", [second])
    found = rows(
        guarded, "select what, ok from agentdb.timeline(1) where kind = 'change'"
    )
    assert found == [
        {"what": "change 1 staged: notes", "ok": None},
        {"what": "change 1 approved by reviewer_r: looks right", "ok": True},
        {"what": "change 1 applied by reviewer_r", "ok": True},
        {"what": "change 2 staged: notes", "ok": None},
        {"what": "change 2 rejected by reviewer_r: not this one", "ok": False},
    ]


@pytest.mark.parametrize("login", ["agent_a", "reviewer_r", "operator_o", "app_user"])
def test_nobody_writes_in_anothers_name(
    guarded: Connection, agent: Connection, connect: Connect, login: str
) -> None:
    """The setting says only where to look, and there is nothing to be found."""
    stage(agent, guarded)
    guarded.execute("create table plain (id int); select agentdb.audit_table('plain')")
    guarded.execute(f"grant all on plain to {login}".encode())
    session = connect(guarded.info.dbname, login)
    session.execute("set agentdb.applying = '1'")
    session.execute("insert into plain values (1)")
    found = row(
        guarded,
        "select agent_name, run_id, change_id from agentdb.audit where table_name = 'public.plain'",
    )
    own = {"agent_name": "a", "run_id": 1} if login == "agent_a" else {}
    assert found == {"agent_name": None, "run_id": None, "change_id": None, **own}


def test_what_a_session_writes_after_applying_is_its_own(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute("create table plain (id int); select agentdb.audit_table('plain')")
    guarded.execute("grant all on plain to reviewer_r")
    change = stage(agent, guarded)
    with reviewer.transaction():
        approve(reviewer, change)
        reviewer.execute("insert into plain values (1)")
    found = row(
        guarded,
        "select agent_name, run_id, change_id, session_role from agentdb.audit"
        " where table_name = 'public.plain'",
    )
    assert found == {
        "agent_name": None, "run_id": None, "change_id": None, "session_role": "reviewer_r",
    }  # fmt: skip
    assert value(guarded, "select count(*) from agentdb.change_pass") == 0


def test_conflict_leaves_nothing_of_the_attempt_behind(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    change = stage(agent, guarded)
    guarded.execute("update invoice set note = 'theirs' where id = 1")
    with reviewer.transaction():
        assert approve(reviewer, change)["state"] == "conflict"
        setting = "select current_setting('agentdb.applying', true)"
        assert value(reviewer, setting) in (None, "")
    assert [each["change_id"] for each in rows(guarded, RECORD)] == [None]
    assert value(guarded, "select count(*) from agentdb.change_pass") == 0
