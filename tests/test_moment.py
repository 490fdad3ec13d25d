"""The past is what was committed, whatever the clocks of the writers said."""

from __future__ import annotations

from typing import Any

import pytest

from .agents import refusal, row, rows, value
from .conftest import Connect, Connection
from .test_record import audit, kept, ordered, past


def at_mark(session: Connection, mark: str, table: str = "t") -> Any:
    query = "select row_values from agentdb.table_as_of(%s, mark => %s)"
    return ordered([each["row_values"] for each in rows(session, query, table, mark)])


@pytest.fixture
def table(db: Connection) -> Connection:
    db.execute(
        "create table t (id int primary key, v int, note text);"
        "insert into t select n, 0 from generate_series(1, 4) as n"
    )
    audit(db)
    return db


def test_a_mark_has_what_was_committed_and_nothing_else(
    table: Connection, connect: Connect
) -> None:
    long, other = (connect(table.info.dbname, "postgres") for _ in range(2))
    with long.transaction():
        long.execute("update t set v = 1 where id = 1")
        other.execute("update t set v = 2 where id = 2")
        _, image = kept(other)
        other.execute("select agentdb.mark('open')")
        other.execute("delete from t where id = 3")
    _, after = kept(other)
    other.execute("select agentdb.mark('closed')")
    other.execute("update t set v = v + 10; insert into t values (3, 3)")
    assert at_mark(other, "open") == image
    assert at_mark(other, "closed") == after
    said = row(
        other,
        "select * from agentdb.table_as_of('t', mark => 'open') where true limit 1",
    )
    assert said["exact_at"] == value(
        other, "select marked_at from agentdb.marked_moment where mark = 'open'"
    )


RENAMES = {
    "column": "alter table t rename note to remark",
    "key": "alter table t rename id to item",
    "both names of the key": "alter table t rename id to x; alter table t rename x to y",
    "swap": "alter table t rename v to x; alter table t rename note to v;"
    "alter table t rename x to note",
    "the name of one that goes": "alter table t rename v to old;"
    "alter table t add v int default 7",
    "what a column is made of": "alter table t rename v to amount",
    "table": "alter table t rename to u; alter table u rename to t",
    "schema": "create schema s; alter table t set schema s; alter table s.t set schema"
    " public",
}
KINDS = {
    "plain": "create table t (id int primary key, v int, note int, twice int generated"
    " always as (v * 2) stored)",
    "no order": "create table t (id int primary key, v int, note int);"
    "create function again() returns trigger language plpgsql as $$ begin return null;"
    " end $$; create trigger again after update on t for each row"
    " execute function again()",
    "partitions": "create table t (id int, v int, note int, primary key (id)) partition"
    " by range (id); create table t1 partition of t for values from (0) to (3);"
    "create table t2 (note int, v int, id int not null);"
    "alter table t attach partition t2 for values from (3) to (100)",
    "children": "create table t (id int primary key, v int, note int);"
    "create table c (w int, primary key (id)) inherits (t)",
    "numeric key": "create table t (id numeric primary key, v int, note int)",
}
WRITES = (
    "update t set {v} = coalesce({v}, 0) + 1 where {id} = 1",
    "delete from t where {id} = 2; insert into t ({id}, {v}) values (2, 8)",
    "update t set {id} = {id} + 10 where {id} = 3",
    "update t set {note} = 5; delete from t where {id} = 13",
    "insert into t ({id}, {note}) values (3, 3)",
)


def write(session: Connection, which: int) -> None:
    """Write by the place of each column, whatever it is called."""
    names = rows(
        session,
        "select attnum, attname from pg_attribute"
        " where attrelid = 't'::regclass and attnum between 1 and 3",
    )
    by_place = {each["attnum"]: each["attname"] for each in names}
    statement = WRITES[which].format(id=by_place[1], v=by_place[2], note=by_place[3])
    session.execute(statement.encode())


