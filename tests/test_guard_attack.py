"""What a hostile agent tries behind the guard, and values that must not stop others."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from .agents import Row, refusal, register, row, rows, start, value
from .changes import approve, latest
from .conftest import Connect, Connection


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    session = connect(guarded.info.dbname, "agent_a")
    session.execute("set search_path = agentdb_stage, public")
    start(session, purpose="settle May")
    return session


def guard(db: Connection, rule: str) -> None:
    query = "select agentdb.guard_table('public.invoice', auto_approve => %s::jsonb)"
    db.execute(query.encode(), [rule])


SPY = """
create temp table trap (n int);
create function pg_temp.spy() returns trigger language plpgsql as $$ begin
  update public.invoice set note = 'spied' where id = 2;
  raise notice 'wrote as %', current_user;
  return null;
exception when sqlstate 'ZA050' then
  return null;
end $$;
create constraint trigger spy after insert on trap deferrable initially deferred
  for each row execute function pg_temp.spy();
"""


@pytest.mark.parametrize("how", ["submitted", "at commit"])
def test_deferred_trigger_of_an_agent_does_not_run_behind_the_guard(
    guarded: Connection, agent: Connection, how: str
) -> None:
    said: list[str] = []
    agent.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
    agent.execute(SPY)
    if how == "submitted":
        agent.execute("select agentdb.open_change('x')")
    else:
        # Queued by one that fires first: not yet among those that a commit fires.
        agent.execute(
            "create temp table first (n int);"
            "create function pg_temp.lead() returns trigger language plpgsql as"
            " $$ begin insert into trap values (1); return null; end $$;"
            "create constraint trigger lead after insert on first deferrable"
            " initially deferred for each row execute function pg_temp.lead()"
        )
    with agent.transaction():
        agent.execute(
            f"insert into {'trap' if how == 'submitted' else 'first'} values (1)"
        )
        agent.execute("update agentdb_stage.invoice set note = 'n' where id = 1")
        if how == "submitted":
            agent.execute("select agentdb.submit_change()")
    assert said == []
    assert latest(guarded)["effects"] == {"public.invoice updated": 1}


def test_condition_that_is_another_by_now_approves_nothing(
    guarded: Connection, agent: Connection, connect: Connect
) -> None:
    guarded.execute(
        "create function fine(old jsonb, new jsonb) returns boolean security definer"
        " language sql as 'select true'; grant create on schema public to agent_b"
    )
    guard(guarded, '{"condition": "public.fine", "rows": 1.5}')
    agent.execute("update invoice set note = 'a' where id = 1")
    assert latest(guarded)["state"] == "applied"
    guarded.execute("drop function public.fine(jsonb, jsonb)")
    agent.execute("update invoice set note = 'b' where id = 2")
    assert latest(guarded)["state"] == "pending"
    register(guarded, "b", "agent_b")
    connect(guarded.info.dbname, "agent_b").execute(
        "create function public.fine(old jsonb, new jsonb) returns boolean"
        " language sql as 'select true'"
    )
    agent.execute("update invoice set note = 'c' where id = 3")
    assert latest(guarded)["state"] == "pending"


def test_condition_that_fails_leaves_it_to_a_person(
    guarded: Connection, agent: Connection
) -> None:
    guarded.execute(
        "create function fine(old jsonb, new jsonb) returns boolean security definer"
        " language sql as 'select (new ->> ''note'')::int > 0'"
    )
    guard(guarded, '{"condition": "public.fine"}')
    for note, state in (("7", "applied"), ("no number", "pending")):
        agent.execute("update invoice set note = %s where id = 1", [note])
        assert latest(guarded)["state"] == state
    for rule in ('{"condition": null}', '{"operations": ["upsert"]}'):
        call = f"select agentdb.guard_table('invoice', auto_approve => '{rule}')"
        assert refusal(guarded, call).sqlstate == "ZA004", rule


def test_renamed_column_is_never_left_out(
    guarded: Connection, agent: Connection
) -> None:
    guarded.execute("alter table public.invoice rename column note to memo")
    for statement in (
        "update invoice set note = 'x', state = 'paid' where id = 1",
        "update invoice set note = 'x' where id = 1",
        "insert into invoice (customer, amount, note) values (1, 1, 'x')",
    ):
        refused = refusal(agent, statement)
        assert refused.sqlstate == "42703"
        assert "note" in (refused.message_primary or "")
    assert value(guarded, "select count(*) from agentdb.change") == 0


def test_earlier_change_is_not_tried_where_an_agent_has_a_part_by_now(
    guarded: Connection, agent: Connection
) -> None:
    register(guarded, "b", "agent_b")
    agent.execute("insert into customer values (3, 'carol')")
    guarded.execute(
        "create function spy() returns trigger language plpgsql as"
        " $$ begin raise exception 'spied as %', current_user; end $$;"
        "alter function spy owner to agent_b;"
        "create trigger spy before insert on public.customer"
        " for each row execute function spy()"
    )
    child = "insert into invoice (customer, amount) values (3, 1)"
    refused = refusal(agent, child)
    assert refused.sqlstate == "23503"
    assert "customer" in (refused.message_primary or "")


def test_runs_behind_one_role_do_not_share_a_change(
    guarded: Connection, connect: Connect
) -> None:
    guarded.execute(
        "grant select, insert, update, delete on public.invoice to agent_pool"
    )
    session = connect(guarded.info.dbname, "agent_pool")
    begin = "select token from agentdb.start_run(agent => %s, secret => %s)"
    with session.transaction():
        for number, name in enumerate(("p", "q"), 1):
            secret = register(guarded, name, "agent_pool", pooled=True)
            session.execute("select agentdb.bind_run(%s)", [
                value(session, begin, name, secret)
            ])  # fmt: skip
            query = "update agentdb_stage.invoice set note = 'x' where id = %s"
            session.execute(query, [number])
    found = rows(
        guarded, "select agent_name, row_count from agentdb.change_summary order by 1"
    )
    assert found == [
        {"agent_name": "p", "row_count": 1},
        {"agent_name": "q", "row_count": 1},
    ]


def test_two_sessions_open_one_change(
    guarded: Connection, agent: Connection, connect: Connect
) -> None:
    other = connect(guarded.info.dbname, "agent_a")
    refused: list[Any] = []

    def second() -> None:
        refused.append(refusal(other, "select agentdb.open_change('two')").sqlstate)

    with agent.transaction():
        agent.execute("select agentdb.open_change('one')")
        thread = threading.Thread(target=second)
        thread.start()
        waits = "select count(*) from pg_locks where not granted"
        while thread.is_alive() and not value(guarded, waits):
            pass
    thread.join()
    assert refused == ["ZA004"]


def test_reviewer_may_take_an_approval_back(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute("select agentdb.guard_table('public.invoice', approvals => 2)")
    agent.execute("update invoice set note = 'x' where id = 1")
    change = latest(guarded)["change_id"]
    assert approve(reviewer, change)["approvals_missing"] == 1
    reviewer.execute("select agentdb.reject_change(%s, 'on second thoughts')", [change])
    ended = latest(guarded)
    assert (ended["state"], ended["decisions"]) == ("rejected", "reviewer_r: reject")


def test_assertion_of_a_trigger_stops_no_other_change(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute(
        "select agentdb.guard_table('public.invoice', apply => 'runner');"
        "create table public.flag (n int); grant select on flag to agentdb_applier;"
        "create function sound() returns trigger language plpgsql as $$ begin"
        " assert not exists (select from public.flag where n = new.id), 'flagged';"
        " return new; end $$;"
        "create trigger sound before update on public.invoice"
        " for each row execute function sound()"
    )
    for number in (1, 2):
        agent.execute("update invoice set note = 'x' where id = %s", [number])
        approve(reviewer, latest(guarded)["change_id"])
    guarded.execute("insert into public.flag values (1)")
    found = rows(guarded, "select * from agentdb.advance_changes()")
    assert [(each["state"], each["problem"]) for each in found] == [
        ("conflict", "flagged"),
        ("applied", None),
    ]


def test_what_cannot_be_applied_yet_says_so_and_comes_last(
    guarded: Connection, agent: Connection, reviewer: Connection, connect: Connect
) -> None:
    guarded.execute(
        "select agentdb.guard_table('public.invoice', apply => 'runner');"
        "select agentdb.guard_table('public.customer', apply => 'runner')"
    )
    for statement in (
        "update customer set name = 'x' where id = 1",
        "update invoice set note = 'x' where id = 1",
    ):
        agent.execute(statement.encode())
        approve(reviewer, latest(guarded)["change_id"])
    with guarded.transaction():
        guarded.execute("lock table public.customer")
        tell = "select change_id, state, problem from agentdb.advance_changes()"
        found = rows(connect(guarded.info.dbname), tell)
    assert [(each["change_id"], each["state"]) for each in found] == [
        (1, "approved"),
        (2, "applied"),
    ]
    assert "lock timeout" in str(row(guarded, "select problem from agentdb.change"
                                     " where change_id = 1")["problem"])  # fmt: skip
    found = rows(guarded, tell)
    assert found == [{"change_id": 1, "state": "applied", "problem": None}]


def test_rows_that_never_end_can_be_changed_elsewhere(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute(
        "create table public.price (id int primary key, n numeric, f float8, secret text,"
        " ends timestamptz default 'infinity');"
        "insert into price values (1, 1.0, 'NaN', 's'), (2, 1.0, 0, 's');"
        "grant select, insert, update, delete on price to agent_a;"
        "select agentdb.audit_table('price', redact => '{secret}'),"
        " agentdb.guard_table('price')"
    )
    made = row(agent, "insert into price (id, n) values (3, 1) returning ends::text")
    assert made == {"ends": "infinity"}
    agent.execute("update price set n = 2 where id = 1")
    for wrong in ("f = 'NaN'", "n = 'NaN'", "secret = 'x'"):
        refused = refusal(agent, f"update price set {wrong} where id = 2")
        assert refused.sqlstate == "ZA004", wrong
    # 1.0 and 1.00 are one number: somebody else wrote it, and changed nothing.
    for now, state in (("1.00", "applied"), ("1.01", "conflict")):
        agent.execute("update price set n = 3 where id = 2")
        change = latest(guarded)["change_id"]
        guarded.execute(f"update public.price set n = {now} where id = 2".encode())
        assert approve(reviewer, change)["state"] == state
        guarded.execute("update public.price set n = 1.0 where id = 2")


def test_table_of_any_name_is_written_under_its_own(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute(
        'create table public."read only copy" (id int primary key, "only %" text);'
        'create table public."read copy" (id int primary key, "only %" text);'
        'grant select, insert, update, delete on "read only copy" to agent_a;'
        "grant insert on \"read copy\" to agentdb_applier;"
        "select agentdb.guard_table('\"read only copy\"')"
    )  # fmt: skip
    agent.execute("insert into \"read only copy\" values (1, 'x')")
    assert approve(reviewer, latest(guarded)["change_id"])["state"] == "applied"
    assert value(guarded, 'select count(*) from public."read only copy"') == 1


def undone(session: Connection, run: int) -> Row:
    return row(session, "select * from agentdb.undo_run(%s)", run)


def test_undo_of_guarded_and_other_tables_is_approved_and_applied_by_hand(
    guarded: Connection, agent: Connection, reviewer: Connection, connect: Connect
) -> None:
    guarded.execute("select agentdb.audit_table('public.line')")
    operator = connect(guarded.info.dbname, "operator_o")
    agent.execute("update public.line set what = 'x' where id = 1")
    agent.execute("update invoice set note = 'x' where id = 1")
    approve(reviewer, latest(guarded)["change_id"])
    run = value(guarded, "select max(run_id) from agentdb.run")
    made = undone(operator, run)
    assert made["state"] == "pending"
    assert approve(reviewer, made["change_id"])["state"] == "approved"
    applied = "select state from agentdb.apply_change(%s)"
    assert value(operator, applied, made["change_id"]) == "applied"
    assert value(guarded, "select what from public.line where id = 1") == "l1"


def test_only_the_first_of_many_conflicts_are_named(
    guarded: Connection, agent: Connection, connect: Connect
) -> None:
    guarded.execute(
        "create table public.many (id int primary key, n int);"
        "insert into many select g from generate_series(1, 1200) as g;"
        "grant select, update on many to agent_a, operator_o;"
        "select agentdb.audit_table('many')"
    )
    agent.execute("update public.many set n = 1")
    guarded.execute("update public.many set n = 2")
    operator = connect(guarded.info.dbname, "operator_o")
    run = value(guarded, "select max(run_id) from agentdb.run")
    assert len(undone(operator, run)["conflicts"]) == 1000


def test_change_of_a_table_that_is_unguarded_or_gone_can_be_decided(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute(
        "select agentdb.guard_table('public.invoice', context => '{customer}')"
    )
    agent.execute("update customer set name = 'x' where id = 1")
    first = latest(guarded)["change_id"]
    agent.execute("update invoice set note = 'x' where id = 1")
    second = latest(guarded)["change_id"]
    guarded.execute(
        "select agentdb.unguard_table('public.customer');"
        "drop table public.invoice cascade"
    )
    ended = row(reviewer, "select * from agentdb.show_change(%s)", first)
    assert (ended["state"], ended["problem"]["sqlstate"]) == ("conflict", "ZA051")
    assert "not guarded any more" in ended["problem"]["message"]
    (shown,) = rows(reviewer, "select * from agentdb.show_change_rows(%s)", second)
    assert shown["new_values"] == {"note": "x"}
    assert approve(reviewer, second)["state"] == "conflict"


def test_agent_lists_what_is_undecided(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    for number in (1, 2):
        agent.execute("update invoice set note = 'x' where id = %s", [number])
    approve(reviewer, 1)
    query = "select change_id, state from agentdb.my_changes(undecided => true)"
    assert rows(agent, query) == [{"change_id": 2, "state": "pending"}]
    assert value(agent, "select count(*) from agentdb.my_changes()") == 2


def test_key_change_loses_no_hidden_column(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute(
        "create table public.card (id int primary key, secret text);"
        "insert into card values (1, 's'); grant select, insert, update, delete on card to agent_a;"
        "select agentdb.audit_table('card', redact => '{secret}'),"
        " agentdb.guard_table('card')"
    )
    agent.execute("update card set id = 2 where id = 1")
    assert approve(reviewer, latest(guarded)["change_id"])["state"] == "applied"
    assert rows(guarded, "select * from public.card") == [{"id": 2, "secret": "s"}]
    refused = refusal(agent, "update card set id = 3, secret = 't'")
    assert refused.sqlstate == "ZA004"
    assert "secret" in (refused.message_primary or "")


def test_tables_that_a_cascade_reaches_have_a_say(
    guarded: Connection, agent: Connection
) -> None:
    guarded.execute("select agentdb.guard_table('public.invoice', approvals => 3)")
    agent.execute("update customer set name = 'x' where id = 1")
    assert latest(guarded)["approvals_missing"] == 1
    agent.execute("delete from customer where id = 2")
    assert latest(guarded)["approvals_missing"] == 3


def test_keys_that_a_trigger_makes_are_no_one_row(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute(
        "create table public.ticket (id int primary key, what text);"
        "create sequence public.number; grant usage on number to agentdb_applier;"
        "create function numbered() returns trigger language plpgsql as $$ begin"
        " new.id := coalesce(new.id, nextval('public.number')); return new; end $$;"
        "create trigger numbered before insert on public.ticket"
        " for each row execute function numbered();"
        "grant select, insert, update, delete on ticket to agent_a; select agentdb.guard_table('ticket')"
    )
    agent.execute("insert into ticket (what) values ('a'), ('b')")
    agent.execute("insert into ticket (what) values ('c')")
    assert value(agent, "select count(*) from ticket") == 3
    for change in (1, 2):
        assert approve(reviewer, change)["state"] == "applied"
    made = "select string_agg(what, '' order by id) from public.ticket"
    assert value(guarded, made) == "abc"
