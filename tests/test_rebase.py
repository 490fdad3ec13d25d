"""A change that others have crossed is staged anew: theirs is kept, or written over."""

from __future__ import annotations

import pytest

from .agents import refusal, row, rows, start, value
from .changes import approve, latest
from .conftest import Connect, Connection

REBASE = "select * from agentdb.rebase_change(%s, %s, %s)"


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    session = connect(guarded.info.dbname, "agent_a")
    session.execute("set search_path = agentdb_stage, public")
    start(session)
    return session


@pytest.fixture
def app(guarded: Connection, connect: Connect) -> Connection:
    return connect(guarded.info.dbname, "app_user")


def stage(agent: Connection, db: Connection, statement: str = "") -> int:
    agent.execute(
        (statement or "update invoice set note = 'mine' where id in (1, 2)").encode()
    )
    return int(latest(db)["change_id"])


def notes(db: Connection) -> dict[int, object]:
    found = rows(db, "select id, note from public.invoice where id < 4 order by id")
    return {each["id"]: each["note"] for each in found}


def test_what_others_wrote_beside_it_is_no_obstacle(
    guarded: Connection, agent: Connection, reviewer: Connection, app: Connection
) -> None:
    change = stage(agent, guarded)
    app.execute("update public.invoice set amount = 7 where id = 2")
    assert approve(reviewer, change)["state"] == "conflict"
    made = row(reviewer, REBASE, change, "refuse", None)
    assert (made["state"], made["row_count"]) == ("pending", 2)
    anew = latest(guarded)
    assert (anew["agent_name"], anew["proposed_by"]) == ("a", "agent_a")
    assert anew["rebased"] == {
        "from": change, "by": "reviewer_r", "on_conflict": "refuse",
    }  # fmt: skip
    assert approve(reviewer, anew["change_id"])["state"] == "applied"
    assert notes(guarded) == {1: "mine", 2: "mine", 3: None}
    assert value(guarded, "select amount from public.invoice where id = 2") == 7
    assert value(
        guarded,
        "select rebased ->> 'as' from agentdb.change where change_id = %s",
        change,
    ) == str(anew["change_id"])


def test_record_names_proposer_and_who_decided(
    guarded: Connection, agent: Connection, reviewer: Connection, app: Connection
) -> None:
    change = stage(agent, guarded)
    app.execute("update public.invoice set amount = 7 where id = 2")
    approve(reviewer, change)
    reviewer.execute(REBASE.encode(), [change, "refuse", None])
    approve(reviewer, latest(guarded)["change_id"])
    record = row(
        guarded,
        "select agent_name, run_id, session_role from agentdb.audit"
        " where table_name = 'public.invoice' order by audit_log_id desc limit 1",
    )
    assert (record["agent_name"], record["session_role"]) == ("a", "reviewer_r")
    assert record["run_id"] == latest(guarded)["run_id"]


@pytest.mark.parametrize(
    ("how", "after"),
    [("skip", {1: "mine", 2: "theirs"}), ("override", {1: "mine", 2: "mine"})],
)
def test_what_others_wrote_in_the_same_column_is_kept_or_written_over(
    guarded: Connection,
    agent: Connection,
    reviewer: Connection,
    app: Connection,
    how: str,
    after: dict[int, str],
) -> None:
    change = stage(agent, guarded)
    app.execute("update public.invoice set note = 'theirs' where id = 2")
    (conflict,) = approve(reviewer, change)["problem"]["conflicts"]
    assert conflict["columns"] == {
        "note": {"expected": None, "current": "theirs", "proposed": "mine"}
    }
    said = refusal(reviewer, REBASE, change, "refuse", None)
    assert said.sqlstate == "ZA052"
    assert "would be" in (said.message_detail or "")
    reviewer.execute(REBASE.encode(), [change, how, "agreed with the customer"])
    anew = latest(guarded)["change_id"]
    assert approve(reviewer, anew)["state"] == "applied"
    assert notes(guarded) == after | {3: None}