@pytest.mark.parametrize("rename", RENAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_past_has_the_names_of_its_moment(
    db: Connection, rename: str, kind: str
) -> None:
    db.execute(KINDS[kind].encode())
    db.execute("insert into t select n, n, n from generate_series(1, 4) as n")
    if kind == "children":
        db.execute("insert into c values (2, 2, 2, 2), (20, 1, 1, 1)")
        db.execute("delete from only t where id = 2")
    audit(db)
    if kind == "children":
        audit(db, "c")
    moments: list[tuple[str, Any]] = []

    def keep() -> None:
        _, image = kept(db)
        name = f"mark {len(moments)}"
        db.execute("select agentdb.mark(%s)", (name,))
        moments.append((name, image))

    keep()
    for which in range(3):
        write(db, which)
        keep()
    # Recorded before anything knows of the new names.
    db.execute(RENAMES[rename].encode())
    keep()
    for which in (3, 4):
        write(db, which)
        keep()
    db.execute("select agentdb.maintain_tables()")
    write(db, 0)
    keep()
    for name, image in moments:
        assert at_mark(db, name) == image, name
        for each in image:
            found = value(
                db,
                "select agentdb.row_as_of('t', %s::jsonb, mark => %s)",
                str(each[next(key for key in ("id", "item", "y") if key in each)]), name,
            )  # fmt: skip
            assert found == each


def test_names_that_were_exchanged_unseen_are_refused(db: Connection) -> None:
    db.execute("create table t (id int primary key, a int, b int)")
    db.execute("insert into t values (1, 1, 2)")
    audit(db)
    db.execute("select agentdb.mark('before')")
    db.execute("update t set a = 3")
    with db.transaction():
        db.execute("alter table t rename a to c; alter table t rename b to a")
        db.execute("alter table t rename c to b")
    db.execute("select agentdb.mark('after')")
    said = refusal(db, "select agentdb.table_as_of('t', mark => 'before')")
    assert said.sqlstate == "ZA033"
    assert "exchanged" in (said.message_primary or "")
    assert at_mark(db, "after") == [{"id": 1, "a": 2, "b": 3}]


def exact(session: Connection, at: Any) -> Any:
    return value(session, "select agentdb.exact_at('t', %s)", at)


def test_what_may_not_have_been_committed_is_not_shown(
    table: Connection, connect: Connect
) -> None:
    writer = connect(table.info.dbname, "postgres")
    _, image = kept(table)
    table.execute("select agentdb.mark('before')")
    writer.execute("update t set v = 1 where id = 1")
    # Nothing can tell whether its commit was visible at this moment.
    at = value(table, "select clock_timestamp()")
    table.execute("select agentdb.mark('after')")
    assert past(table, at) == image
    marked_at = "select marked_at from agentdb.marked_moment where mark = 'before'"
    written = "select max(recorded_at) from agentdb.audit_log"
    assert value(table, marked_at) < exact(table, at) < at
    if value(table, "show track_commit_timestamp") == "off":
        assert exact(table, at) < value(table, written)
    # Other rows are known exactly.
    assert value(table, "select agentdb.exact_at('t', %s, key => '2')", at) == at


def test_commit_timestamps_tell_what_was_not_committed(
    table: Connection, connect: Connect
) -> None:
    if value(table, "show track_commit_timestamp") == "off":
        pytest.skip("this server keeps no commit timestamps")
    writer = connect(table.info.dbname, "postgres")
    table.execute("select agentdb.mark('before')")
    with writer.transaction():
        writer.execute("update t set v = 1 where id = 1")
        at, image = kept(table)
    table.execute("select agentdb.mark('after')")
    assert past(table, at) == image
    assert exact(table, at) == at


def test_a_later_snapshot_or_write_tells_that_it_was_not_committed(
    table: Connection, connect: Connect
) -> None:
    writer, other = (connect(table.info.dbname, "postgres") for _ in range(2))
    table.execute("create table elsewhere (id int primary key)")
    audit(table, "elsewhere")
    table.execute("select agentdb.mark('before')")
    with writer.transaction():
        writer.execute("update t set v = 1 where id = 1")
        with other.transaction():
            other.execute("update t set v = 2 where id = 2")
            at, image = kept(table)
            other.execute("insert into elsewhere values (1)")
        table.execute("select agentdb.mark('still open')")
    table.execute("update t set v = 9")
    assert exact(table, at) == at
    assert past(table, at) == image


def test_without_a_runner_the_clock_of_each_write_decides(
    table: Connection, connect: Connect
) -> None:
    notices: list[str] = []
    table.add_notice_handler(lambda each: notices.append(each.message_primary or ""))
    writer = connect(table.info.dbname, "postgres")
    table.execute("update t set v = 5 where id = 4")
    with writer.transaction():
        writer.execute("update t set v = 1 where id = 1")
        at, image = kept(table)
        writer.execute("update t set v = 2 where id = 1")
    table.execute("delete from t where id = 2")
    assert past(table, at) == image
    assert exact(table, at) is None
    assert "no runner kept a snapshot" in notices[-1]


def test_now_is_exact_and_needs_no_snapshot(table: Connection) -> None:
    table.execute("update t set v = 5 where id = 4")
    query = "select bool_and(exact_at <= clock_timestamp()), count(*) from agentdb.table_as_of('t', clock_timestamp())"
    assert row(table, query) == {"bool_and": True, "count": 4}


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("mark('before')", "another name"),
        ("mark(null)", "before migration"),
        ("mark('  ')", "before migration"),
        ("mark(E'a\\nb')", "before migration"),
        ("mark(repeat('x', 201))", "before migration"),
        ("table_as_of('t', mark => 'never')", "marked_moment"),
        ("table_as_of('t', mark => E'\\u202ex')", "marked_moment"),
        ("row_as_of('t', '1', now(), 'before')", "one of them"),
        ("exact_at('t', mark => 'never')", "marked_moment"),
    ],
)
def test_a_mark_that_cannot_be_meant_is_refused(
    table: Connection, asked: str, hint: str
) -> None:
    table.execute("select agentdb.mark('before')")
    said = refusal(table, f"select agentdb.{asked}".encode().decode())
    assert said.sqlstate == "ZA004"
    assert hint in (said.message_hint or "")


