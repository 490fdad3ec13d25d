"""The log replayed forwards gives the end, replayed backwards the beginning, to the byte."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from agentdb.demo import airline
from agentdb.demo.recording import Event, lines, read
from agentdb.demo.replay import replay

from .agents import register, rows, value
from .conftest import Connect, Connection

RECORDED = Path(__file__).parent / "data" / "airline"

Row = dict[str, str | None]
Table = list[Row]

# Each type with texts of values that are easily confused.
TYPES: dict[str, list[str]] = {
    "int": ["0", "1", "-7", "2147483647"],
    "numeric": ["1", "1.0", "1.00", "NaN", "0.0"],
    "float8": ["0", "-0", "0.1", "NaN", "Infinity", "0.30000000000000004"],
    "text": ["", "a", "A", "null", "\\", "it's", 'qu"ote', "\u00e4\u2603"],
    "jsonb": ["null", '"x"', "[]", '{"a": 1}', '{"a": 1.0}', "7"],
    "json": ['{"a":1}', '{"a": 1}', "null"],
    "int[]": ["{}", "{1}", "[0:0]={1}", "{NULL}"],
    "bytea": ["\\x", "\\x00ff"],
    "timestamptz": ["2026-01-01 00:00+00", "infinity", "0044-03-15 10:00 BC"],
    "interval": ["1 day", "24 hours", "1 mon"],
    "numrange": ["empty", "[1,2)", "[1.0,2)"],
    "bool": ["t", "f"],
}
NAMES = ["o", "n", "d", "user", 'a "quote"', "v_new", "val%ue", "operation", "Ünï"]
KEYS = ["", "primary key (k)", "primary key (l, k)", "primary key (k) deferrable"]

columns = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(sorted(TYPES))),
    min_size=1,
    max_size=4,
    unique_by=lambda column: column[0],
)


@st.composite
def schemas(draw: st.DrawFn) -> tuple[str, list[tuple[str, str]], str]:
    """Draw the key, the other columns and the level of a table."""
    return (
        draw(st.sampled_from(KEYS)),
        draw(columns),
        draw(st.sampled_from(["statement", "row"])),
    )


@st.composite
def statements(
    draw: st.DrawFn, others: list[tuple[str, str]]
) -> sql.Composed | sql.SQL:
    """Draw a statement on table t."""
    kind = draw(
        st.sampled_from(["insert", "update", "update", "rekey", "delete", "truncate"])
    )
    low = draw(st.integers(0, 5))
    where = sql.SQL(" where k between {} and {}").format(
        low, low + draw(st.integers(0, 4))
    )
    if kind == "insert":
        count = draw(st.integers(1, 4))
        names = [sql.Identifier(name) for name, _ in others]
        values = [_literal(draw, type_name) for _, type_name in others]
        return sql.SQL(
            "insert into t (k, l, {}) select g, 0, {} from generate_series({}, {}) as g "
            "where not exists (select from t where k = g)"
        ).format(
            sql.SQL(", ").join(names), sql.SQL(", ").join(values), low, low + count - 1
        )
    if kind == "update":
        chosen = draw(st.lists(st.sampled_from(others), min_size=1, unique=True))
        sets = [
            sql.SQL("{} = {}").format(sql.Identifier(name), _literal(draw, type_name))
            for name, type_name in chosen
        ]
        return sql.SQL("update t set ") + sql.SQL(", ").join(sets) + where
    if kind == "rekey":
        return sql.SQL("update t set k = k + {}").format(
            draw(st.sampled_from([0, 100, -100]))
        )
    if kind == "delete":
        return sql.SQL("delete from t") + where
    return sql.SQL("truncate t")


def _literal(draw: st.DrawFn, type_name: str) -> sql.Composed:
    text = draw(st.sampled_from([None, *TYPES[type_name]]))
    return sql.SQL("{}::" + type_name).format(sql.Literal(text))


@given(data=st.data(), drawn=schemas())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_log_replays_both_ways(db: Connection, data: st.DataObject, drawn: Any) -> None:
    key, others, level = drawn
    db.execute("drop table if exists t; select agentdb.maintain(0)")
    body = sql.SQL(", ").join(
        sql.SQL("{} " + type_name).format(sql.Identifier(name))
        for name, type_name in others
    )
    db.execute(
        sql.SQL("create table t (k int not null, l int not null, {}{})").format(
            body,
            sql.SQL(f", {key}" if key else ""),
        )
    )
    for _ in range(2):
        run(db, data.draw(statements(others)))
    db.execute("select agentdb.audit_table('t', level => %s)", [level])
    begin = state(db, others)
    since = value(db, "select coalesce(max(audit_log_id), 0) from agentdb.audit_log")
    for _ in range(data.draw(st.integers(1, 3))):
        transaction(db, data, others)
    changes = changed(db, others, since)
    end = state(db, others)
    assert normal(forwards(begin, changes)) == end
    assert normal(backwards(end, changes)) == begin


def transaction(
    db: Connection, data: st.DataObject, others: list[tuple[str, str]]
) -> None:
    """Run statements with random savepoints, some of it rolled back."""
    with db.transaction(force_rollback=data.draw(st.booleans(), "rollback")):
        for _ in range(data.draw(st.integers(1, 4))):
            undone = data.draw(st.sampled_from([None, False, True]), "savepoint")
            statement = data.draw(statements(others))
            if undone is None:
                run(db, statement)
            else:
                with db.transaction(force_rollback=undone):
                    run(db, statement)
                    run(db, data.draw(statements(others)))


def run(db: Connection, statement: sql.Composed | sql.SQL) -> None:
    """Run a statement; one that the key forbids is undone."""
    try:
        with db.transaction():
            db.execute(statement)
    except psycopg.errors.UniqueViolation:
        pass


def text_of(names: Iterable[tuple[str, str]], source: str) -> sql.Composed:
    """Return SQL for a row's values as their own text, from the table or from the log."""
    return sql.SQL(", ").join(
        sql.SQL(
            "case when num_nulls({0}) = 0 then concat({0}) end"
            if source == "t"
            else "case when num_nulls((" + source + " ->> {1})::" + type_name + ") = 0 "
            "then concat((" + source + " ->> {1})::" + type_name + ") end"
        ).format(sql.Identifier(name), sql.Literal(name))
        for name, type_name in names
    )


