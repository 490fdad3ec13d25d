"""Whatever happens to a table, the past is what a SELECT gave then, or is refused."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from .agents import refusal, row, rows, value
from .conftest import Connect, Connection

Rows = list[dict[str, Any]]


def kept(session: Connection, source: str = "t") -> tuple[Any, Rows]:
    """Return this moment and what a SELECT gives at it."""
    found = rows(session, f"select to_jsonb(x) as image from {source} as x")
    at = value(session, "select clock_timestamp()")
    return at, ordered([each["image"] for each in found])


def past(session: Connection, at: Any, table: str = "t") -> Rows:
    query = "select row_values from agentdb.table_as_of(%s, %s)"
    return ordered([each["row_values"] for each in rows(session, query, table, at)])


def ordered(images: Rows) -> Rows:
    return sorted(images, key=lambda image: sorted(map(str, image.items())))


def audit(db: Connection, table: str = "t", **how: Any) -> None:
    names = "".join(f", {name} => %({name})s" for name in how)
    query = f"select agentdb.audit_table('{table}'{names})"
    db.execute(query.encode(), how)


def version(db: Connection) -> int:
    return db.info.server_version // 10000


@pytest.fixture
def virtual(db: Connection) -> Connection:
    if version(db) < 18:
        pytest.skip("virtual columns came with PostgreSQL 18")
    return db


SHAPES = {
    "plain": "create table t (id int primary key, a int, b int"
    " generated always as (a * 2) virtual)",
    "two columns before it": "create table t (b text generated always as"
    " (upper(q) || a) virtual, id int primary key, a int, q text default 'x')",
    "partitions laid out otherwise": "create table t (id int, a int, b int generated"
    " always as (a * 2) virtual, primary key (id)) partition by range (id);"
    "create table t1 (a int, b int generated always as (a * 2) virtual, id int"
    " not null); alter table t attach partition t1 for values from (0) to (100)",
}


@pytest.mark.parametrize("level", [None, "row"])
@pytest.mark.parametrize("shape", SHAPES)
def test_virtual_columns_are_recorded_with_their_value(
    virtual: Connection, shape: str, level: str | None
) -> None:
    db = virtual
    db.execute(SHAPES[shape].encode())
    db.execute("insert into t (id, a) values (1, 1), (2, 2), (3, 3)")
    audit(db, level=level)
    moments = [kept(db)]
    for statement in (
        "update t set a = 50 where id = 1",
        "update t set a = a + 1",
        "update t set id = id + 10 where id > 1",
        "insert into t (id, a) values (4, 4), (5, null)",
        "delete from t where id in (1, 4)",
        "truncate t",
    ):
        db.execute(statement.encode())
        moments.append(kept(db))
    for at, image in moments:
        assert past(db, at) == image
    lost = "new_values ? 'b' and new_values ->> 'b' is null and new_values ->> 'a' > ''"
    assert value(db, f"select count(*) from agentdb.audit where {lost}") == 0


def test_virtual_column_of_a_redacted_table_is_redacted_too(
    virtual: Connection,
) -> None:
    db = virtual
    db.execute(SHAPES["plain"].encode())
    audit(db, redact=["a", "b"])
    db.execute("insert into t (id, a) values (1, 7); update t set a = 8")
    found = rows(db, "select old_values, new_values from agentdb.audit")
    assert [each["new_values"]["b"] for each in found] == ["[redacted]"] * 2


def test_virtual_column_added_later_is_recorded_before_maintenance(
    virtual: Connection,
) -> None:
    db = virtual
    db.execute("create table t (id int primary key, a int)")
    audit(db)
    db.execute("alter table t add b int generated always as (a + 1) virtual")
    db.execute("insert into t (id, a) values (1, 1), (2, 2); delete from t where a = 2")
    query = "select new_values from agentdb.audit where operation = 'insert'"
    assert {each["new_values"]["b"] for each in rows(db, query)} == {2, 3}


INNER = """
create table t (id int primary key, body text, n int default 0);
create function inner_write() returns trigger language plpgsql as $$
begin
  if pg_trigger_depth() < 2 then
    update t set n = n + 1 where {which};
  end if;
  return {result};
