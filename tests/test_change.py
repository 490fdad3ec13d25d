"""A change is applied as it was reviewed, by somebody else, once, or not at all."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from .agents import age, evaluate, labels, refusal, register, row, rows, start, value
from .changes import approve, latest
from .conftest import Connect, Connection


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    session = connect(guarded.info.dbname, "agent_a")
    session.execute("set search_path = agentdb_stage, public")
    start(session)
    return session


def stage(
    agent: Connection, db: Connection, note: str = "x", where: str = "id = 1"
) -> int:
    """Stage a note and return the number of the change."""
    query = f"update agentdb_stage.invoice set note = %s where {where}"
    agent.execute(query.encode(), [note])
    return int(latest(db)["change_id"])


def state(db: Connection, change: int) -> Any:
    return value(db, "select state from agentdb.change where change_id = %s", change)


def again(db: Connection, **options: str) -> None:
    """Guard the table anew with other options."""
    said = "".join(f", {name} => {text}" for name, text in options.items())
    db.execute(f"select agentdb.guard_table('public.invoice'{said})".encode())


def test_conflict_names_row_column_values_and_writer(
    guarded: Connection, agent: Connection, reviewer: Connection, connect: Connect
) -> None:
    change = stage(agent, guarded, where="id in (1, 2)")
    app = connect(guarded.info.dbname, "app_user")
    app.execute("update public.invoice set note = 'theirs', amount = 7 where id = 2")
    ended = approve(reviewer, change)
    assert ended["state"] == "conflict"
    (conflict,) = ended["problem"]["conflicts"]
    assert conflict["table"] == "public.invoice"
    assert conflict["key"] == {"id": 2}
    assert conflict["conflict"] == "was changed"
    assert conflict["columns"] == {
        "note": {"expected": None, "current": "theirs", "proposed": "x"},
        "amount": {"expected": 20.0, "current": 7.0},
    }
    assert conflict["by"]["role"] == "app_user"
    assert value(guarded, "select note from public.invoice where id = 1") is None
    assert labels(guarded, "change_conflict")[0]["change"] == str(change)
    (alert,) = rows(
        guarded, "select annotations ->> 'summary' as s from agentdb.change_conflict"
    )
    assert 'row {"id": 2} of public.invoice was changed' in alert["s"]


def test_conflict_names_the_run_whose_change_came_first(
    guarded: Connection, agent: Connection, reviewer: Connection, connect: Connect
) -> None:
    register(guarded, "b", "agent_b")
    other = connect(guarded.info.dbname, "agent_b")
    run = start(other)
    first, second = stage(other, guarded, "b"), stage(agent, guarded, "a")
    assert approve(reviewer, first)["state"] == "applied"
    ended = approve(reviewer, second)
    assert ended["state"] == "conflict"
    by = ended["problem"]["conflicts"][0]["by"]
    assert (by["agent"], by["run"], by["change"]) == ("b", run, first)


def test_any_column_of_a_row_that_somebody_changed_is_a_conflict(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    change = stage(agent, guarded)
    guarded.execute("update public.invoice set amount = 7 where id = 1")
    ended = approve(reviewer, change)
    assert ended["state"] == "conflict"
    (conflict,) = ended["problem"]["conflicts"]
    assert list(conflict["columns"]) == ["amount"]
    assert value(guarded, "select note from public.invoice where id = 1") is None


def test_what_a_reviewer_saw_of_a_row_is_part_of_the_digest(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    change = stage(agent, guarded)
    digest = value(reviewer, "select digest from agentdb.show_change(%s)", change)
    guarded.execute(
        "update agentdb.change_row set seen = seen || '{\"amount\": 0}'"
        " where change_id = %s",
        [change],
    )
    seen = "select agentdb.approve_change(%s, %s::text, 'seen'::text)"
    assert refusal(reviewer, seen, change, digest).sqlstate == "ZA054"


def test_policy_can_bind_the_columns_alone_that_a_change_names(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute("update agentdb.policy set change_binding = 'columns'")
    change = stage(agent, guarded)
    guarded.execute("update public.invoice set amount = 7 where id = 1")
    assert approve(reviewer, change)["state"] == "applied"
    assert row(guarded, "select note, amount from public.invoice where id = 1") == {
        "note": "x",
        "amount": 7,
    }


def test_deleted_and_inserted_rows_conflict(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    gone = stage(agent, guarded, where="id = 6")
    agent.execute("insert into invoice (id, customer, amount) values (70, 1, 1)")
    there = latest(guarded)["change_id"]
    agent.execute("delete from invoice where id = 5")
    deleted = latest(guarded)["change_id"]
    guarded.execute(
        "delete from public.invoice where id = 6;"
        "insert into public.invoice (id, customer, amount) values (70, 1, 1);"
        "update public.invoice set amount = 3 where id = 5"
    )
    said = [
        approve(reviewer, change)["problem"]["conflicts"][0]["conflict"]
        for change in (gone, there, deleted)
    ]
    assert said == ["is gone", "exists already", "was changed"]


def test_row_that_a_change_replaces_itself_is_no_conflict(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    with agent.transaction():
        agent.execute("delete from invoice where id = 4")
        agent.execute("insert into invoice (id, customer, amount) values (4, 1, 9)")
        agent.execute("update invoice set note = 'x' where id = 5")
    change = latest(guarded)["change_id"]
    guarded.execute("update public.invoice set amount = 3 where id = 5")
    found = value(reviewer, "select agentdb.change_conflicts(%s)", change)
    assert [each["key"] for each in found] == [{"id": 5}]
    named = approve(reviewer, change)["problem"]["conflicts"]
    assert [each["key"] for each in named] == [{"id": 5}]


def test_two_pairs_of_eyes(
    guarded: Connection, agent: Connection, reviewer: Connection, connect: Connect
) -> None:
    change = stage(agent, guarded)
    digest = value(guarded, "select digest from agentdb.change")
    call = f"select agentdb.approve_change({change}, '{digest}')"
    assert refusal(agent, call).sqlstate == "ZA055"
    assert refusal(connect(guarded.info.dbname, "operator_o"), call).sqlstate == "ZA055"
    register(guarded, "b", "agent_b")
    other = connect(guarded.info.dbname, "agent_b")
    start(other)
    assert refusal(other, call).sqlstate == "ZA006"
    assert refusal(connect(guarded.info.dbname, "auditor_u"), call).sqlstate == "42501"
    guarded.execute("grant select, insert, update, delete on invoice to reviewer_r")
    reviewer.execute("update agentdb_stage.invoice set note = 'mine' where id = 2")
    own = latest(guarded)
    assert own["proposed_by"] == "reviewer_r"
    query = f"select agentdb.approve_change({own['change_id']}, '{own['digest']}')"
    assert refusal(reviewer, query).sqlstate == "ZA055"
    assert approve(reviewer, change)["state"] == "applied"
    assert refusal(reviewer, call).sqlstate == "ZA053"
    assert (
        refusal(reviewer, "select agentdb.approve_change(99, '')").sqlstate == "ZA006"
    )


def test_several_approvals(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    again(guarded, approvals="2")
    change = stage(agent, guarded)
    assert approve(reviewer, change, "seems right") == {
        "state": "pending",
        "approvals_missing": 1,
        "effects": {"public.invoice updated": 1},
        "problem": None,
    }
    digest = latest(guarded)["digest"]
    refused = refusal(reviewer, f"select agentdb.approve_change({change}, '{digest}')")
    assert refused.sqlstate == "ZA055"
    assert approve(guarded, change)["state"] == "applied"
    assert latest(guarded)["decisions"] == "reviewer_r: approve, postgres: approve"


def test_rejection_ends_it_and_tells_why(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    change = stage(agent, guarded)
    for comment in ("", "a\x07b", "\u202egnp.exe"):
        refused = refusal(
            reviewer, "select agentdb.reject_change(%s, %s::text)", change, comment
        )
        assert refused.sqlstate == "ZA004"
    reviewer.execute("select agentdb.reject_change(%s, 'not this one')", [change])
    found = row(agent, "select state, problem from agentdb.my_changes()")
    assert found == {"state": "rejected", "problem": {"message": "not this one"}}
    assert value(agent, "select note from invoice where id = 1") is None


def test_altered_content_is_refused(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    alterations = (
        'update agentdb.change_row set new_values = \'{"note": "y"}\'',
        "update agentdb.change_row set row_key = '{\"id\": 3}'",
        "update agentdb.change_row set operation = 'delete'",
        "delete from agentdb.change_row where place = 2",
        "update agentdb.change set reason = 'another'",
        "update agentdb.change_table set table_name = 'public.line'",
    )
    change = stage(agent, guarded, where="id in (1, 2)")
    digest = latest(guarded)["digest"]
    call = f"select agentdb.approve_change({change}, '{digest}')"
    for alteration in alterations:
        with guarded.transaction(force_rollback=True):
            guarded.execute(alteration.encode())
            guarded.execute("set local session authorization reviewer_r")
            with pytest.raises(psycopg.Error) as refused, guarded.transaction():
                guarded.execute(call.encode())
            assert refused.value.sqlstate == "ZA054", alteration
            guarded.execute("reset session authorization")
    wrong = f"select agentdb.approve_change({change}, 'another')"
    assert refusal(reviewer, wrong).sqlstate == "ZA054"
    again(guarded, apply="'hand'")
    guarded.execute("update agentdb.change set apply = 'hand'")
    assert approve(reviewer, change)["state"] == "approved"
    for alteration in alterations:
        with guarded.transaction(force_rollback=True):
            guarded.execute(alteration.encode())
            with pytest.raises(psycopg.Error) as refused, guarded.transaction():
                guarded.execute("select agentdb.apply_change(%s)", [change])
            assert refused.value.sqlstate == "ZA054", alteration
    assert row(reviewer, "select state from agentdb.apply_change(%s)", change) == {
        "state": "applied"
    }


SWAPS = (
    (
        "alter table invoice rename to old; alter table other rename to invoice",
        "called",
    ),
    ("alter table invoice set schema aside", "called"),
    (
        "drop view agentdb_stage.invoice; alter table invoice drop column note",
        "altered",
    ),
    (
        "drop view agentdb_stage.invoice; alter table invoice alter note type varchar(9)",
        "altered",
    ),
    ("drop view agentdb_stage.invoice; drop table invoice cascade", "gone"),
    ("alter table invoice owner to agent_b", "an agent controls"),
    (
        "create function spy() returns trigger language plpgsql as 'begin return new; end';"
        "alter function spy owner to agent_b;"
        "create trigger spy before update on invoice for each row execute function spy()",
        "an agent controls",
    ),
    ("grant trigger on invoice to agent_b", "an agent controls"),
    ("select agentdb.unaudit_table('invoice')", "not audited"),
)


def test_table_that_is_another_by_now_is_refused(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute(
        "create table other (like invoice including all); create schema aside"
    )
    register(guarded, "b", "agent_b")
    change = stage(agent, guarded)
    call = "select state, problem from agentdb.approve_change(%s, %s)"
    digest = latest(guarded)["digest"]
    for swap, said in SWAPS:
        with guarded.transaction(force_rollback=True):
            guarded.execute(swap.encode())
            guarded.execute("set local session authorization reviewer_r")
            ended = row(guarded, call, change, digest)
            assert ended["state"] == "conflict", swap
            assert said in ended["problem"]["message"], swap
    guarded.execute("grant trigger on invoice to agent_b")
    assert (
        refusal(agent, "update invoice set note = 'y' where id = 2").sqlstate == "ZA051"
    )


def test_change_expires(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    again(guarded, expires="'3 hours'")
    change = stage(agent, guarded)
    assert labels(guarded, "change_expiring") == []
    assert labels(guarded, "change_waiting") == []
    for column in ("submitted_at", "expires_at"):
        age(guarded, "change", column, "2 hours")
    assert [each["change"] for each in labels(guarded, "change_expiring")] == [
        str(change)
    ]
    assert [each["change"] for each in labels(guarded, "change_waiting")] == [
        str(change)
    ]
    evaluate(guarded)
    fired = rows(guarded, "select rule_name from agentdb.alert order by 1")
    assert [each["rule_name"] for each in fired] == [
        "change_expiring",
        "change_waiting",
    ]
    age(guarded, "change", "expires_at", "2 hours")
    assert labels(guarded, "change_expiring") == []
    assert approve(reviewer, change)["state"] == "expired"
    second = stage(agent, guarded)
    age(guarded, "change", "expires_at", "4 hours")
    assert rows(guarded, "select change_id, state from agentdb.advance_changes()") == [
        {"change_id": second, "state": "expired"}
    ]
    assert value(agent, "select note from invoice where id = 1") is None


def test_expiry_is_told_to_people_and_to_the_proposer(
    guarded: Connection, agent: Connection
) -> None:
    change = stage(agent, guarded)
    age(guarded, "change", "expires_at", "25 hours")
    assert labels(guarded, "change_expired") == []
    guarded.execute("select agentdb.advance_changes()")
    assert value(agent, "select state from agentdb.my_changes()") == "expired"
    (fired,) = rows(guarded, "select * from agentdb.change_expired")
    assert fired["labels"]["change"] == str(change)
    assert "was not decided in time" in fired["annotations"]["summary"]
    age(guarded, "change", "closed_at", "25 hours")
    assert labels(guarded, "change_expired") == []


def test_approved_change_that_nobody_applied_in_time_is_told_as_that(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    again(guarded, apply="'hand'")
    approve(reviewer, stage(agent, guarded))
    age(guarded, "change", "expires_at", "25 hours")
    guarded.execute("select agentdb.advance_changes()")
    (fired,) = rows(guarded, "select * from agentdb.change_expired")
    assert "was not applied in time" in fired["annotations"]["summary"]


@pytest.mark.parametrize("end", ["approve", "reject"])
def test_run_that_waits_for_a_reviewer_is_not_without_progress(
    guarded: Connection, agent: Connection, reviewer: Connection, end: str
) -> None:
    change = stage(agent, guarded)
    age(guarded, "run", "started_at", "40 minutes")
    for table, column in (("change", "submitted_at"), ("audit_log", "recorded_at")):
        age(guarded, table, column, "40 minutes")
    assert labels(guarded, "no_progress") == []
    if end == "approve":
        approve(reviewer, change)
    else:
        reviewer.execute("select agentdb.reject_change(%s, 'no')", [change])
    assert labels(guarded, "no_progress") == []
    for table, column in (("change", "closed_at"), ("audit_log", "recorded_at")):
        age(guarded, table, column, "20 minutes")
    assert len(labels(guarded, "no_progress")) == 1


def test_runner_applies_what_waits_for_it(
    guarded: Connection, agent: Connection, reviewer: Connection, connect: Connect
) -> None:
    again(guarded, apply="'runner'")
    first, second = stage(agent, guarded), stage(agent, guarded, where="id = 2")
    assert approve(reviewer, first)["state"] == "approved"
    assert approve(reviewer, second)["state"] == "approved"
    guarded.execute("update public.invoice set note = 'z' where id = 2")
    operator = connect(guarded.info.dbname, "operator_o")
    found = rows(operator, "select change_id, state from agentdb.advance_changes()")
    assert found == [
        {"change_id": first, "state": "applied"},
        {"change_id": second, "state": "conflict"},
    ]


def test_hand_applies_what_waits_for_it(
    guarded: Connection, agent: Connection, reviewer: Connection, connect: Connect
) -> None:
    again(guarded, apply="'hand'")
    change = stage(agent, guarded)
    operator = connect(guarded.info.dbname, "operator_o")
    call = f"select state from agentdb.apply_change({change})"
    assert refusal(operator, call).sqlstate == "ZA053"
    assert approve(reviewer, change)["state"] == "approved"
    assert rows(operator, "select * from agentdb.advance_changes()") == []
    assert row(operator, call) == {"state": "applied"}
    assert refusal(operator, call).sqlstate == "ZA053"


AUTO = (
    '\'{"columns": ["note"], "rows": 2, "condition": "public.is_short"}\'',
    (
        ("update invoice set note = 'ok' where id in (1, 2)", "applied"),
        ("update invoice set note = 'ok' where id in (3, 4, 5)", "pending"),
        ("update invoice set note = 'much too long' where id = 6", "pending"),
        ("update invoice set state = 'paid', note = 'k' where id = 6", "pending"),
        ("insert into invoice (customer, amount, note) values (1, 1, 'k')", "pending"),
        ("delete from invoice where id = 1", "pending"),
    ),
)


def test_rules_of_the_dba_approve_by_themselves(
    guarded: Connection, agent: Connection
) -> None:
    guarded.execute(
        "create function is_short(old jsonb, new jsonb) returns boolean security definer"
        " language sql set search_path = pg_catalog as"
        " 'select length(new ->> ''note'') < 10'"
    )
    rule, cases = AUTO
    again(guarded, auto_approve=rule)
    for statement, expected in cases:
        agent.execute(statement.encode())
        assert latest(guarded)["state"] == expected, statement
    applied = rows(guarded, "select run_id, session_role from agentdb.audit")
    assert [each["session_role"] for each in applied] == ["agent_a"] * 2
    guarded.execute(
        "create function more() returns trigger language plpgsql as $$ begin"
        " update public.line set what = 'm' where invoice = new.id; return null; end $$;"
        "create trigger more after update on invoice for each row execute function more();"
        "grant update, select on line to agentdb_applier"
    )
    agent.execute("update invoice set note = 'k' where id = 1")
    assert latest(guarded)["state"] == "pending"


def test_settings_of_an_agent_do_not_bend_what_is_applied(
    guarded: Connection, agent: Connection
) -> None:
    guarded.execute(
        "create table odd (id int primary key, a text[], t timestamptz, i interval);"
        "insert into odd values (1); grant select, insert, update, delete on odd to agent_a;"
        "select agentdb.guard_table('odd', auto_approve => '{\"rows\": 1}')"
    )
    agent.execute(
        "set array_nulls = off; set timezone = 'Asia/Tokyo'; set datestyle = 'German';"
        "set intervalstyle = 'sql_standard'; set transform_null_equals = on;"
        "set standard_conforming_strings = off; set extra_float_digits = -15"
    )
    agent.execute(
        "update odd set a = array['x', null], t = '2026-02-01 00:00+09',"
        " i = interval '-1 day +2 hours'"
    )
    assert latest(guarded)["state"] == "applied"
    guarded.execute("set timezone = 'UTC'")
    assert row(guarded, "select a, t::text, i::text from public.odd") == {
        "a": ["x", None],
        "t": "2026-01-31 15:00:00+00",
        "i": "-1 days +02:00:00",
    }


def test_validator_agent_may_review(
    guarded: Connection, agent: Connection, connect: Connect
) -> None:
    register(guarded, "checker", "agent_b")
    again(guarded, validators="'{checker}'")
    change = stage(agent, guarded)
    checker = connect(guarded.info.dbname, "agent_b")
    (waiting,) = rows(
        checker, "select change_id, reason, digest from agentdb.waiting_changes()"
    )
    assert waiting["change_id"] == change
    assert value(
        checker, "select new_values from agentdb.show_change_rows(%s)", change
    ) == {"note": "x"}
    call = f"select state from agentdb.approve_change({change}, '{waiting['digest']}')"
    assert refusal(checker, call).sqlstate == "ZA001"
    run = start(checker)
    assert row(checker, call) == {"state": "applied"}
    decision = row(guarded, "select reviewer, run_id from agentdb.change_decision")
    assert decision == {"reviewer": "agent_b", "run_id": run}
    checker.execute("update agentdb_stage.invoice set note = 'own' where id = 2")
    own = latest(guarded)
    call = f"select agentdb.approve_change({own['change_id']}, '{own['digest']}')"
    assert refusal(checker, call).sqlstate == "ZA055"


def test_context_is_shown_beside_the_key(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    again(guarded, context="'{customer,note}'")
    change = stage(agent, guarded)
    shown = row(reviewer, "select context from agentdb.show_change_rows(%s)", change)
    assert shown == {"context": {"customer": 2}}


def test_four_approvers_and_appliers_apply_once(
    guarded: Connection, agent: Connection, connect: Connect
) -> None:
    guarded.execute("create table public.applied (n int)")
    guarded.execute(
        "create function tally() returns trigger language plpgsql security definer as $$"
        " begin insert into public.applied values (1); return null; end $$;"
        "create trigger tally after update on invoice for each row execute function tally()"
    )
    people = [connect(guarded.info.dbname, user) for user in ("reviewer_r", None, None)]
    appliers = [connect(guarded.info.dbname, "operator_o")]
    for number in range(8):
        change = stage(agent, guarded, f"n{number}")
        digest = latest(guarded)["digest"]
        states: list[str] = []
        calls = [
            *((p, f"select state from agentdb.approve_change({change}, '{digest}')") for p in people),
            *((a, f"select state from agentdb.apply_change({change})") for a in appliers),
        ]  # fmt: skip

        def call(session: Connection, query: str, states: list[str]) -> None:
            try:
                states.append(value(session, query))
            except psycopg.Error as error:
                states.append(error.sqlstate or "")

        threads = [
            threading.Thread(target=call, args=[*each, states]) for each in calls
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert states.count("applied") == 1
        assert set(states) <= {"applied", "ZA053"}
        assert value(guarded, "select count(*) from public.applied") == number + 1
        assert (
            value(guarded, "select note from public.invoice where id = 1")
            == f"n{number}"
        )


def test_apply_waits_for_a_writer_and_sees_what_it_wrote(
    guarded: Connection, agent: Connection, reviewer: Connection, connect: Connect
) -> None:
    change = stage(agent, guarded)
    app = connect(guarded.info.dbname, "app_user")
    app.execute("begin; update public.invoice set note = 'meanwhile' where id = 1")
    ended: list[Any] = []
    thread = threading.Thread(target=lambda: ended.append(approve(reviewer, change)))
    thread.start()
    waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    while not value(guarded, waits):
        pass
    app.execute("commit")
    thread.join()
    assert ended[0]["state"] == "conflict"
    assert value(guarded, "select note from public.invoice where id = 1") == "meanwhile"


def test_lock_that_lasts_leaves_the_change_pending(
    guarded: Connection, agent: Connection, reviewer: Connection, connect: Connect
) -> None:
    change = stage(agent, guarded)
    app = connect(guarded.info.dbname, "app_user")
    app.execute("begin; update public.invoice set amount = 3 where id = 1")
    digest = latest(guarded)["digest"]
    call = f"select agentdb.approve_change({change}, '{digest}')"
    assert refusal(reviewer, call).sqlstate == "55P03"
    app.execute("rollback")
    assert approve(reviewer, change)["state"] == "applied"


def test_kill_withdraws_what_the_run_proposed(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    run = value(guarded, "select max(run_id) from agentdb.run")
    again(guarded, apply="'hand'")
    pending, approved = stage(agent, guarded), stage(agent, guarded, where="id = 2")
    approve(reviewer, approved)
    agent.execute("select agentdb.open_change('more')")
    killed = row(
        guarded, "select changes_withdrawn from agentdb.kill_run(%s, 'x')", run
    )
    assert killed == {"changes_withdrawn": 3}
    digest = latest(guarded)["digest"]
    assert state(guarded, pending) == state(guarded, approved) == "withdrawn"
    assert refusal(
        reviewer, f"select agentdb.approve_change({pending}, '{digest}')"
    ).sqlstate == ("ZA053")
    assert (
        refusal(guarded, f"select agentdb.apply_change({approved})").sqlstate == "ZA053"
    )


def test_kill_agent_withdraws_changes_of_runs_that_have_ended(
    guarded: Connection, agent: Connection
) -> None:
    change = stage(agent, guarded)
    agent.execute("select agentdb.end_run()")
    guarded.execute("select agentdb.kill_agent('a', 'x')")
    assert state(guarded, change) == "withdrawn"


def test_kill_during_apply_waits_for_it_or_prevents_it(
    guarded: Connection, agent: Connection, reviewer: Connection, connect: Connect
) -> None:
    run = value(guarded, "select max(run_id) from agentdb.run")
    applied, other = stage(agent, guarded), stage(agent, guarded, where="id = 2")
    operator = connect(guarded.info.dbname, "operator_o")
    reviewer.execute("begin")
    assert approve(reviewer, applied)["state"] == "applied"
    killed = row(
        operator, "select changes_withdrawn from agentdb.kill_run(%s, 'x')", run
    )
    assert killed == {"changes_withdrawn": 1}
    drained = "select drained from agentdb.drain_run(%s, '200 ms')"
    assert value(operator, drained, run) is False
    reviewer.execute("commit")
    assert value(operator, drained, run) is True
    assert value(guarded, "select note from public.invoice where id = 1") == "x"
    assert state(guarded, other) == "withdrawn"


def test_approval_in_flight_is_not_applied_after_a_kill(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    run = value(guarded, "select max(run_id) from agentdb.run")
    again(guarded, apply="'runner'")
    change = stage(agent, guarded)
    reviewer.execute("begin")
    assert approve(reviewer, change)["state"] == "approved"
    guarded.execute("select agentdb.kill_run(%s, 'x')", [run])
    reviewer.execute("commit")
    assert (
        refusal(guarded, f"select agentdb.apply_change({change})").sqlstate == "ZA040"
    )
    assert rows(guarded, "select * from agentdb.advance_changes()") == []
    guarded.execute("select agentdb.drain_run(%s)", [run])
    assert state(guarded, change) == "withdrawn"


def test_triggers_of_the_application_find_its_tables(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute(
        "create function upper_note() returns trigger language plpgsql as $$ begin"
        " new.note := (select upper(new.note || name) from customer where id = new.customer);"
        " return new; end $$; grant select on customer to agentdb_applier;"
        "create trigger upper_note before update on invoice for each row"
        " execute function upper_note()"
    )
    assert approve(reviewer, stage(agent, guarded))["state"] == "applied"
    assert value(guarded, "select note from public.invoice where id = 1") == "XBOLT"


def test_foreign_keys_are_met_in_any_order(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute(
        "alter table customer add vip int references invoice;"
        "select agentdb.guard_table('customer'), agentdb.guard_table('line')"
    )
    with agent.transaction():
        agent.execute("insert into line values (90, 80, 'l')")
        agent.execute("insert into invoice (id, customer, amount) values (80, 8, 1)")
        agent.execute("insert into customer values (8, 'h', 80)")
    assert approve(reviewer, latest(guarded)["change_id"])["state"] == "applied"
    with agent.transaction():
        agent.execute("delete from customer where id = 8")
        agent.execute("delete from invoice where id = 80")
        agent.execute("delete from line where id = 90")
    assert approve(reviewer, latest(guarded)["change_id"])["state"] == "applied"
    assert value(guarded, "select count(*) from public.line where id = 90") == 0


def test_retention_forgets_closed_changes(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    change = stage(agent, guarded)
    approve(reviewer, change)
    pending = stage(agent, guarded, where="id = 2")
    age(guarded, "change", "closed_at", "200 days")
    guarded.execute("select agentdb.maintain(0)")
    found = rows(guarded, "select distinct change_id from agentdb.change_row")
    assert found == [{"change_id": pending}]