def test_an_old_snapshot_is_not_marked_as_new(table: Connection) -> None:
    with table.transaction():
        table.execute("set transaction isolation level repeatable read")
        said = refusal(table, "select agentdb.mark('stale')")
        assert said.sqlstate == "ZA004"


def test_snapshots_are_kept_where_something_was_written(
    table: Connection, connect: Connect
) -> None:
    writer = connect(table.info.dbname, "postgres")
    note = "select agentdb.note_moment() is not null"
    table.execute("update t set v = 0 where id = 1")
    back = (
        "set session_replication_role = replica;"
        "update agentdb.moment set taken_at = taken_at - interval '1 second';"
        "set session_replication_role = origin"
    )
    assert value(table, note)
    assert not value(table, note)
    table.execute(back)
    assert not value(table, note)
    with writer.transaction():
        writer.execute("update t set v = 1 where id = 1")
        assert value(table, note)
        table.execute(back)
        assert not value(table, note)
    assert value(table, note)
    said = refusal(table, "update agentdb.moment set mark = 'x', marked_by = 'y'")
    assert said.sqlstate == "ZA008"


def test_snapshots_go_with_the_log(table: Connection) -> None:
    table.execute("select agentdb.mark('long ago')")
    table.execute(
        "set session_replication_role = replica;"
        "update agentdb.moment set taken_at = taken_at - interval '91 days';"
        "set session_replication_role = origin"
    )
    table.execute("select agentdb.mark('new')")
    table.execute("select agentdb.maintain()")
    assert rows(table, "select mark from agentdb.marked_moment") == [{"mark": "new"}]


def test_a_column_that_came_and_went_unseen_is_told(table: Connection) -> None:
    table.execute("alter table t add short int default 5")
    at, _ = kept(table)
    table.execute("update t set short = 6 where id = 1")
    table.execute("alter table t drop short")
    for _ in range(2):
        said = refusal(table, "select agentdb.table_as_of('t', %s)", at)
        assert said.sqlstate == "ZA033"
        assert "a column came and went" in (said.message_primary or "")
        table.execute("select agentdb.maintain_tables()")


def test_a_mark_does_not_wait_for_a_table_that_somebody_holds(
    table: Connection, connect: Connect
) -> None:
    """By a lock that would be refused at once, if it waited at all."""
    other = connect(table.info.dbname, "postgres")
    table.execute("create table held (id int primary key, v int, w int generated always"
                  " as (v + 1) stored)")  # fmt: skip
    audit(table, "held")
    _, image = kept(table)
    with other.transaction():
        other.execute("alter table held add x int")
        table.execute("select agentdb.mark('meanwhile')")
    assert at_mark(table, "meanwhile") == image


def test_a_mark_has_none_of_its_own_transaction(
    table: Connection, connect: Connect
) -> None:
    """Also where a later transaction of somebody else is over."""
    other = connect(table.info.dbname, "postgres")
    with table.transaction():
        table.execute("update t set v = 1 where id = 1")
        other.execute("update t set v = 2 where id = 2")
        _, image = kept(other)
        table.execute("select agentdb.mark('own')")
    assert at_mark(other, "own") == image
