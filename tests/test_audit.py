"""What changes in an audited table is in the log: what it was, who did it, in which run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .agents import age, refusal, register, row, rows, start, value
from .conftest import Connect, Connection

if TYPE_CHECKING:
    from typing_extensions import LiteralString


@pytest.fixture
def orders(db: Connection) -> Connection:
    """A superuser's session with an audited table that agent_a and app_user may write."""
    db.execute(
        "create table public.orders (id int primary key, state text, total numeric);"
        "grant select, insert, update, delete, truncate on public.orders"
        " to agent_a, agent_pool, app_user;"
        "insert into public.orders values (1, 'new', 1.0), (2, 'new', 2), (3, 'new', 3);"
        "select agentdb.audit_table('public.orders')"
    )
    return db


def log(db: Connection) -> list[tuple[Any, ...]]:
    """Return operation, key, old and new values of the log, in a stable order."""
    found = rows(
        db,
        "select operation, row_key, old_values, new_values from agentdb.audit_log "
        "order by statement, row_key::text, operation",
    )
    return [tuple(each.values()) for each in found]


def test_each_operation_is_recorded_with_what_was_and_is(orders: Connection) -> None:
    orders.execute("insert into orders values (4, 'x', null)")
    orders.execute("update orders set state = 'paid' where id = 1")
    orders.execute("update orders set total = total + 1 where id < 3")
    orders.execute("delete from orders where id = 3")
    assert log(orders) == [
        ("insert", {"id": 4}, None, {"id": 4, "state": "x", "total": None}),
        ("update", {"id": 1}, {"state": "new"}, {"state": "paid"}),
        ("update", {"id": 1}, {"total": 1.0}, {"total": 2.0}),
        ("update", {"id": 2}, {"total": 2}, {"total": 3}),
        ("delete", {"id": 3}, {"id": 3, "state": "new", "total": 3}, None),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "update orders set state = 'new'",
        "update orders set state = state where id = 1",
        "update orders set state = 'x' where false",
        "delete from orders where false",
        "insert into orders select 1, 'x', 0 where false",
    ],
)
def test_what_changes_nothing_writes_nothing(
    orders: Connection, statement: str
) -> None:
    orders.execute(statement.encode())
    assert log(orders) == []


def test_every_way_to_write_is_recorded(orders: Connection) -> None:
    with orders.cursor().copy("copy orders from stdin") as copy:
        copy.write_row((10, "copied", 0))
    orders.execute(
        "insert into orders values (1, 'up', 0), (11, 'ins', 0) "
        "on conflict (id) do update set state = excluded.state"
    )
    orders.execute(
        "with gone as (delete from orders where id = 2 returning *) "
        "update orders set total = 7 from gone where orders.id = 3"
    )
    if orders.info.server_version >= 150000:
        orders.execute(
            "merge into orders as o using (values (10), (12)) as s (id) on o.id = s.id "
            "when matched then delete when not matched then insert values (s.id, 'm', 0)"
        )
    else:
        orders.execute(
            "delete from orders where id = 10; insert into orders values (12)"
        )
    found = {(each[0], each[1]["id"]) for each in log(orders)}
    assert found == {
        ("insert", 10), ("update", 1), ("insert", 11), ("delete", 2), ("update", 3),
        ("delete", 10), ("insert", 12),
    }  # fmt: skip


def test_truncate_is_recorded_row_by_row(orders: Connection) -> None:
    orders.execute("truncate orders")
    assert [each[:2] for each in log(orders)] == [
        ("truncate", {"id": number}) for number in (1, 2, 3)
    ]
    assert log(orders)[0][2] == {"id": 1, "state": "new", "total": 1.0}


