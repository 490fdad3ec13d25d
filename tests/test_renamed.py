"""Columns that were renamed, and what else is done with what was recorded before."""

from __future__ import annotations

import subprocess

import pytest

from .agents import refusal, register, row, rows, start, value
from .conftest import Connect, Connection, MakeDatabase
from .servers import Server, client
from .test_moment import at_mark
from .test_record import audit, kept

LOOK = "select agentdb.maintain_tables()"
SWAP = (
    "begin; alter table t rename {0} to x; alter table t rename {1} to {0};"
    " alter table t rename x to {1}; commit"
)


@pytest.mark.parametrize(
    "rename",
    [
        SWAP.format("a", "b"),
        "alter table t rename a to z; alter table t add a int",
        "alter table t rename id to item; alter table t add id int",
    ],
)
def test_no_undo_writes_a_value_into_another_column(
    db: Connection, connect: Connect, rename: str
) -> None:
    register(db)
    db.execute(
        "create table t (id int primary key, a int, b int);"
        "insert into t values (1, 1, 10), (2, 2, 20);"
        "grant select, insert, update, delete on t to agent_a"
    )
    audit(db)
    agent = connect(db.info.dbname, "agent_a")
    run = start(agent)
    agent.execute("delete from t where id = 2")
    db.execute(LOOK)
    db.execute(rename.encode())
    for _ in range(2):
        said = refusal(db, "select agentdb.undo_run(%s)", run)
        assert said.sqlstate == "ZA056"
        assert "columns of public.t were renamed since" in (said.message_primary or "")
        db.execute(LOOK)


@pytest.mark.parametrize(
    ("first", "write", "second"),
    [
        ("rename id to x", "delete from t where x = 2", "rename x to item"),
        ("rename v to x", "delete from t where id = 2", "rename x to w"),
    ],
)
def test_names_that_nobody_saw_are_refused(
    db: Connection, first: str, write: str, second: str
) -> None:
    db.execute("create table t (id int primary key, v int)")
    db.execute("insert into t values (1, 10), (2, 20)")
    audit(db)
    db.execute("select agentdb.mark('before')")
    db.execute(f"alter table t {first}; {write}; alter table t {second}".encode())
    _, image = kept(db)
    db.execute("select agentdb.mark('after')")
    said = refusal(db, "select agentdb.table_as_of('t', mark => 'before')")
    assert said.sqlstate == "ZA033"
    assert "before anybody looked" in (said.message_primary or "")
    assert at_mark(db, "after") == image


def test_a_column_that_came_and_went_is_not_shown_before_it_came(
    db: Connection,
) -> None:
    db.execute("create table t (id int primary key, v int)")
    db.execute("insert into t values (1, 10), (2, 20)")
    audit(db)
    _, image = kept(db)
    db.execute("select agentdb.mark('before')")
    db.execute("alter table t add x int default 3; delete from t where id = 2")
    db.execute("alter table t drop x")
    for _ in range(2):
        assert at_mark(db, "before") == image
        db.execute(LOOK)


def test_a_key_whose_columns_exchanged_their_names_is_of_one_row(
    db: Connection,
) -> None:
    db.execute("create table t (i int, j int, name text, primary key (i, j))")
    audit(db)
    db.execute("insert into t values (1, 2, 'Anna Example'), (2, 1, 'Bert Sample')")
    db.execute(LOOK)
    db.execute(SWAP.format("i", "j").encode())
    db.execute(LOOK)
    db.execute("delete from t where name = 'Anna Example'")
    found = rows(db, "select new_values from agentdb.row_history('t',"
                 " '{\"i\": 2, \"j\": 1}') where operation = 'insert'")  # fmt: skip
    assert [each["new_values"]["name"] for each in found] == ["Anna Example"]
    erased = row(db, "select * from agentdb.erase_subject('t', '{\"i\": 2, \"j\": 1}',"
                 " 'x')")  # fmt: skip
    assert erased == {"place": "audit_log", "rows": 2}
    kept_names = value(db, "select string_agg(new_values ->> 'name', ', ' order by"
                       " audit_log_id) from agentdb.audit_log"
                       " where operation = 'insert'")  # fmt: skip
    assert sorted(kept_names.split(", ")) == ["Bert Sample", "[erased]"]


def test_history_under_a_key_of_a_column_that_was_added(db: Connection) -> None:
    db.execute("create table t (id int primary key, name text)")
    audit(db)
    db.execute("insert into t values (1, 'Anna'), (2, 'Bert')")
    db.execute(LOOK)
    with db.transaction():
        db.execute(
            "alter table t rename id to old; alter table t add id int;"
            "update t set id = 3 - old; alter table t drop constraint t_pkey;"
            "alter table t add primary key (id)"
        )
        db.execute(LOOK)
    db.execute("delete from t where name = 'Anna'")
    found = rows(db, "select operation, old_values from agentdb.row_history('t', '2')")
    # What is recorded of the former key 2 was Bert's.
    assert [each["operation"] for each in found] == ["not recorded", "delete"]


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_an_old_snapshot_does_not_tell_what_is_now(
    db: Connection, connect: Connect, level: str
) -> None:
    db.execute("create table t (id int primary key, v int)")
    db.execute("insert into t values (1, 0)")
    audit(db)
    _, image = kept(db)
    db.execute("select agentdb.mark('before')")
    reader = connect(db.info.dbname, "postgres")
    with reader.transaction():
        reader.execute(f"set transaction isolation level {level}".encode())
        reader.execute("select from t")
        db.execute("update t set v = 1")
        assert at_mark(reader, "before") == image
        said = refusal(reader, "select agentdb.table_as_of('t', clock_timestamp())")
        assert said.sqlstate == "ZA004"
        assert "READ COMMITTED" in (said.message_hint or "")


def test_the_first_write_after_a_restore_may_be_a_truncate(
    db: Connection, server: Server, connect: Connect, make_database: MakeDatabase
) -> None:
    db.execute("create table t (id int primary key, v int)")
    db.execute("insert into t values (1, 10), (2, 20)")
    audit(db)
    db.execute("update t set v = v + 1")
    copy = make_database()
    dump = subprocess.run(
        [client(server, "pg_dump"), "-d", server.dsn(database=db.info.dbname)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    subprocess.run(
        [client(server, "psql"), "-Xq1", "-v", "ON_ERROR_STOP=1", "-d",
         server.dsn(database=copy)],
        input=dump, check=True, capture_output=True, text=True,
    )  # fmt: skip
    restored = connect(copy)
    restored.execute("truncate t")
    gone = rows(
        restored,
        "select row_key, old_values from agentdb.audit_log where operation = 'truncate'"
        " order by audit_log_id",
    )
    assert gone == [
        {"row_key": {"id": 1}, "old_values": {"id": 1, "v": 11}},
        {"row_key": {"id": 2}, "old_values": {"id": 2, "v": 21}},
    ]
    assert value(restored, "select count(*) from agentdb.epoch") == 2