def test_override_needs_a_reason(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    change = stage(agent, guarded)
    assert refusal(reviewer, REBASE, change, "override", None).sqlstate == "ZA004"
    assert refusal(reviewer, REBASE, change, "mine", "why").sqlstate == "ZA004"


@pytest.mark.parametrize(
    ("statement", "theirs", "override"),
    [
        (
            "update invoice set note = 'mine' where id = 6",
            "delete from public.invoice where id = 6",
            "ZA052",
        ),
        (
            "delete from invoice where id = 6",
            "update public.invoice set note = 'theirs' where id = 6",
            None,
        ),
        (
            "insert into invoice (id, customer, amount) values (60, 1, 1)",
            "insert into public.invoice (id, customer, amount) values (60, 2, 2)",
            "ZA052",
        ),
    ],
)
def test_each_operation_against_what_others_did(
    guarded: Connection,
    agent: Connection,
    reviewer: Connection,
    app: Connection,
    statement: str,
    theirs: str,
    override: str | None,
) -> None:
    guarded.execute("delete from public.line where invoice = 6")
    change = stage(agent, guarded, statement)
    app.execute(theirs.encode())
    kept = rows(guarded, "select * from public.invoice order by id")
    assert approve(reviewer, change)["state"] == "conflict"
    assert refusal(reviewer, REBASE, change, "refuse", None).sqlstate == "ZA052"
    alone = refusal(reviewer, REBASE, change, "skip", None)
    assert "nothing is left" in (alone.message_primary or "")
    if override:
        assert refusal(reviewer, REBASE, change, "override", "so").sqlstate == override
    else:
        reviewer.execute(REBASE.encode(), [change, "override", "so"])
        anew = latest(guarded)["change_id"]
        assert approve(reviewer, anew)["state"] == "applied"
        kept = [each for each in kept if each["id"] != 6]
    assert rows(guarded, "select * from public.invoice order by id") == kept


def test_change_that_waits_is_replaced(
    guarded: Connection, agent: Connection, reviewer: Connection, app: Connection
) -> None:
    change = stage(agent, guarded)
    app.execute("update public.invoice set amount = 7 where id = 2")
    reviewer.execute(REBASE.encode(), [change, "refuse", None])
    former = row(guarded, "select * from agentdb.change where change_id = %s", change)
    assert former["state"] == "withdrawn"
    assert "staged anew as change" in former["problem"]["message"]
    assert refusal(reviewer, REBASE, change, "refuse", None).sqlstate == "ZA053"


def test_conflict_is_rebased_once(
    guarded: Connection, agent: Connection, reviewer: Connection, app: Connection
) -> None:
    change = stage(agent, guarded)
    app.execute("update public.invoice set amount = 7 where id = 2")
    approve(reviewer, change)
    reviewer.execute(REBASE.encode(), [change, "refuse", None])
    again = refusal(reviewer, REBASE, change, "refuse", None)
    assert "was staged anew as change" in (again.message_primary or "")


def test_no_rule_approves_what_somebody_else_staged_anew(
    guarded: Connection, agent: Connection, reviewer: Connection, app: Connection
) -> None:
    change = stage(agent, guarded)
    app.execute("update public.invoice set amount = 7 where id = 2")
    guarded.execute(
        "select agentdb.guard_table('public.invoice', auto_approve => '{\"rows\": 9}')"
    )
    assert row(reviewer, REBASE, change, "refuse", None)["state"] == "pending"


def test_agents_cannot_rebase_nor_anybody_a_killed_run(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    change = stage(agent, guarded)
    assert refusal(agent, REBASE, change, "refuse", None).sqlstate == "42501"
    guarded.execute("update agentdb.change set state = 'conflict'")
    guarded.execute("select agentdb.kill_run(%s, 'x')", [latest(guarded)["run_id"]])
    assert refusal(reviewer, REBASE, change, "refuse", None).sqlstate == "ZA040"


def test_row_security_is_for_the_proposer_to_meet(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    change = stage(agent, guarded)
    guarded.execute("alter table public.invoice enable row level security")
    said = refusal(reviewer, REBASE, change, "refuse", None)
    assert said.message_hint == "Only its proposer can stage the change again."


def test_what_it_rests_on_binds_it_anew_or_is_overridden(
    guarded: Connection, agent: Connection, reviewer: Connection, app: Connection
) -> None:
    guarded.execute("select agentdb.guard_table('public.customer')")
    with agent.transaction():
        agent.execute("select agentdb.stage_reads('public.customer', '{\"id\": 1}')")
        agent.execute("update invoice set note = 'mine' where id = 1")
    change = int(latest(guarded)["change_id"])
    app.execute("update public.customer set name = 'other' where id = 1")
    assert approve(reviewer, change)["state"] == "conflict"
    assert refusal(reviewer, REBASE, change, "skip", None).sqlstate == "ZA052"
    reviewer.execute(REBASE.encode(), [change, "override", "the name is no matter"])
    anew = latest(guarded)["change_id"]
    seen = value(
        guarded,
        "select seen ->> 'name' from agentdb.change_read where change_id = %s",
        anew,
    )
    assert seen == "other"
    assert approve(reviewer, anew)["state"] == "applied"


def test_what_a_killed_agent_proposed_is_not_revived(
    guarded: Connection, agent: Connection, reviewer: Connection, app: Connection
) -> None:
    change = stage(agent, guarded)
    app.execute("update public.invoice set amount = 7 where id = 2")
    approve(reviewer, change)
    agent.execute("select agentdb.end_run()")
    guarded.execute("select agentdb.kill_agent('a', 'x')")
    assert refusal(reviewer, REBASE, change, "refuse", None).sqlstate == "ZA040"
