"""Whatever happens to a table, the past is what a SELECT gave then, or is refused."""

from __future__ import annotations

from typing import Any

import pytest

from .agents import rows, value
from .conftest import Connection

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
