"""What is staged and applied is what the same statements would have done directly."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from .agents import refusal, register, row, rows, start, value
from .changes import approve, latest
from .conftest import Connect, Connection

# A table, its rows, and statements that are run on it and on its staging view.
STORIES = {
    "a row deleted and inserted again": (
        "(id int primary key, v int, w text default 'none')",
        "(1, 10, 'kept')",
        ["delete from {t} where id = 1", "insert into {t} (id, v) values (1, 99)"],
    ),
    "inserted again, then updated": (
        "(id int primary key, v int, w text default 'none')",
        "(1, 10, 'kept')",
        [
            "delete from {t} where id = 1",
            "insert into {t} (id, v) values (1, 99)",
            "update {t} set v = v + 1",
        ],
    ),
    "inserted again, then deleted": (
        "(id int primary key, v int)",
        "(1, 10)",
        [
            "delete from {t}",
            "insert into {t} values (1, 2)",
            "delete from {t} where v = 2",
        ],
    ),
    "a generated column": (
        "(id int primary key, a int, b int generated always as (a * 2) stored)",
        "(1, 1), (2, 2)",
        [
            "update {t} set a = 10 where id = 1 returning a, b",
            "insert into {t} (id, a) values (3, 30) returning b",
            "update {t} set a = a + 1 where b = 60 returning b",
            "delete from {t} where b = 20 returning b",
        ],
    ),
    "columns that are named like variables": (
        "(id int primary key, n int, o int, s int generated always as (n + o) stored)",
        "(1, 1, 2)",
        ["update {t} set n = o, o = n returning n, o, s"],
    ),
    "an open end": (
        "(id int primary key, until date, at timestamptz, f float8)",
        "(1, '2026-01-01', now(), 1)",
        [
            "update {t} set until = 'infinity', at = '-infinity', f = 'Infinity'",
            "insert into {t} select id + 1, until, at, f from {t} returning until::text",
        ],
    ),
    "arrays, ranges, composites, domains": (
        "(id int primary key, a int[], r int4range, j jsonb, i interval, b bit(3))",
        "(1, '[5:6]={1,NULL}', '[1,5)', 'null', '1 day', B'101')",
        [
            "update {t} set a[7] = 3, r = '(,4)', j = '[null]', i = '1 mon', b = B'111'",
            "insert into {t} select 2, a, r, j, i, b from {t} returning a::text, j::text",
        ],
    ),
}


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


def told(session: Connection, statement: str) -> list[Any]:
    done = session.execute(statement.encode())
    found = sorted(done.fetchall()) if done.description else []
    return [done.rowcount, found]


@pytest.mark.parametrize("story", STORIES)
def test_staged_statements_do_what_they_do_directly(
    db: Connection, connect: Connect, agent: Connection, story: str
) -> None:
    columns, given, statements = STORIES[story]
    head = columns.split(" generated")[0]
    names = ", ".join(part.split()[0].strip("(") for part in head.split(", "))
    if "generated" in columns:
        names = ", ".join(names.split(", ")[:-1])
    for table in ("t", "direct"):
        db.execute(f"create table {table} {columns}".encode())
        db.execute(f"insert into {table} ({names}) values {given}".encode())
        db.execute(
            f"grant select, insert, update, delete on {table} to agent_a".encode()
        )
    db.execute("select agentdb.guard_table('t')")
    with agent.transaction():
        staged = [told(agent, each.format(t="agentdb_stage.t")) for each in statements]
    with agent.transaction():
        direct = [told(agent, each.format(t="public.direct")) for each in statements]
    assert staged == direct
    reviewer = connect(db.info.dbname, "reviewer_r")
    if found := rows(
        db, "select change_id from agentdb.change where state = 'pending'"
    ):
        assert approve(reviewer, found[0]["change_id"])["state"] == "applied"
    query = "select {0}::text as row from {0} order by id"
    assert [each["row"] for each in rows(db, query.format("t"))] == [
        each["row"] for each in rows(db, query.format("direct"))
    ]


GENERATED = "(id int primary key, a int, b int generated always as (a * 2) stored)"


@pytest.mark.parametrize(
    "statement",
    [
        "update {t} set b = 5 where id = 1",
        "update {t} set a = 1, b = 5",
        "insert into {t} values (2, 2, 4)",
        "insert into {t} select id + 1, a, b from {t}",
    ],
)
def test_value_of_a_generated_column_is_refused_as_postgresql_does(
    db: Connection, agent: Connection, statement: str
) -> None:
    for table in ("t", "direct"):
        db.execute(f"create table {table} {GENERATED}".encode())
        db.execute(f"insert into {table} (id, a) values (1, 1)".encode())
        db.execute(
            f"grant select, insert, update, delete on {table} to agent_a".encode()
        )
    db.execute("select agentdb.guard_table('t')")
    directly = refusal(agent, statement.format(t="public.direct")).sqlstate
    staged = refusal(agent, statement.format(t="agentdb_stage.t")).sqlstate
    assert staged == directly == "428C9"


def test_generation_by_somebodys_function_runs_in_nobody_elses_name(
    db: Connection, agent: Connection
) -> None:
    db.execute(
        "create function public.spy (n int) returns int language plpgsql immutable as"
        " $$ begin raise warning 'as %', current_user; return n; end $$;"
        "create table t (id int primary key, a int,"
        " b int generated always as (public.spy(a)) stored);"
        "insert into t (id, a) values (1, 1); grant select, insert, update, delete on t to agent_a;"
        "select agentdb.guard_table('t')"
    )
    heard: list[str] = []
    agent.add_notice_handler(lambda said: heard.append(str(said.message_primary)))
    assert row(agent, "update agentdb_stage.t set a = 2 returning b") == {"b": None}
    # It is applied, and tried, as agentdb_applier, which can do nothing else.
    assert set(heard) <= {"as agent_a", "as agentdb_applier"}


@pytest.mark.parametrize("wrong", ["'NaN'::numeric", "'{1,NaN}'::float8[]"])
def test_nan_is_refused_wherever_it_is(
    db: Connection, agent: Connection, wrong: str
) -> None:
    kind = wrong.split("::")[1]
    db.execute(
        f"create table t (id int primary key, v {kind}); insert into t values (1, null);"
        "grant select, insert, update, delete on t to agent_a; select agentdb.guard_table('t')".encode()
    )
    refused = refusal(agent, f"update agentdb_stage.t set v = {wrong}")
    assert refused.sqlstate == "ZA004"


RIGHTS = [
    ("update (note)", "update {t} set salary = 9", "42501"),
    ("update (note)", "update {t} set note = 'x', salary = 9", "42501"),
    ("update (note)", "update {t} set note = 'x'", None),
    ("update (note)", "delete from {t}", "42501"),
    ("update (note)", "insert into {t} values (2, 'x', 9)", "42501"),
    ("insert (id, note)", "insert into {t} (id, note) values (2, 'x')", None),
    ("insert (id, note)", "insert into {t} values (2, 'x', 9)", "42501"),
    ("insert (id, note)", "update {t} set note = 'x'", "42501"),
    ("delete", "delete from {t}", None),
    ("delete", "update {t} set note = 'x'", "42501"),
]


@pytest.mark.parametrize(("right", "statement", "state"), RIGHTS)
def test_what_an_agent_may_not_write_directly_it_may_not_stage(
    db: Connection, agent: Connection, right: str, statement: str, state: str | None
) -> None:
    for table in ("t", "direct"):
        db.execute(
            f"create table {table} (id int primary key, note text, salary int);"
            f"insert into {table} values (1, '', 100);"
            f"grant select, {right} on {table} to agent_a".encode()
        )
    db.execute("select agentdb.guard_table('t', auto_approve => '{\"operations\":"
               " [\"insert\", \"update\", \"delete\"]}')")  # fmt: skip
    for table in ("public.direct", "agentdb_stage.t"):
        said = statement.format(t=table)
        if state is None:
            agent.execute(said.encode())
        else:
            assert refusal(agent, said).sqlstate == state
    query = "select {0}::text as row from {0} order by id"
    assert rows(db, query.format("t")) == rows(db, query.format("direct"))


def test_column_that_takes_its_default_needs_no_right_to_it(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    db.execute(
        "create table t (id int primary key, v int, state text not null default 'new',"
        " at timestamptz default now(), size numeric(6, 2) default 1.50);"
        "grant select, insert (id, v) on t to agent_a; select agentdb.guard_table('t')"
    )
    agent.execute("insert into agentdb_stage.t (id, v) values (1, 10)")
    shown = "select v, state, size::text from {} where id = 1"
    want = [{"v": 10, "state": "new", "size": "1.50"}]
    ended = approve(connect(db.info.dbname, "reviewer_r"), latest(db)["change_id"])
    assert ended["state"] == "applied", ended["problem"]
    assert rows(db, shown.format("t")) == want
    assert value(db, "select at <= now() from t")
    for given in (
        "state) values (2, 'paid'",
        "size) values (2, 2",
        "at) values (2, 'epoch'",
    ):
        refused = refusal(agent, f"insert into agentdb_stage.t (id, {given})")
        assert refused.sqlstate == "42501", given


def test_who_may_only_read_proposes_and_is_never_approved_by_a_rule(
    db: Connection, agent: Connection
) -> None:
    db.execute(
        "create table t (id int primary key, v int); insert into t values (1, 1);"
        "grant select on t to agent_a; select agentdb.guard_table('t', auto_approve => '{}')"
    )
    agent.execute("update agentdb_stage.t set v = 2")
    assert latest(db)["state"] == "pending"


POLICIES = """
create table {t} (id int primary key, who text, v int);
insert into {t} values (1, 'agent_a', 1), (2, 'agent_b', 1), (3, 'agent_a', 7);
alter table {t} enable row level security;
create policy mine on {t} to agent_a using (who = current_user);
create policy small on {t} as restrictive for update using (v < 5) with check (v < 9);
create policy pack on {t} to agentdb_owner, agentdb_capture, agentdb_applier using (true);
create policy pack_too on {t} for all to agentdb_applier using (true);
grant select, insert, update, delete on {t} to agent_a
"""
SECURED = [
    "update {t} set who = 'agent_b' where id = 1",
    "update {t} set v = 8",
    "update {t} set v = 10 where id = 1",
    "update {t} set v = 2 where id = 3",
    "delete from {t} where id in (1, 2)",
    "insert into {t} values (4, 'agent_b', 1)",
    "insert into {t} values (4, 'agent_a', 1)",
]


@pytest.mark.parametrize("statement", SECURED)
def test_row_security_of_the_proposer_holds_for_what_it_stages(
    db: Connection, agent: Connection, statement: str
) -> None:
    if db.info.server_version < 150000:
        pytest.skip("before version 15 a view reads with the rights of its owner")
    for table in ("t", "direct"):
        for each in POLICIES.format(t=table).split(";\n"):
            db.execute(each.encode())
    db.execute(
        'select agentdb.guard_table(\'t\', auto_approve => \'{"rows": 9, "operations":'
        ' ["insert", "update", "delete"]}\')'
    )
    came = []
    for table in ("public.direct", "agentdb_stage.t"):
        try:
            came.append(str(agent.execute(statement.format(t=table).encode()).rowcount))
        except psycopg.Error as error:
            came.append(str(error.sqlstate))
    assert came[0] == came[1]
    query = "select {0}::text as row from {0} order by id"
    assert rows(db, query.format("t")) == rows(db, query.format("direct"))


CONDITION = """
create function public.judge (old jsonb, new jsonb) returns boolean language sql
security definer set search_path = pg_catalog as $$
  select (new ->> 'total')::int < 100 and new ->> 'state' = 'new'
    and (old is null or old ->> 'total' is not null) $$