end $$;
create trigger {name} {when} on t for each {each} execute function inner_write();
insert into t values (1, 'one'), (2, 'two');
"""
ALL = "true"
OWN = "id = new.id"
WRITES = (
    "insert into t values (3, 'three'), (4, 'four')",
    "update t set body = body || '!'",
    "update t set n = n + 10 where id in (1, 3)",
    "insert into t values (1, 'again') on conflict (id) do update set body = 'upserted'",
    "with d as (delete from t where id = 2 returning *)"
    " insert into t select id, 'moved', n from d",
    "delete from t where id = 1",
)


@pytest.mark.parametrize("level", [None, "row"])
@pytest.mark.parametrize("which", [ALL, OWN, "id <> new.id"])
@pytest.mark.parametrize("name", ["a_first", "zz_last", '"!"'])
@pytest.mark.parametrize(
    ("when", "each"),
    [
        ("after insert or update", "row"),
        ("before insert or update", "row"),
        ("after insert or update", "statement"),
        ("before insert or update", "statement"),
    ],
)
def test_inner_writes_are_undone_before_the_outer(
    db: Connection, when: str, each: str, name: str, which: str, level: str | None
) -> None:
    if each == "statement" and which != ALL:
        pytest.skip("a statement has no row")
    result = "new" if (when[0], each) == ("b", "row") else "null"
    setup = INNER.format(which=which, result=result, name=name, when=when, each=each)
    db.execute(setup.encode())
    audit(db, level=level)
    moments = [kept(db)]
    for statement in WRITES:
        try:
            db.execute(statement.encode())
        except psycopg.Error as refused:
            # PostgreSQL itself refuses some of these with a BEFORE ROW trigger.
            assert refused.sqlstate in ("27000", "21000")
        moments.append(kept(db))
    for at, image in moments:
        assert past(db, at) == image


def test_function_within_a_statement_is_undone_before_it(db: Connection) -> None:
    db.execute(
        "create table t (id int primary key, n int default 0);"
        "insert into t select g from generate_series(1, 4) as g;"
        "create function touch(k int) returns int language sql as"
        " 'update t set n = n + 100 where id = k returning n'"
    )
    audit(db)
    moments = [kept(db)]
    for statement in (
        "update t set n = n + 1 where id < 3 returning touch(id)",
        "with a as (update t set n = 7 where id = 3 returning touch(3)),"
        " b as (delete from t where id = 4) select * from a",
        "insert into t values (5, 5) returning touch(5)",
    ):
        db.execute(statement.encode())
        moments.append(kept(db))
    for at, image in moments:
        assert past(db, at) == image


@pytest.mark.parametrize("each", ["row", "statement"])
def test_trigger_added_later_changes_the_level(db: Connection, each: str) -> None:
    db.execute("create table t (id int primary key, n int default 0)")
    audit(db)
    db.execute(
        "create function f() returns trigger language plpgsql as"
        " 'begin return null; end';"
        f"create trigger a after update on t for each {each} execute function f()"
    )
    query = "select level, fault from agentdb.audited_table"
    assert "needs level row" in row(db, query)["fault"]
    db.execute("select agentdb.maintain_tables()")
    assert row(db, query) == {"level": "row", "fault": None}


def test_cascade_that_comes_back_needs_rows(db: Connection) -> None:
    db.execute(
        "create table t (id int primary key, n int default 0);"
        "create table c (id int primary key, t int references t on delete cascade);"
        "insert into t values (1), (2); insert into c values (1, 1), (2, 2);"
        "create function f() returns trigger language plpgsql as"
        " 'begin update t set n = n + 1; return null; end';"
        "create trigger a after delete on c for each row execute function f()"
    )
    audit(db)
    assert value(db, "select level from agentdb.audited_table") == "row"
    at, image = kept(db)
    db.execute("delete from t where id = 1")
    assert past(db, at) == image


def test_unrecorded_write_is_found_by_what_does_not_fit(db: Connection) -> None:
    db.execute(
        "create table t (id int primary key, n int); insert into t values (1, 1)"
    )
    audit(db)
    at, _ = kept(db)
    db.execute("update t set n = 2")
    with db.transaction():
        db.execute("alter table t disable trigger all; update t set n = 3")
        db.execute("alter table t enable always trigger agentdb_audit_update")
    assert refusal(db, "select agentdb.table_as_of('t', %s)", at).sqlstate == "ZA033"


ALTERATIONS = {
    "rename": "alter table t rename column note to remark",
    "rename key": "alter table t rename column id to item",
    "type": "alter table t alter column n type text",
    "drop": "alter table t drop column note",
    "drop and add": "alter table t drop column note; alter table t add note text",
    "swap names": "alter table t rename note to x; alter table t rename other to note;"
    "alter table t rename x to other",
    "key": "alter table t drop constraint t_pkey; alter table t add primary key (id, n)",
    "enum label": "alter type mood rename value 'sad' to 'blue'",
    "label within an array": "alter type tone rename value 'low' to 'deep'",
    "attribute": "alter type pair rename attribute b to c",
}
TABLE = """
create type mood as enum ('sad', 'glad'); create type tone as enum ('low', 'high');
create type pair as (a int, b int);
create table t (id int primary key, n int not null, note text, other text,
  feels mood, tones tone[], p pair);