def test_cascade_is_recorded_in_its_table(orders: Connection) -> None:
    orders.execute(
        "create table item (id int primary key, "
        "order_id int references orders on delete cascade);"
        "insert into item values (1, 1), (2, 1); select agentdb.audit_table('item')"
    )
    orders.execute("delete from orders where id = 1")
    found = rows(
        orders,
        "select table_name, row_key from agentdb.audit order by 1, row_key::text",
    )
    assert [(each["table_name"], each["row_key"]["id"]) for each in found] == [
        ("public.item", 1), ("public.item", 2), ("public.orders", 1),
    ]  # fmt: skip


def test_rolled_back_write_leaves_nothing(orders: Connection) -> None:
    with orders.transaction(force_rollback=True):
        orders.execute("delete from orders")
    with orders.transaction():
        orders.execute("update orders set state = 'kept' where id = 1")
        with orders.transaction(force_rollback=True):
            orders.execute("update orders set state = 'lost'")
    assert [each[3] for each in log(orders)] == [{"state": "kept"}]


def test_write_belongs_to_the_only_open_run(
    orders: Connection, connect: Connect
) -> None:
    register(orders)
    agent = connect(orders.info.dbname, "agent_a")
    agent.execute("set application_name = 'a client'")
    agent.execute("update orders set state = 'before' where id = 1")
    run = start(agent)
    agent.execute("update orders set state = 'within' where id = 1")
    agent.execute("select agentdb.end_run()")
    agent.execute("update orders set state = 'after' where id = 1")
    found = rows(
        orders,
        "select new_values ->> 'state' as state, run_id, agent_name, session_role, "
        "application_name, xid is not null and transaction_at <= recorded_at as placed "
        "from agentdb.audit order by audit_log_id",
    )
    common = {
        "agent_name": "a",
        "session_role": "agent_a",
        "application_name": "a client",
        "placed": True,
    }
    assert found == [
        {"state": "before", "run_id": None, **common},
        {"state": "within", "run_id": run, **common},
        {"state": "after", "run_id": None, **common},
    ]


def test_each_session_writes_for_its_own_run_among_many(
    orders: Connection, connect: Connect
) -> None:
    register(orders)
    sessions = [connect(orders.info.dbname, "agent_a") for _ in range(4)]
    runs = [start(session) for session in sessions[:3]]
    token = value(sessions[0], "select current_setting('agentdb.session_token')")
    write = "update orders set state = state || 'x' where id = 1"
    for _ in range(2):
        for session, run in zip(sessions, runs, strict=False):
            session.execute(write.encode())
            assert value(session, "select run_id from agentdb.log_progress('s')") == run
    written = "select run_id from agentdb.audit_log order by audit_log_id"
    assert [each["run_id"] for each in rows(orders, written)] == runs * 2
    # A token that was only set by hand makes nobody this run.
    sessions[3].execute(
        "select set_config('agentdb.session_token', %s, false),"
        " set_config('agentdb.session_run', %s, false)",
        [token, str(runs[0])],
    )
    for query in (write, "select agentdb.log_progress('s')"):
        assert refusal(sessions[3], query).sqlstate == "ZA001"
    # What it sets in its own session is its own: it stays its own run, or none.
    for hostile in (str(runs[1]), "x", "9" * 18, "-1", "9" * 40, "1 or true"):
        sessions[0].execute(
            "select set_config('agentdb.session_run', %s, false)", [hostile]
        )
        told = value(sessions[0], "select run_id from agentdb.log_progress('s')")
        assert told == runs[0]
    orders.execute("select agentdb.kill_run(%s, 'wrong')", [runs[1]])
    assert refusal(sessions[1], write).sqlstate == "ZA040"
    sessions[1].close()
    sessions[2].execute("select agentdb.end_run()")
    assert refusal(sessions[2], write).sqlstate == "ZA001"
    sessions[0].execute(write.encode())
    assert [each["run_id"] for each in rows(orders, written)] == [*runs * 2, runs[0]]