"""
SALE = (
    "(id int primary key, qty int, price int, state text default 'new',"
    " total int generated always as (qty * price) stored)"
)


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("update agentdb_stage.t set qty = 2", "applied"),
        ("update agentdb_stage.t set qty = 1000", "pending"),
        ("insert into agentdb_stage.t (id, qty, price) values (2, 1, 1)", "applied"),
        ("insert into agentdb_stage.t (id, qty, price) values (2, 9, 99)", "pending"),
    ],
)
def test_condition_judges_whole_rows(
    db: Connection, agent: Connection, statement: str, state: str
) -> None:
    db.execute(CONDITION)
    db.execute(
        f"create table t {SALE}; insert into t (id, qty, price) values (1, 1, 5);"
        "grant select, insert, update, delete on t to agent_a; select agentdb.guard_table('t', auto_approve =>"
        ' \'{"operations": ["insert", "update"], "condition": "public.judge"}\')'.encode()
    )
    agent.execute(statement.encode())
    assert latest(db)["state"] == state


def test_proposer_is_shown_nothing_that_others_wrote_since(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    db.execute(
        "create table t (id int primary key, v int, note text);"
        "insert into t values (1, 1, 'seen'); grant select, insert, update, delete on t to agent_a;"
        "select agentdb.guard_table('t', context => '{note}')"
    )
    agent.execute("update agentdb_stage.t set v = 2")
    change = latest(db)["change_id"]
    db.execute("update t set v = 7, note = 'SECRET'")
    reviewer = connect(db.info.dbname, "reviewer_r")
    shown = "select * from agentdb.show_change_rows(%s)"
    assert "SECRET" in str(rows(reviewer, shown, change))
    ended = approve(reviewer, change)
    assert ended["state"] == "conflict" and "SECRET" in str(ended["problem"])
    db.execute("revoke all on t from agent_a")
    for call in (shown, "select * from agentdb.show_change(%s)"):
        assert "SECRET" not in str(rows(agent, call, change))
    mine = rows(agent, "select * from agentdb.my_changes()")
    assert "SECRET" not in str(mine) and "was changed" in str(mine)


@pytest.mark.parametrize(
    "since",
    [
        "alter table t add check (v < 2)",
        "alter table t alter note set not null; alter table t alter v drop not null",
        "alter table t add unique (pan)",
    ],
)
def test_no_redacted_value_is_in_the_reason_of_a_failure(
    db: Connection, connect: Connect, agent: Connection, since: str
) -> None:
    db.execute(
        "create table t (id int primary key, pan text, v int, note text);"
        "insert into t values (1, '4111', 1, 'x'), (2, '4222', 1, 'x');"
        "grant select, insert, update, delete on t to agent_a; select agentdb.audit_table('t', redact => '{pan}');"
        "select agentdb.guard_table('t')"
    )
    agent.execute("update agentdb_stage.t set v = 5, note = null where id = 1")
    change = latest(db)["change_id"]
    for statement in since.split("; "):
        db.execute(statement.encode())
    db.execute("update t set pan = pan || ' ' where id = 2")
    ended = approve(connect(db.info.dbname, "reviewer_r"), change)
    for pan in ("4111", "4222"):
        assert pan not in str(ended["problem"])


def test_undo_is_applied_by_its_application_only(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    db.execute(
        "create table t (id int primary key, v int, note text);"
        "insert into t values (1, 1); grant select, update on t to agent_a, reviewer_r;"
        "select agentdb.audit_table('t')"
    )
    agent.execute("update t set v = 666")
    run = value(db, "select max(run_id) from agentdb.run")
    reviewer = connect(db.info.dbname, "reviewer_r")
    change = value(reviewer, "select change_id from agentdb.undo_run(%s)", run)
    claim = "select agentdb._end_apply_as_caller(%s, 1, '{}', null)"
    assert refusal(reviewer, claim, change).sqlstate == "ZA053"
    with pytest.raises(psycopg.Error) as raised, reviewer.transaction():
        reviewer.execute("select agentdb._begin_apply(%s)", [change])
        reviewer.execute(claim, [change])
    assert raised.value.sqlstate == "ZA053"
    # Nor one that writes something else in the name of the undo.
    for other in ("v = 999", "v = v, note = 'x'"):
        with pytest.raises(psycopg.Error) as raised, reviewer.transaction():
            reviewer.execute("select agentdb._begin_apply(%s)", [change])
            reviewer.execute(f"update t set {other}".encode())
            reviewer.execute(claim, [change])
        assert raised.value.sqlstate == "ZA053"
    assert latest(db)["state"] == "approved"
    reviewer.execute("select agentdb.apply_change(%s)", [change])
    assert value(db, "select v from t") == 1


def test_change_of_a_table_that_is_not_guarded_any_more_is_over(
    db: Connection, agent: Connection
) -> None:
    db.execute(
        "create table t (id int primary key, v int); insert into t values (1, 1);"
        "grant select, insert, update, delete on t to agent_a; select agentdb.guard_table('t')"
    )
    agent.execute("update agentdb_stage.t set v = 2")
    db.execute("select agentdb.unguard_table('t'); select agentdb.guard_table('t')")
    assert latest(db)["state"] == "conflict"
    agent.execute("update agentdb_stage.t set v = 3")
    assert latest(db)["state"] == "pending"


RULED = (
    "create table t (id int primary key, v int); insert into t values (1, 1), (2, 2);"
    "create table seen (id int, v int);"
    "create rule note as on update to t do also insert into seen values (new.id, new.v);"
    "grant select, insert, update, delete on t, seen to agent_a, operator_o"
)


def test_rule_that_adds_a_statement_is_no_obstacle(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    for each in RULED.split(";"):
        db.execute(each.encode())
    db.execute("select agentdb.guard_table('t')")
    with agent.transaction():
        agent.execute("update agentdb_stage.t set v = 3")
        agent.execute("insert into agentdb_stage.t values (4, 4)")
        agent.execute("delete from agentdb_stage.t where id = 2")
    reviewer = connect(db.info.dbname, "reviewer_r")
    assert approve(reviewer, latest(db)["change_id"])["state"] == "applied"
    assert rows(db, "select * from t order by id") == [
        {"id": 1, "v": 3},
        {"id": 4, "v": 4},
    ]
    assert rows(db, "select * from seen") == [{"id": 1, "v": 3}]


def test_what_a_table_with_a_rule_became_is_undone(
    db: Connection, agent: Connection
) -> None:
    for each in RULED.split(";"):
        db.execute(each.encode())
    db.execute("select agentdb.audit_table('t')")
    agent.execute("update t set v = 7")
    run = value(db, "select max(run_id) from agentdb.run")
    change = value(db, "select change_id from agentdb.undo_run(%s)", run)
    assert value(db, "select state from agentdb.apply_change(%s)", change) == "applied"
    assert [each["v"] for each in rows(db, "select v from t order by id")] == [1, 2]


def test_table_whose_rule_does_something_instead_is_not_guarded(db: Connection) -> None:
    db.execute(
        "create table t (id int primary key);"
        "create rule never as on delete to t do instead nothing"
    )
    assert refusal(db, "select agentdb.guard_table('t')").sqlstate == "ZA051"


STRICTER = {
    "fewer columns": "select agentdb.guard_table('t', columns => '{note}')",
    "no right to a column": "revoke update on t from agent_a;"
    " grant update (note) on t to agent_a",
    "no right at all": "revoke all on t from agent_a",
    "another policy": "create policy nobody on t as restrictive for update using (false);"
    " create policy all_of_it on t using (true)",
    "row security": "alter table t enable row level security;"
    " create policy all_of_it on t using (true)",
}


@pytest.mark.parametrize("change", STRICTER)
def test_what_has_become_stricter_since_wins(
    db: Connection, connect: Connect, agent: Connection, change: str
) -> None:
    if db.info.server_version < 150000 and "row" in change:
        pytest.skip("before version 15 such a table is not guarded")
    db.execute(
        "create table t (id int primary key, v int, note text);"
        "insert into t values (1, 1); select agentdb.guard_table('t');"
        "grant select, insert, update, delete on t to agent_a"
    )
    agent.execute("update agentdb_stage.t set v = 2")
    for each in STRICTER[change].split(";"):
        db.execute(each.encode())
    reviewer = connect(db.info.dbname, "reviewer_r")
    ended = approve(reviewer, latest(db)["change_id"])
    assert ended["state"] == "conflict", ended
    assert ended["problem"]["sqlstate"] == "ZA051"
    assert value(db, "select v from t") == 1


def test_more_approvals_asked_meanwhile_are_needed(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    db.execute(
        "create table t (id int primary key, v int); insert into t values (1, 1);"
        "grant select, insert, update, delete on t to agent_a;"
        "select agentdb.guard_table('t')"
    )
    agent.execute("update agentdb_stage.t set v = 2")
    db.execute("select agentdb.guard_table('t', approvals => 2)")
    reviewer = connect(db.info.dbname, "reviewer_r")
    ended = approve(reviewer, latest(db)["change_id"])
    assert (ended["state"], ended["approvals_missing"]) == ("pending", 1)
