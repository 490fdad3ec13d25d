"""Ordinary SQL on a staging view becomes a change, tried for real, and nothing else."""

from __future__ import annotations

import psycopg
import pytest

from .agents import refusal, register, row, rows, start, value
from .changes import approve, latest
from .conftest import Connect, Connection


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    session = connect(guarded.info.dbname, "agent_a")
    session.execute("set search_path = agentdb_stage, public")
    start(session, purpose="settle May")
    return session


def invoice(db: Connection, number: int) -> dict[str, object]:
    return row(
        db, "select state, amount, note from public.invoice where id = %s", number
    )


def test_update_waits_for_a_reviewer(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    agent.execute("update invoice set state = 'paid', note = 'x' where id in (1, 2)")
    assert invoice(guarded, 1)["state"] == "open"
    assert rows(
        agent, "select id, note, total from invoice where id < 3 order by id"
    ) == [
        {"id": 1, "note": "x", "total": 12},
        {"id": 2, "note": "x", "total": 24},
    ]
    change = latest(guarded)
    assert change["state"] == "pending"
    assert change["agent_name"] == "a"
    assert change["reason"] == "settle May"
    assert change["effects"] == {"public.invoice updated": 2}
    assert change["approvals_missing"] == 1
    assert rows(
        reviewer,
        "select operation, row_key, old_values, new_values"
        " from agentdb.show_change_rows(%s)",
        change["change_id"],
    )[0] == {
        "operation": "update",
        "row_key": {"id": 1},
        "old_values": {"state": "open", "note": None},
        "new_values": {"state": "paid", "note": "x"},
    }
    assert approve(reviewer, change["change_id"])["state"] == "applied"
    assert invoice(guarded, 1)["note"] == "x"
    assert rows(agent, "select * from agentdb.staged_rows(1)") == []
    closed = latest(guarded)
    assert closed["applied_by"] == "reviewer_r"
    assert value(agent, "select state from agentdb.my_changes()") == "applied"


def test_insert_returns_defaults_and_identity(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    made = row(
        agent,
        "insert into invoice (customer, amount) values (1, 99) returning id, state, amount",
    )
    assert made["state"] == "open"
    assert value(agent, "select amount from invoice where id = %s", made["id"]) == 99
    assert approve(reviewer, latest(guarded)["change_id"])["state"] == "applied"
    found = row(
        guarded,
        "select state, total::text from public.invoice where id = %s",
        made["id"],
    )
    assert found == {"state": "open", "total": "118.800"}


def test_one_transaction_is_one_change(guarded: Connection, agent: Connection) -> None:
    with agent.transaction():
        agent.execute("update invoice set note = 'a' where id = 5")
        agent.execute("update invoice set note = 'b', state = 'void' where id = 5")
        agent.execute("insert into invoice (id, customer, amount) values (900, 1, 1)")
        agent.execute("update invoice set amount = 2 where id = 900")
        agent.execute("insert into invoice (id, customer, amount) values (901, 1, 1)")
        agent.execute("delete from invoice where id = 901")
        agent.execute("delete from invoice where id = 6")
        agent.execute(
            "insert into invoice (id, customer, amount, ref) values (6, 2, 60, 'R6')"
        )
        agent.execute("update invoice set id = 77 where id = 4")
        assert rows(
            agent, "select id, note, amount from invoice where id > 3 order by 1"
        ) == [
            {"id": 5, "note": "b", "amount": 50},
            {"id": 6, "note": None, "amount": 60},
            {"id": 77, "note": None, "amount": 40},
            {"id": 900, "note": None, "amount": 2},
        ]
    change = latest(guarded)
    assert value(guarded, "select count(*) from agentdb.change") == 1
    found = rows(
        guarded,
        "select operation, row_key, new_values from agentdb.change_row order by place",
    )
    assert [(each["operation"], each["row_key"]["id"]) for each in found] == [
        ("update", 5),
        ("insert", 900),
        # Another row, without what the former one had.
        ("delete", 6),
        ("insert", 6),
        ("update", 4),
    ]
    assert found[4]["new_values"] == {"id": 77}
    assert found[0]["new_values"] == {"note": "b", "state": "void"}
    assert found[1]["new_values"]["amount"] == 2
    assert found[3]["new_values"]["customer"] == 2
    assert change["effects"] == {
        "public.invoice updated": 2,
        "public.invoice inserted": 2,
        "public.invoice deleted": 1,
    }


def test_rollback_leaves_nothing(guarded: Connection, agent: Connection) -> None:
    with agent.transaction(force_rollback=True):
        agent.execute("update invoice set note = 'a'")
    with agent.transaction():
        agent.execute("insert into invoice (id, customer, amount) values (901, 1, 1)")
        agent.execute("delete from invoice where id = 901")
    assert (
        value(guarded, "select count(*) from agentdb.change where state <> 'withdrawn'")
        == 0
    )
    assert value(guarded, "select count(*) from agentdb.change_row") == 0


FAILS = (
    ("update invoice set amount = -5 where id = 3", "23514", "invoice_amount_check"),
    ("insert into invoice (customer, amount) values (777, 1)", "23503", "customer"),
    ("insert into invoice (customer, amount, ref) values (1, 1, 'R1')", "23505", "invoice_ref"),
    ("insert into invoice (id, customer, amount) values (1, 1, 1)", "23505", "invoice_pkey"),
    ("update invoice set customer = null where id = 3", "23502", "customer"),
    ("update invoice set amount = 'abc' where id = 3", "22P02", "abc"),
    ("update invoice set amount = 'NaN' where id = 3", "ZA004", "amount"),
    ("update invoice set amount = 1e20 where id = 3", "22003", "overflow"),
    ("update invoice set nothing = 1", "42703", "nothing"),
    ("insert into invoice (id, customer, amount) values (1, 1, 1)"
     " on conflict (id) do nothing", "42P10", ""),
    ("truncate invoice", "42809", ""),
)  # fmt: skip


def test_what_would_fail_fails_at_once(guarded: Connection, agent: Connection) -> None:
    for statement, state, said in FAILS:
        refused = refusal(agent, statement)
        assert refused.sqlstate == state, statement
        text = " ".join(filter(None, [refused.message_primary, refused.message_detail]))
        assert said in text, statement
    assert value(guarded, "select count(*) from agentdb.change") == 0


def test_copy_stages(guarded: Connection, agent: Connection) -> None:
    with (
        agent.cursor() as cursor,
        cursor.copy("copy invoice (customer, amount, ref) from stdin") as copy,
    ):
        copy.write("1\t5\tC1\n2\t6\tC2\n")
    assert latest(guarded)["row_count"] == 2


def test_side_effects_are_counted(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    guarded.execute(
        "create table public.log (what text);"
        "create function public.note() returns trigger language plpgsql as $$"
        " begin insert into log values (tg_op); return null; end $$;"
        "create trigger note after delete on invoice for each row execute function note();"
        "grant insert on log to agentdb_applier"
    )
    agent.execute("delete from customer where id = 1")
    change = latest(guarded)
    assert change["effects"] == {
        "public.customer deleted": 1,
        "public.invoice deleted": 3,
        "public.line deleted": 3,
        "public.log inserted": 3,
    }
    guarded.execute("insert into public.invoice (customer, amount) values (1, 1)")
    ended = approve(reviewer, change["change_id"])
    assert ended["state"] == "conflict"
    assert "more than was reviewed" in ended["problem"]["message"]
    assert value(guarded, "select count(*) from public.customer") == 2


def test_explicit_change_takes_several_transactions(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    change = value(agent, "select change_id from agentdb.open_change('all of May')")
    agent.execute("insert into customer values (3, 'carol')")
    agent.execute("insert into invoice (id, customer, amount) values (50, 3, 5)")
    agent.execute("update invoice set note = 'last' where id = 1")
    assert latest(guarded)["state"] == "open"
    assert refusal(agent, "select agentdb.open_change('again')").sqlstate == "ZA004"
    done = row(agent, "select * from agentdb.submit_change()")
    assert done["state"] == "pending"
    assert done["row_count"] == 3
    assert refusal(agent, "select agentdb.submit_change()").sqlstate == "ZA004"
    assert approve(reviewer, change)["state"] == "applied"
    assert value(guarded, "select name from customer where id = 3") == "carol"


def test_call_stages_a_row(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    call = (
        "select change_id from agentdb.stage_change('public.invoice', %s, %s, %s, %s)"
    )
    for operation, key, values in (
        ("update", '{"id": 1}', '{"note": "n", "amount": 3.5}'),
        ("insert", None, '{"id": 60, "customer": 2, "amount": "7"}'),
        ("insert", '{"id": 61}', '{"customer": 2, "amount": "8"}'),
        ("insert", '{"id": 62}', '{"id": 62, "customer": 2, "amount": "9"}'),
        ("delete", '{"id": 2}', None),
    ):
        change = value(agent, call, operation, key, values, "as agreed on the phone")
        assert latest(guarded)["change_id"] == change
        assert latest(guarded)["reason"] == "as agreed on the phone"
        assert approve(reviewer, change)["state"] == "applied"
    assert invoice(guarded, 1) == {"state": "open", "amount": 3.5, "note": "n"}
    assert [invoice(guarded, id)["amount"] for id in (60, 61, 62)] == [7, 8, 9]
    assert value(guarded, "select count(*) from public.invoice where id = 2") == 0


def test_call_with_wrong_arguments_says_what_is_right(agent: Connection) -> None:
    for arguments, state, said in (
        ("'merge'", "ZA004", "insert, update or delete"),
        ("'update', '{\"id\": 1}', '{\"nothing\": 1}'", "ZA004", "nothing"),
        ("'update', '{\"id\": 1}', '{\"total\": 1}'", "ZA004", "total"),
        ("'update', '{\"id\": 999}', '{\"note\": \"x\"}'", "ZA006", "999"),
        ('\'update\', \'{"note": "x"}\', \'{"note": "y"}\'', "ZA004", "primary key"),
        ("'update', '{}', '{\"note\": \"y\"}'", "ZA004", "JSON"),
        ("'update', '[1]', '{\"note\": \"y\"}'", "ZA004", "JSON"),
        ("'delete'", "ZA004", "JSON"),
        (
            "'insert', '{\"id\": 1}', '{\"id\": 2, \"customer\": 1}'",
            "ZA004",
            "another one",
        ),
        ("'insert', '{\"nothing\": 1}', '{\"id\": 2}'", "ZA004", "nothing"),
        ("'update', '{\"id\": 1}', '{\"amount\": \"x\"}'", "22P02", "x"),
        ("'update', '{\"id\": 1}', '{\"amount\": \"Infinity\"}'", "22003", ""),
        ("'update', '{\"id\": 1}', '{\"note\": \"y\"}', ''", "ZA004", "reason"),
        (
            "'update', '{\"id\": 1}', '{\"note\": \"y\"}', U&'\\202Egnp'",
            "ZA004",
            "reason",
        ),
    ):
        query = f"select agentdb.stage_change('public.invoice', {arguments})"
        refused = refusal(agent, query)
        text = f"{refused.message_primary} {refused.message_hint}"
        assert refused.sqlstate == state, arguments
        assert said in text, arguments
    refused = refusal(
        agent, "select agentdb.stage_change('public.line', 'delete', '{\"id\": 1}')"
    )
    assert refused.sqlstate == "ZA006"


def test_later_change_builds_on_an_earlier_one(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    agent.execute("update invoice set state = 'paid' where id = 1")
    first = latest(guarded)["change_id"]
    agent.execute("update invoice set state = 'void', note = 'n' where id = 1")
    second = latest(guarded)
    assert second["builds_on"] == [first]
    assert value(agent, "select state from invoice where id = 1") == "void"
    assert approve(reviewer, second["change_id"])["state"] == "approved"
    assert invoice(guarded, 1)["state"] == "open"
    assert approve(reviewer, first)["state"] == "applied"
    found = rows(guarded, "select change_id, state from agentdb.advance_changes()")
    assert found == [{"change_id": second["change_id"], "state": "applied"}]
    assert invoice(guarded, 1) == {"state": "void", "amount": 10, "note": "n"}


@pytest.mark.parametrize(
    ("dropped", "left"), [([1], 1), ([2], 2), ([1, 2], 1), ([0], 0), ([3], 3), ([], 4)]
)
@pytest.mark.parametrize("moved", [False, True])
def test_view_goes_on_without_what_was_rejected_and_what_builds_on_it(
    guarded: Connection,
    agent: Connection,
    reviewer: Connection,
    dropped: list[int],
    left: int,
    moved: bool,
) -> None:
    guarded.execute("delete from line where invoice = 1")
    made, seen = [], []
    query = "select id, state, note, amount from invoice where id in (1, 77)"
    for said in (
        "state = 'paid'",
        "id = 77" if moved else "note = 'x'",
        "note = 'y'",
        "state = 'void', amount = 4",
    ):
        seen.append(rows(agent, query))
        agent.execute(f"update invoice set {said} where id in (1, 77)".encode())
        made.append(latest(guarded)["change_id"])
    seen.append(rows(agent, query))
    for each in dropped:
        reviewer.execute("select agentdb.reject_change(%s, 'no')", [made[each]])
    assert rows(agent, query) == seen[left]
    agent.execute("update invoice set note = 'z' where id in (1, 77)")
    (now,) = rows(agent, query)
    assert now == {**seen[left][0], "note": "z"}
    for each in made[:left]:
        assert approve(reviewer, each)["state"] == "applied"
    last = latest(guarded)["change_id"]
    assert approve(reviewer, last)["state"] == "applied"
    assert invoice(guarded, now["id"])["note"] == "z"


def test_child_of_a_staged_parent_can_be_staged(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    agent.execute("insert into customer values (3, 'carol')")
    first = latest(guarded)["change_id"]
    agent.execute("insert into invoice (id, customer, amount) values (50, 3, 5)")
    second = latest(guarded)
    assert second["builds_on"] == [first]
    reviewer.execute("select agentdb.reject_change(%s, 'unknown')", [first])
    ended = approve(reviewer, second["change_id"])
    assert ended["state"] == "conflict"
    assert f"change {first}" in ended["problem"]["message"]


def test_others_see_nothing_staged(
    guarded: Connection, agent: Connection, connect: Connect
) -> None:
    register(guarded, "b", "agent_b")
    other = connect(guarded.info.dbname, "agent_b")
    start(other)
    agent.execute("update invoice set note = 'secret' where id = 1")
    change = latest(guarded)["change_id"]
    assert value(other, "select note from agentdb_stage.invoice where id = 1") is None
    assert rows(other, "select * from agentdb.my_changes()") == []
    assert rows(other, "select * from agentdb.waiting_changes()") == []
    for call in ("show_change", "show_change_rows", "withdraw_change"):
        assert refusal(other, f"select agentdb.{call}({change})").sqlstate == "ZA006"


def test_pooled_agents_do_not_see_each_other(
    guarded: Connection, connect: Connect
) -> None:
    guarded.execute("grant select, insert, update, delete on invoice to agent_pool")
    tokens = []
    session = connect(guarded.info.dbname, "agent_pool")
    for name in ("p", "q"):
        secret = register(guarded, name, "agent_pool", pooled=True)
        query = (
            "select token from agentdb.start_run(agent => %s::text, secret => %s::text)"
        )
        tokens.append(value(session, query, name, secret))
    for token, note in zip(tokens, ("p", "q"), strict=True):
        with session.transaction():
            session.execute("select agentdb.bind_run(%s)", [token])
            session.execute(
                "update agentdb_stage.invoice set note = %s where id = 1", [note]
            )
            assert (
                value(session, "select note from agentdb_stage.invoice where id = 1")
                == note
            )
    with session.transaction():
        session.execute("select agentdb.bind_run(%s)", [tokens[0]])
        assert (
            value(session, "select note from agentdb_stage.invoice where id = 1") == "p"
        )
    assert (
        refusal(session, "update agentdb_stage.invoice set note = 'x'").sqlstate
        == "ZA001"
    )


def test_without_a_run_nothing_is_staged(guarded: Connection, connect: Connect) -> None:
    session = connect(guarded.info.dbname, "agent_a")
    assert (
        refusal(session, "update agentdb_stage.invoice set note = ''").sqlstate
        == "ZA001"
    )


def test_without_the_right_to_see_nothing_is_staged(
    guarded: Connection, agent: Connection
) -> None:
    if guarded.info.server_version < 150000:
        pytest.skip("before version 15 a view reads with the rights of its owner")
    guarded.execute("revoke select on invoice from agent_a")
    for statement in (
        "insert into agentdb_stage.invoice (customer, amount) values (1, 1)",
        "update agentdb_stage.invoice set note = 'x'",
        "select agentdb.stage_change('public.invoice', 'insert', null,"
        ' \'{"id": 60, "customer": 2, "amount": 7}\')',
    ):
        assert refusal(agent, statement).sqlstate == "42501"


def test_row_security_hides_rows_from_staging(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    if guarded.info.server_version < 150000:
        pytest.skip("before version 15 a view reads with the rights of its owner")
    guarded.execute(
        "alter table invoice enable row level security;"
        "create policy own on invoice to agent_a using (customer = 1);"
        "create policy apply on invoice to agentdb_applier using (id <> 4)"
    )
    agent.execute("update invoice set note = 'x' where id = 2")
    assert latest(guarded)["row_count"] == 1
    missing = refusal(
        agent,
        "select agentdb.stage_change('public.invoice', 'update', '{\"id\": 1}',"
        ' \'{"note": "y"}\')',
    )
    assert missing.sqlstate == "ZA006"
    refused = refusal(agent, "update invoice set note = 'x' where id = 4")
    assert refused.sqlstate == "ZA052"
    assert approve(reviewer, latest(guarded)["change_id"])["state"] == "applied"


def test_columns_that_are_not_open_or_not_shown_cannot_be_staged(
    guarded: Connection, agent: Connection
) -> None:
    guarded.execute(
        "select agentdb.audit_table('invoice', redact => '{ref}');"
        "select agentdb.guard_table('invoice', columns => '{note,state}')"
    )
    agent.execute("update invoice set note = 'x', state = 'paid' where id = 1")
    for statement, said in (
        ("update invoice set amount = 1 where id = 1", "note, state"),
        ("update invoice set ref = 'x' where id = 1", "ref"),
        ("insert into invoice (customer, amount) values (1, 1)", "note, state"),
        ("delete from invoice where id = 1", "note, state"),
    ):
        refused = refusal(agent, statement)
        assert refused.sqlstate == "ZA004"
        assert said in (refused.message_primary or "")


def test_size_and_number_are_capped(guarded: Connection, agent: Connection) -> None:
    guarded.execute(
        "update agentdb.policy set max_change_rows = 3, max_pending_changes = 2"
    )
    assert refusal(agent, "update invoice set note = 'x'").sqlstate == "ZA005"
    huge = "update invoice set note = repeat('x', 2000000) where id = 1"
    assert refusal(agent, huge).sqlstate == "ZA004"
    for number in (1, 2):
        agent.execute("update invoice set note = 'x' where id = %s", [number])
    refused = refusal(agent, "update invoice set note = 'x' where id = 3")
    assert refused.sqlstate == "ZA005"
    change = latest(guarded)["change_id"]
    agent.execute("select agentdb.withdraw_change(%s)", [change])
    agent.execute("update invoice set note = 'x' where id = 3")


def test_immediate_constraints_lose_nothing(
    guarded: Connection, agent: Connection
) -> None:
    with pytest.raises(psycopg.Error) as refused, agent.transaction():
        agent.execute("set constraints all immediate")
        agent.execute("update invoice set note = 'x' where id = 1")
    assert refused.value.sqlstate == "ZA004"
    assert value(guarded, "select count(*) from agentdb.change") == 0


def test_values_of_every_form_survive(db: Connection, connect: Connect) -> None:
    db.execute(
        "create type mood as enum ('glad', 'sad'); create domain tag as varchar(5);"
        "create table odd (id uuid, part int, j json, b jsonb, f float8, a int[], r int4range,"
        " t timestamptz, i interval, y bytea, m mood, d tag, c char(4), v varchar(3),"
        " o bit(3), n numeric, primary key (id, part));"
        "grant select, insert, update, delete on odd to agent_a; select agentdb.guard_table('odd')"
    )
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    agent.execute("set timezone = 'Asia/Tokyo'; set intervalstyle = 'sql_standard'")
    values = (
        "'00000000-0000-0000-0000-000000000001', %s, '{\"a\" :1}', '\"x\"', '-0',"
        " '[0:1]={1,null}', '[1,3)', '2026-01-01 00:00+09', '-1 mon 1 day', '\\x00ff', 'sad',"
        " 'abc', 'ab', 'xyz', '101', 1.50"
    )
    agent.execute(f"insert into agentdb_stage.odd values ({values % 1})".encode())
    db.execute(f"insert into odd values ({values % 2})".encode())
    reviewer = connect(db.info.dbname, "reviewer_r")
    assert approve(reviewer, latest(db)["change_id"])["state"] == "applied"
    agent.execute(
        "update agentdb_stage.odd set f = 0, i = '1 day', n = 1.500, j = '{\"a\":1}',"
        " c = 'abc', b = 'null' where part = 1"
    )
    assert approve(reviewer, latest(db)["change_id"])["state"] == "applied"
    db.execute(
        "update odd set f = 0, i = '1 day', n = 1.500, j = '{\"a\":1}', c = 'abc', b = 'null'"
        " where part = 2"
    )
    found = rows(db, "select o::text as t from odd as o order by part")
    assert found[0]["t"].replace(",1,", ",2,", 1) == found[1]["t"]
    assert refusal(agent, "update agentdb_stage.odd set v = 'long'").sqlstate == "22001"
    agent.execute("delete from agentdb_stage.odd where part = 1")
    assert approve(reviewer, latest(db)["change_id"])["state"] == "applied"
    assert value(db, "select count(*) from odd") == 1