def test_bound_token_chooses_among_runs(orders: Connection, connect: Connect) -> None:
    secret = register(orders, "p", "agent_pool", pooled=True)
    pool = connect(orders.info.dbname, "agent_pool")
    opened = row(
        pool, "select run_id, token from agentdb.start_run('p', secret => %s)", secret
    )
    orders.execute("update agentdb.policy set unbound_writes = 'record'")
    pool.execute("update orders set state = 'unbound' where id = 1")
    with pool.transaction():
        pool.execute("select agentdb.bind_run(%s)", [opened["token"]])
        pool.execute("update orders set state = 'bound' where id = 1")
    found = rows(orders, "select run_id, agent_id from agentdb.audit_log order by 1")
    assert [each["run_id"] for each in found] == [opened["run_id"], None]
    assert found[1]["agent_id"] is None


def test_write_of_the_application_has_no_run(
    orders: Connection, connect: Connect
) -> None:
    app = connect(orders.info.dbname, "app_user")
    app.execute("update orders set state = 'x' where id = 1")
    found = row(orders, "select session_role, agent_name, run_id from agentdb.audit")
    assert found == {"session_role": "app_user", "agent_name": None, "run_id": None}


def test_attached_again_it_takes_the_new_options(orders: Connection) -> None:
    orders.execute(
        "select agentdb.audit_table('orders', exclude => '{total}', redact => '{state}')"
    )
    orders.execute("update orders set total = 9 where id = 1")
    orders.execute("update orders set total = 9, state = 'secret' where id = 2")
    orders.execute("update orders set total = 8, state = 'secret2' where id > 1")
    orders.execute("insert into orders values (9, 'secret', 1)")
    assert log(orders) == [
        ("update", {"id": 2}, {"state": "[redacted]"}, {"state": "[redacted]"}),
        ("update", {"id": 2}, {"state": "[redacted]"}, {"state": "[redacted]"}),
        ("update", {"id": 3}, {"state": "[redacted]"}, {"state": "[redacted]"}),
        ("insert", {"id": 9}, None, {"id": 9, "state": "[redacted]"}),
    ]
    assert value(orders, "select count(*) from agentdb.audited_table") == 1


def test_unaudited_table_is_as_before(db: Connection) -> None:
    db.execute("create table t (id int primary key); grant select on t to app_user")
    before = value(db, "select relacl::text from pg_class where oid = 't'::regclass")
    db.execute("select agentdb.audit_table('t')")
    db.execute("insert into t values (1)")
    db.execute("select agentdb.unaudit_table('t')")
    db.execute("insert into t values (2)")
    assert value(db, "select count(*) from agentdb.audit_log") == 1
    assert (
        value(db, "select count(*) from pg_trigger where tgrelid = 't'::regclass") == 0
    )
    after = value(db, "select relacl::text from pg_class where oid = 't'::regclass")
    assert after == before
    assert (
        value(db, "select count(*) from pg_proc where proname ~ '_capture_[0-9]'") == 0
    )
    assert refusal(db, "select agentdb.unaudit_table('t')").sqlstate == "ZA006"


def test_history_of_a_row_is_told_in_order(orders: Connection) -> None:
    orders.execute("update orders set state = 'a' where id = 1")
    orders.execute("update orders set state = 'b' where id in (1, 2)")
    orders.execute("delete from orders where id = 1")
    query: LiteralString = (
        "select operation, old_values ->> 'state' as was "
        "from agentdb.row_history('orders', %s::jsonb)"
    )
    expected = [("update", "new"), ("update", "a"), ("delete", "b")]
    for key in ('{"id": 1}', "1", '"1"'):
        found = rows(orders, query, key)
        assert [tuple(each.values()) for each in found] == expected
    assert refusal(orders, query, '{"x": 1}').sqlstate == "ZA004"


def state_at(db: Connection, at: object) -> dict[int, Any]:
    found = rows(
        db, "select row_values from agentdb.table_as_of('orders', %s::timestamptz)", at
    )
    return {each["row_values"]["id"]: each["row_values"] for each in found}