insert into t values (1, 1, 'first', 'x', 'sad', '{low}', '(1,2)'),
  (2, 2, 'second', 'y', 'glad', '{high}', '(3,4)');
"""


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_past_of_other_columns_is_refused_until_they_are_known(
    db: Connection, alteration: str
) -> None:
    db.execute(TABLE.encode())
    audit(db)
    at, _ = kept(db)
    db.execute("update t set other = 'z' where id = 1")
    db.execute(ALTERATIONS[alteration].encode())
    db.execute("update t set n = n where n::text = '1'")
    for _ in range(2):
        said = refusal(db, "select agentdb.table_as_of('t', %s)", at)
        assert said.sqlstate == "ZA033"
        db.execute("select agentdb.maintain_tables()")
    assert "Ask for a moment since" in (said.message_hint or "")
    moments = [kept(db)]
    db.execute("update t set p = '(9,9)'")
    db.execute("delete from t where n::text = '2'")
    for at, image in [*moments, kept(db)]:
        assert past(db, at) == [text(each) for each in image]


@pytest.mark.parametrize("maintained", [False, True])
def test_added_columns_and_labels_are_no_gap(db: Connection, maintained: bool) -> None:
    db.execute(TABLE.encode())
    audit(db)
    db.execute("select agentdb.maintain_tables()")
    at, image = kept(db)
    db.execute("select agentdb.maintain_tables()")
    db.execute("update t set note = 'changed', feels = 'glad' where id = 1")
    db.execute(
        "alter table t add due date default now();"
        "alter type mood add value 'calm' before 'glad'"
    )
    if maintained:
        db.execute("select agentdb.maintain_tables()")
    db.execute("update t set due = null, note = 'again'; delete from t where id = 2")
    assert past(db, at) == [text(each) for each in image]
    assert rows(db, "select * from agentdb.recording_gap") == []


def text(image: dict[str, Any]) -> dict[str, Any]:
    """Return an image as it is recorded: arrays and composites as their text."""
    shown = dict(image)
    if isinstance(shown.get("tones"), list):
        shown["tones"] = "{" + ",".join(shown["tones"]) + "}"
    if isinstance(shown.get("p"), dict):
        shown["p"] = "({})".format(",".join(map(str, shown["p"].values())))
    return shown


def test_history_goes_on_under_a_renamed_key(db: Connection) -> None:
    db.execute("create table t (a int, b int, n int, primary key (a, b))")
    audit(db)
    db.execute("insert into t values (1, 2, 3); update t set n = 4")
    db.execute("alter table t rename a to c; alter table t rename b to a")
    db.execute("update t set n = 5")
    history = "select operation from agentdb.row_history('t', '{\"c\": 1, \"a\": 2}')"
    for _ in range(2):
        assert [each["operation"] for each in rows(db, history)] == [
            "insert",
            "update",
            "update",
        ]
        db.execute("select agentdb.maintain_tables()")


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_truncate_by_an_old_snapshot_loses_no_row_unseen(
    db: Connection, connect: Connect, level: str
) -> None:
    db.execute("create table t (id int primary key); insert into t values (1)")
    audit(db)
    old, between = connect(db.info.dbname), connect(db.info.dbname)
    between.execute("begin; insert into t values (2)")
    old.execute(f"begin isolation level {level}; select from t".encode())
    between.execute("commit")
    assert refusal(old, "truncate t").sqlstate == "40001"
    old.execute("rollback")
    old.execute(f"begin isolation level {level}; select from t".encode())
    db.execute("insert into t values (3)")
    assert refusal(old, "truncate t").sqlstate == "40001"
    old.execute("rollback")
    at, image = kept(db)
    old.execute(f"begin isolation level {level}; insert into t values (4)".encode())
    between.execute("begin; create temp table x (); rollback")
    old.execute("truncate t; commit")
    assert past(db, at) == image == [{"id": 1}, {"id": 2}, {"id": 3}]