def state(db: Connection, others: list[tuple[str, str]]) -> Table:
    """Return all rows as texts, in an order of their own."""
    names = [("k", "int"), ("l", "int"), *others]
    db.execute("set timezone = 'UTC'")
    found = db.execute(
        sql.SQL("select {} from t").format(text_of(names, "t"))
    ).fetchall()
    return normal(
        [dict(zip([n for n, _ in names], each, strict=True)) for each in found]
    )


def changed(db: Connection, others: list[tuple[str, str]], since: int) -> list[Any]:
    """Return the log as (operation, old, new), each with the columns that it names."""
    names = [("k", "int"), ("l", "int"), *others]
    query = sql.SQL(
        "select operation, row_key, old_values, new_values, array[{}], array[{}] "
        "from agentdb.audit_log where audit_log_id > {} order by audit_log_id"
    ).format(text_of(names, "old_values"), text_of(names, "new_values"), since)
    changes = []
    for operation, key, old, new, old_texts, new_texts in db.execute(query).fetchall():
        texts = [
            {n: t for (n, _), t in zip(names, each, strict=True) if n in (values or {})}
            for values, each in ((old, old_texts), (new, new_texts))
        ]
        changes.append((operation, {k: str(v) for k, v in (key or {}).items()}, *texts))
    return changes


def normal(table: Table) -> Table:
    return sorted(table, key=lambda row: json.dumps(row, sort_keys=True))