def test_rows_and_tables_are_told_as_of_a_moment(orders: Connection) -> None:
    states, moments = [], []
    for statement in (
        b"update orders set state = 'a' where id = 1",
        b"update orders set state = 'b', total = 5",
        b"delete from orders where id = 2",
        b"update orders set id = 7 where id = 3",
        b"insert into orders values (2, 'again', 0)",
        b"truncate orders",
        b"insert into orders values (1, 'last', 1.50)",
        b"select 1",
    ):
        present = rows(orders, "select to_jsonb(o.*) as r from orders as o")
        states.append({each["r"]["id"]: each["r"] for each in present})
        moments.append(value(orders, "select clock_timestamp()"))
        orders.execute(statement)
    for at, state in zip(moments, states, strict=True):
        assert state_at(orders, at) == state
        for key in (1, 2, 3, 7):
            query: LiteralString = (
                "select agentdb.row_as_of('orders', %s::jsonb, %s::timestamptz)"
            )
            assert value(orders, query, json.dumps(key), at) == state.get(key)


def test_past_before_the_audit_is_not_invented(orders: Connection) -> None:
    query: LiteralString = (
        "select agentdb.row_as_of('orders', '1', now() - interval '1 h')"
    )
    assert refusal(orders, query).sqlstate == "ZA033"
    assert (
        refusal(orders, "select agentdb.row_history('pg_class', '1')").sqlstate
        == "ZA006"
    )


def test_run_and_volume_are_told(orders: Connection, connect: Connect) -> None:
    register(orders)
    agent = connect(orders.info.dbname, "agent_a")
    run = start(agent)
    agent.execute("update orders set state = 'x'")
    agent.execute("delete from orders where id = 1")
    auditor = connect(orders.info.dbname, "auditor_u")
    found = rows(auditor, "select operation from agentdb.run_changes(%s)", run)
    assert [each["operation"] for each in found] == ["update"] * 3 + ["delete"]
    volume = row(
        auditor,
        "select agent_name, table_name, inserted, updated, removed, statements "
        "from agentdb.change_volume where run_id = %s",
        run,
    )
    assert tuple(volume.values()) == ("a", "public.orders", 0, 3, 1, 2)


def test_history_needs_the_right_to_see_the_table(
    orders: Connection, connect: Connect
) -> None:
    auditor = connect(orders.info.dbname, "auditor_u")
    query: LiteralString = "select agentdb.row_as_of('orders', '1', clock_timestamp())"
    assert refusal(auditor, query).sqlstate == "42501"
    orders.execute("grant select on orders to auditor_u")
    assert value(auditor, query)["state"] == "new"


def rule(db: Connection, name: LiteralString) -> list[dict[str, Any]]:
    return rows(db, "select labels, value from agentdb." + name)


def test_write_outside_a_run_is_seen(orders: Connection, connect: Connect) -> None:
    register(orders)
    agent = connect(orders.info.dbname, "agent_a")
    connect(orders.info.dbname, "app_user").execute("update orders set total = 0")
    assert rule(orders, "unattributed_write") == []
    agent.execute("update orders set state = 'x'")
    assert rule(orders, "unattributed_write") == [
        {"labels": {"role": "agent_a", "table": "public.orders"}, "value": 3.0}
    ]
    age(orders, "audit_log", "recorded_at", "61 minutes")
    assert rule(orders, "unattributed_write") == []


def test_wide_statement_is_seen(orders: Connection, connect: Connect) -> None:
    register(orders)
    orders.execute("update agentdb.policy set blast_radius_rows = 2")
    agent = connect(orders.info.dbname, "agent_a")
    run = start(agent)
    agent.execute("update orders set state = 'x' where id < 3")
    agent.execute("update orders set state = 'y' where id < 3")
    assert rule(orders, "blast_radius") == []
    agent.execute("update orders set state = 'z'")
    assert rule(orders, "blast_radius") == [
        {
            "labels": {"agent": "a", "run": str(run), "table": "public.orders"},
            "value": 3.0,
        }
    ]


