"""A migration is everyday life: it pages nobody, loses nothing, asks nothing by hand."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Engine, Integer, MetaData, NullPool, Table, create_engine

import agentdb.migrations  # noqa: F401  registers the operations
from agentdb.schema import install as installation

from .agents import labels, refusal, row, rows, start, value
from .changes import approve, latest
from .conftest import INSTALLER, Connect, Connection
from .scene import Scene, until
from .servers import Server, url

STAGED = "update agentdb_stage.invoice set note = 'x' where id = 1"
WAITING = "select state from agentdb.change where change_id = %s"


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    session = connect(guarded.info.dbname, "agent_a")
    start(session, purpose="notes")
    return session


def engine(server: Server, db: Connection) -> Engine:
    """Return the engine of a migration, which runs as the owner of the tables."""
    return create_engine(
        url("psycopg", server.dsn(database=db.info.dbname)), poolclass=NullPool
    )


def operations(connection: Any) -> Any:
    return Operations(MigrationContext.configure(connection))


def adapt(db: Connection) -> set[str]:
    """Do what the runner does every half minute; return what it did to changes."""
    found = rows(db, "select action, object from agentdb.maintain_tables()")
    return {each["action"] for each in found if each["object"].startswith("change")}


def test_added_column_pages_nobody_and_loses_nothing(
    guarded: Connection, agent: Connection, server: Server, reviewer: Connection
) -> None:
    agent.execute(STAGED)
    change = latest(guarded)["change_id"]
    guarded.execute("alter table invoice add column due date")
    before = rows(guarded, "select * from invoice order by id")
    guarded.execute("update invoice set due = '2026-05-01' where id in (3, 4)")
    for rule in ("audit_gap", "change_conflict"):
        assert labels(guarded, rule) == []
    dsn = server.dsn(database=guarded.info.dbname, user=INSTALLER)
    assert installation.differences(dsn) == []
    parts = rows(guarded, "select part from agentdb.altered_table order by part")
    assert [each["part"] for each in parts] == ["capture function", "staging view"]
    # The log says what PostgreSQL itself answered before.
    query = "select row_key ->> 'id' as id, old_values, new_values from agentdb.audit"
    assert rows(guarded, f"{query} order by row_key") == [
        {"id": str(each["id"]), "old_values": {"due": each["due"]},
         "new_values": {"due": "2026-05-01"}}
        for each in before if each["id"] in (3, 4)
    ]  # fmt: skip
    assert adapt(guarded) == {"tried again: the same on the altered table"}
    assert rows(guarded, "select * from agentdb.altered_table") == []
    assert adapt(guarded) == set()
    assert installation.differences(dsn) == []
    assert value(guarded, WAITING, change) == "pending"
    assert approve(reviewer, change)["state"] == "applied"


def test_runner_adapts_by_itself(scene: Scene) -> None:
    scene.db.execute(
        "create table t (id int primary key); select agentdb.guard_table('t');"
        "alter table t add column v int"
    )
    runner = scene.start()
    until(lambda: rows(scene.db, "select * from agentdb.altered_table") == [])
    assert rows(scene.db, "select v from agentdb_stage.t") == []
    assert runner.stop() == 0


@pytest.mark.parametrize(
    "migration",
    [
        "alter table invoice add column due date",
        "alter table invoice add column due date not null default '2026-05-01'",
        "alter table invoice alter amount set default 5, alter amount drop not null",
        "alter table invoice rename ref to reference",
        "select agentdb.drop_staging_view('invoice'); alter table invoice drop ref",
        "select agentdb.drop_staging_view('invoice'); alter table invoice"
        " alter ref type varchar(99)",
        "alter table invoice add check (amount < 1000)",
    ],
)
def test_change_that_does_not_name_what_was_altered_is_applied(
    guarded: Connection, agent: Connection, reviewer: Connection, migration: str
) -> None:
    agent.execute(STAGED)
    change = latest(guarded)["change_id"]
    digest = latest(guarded)["digest"]
    guarded.execute(migration.encode())
    adapt(guarded)
    assert value(guarded, WAITING, change) == "pending"
    # What the reviewer has read before the migration is still what it is.
    approval = "select state from agentdb.approve_change(%s, %s)"
    assert value(reviewer, approval, change, digest) == "applied"
    assert value(guarded, "select note from invoice where id = 1") == "x"


@pytest.mark.parametrize(
    ("migration", "said"),
    [
        ("alter table invoice rename note to remark", "column note is gone"),
        ("select agentdb.drop_staging_view('invoice');"
         " alter table invoice alter note type varchar(9)",
         "column note was text and is character varying(9)"),
        ("alter table invoice drop constraint invoice_pkey cascade,"
         " add primary key (id, customer)", "column customer was"),
        ("alter table invoice add constraint short check (length(note) > 1)", "short"),
    ],
)  # fmt: skip
def test_change_with_another_outcome_says_which_column(
    guarded: Connection, agent: Connection, migration: str, said: str
) -> None:
    agent.execute(STAGED)
    change = latest(guarded)["change_id"]
    guarded.execute(migration.encode())
    if "add constraint" in migration:
        # Only a change of layout has changes tried again; this comes with one.
        guarded.execute("alter table invoice add column due date")
    (done,) = adapt(guarded)
    assert done.startswith("tried again: conflict: ")
    found = row(
        guarded,
        "select state, problem from agentdb.change where change_id = %s",
        change,
    )
    assert found["state"] == "conflict"
    assert said in found["problem"]["message"]
    (alert,) = rows(
        guarded, "select annotations ->> 'summary' as said from agentdb.change_conflict"
    )
    assert said in alert["said"]


def test_inserts_that_the_new_shape_refuses_are_a_conflict_before_anybody_decides(
    guarded: Connection, agent: Connection
) -> None:
    agent.execute("insert into agentdb_stage.customer (id, name) values (7, 'seven')")
    guarded.execute("alter table customer add column vat text")
    guarded.execute("update customer set vat = 'none'")
    guarded.execute("alter table customer alter vat set not null")
    (done,) = adapt(guarded)
    assert "vat" in done and done.startswith("tried again: conflict")


NEW = "insert into agentdb_stage.invoice (customer, amount, note) values (1, 5, 'n')"
AWAY = "select agentdb.drop_staging_view('invoice'); alter table invoice "
SWAP = (
    "alter table invoice rename note to other;"
    "alter table invoice rename ref to note; alter table invoice rename other to ref"
)


@pytest.mark.parametrize(
    ("staged", "migration", "said"),
    [
        # What was reviewed for one column is not written to another of its name.
        (NEW, SWAP, "column note is another one of that name"),
        (NEW, AWAY + "drop note, add note text", "column note is another one"),
        (STAGED, AWAY + "drop note, add note text", "column note is another one"),
        # A new row has what comes by itself, and nobody has seen that.
        (NEW, "alter table invoice add due date default '2026-05-01'", "due is new"),
        (NEW, "alter table invoice add nr int generated by default as identity", "nr"),
        (NEW, "alter table invoice alter total drop expression", "column total was"),
        (NEW, AWAY + "drop total, add total numeric generated always as (amount) stored",
         "column total was numeric, generated as (amount * 1.2) and is"),
        (STAGED, "alter table invoice rename to bill", "is called public.bill now"),
        (STAGED, "create schema side; alter table invoice set schema side", "side."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("adapted", [True, False])
def test_nothing_is_applied_that_the_reviewer_did_not_see(
    guarded: Connection,
    agent: Connection,
    reviewer: Connection,
    staged: str,
    migration: str,
    said: str,
    adapted: bool,
) -> None:
    """Found when it is tried again, and when it is approved before that."""
    agent.execute(staged.encode())
    change = latest(guarded)["change_id"]
    guarded.execute(migration.encode())
    if adapted:
        adapt(guarded)
    else:
        assert approve(reviewer, change)["state"] == "conflict"
    found = row(
        guarded,
        "select state, problem ->> 'message' as said from agentdb.change"
        " where change_id = %s",
        change,
    )
    assert found["state"] == "conflict"
    assert said in found["said"]
    assert value(guarded, "select count(*) from agentdb.audit") == 0


@pytest.mark.parametrize(
    "migration",
    [
        "alter table invoice add due date",
        "alter table invoice add net numeric generated always as (amount / 2) stored",
        "alter table invoice alter note set default 'x'",
        "alter table invoice alter customer drop not null",
    ],
)
def test_new_row_stays_pending_where_all_of_it_was_seen(
    guarded: Connection, agent: Connection, reviewer: Connection, migration: str
) -> None:
    agent.execute(NEW)
    change = latest(guarded)["change_id"]
    guarded.execute(migration.encode())
    adapt(guarded)
    assert approve(reviewer, change)["state"] == "applied"
    last = "select customer, amount, note from invoice order by id desc limit 1"
    assert row(guarded, last) == {"customer": 1, "amount": 5, "note": "n"}


@pytest.mark.parametrize("staged", ["before", "after"])
def test_change_finds_no_row_without_the_key(
    guarded: Connection, agent: Connection, reviewer: Connection, staged: str
) -> None:
    """What it expects of a row does not say which row it is."""
    rename = "update agentdb_stage.customer set name = 'x' where id = 1"
    if staged == "before":
        agent.execute(rename)
    guarded.execute("alter table customer drop constraint customer_pkey cascade")
    said = "has no primary key"
    if staged == "before":
        guarded.execute(
            "update customer set name = case id when 1 then 'b' else 'acme' end"
        )
        found = approve(reviewer, latest(guarded)["change_id"])
        assert (found["state"], said in found["problem"]["message"]) == (
            "conflict",
            True,
        )
    adapt(guarded)
    error = refusal(agent, rename)
    assert (error.sqlstate, said in str(error.message_primary)) == ("ZA051", True)
    assert value(guarded, "select count(*) from customer where name = 'x'") == 0
    (fault,) = rows(guarded, "select fault from agentdb.guard_fault")
    assert said in fault["fault"]
    tried = rows(guarded, "select action from agentdb.maintain_tables()")
    assert [said in each["action"] for each in tried] == [True]


def test_guard_says_which_of_its_columns_is_gone(
    guarded: Connection, server: Server
) -> None:
    guarded.execute(
        "select agentdb.guard_table('customer', columns => '{name}', context => '{name}')"
    )
    guarded.execute("alter table customer rename name to title")
    adapt(guarded)
    dsn = server.dsn(database=guarded.info.dbname, user=INSTALLER)
    (said,) = installation.differences(dsn)
    assert "guarded with column name, which is not there any more" in said
    error = refusal(guarded, "select agentdb.guard_table('customer')")
    assert error.message_primary == "public.customer has no column name to review"
    assert "as it was guarded last" in str(error.message_hint)
    guarded.execute(
        "select agentdb.guard_table('customer', columns => '{title}', context => '{}')"
    )
    assert installation.differences(dsn) == []


def test_trigger_that_came_with_the_migration_makes_it_another_outcome(
    guarded: Connection, agent: Connection
) -> None:
    agent.execute(STAGED)
    guarded.execute(
        "alter table invoice add column touched int;"
        "create function touch() returns trigger language plpgsql security definer as"
        " 'begin update customer set name = name where id = new.customer; return null; end';"
        "create trigger touch after update on invoice for each row execute function touch()"
    )
    (done,) = adapt(guarded)
    assert "it would write" in done and "public.customer updated" in done


def test_locked_table_is_tried_the_next_time(
    guarded: Connection, agent: Connection, connect: Connect
) -> None:
    agent.execute(STAGED)
    guarded.execute("alter table invoice add column due date")
    other = connect(guarded.info.dbname)
    with other.transaction():
        other.execute("select from invoice where id = 1 for update")
        (done,) = adapt(guarded)
        assert done.startswith("not tried again: ")
    assert adapt(guarded) == {"tried again: the same on the altered table"}


def test_whoever_locks_a_table_holds_up_no_other(
    guarded: Connection, agent: Connection, connect: Connect
) -> None:
    """An agent that may write a table may lock it, and so does a migration at work."""
    guarded.execute("alter table customer add column vat text")
    operator = connect(guarded.info.dbname, "operator_o")
    operator.execute("set statement_timeout = '20s'")
    migration = connect(guarded.info.dbname)
    for session, work, later in (
        (agent, "lock table invoice in access exclusive mode", "city"),
        (migration, "alter table invoice add column due date default now()", "land"),
    ):
        with session.transaction(force_rollback=True):
            session.execute(work)
            found = rows(operator, "select table_name from agentdb.altered_table")
            assert {each["table_name"] for each in found} <= {"public.customer"}
            done = rows(
                operator, "select action, object from agentdb.maintain_tables()"
            )
            assert not [each for each in done if "not " in each["action"]]
            assert rows(operator, "select * from agentdb.altered_table") == []
        guarded.execute(f"alter table customer add column {later} text".encode())


def test_new_default_reaches_the_staging_view(
    guarded: Connection, agent: Connection
) -> None:
    for default, seen in (("'new'", "new"), ("'newer'", "newer"), ("null", None)):
        guarded.execute(
            f"alter table invoice alter note set default {default}".encode()
        )
        adapt(guarded)
        agent.execute(
            "insert into agentdb_stage.invoice (customer, amount) values (1, 1)"
        )
        staged = (
            "select new_values ->> 'note' from agentdb.change_row order by change_id"
        )
        assert rows(guarded, staged)[-1] == {"?column?": seen}


FULL = """
create function full_disk() returns trigger language plpgsql as
  $$ begin raise exception 'no space left' using errcode = '{}'; end $$;