def find(table: Table, values: Row) -> Row:
    return next(row for row in table if all(row[k] == v for k, v in values.items()))


def forwards(table: Table, changes: list[Any]) -> Table:
    """Return the table after its changes."""
    table = [dict(row) for row in table]
    for operation, key, old, new in changes:
        if operation == "insert":
            table.append(dict(new))
        elif operation == "update":
            find(table, key or old).update(new)
        else:
            table.remove(find(table, old))
    return table


def backwards(table: Table, changes: list[Any]) -> Table:
    """Return the table before its changes."""
    table = [dict(row) for row in table]
    for operation, key, old, new in reversed(changes):
        if operation == "insert":
            table.remove(find(table, new))
        elif operation == "update":
            find(table, key or new).update(old)
        else:
            table.append(dict(old))
    return table


@pytest.mark.skipif(
    not RECORDED.exists(), reason="the recordings are not in this checkout"
)
def test_recorded_agents_write_exactly_what_was_recorded(
    db: Connection, connect: Connect
) -> None:
    """All runs of the airline's agents, each row of each run, none more and none less."""
    register(db)
    airline.create(db, RECORDED, "agent_a")
    for table in airline.KEYS:
        db.execute("select agentdb.audit_table(%s::regclass)", [f"airline.{table}"])
    agent = connect(db.info.dbname, "agent_a")
    recording = read(RECORDED / "events.jsonl")
    assert len(recording) == 100
    for name, events in recording.items():
        before = {table: rows_of(db, table) for table in airline.KEYS}
        number = replay(agent, name, events)
        found = rows(
            db,
            "select table_name, operation, row_key, old_values, new_values "
            "from agentdb.run_changes(%s)",
            number,
        )
        assert [tuple(each.values()) for each in found] == expected(before, events)
        put_back(db, events)
    strays = (
        "select count(*) from agentdb.audit where run_id is null and agent_name = 'a'"
    )
    assert value(db, strays) == 0
    assert value(db, "select count(distinct run_id) from agentdb.audit_log") > 50


def put_back(db: Connection, events: Iterable[Event]) -> None:
    """Undo a run: every recording begins with the same tables."""
    for table, key in airline.KEYS.items():
        touched = {
            w.get("pk") or w["row"][key] for w in writes(events) if w["table"] == table
        }
        delete: Any = f"delete from airline.{table} where {key} = any (%s)"
        db.execute(delete, [list(touched)])
        for row in lines(RECORDED / f"{table}.jsonl"):
            if row[key] in touched:
                db.execute(airline.insertion(table, row))


def writes(events: Iterable[Event]) -> Iterable[dict[str, Any]]:
    for event in events:
        yield from event.get("writes", ())


def rows_of(db: Connection, table: str) -> dict[str, dict[str, Any]]:
    query: Any = f"select to_jsonb(t.*) as row from airline.{table} as t"
    return {each["row"][airline.KEYS[table]]: each["row"] for each in rows(db, query)}


def expected(
    tables: dict[str, dict[str, dict[str, Any]]], events: Iterable[Event]
) -> list[tuple[Any, ...]]:
    """Return the changes that the recorded writes make; none where a value stays."""
    found: list[tuple[Any, ...]] = []
    for write in writes(events):
        name, table = write["table"], tables[write["table"]]
        key = airline.KEYS[name]
        if write["op"] == "insert":
            new = {
                column: write["row"].get(column) for column in columns_of(tables, name)
            }
            table[new[key]] = new
            found.append((f"airline.{name}", "insert", {key: new[key]}, None, new))
            continue
        row = table[write["pk"]]
        new = {c: v for c, v in write["set"].items() if row[c] != v}
        old = {c: row[c] for c in new}
        row.update(new)
        if new:
            found.append((f"airline.{name}", "update", {key: write["pk"]}, old, new))
    return found


def columns_of(tables: dict[str, dict[str, dict[str, Any]]], name: str) -> list[str]:
    return list(next(iter(tables[name].values())))