@pytest.mark.parametrize(
    "statement", ["update orders set state = 'x'", "delete from orders"]
)
def test_wide_statement_is_refused_where_the_table_says_so(
    orders: Connection, connect: Connect, statement: LiteralString
) -> None:
    register(orders)
    orders.execute("update agentdb.policy set blast_radius_rows = 2")
    orders.execute("select agentdb.audit_table('orders', refuse_blast => true)")
    agent = connect(orders.info.dbname, "agent_a")
    assert refusal(agent, statement).sqlstate == "ZA031"
    agent.execute(f"{statement} where id < 3".encode())
    connect(orders.info.dbname, "app_user").execute(statement)
    assert rule(orders, "blast_radius") == []


def test_wide_statement_on_partitions_is_refused_too(
    db: Connection, connect: Connect
) -> None:
    db.execute(
        "create table p (id int primary key, v int) partition by range (id);"
        "create table p1 partition of p for values from (0) to (10);"
        "insert into p select g, 0 from generate_series(1, 3) as g;"
        "grant select, insert, update, delete on p, p1 to agent_a;"
        "update agentdb.policy set blast_radius_rows = 2;"
        "select agentdb.audit_table('p', refuse_blast => true)"
    )
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    for statement in ("update p set v = 1", "delete from p1", "delete from p"):
        assert refusal(agent, statement).sqlstate == "ZA031"
    agent.execute("update p1 set v = 1 where id < 3")
    db.execute("update p set v = 2; select agentdb.unaudit_table('p')")
    assert value(db, "select count(*) from pg_trigger where tgname ~ 'agentdb'"
                     " and tgrelid in ('p'::regclass, 'p1'::regclass)") == 0  # fmt: skip


def test_gap_is_seen_until_it_is_closed(orders: Connection) -> None:
    assert rule(orders, "audit_gap") == []
    for damage in (
        b"alter table orders disable trigger agentdb_audit_update",
        b"alter table orders enable trigger agentdb_audit_update",
        b"drop trigger agentdb_audit_truncate on orders",
        b"drop function agentdb._capture_1 cascade",
        b"create trigger a after insert on orders for each row execute function "
        b"suppress_redundant_updates_trigger()",
    ):
        orders.execute(damage)
        (found,) = rule(orders, "audit_gap")
        assert found["labels"] == {"table": "public.orders"}
        orders.execute("select agentdb.audit_table('orders')")
        assert rule(orders, "audit_gap") == []


@pytest.mark.parametrize(
    ("key", "one", "two"),
    [
        ("numeric", "1.0", "2"),
        ("float8", "'NaN'", "-0.5"),
        ('text collate "C"', "'a'", "'b'"),
        ("jsonb", "'{\"a\": 1.0}'", "'{}'"),
        ("char(5)", "'a'", "'b'"),
        ("interval", "'1 day'", "'2 mons'"),
        ("numeric, part int default 1", "2.50", "3"),
    ],
)
def test_many_rows_of_every_kind_of_key_are_paired(
    db: Connection, key: str, one: str, two: str
) -> None:
    columns = "k, part" if "part" in key else "k"
    db.execute(f"create table t (k {key}, n int, primary key ({columns}))".encode())
    db.execute("select agentdb.audit_table('t'::regclass)")
    db.execute(f"insert into t (k, n) values ({one}, 1), ({two}, 2)".encode())
    db.execute("update t set n = n + 10")
    found = rows(
        db,
        "select old_values, new_values from agentdb.audit where operation = 'update' "
        "order by new_values ->> 'n'",
    )
    assert [tuple(each.values()) for each in found] == [
        ({"n": 1}, {"n": 11}),
        ({"n": 2}, {"n": 12}),
    ]