create trigger full_disk before update on invoice for each statement
  execute function full_disk();
"""


@pytest.mark.parametrize("sqlstate", ["53100", "53200", "57P01", "58030", "08006"])
def test_what_is_no_fault_of_the_change_does_not_end_it(
    guarded: Connection, agent: Connection, reviewer: Connection, sqlstate: str
) -> None:
    agent.execute(STAGED)
    change = latest(guarded)["change_id"]
    guarded.execute("alter table invoice add column due date")
    guarded.execute(FULL.format(sqlstate).encode())
    assert adapt(guarded) == {"not tried again: no space left"}
    with pytest.raises(psycopg.Error) as raised:
        approve(reviewer, change)
    assert raised.value.sqlstate == sqlstate
    assert value(guarded, WAITING, change) == "pending"
    guarded.execute("drop trigger full_disk on invoice")
    assert adapt(guarded) == {"tried again: the same on the altered table"}
    assert approve(reviewer, change)["state"] == "applied"


def test_type_is_altered_around_the_staging_view(
    guarded: Connection, agent: Connection, server: Server, connect: Connect
) -> None:
    alter = "alter table public.invoice alter note type varchar(90)"
    assert refusal(guarded, alter).sqlstate == "0A000"
    with engine(server, guarded).begin() as connection:
        op = operations(connection)
        op.drop_staging_view("invoice")
        op.execute(alter)
        # The guard holds meanwhile, and nobody else sees the view gone.
        direct = connect(guarded.info.dbname, "agent_a")
        direct.execute("set lock_timeout = '100ms'")
        assert refusal(direct, "update invoice set note = 'y'").sqlstate == "55P03"
        op.maintain()
    agent.execute("update agentdb_stage.invoice set note = 'y' where id = 2")
    assert latest(guarded)["state"] == "pending"
    assert rows(guarded, "select * from agentdb.altered_table") == []


def test_staging_view_that_was_left_out_comes_back(
    guarded: Connection, agent: Connection
) -> None:
    guarded.execute("select agentdb.drop_staging_view('invoice')")
    assert rows(guarded, "select part from agentdb.altered_table") == [
        {"part": "staging view"}
    ]
    assert refusal(agent, "update invoice set note = 'y'").sqlstate == "ZA050"
    adapt(guarded)
    agent.execute(STAGED)
    assert latest(guarded)["state"] == "pending"


def test_staging_view_is_dropped_by_the_owner_alone(
    guarded: Connection, connect: Connect
) -> None:
    call = "select agentdb.drop_staging_view('invoice')"
    for login, sqlstate in (("operator_o", "ZA030"), ("agent_a", "42501")):
        assert refusal(connect(guarded.info.dbname, login), call).sqlstate == sqlstate
    assert refusal(guarded, call.replace("invoice", "line")).sqlstate == "ZA006"


GUARD = "select {} from agentdb.guarded_table where table_name = 'public.invoice'"


def test_guard_remembers_its_arguments(guarded: Connection, server: Server) -> None:
    columns = "approvals, expires::text, columns, context, auto_approve"
    guarded.execute(
        "select agentdb.guard_table('invoice', columns => '{note}', approvals => 2,"
        " expires => '2 hours', auto_approve => '{\"rows\": 2}', context => '{ref}')"
    )
    first = row(guarded, GUARD.format(columns))
    assert first["approvals"] == 2
    guarded.execute("select agentdb.unguard_table('invoice')")
    guarded.execute("select agentdb.guard_table('invoice')")
    assert row(guarded, GUARD.format(columns)) == first
    with engine(server, guarded).begin() as connection:
        op = operations(connection)
        op.unguard_table("invoice")
        op.guard_table("invoice", expires="3 hours")
    assert row(guarded, GUARD.format(columns)) == {**first, "expires": "03:00:00"}
    guarded.execute(
        "select agentdb.guard_table('invoice', columns => '{}', auto_approve => 'null')"
    )
    assert row(guarded, GUARD.format("columns, auto_approve, approvals")) == {
        "columns": None,
        "auto_approve": None,
        "approvals": 2,
    }


def test_guard_names_the_tables_that_refer_to_it(db: Connection) -> None:
    db.execute(
        "create table parent (id int primary key);"
        "create table child (id int primary key, parent int references parent)"
    )
    said: list[tuple[Any, Any]] = []
    db.add_notice_handler(lambda d: said.append((d.message_primary, d.message_hint)))
    db.execute("select agentdb.guard_table('parent')")
    ((message, hint),) = said
    assert message == "public.child refers to public.parent and is not guarded"
    assert "23503" in hint
    db.execute("select agentdb.guard_table('child')")
    assert len(said) == 1


@pytest.mark.parametrize("schemas", [False, True])
def test_autogenerate_proposes_nothing_about_ours(
    guarded: Connection, server: Server, schemas: bool
) -> None:
    guarded.execute(
        "drop table line; create schema side; create table side.theirs (i int)"
    )
    with engine(server, guarded).connect() as connection:
        known = MetaData()
        known.reflect(connection)
        Table("fresh", known, Column("id", Integer, primary_key=True))
        context = MigrationContext.configure(
            connection, opts={"include_schemas": schemas}
        )
        found = compare_metadata(context, known)
    # The application's own surplus is still named.
    surplus = [("remove_table", "theirs")] if schemas else []
    assert sorted((each[0], each[1].name) for each in found) == [
        ("add_table", "fresh"),
        *surplus,
    ]


def test_event_trigger_adapts_within_the_alter_itself(
    guarded: Connection, agent: Connection, connect: Connect
) -> None:
    guarded.execute(
        "create event trigger agentdb_alter_table on ddl_command_end"
        " when tag in ('ALTER TABLE') execute function agentdb.follow_alter_table()"
    )
    guarded.execute("alter table invoice add column due date")
    assert rows(guarded, "select * from agentdb.altered_table") == []
    agent.execute("update agentdb_stage.invoice set due = '2026-01-01' where id = 1")
    # An agent's own table is none of ours, and what it locks holds up no migration.
    with agent.transaction():
        agent.execute("create temp table own (id int); alter table own add v int")
        guarded.execute("alter table customer add column vat text")
        assert rows(guarded, "select * from agentdb.altered_table") == []
    other = connect(guarded.info.dbname)
    with other.transaction():
        other.execute("lock table agentdb.audit_target in share row exclusive mode")
        guarded.execute("alter table customer add column city text")
        assert len(rows(guarded, "select * from agentdb.altered_table")) > 0
    adapt(guarded)
    assert rows(guarded, "select * from agentdb.altered_table") == []


def test_writers_of_an_altered_table_never_wait_for_its_functions(
    guarded: Connection, connect: Connect
) -> None:
    """Nobody makes the fast form within a write: two writers and a DBA at once."""
    guarded.execute("alter table invoice add column due date")
    held = connect(guarded.info.dbname)
    with held.transaction():
        held.execute("select * from agentdb.maintain_tables()")
        writer = connect(guarded.info.dbname)
        writer.execute("set lock_timeout = '5s'")
        done = threading.Thread(
            target=writer.execute, args=("update invoice set due = now() where id = 5",)
        )
        done.start()
        done.join(10)
        assert not done.is_alive()
    query = "select count(*) from agentdb.audit where row_key = '{\"id\": 5}'"
    assert value(guarded, query) == 1


def test_a_locked_table_with_a_virtual_column_keeps_no_other_waiting(
    db: Connection, connect: Connect
) -> None:
    """Its expression is compared as it is stored: to spell it out takes a lock."""
    if db.info.server_version < 180000:
        pytest.skip("virtual columns came with PostgreSQL 18")
    db.execute(
        "create table held (id int primary key,"
        " v int generated always as (id * 2) virtual);"
        "create table t (id int primary key)"
    )
    db.execute("select agentdb.audit_table('held'), agentdb.audit_table('t')")
    holder = connect(db.info.dbname)
    with holder.transaction():
        holder.execute("lock table held in access exclusive mode")
        db.execute("alter table t add late int")
        found = rows(db, "select * from agentdb.maintain_tables()")
        assert {"action": "regenerated", "object": "public.t"} in found
    db.execute("alter table held alter v set expression as (id * 3)")
    waiting = "select table_name from agentdb.altered_table"
    assert [each["table_name"] for each in rows(db, waiting)] == ["public.held"]


def test_a_locked_partition_keeps_nobody_waiting(
    db: Connection, connect: Connect
) -> None:
    db.execute(
        "create table held (id int primary key) partition by range (id);"
        "create table part partition of held for values from (0) to (9);"
        "create table t (id int primary key)"
    )
    db.execute("select agentdb.audit_table('held'), agentdb.audit_table('t')")
    db.execute(
        "select agentdb.guard_table('t'), agentdb.fence_table('public.held', 'x')"
    )
    holder = connect(db.info.dbname)
    db.execute("set lock_timeout = '1s'")
    with holder.transaction():
        holder.execute("lock table part in access exclusive mode")
        db.execute("alter table t add late int")
        found = rows(db, "select * from agentdb.maintain_tables()")
        assert {"action": "regenerated", "object": "public.t"} in found
        for look in ("audited_table", "guarded_table", "fenced_table", "repairable"):
            rows(db, f"select * from agentdb.{look}")
