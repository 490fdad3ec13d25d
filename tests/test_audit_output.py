"""What is recorded is the same whatever a session has set, and nothing stays set."""

from __future__ import annotations

import pytest

from .agents import rows, value
from .conftest import Connect, Connection

# The types that pin no setting, but for the time zone; and some that pin all.
VALUES = {
    "bool": "true",
    "int2": "-7",
    "int4": "7",
    "int8": "9007199254740993",
    "oid": "4294967295",
    "numeric": "1234567.8900",
    "text": "2026-03-04 x",
    "varchar": "x",
    "bpchar": "x ",
    "name": "x",
    "uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "jsonb": '{"at": "2026-03-04", "n": 1.50}',
    "date": "2026-03-04",
    "timestamp": "2026-03-04 05:06:07.891",
    "timestamptz": "2026-03-04 05:06:07.891+05",
    "timetz": "05:06:07.891+05",
    "interval": "1 month 2 days 03:04:05.6",
    "float8": "0.30000000000000004",
    "bytea": "\\x00ff",
    "money": "1234.5",
    "date[]": "{2026-03-04}",
    "tsrange": "[2026-03-04 05:06:07,)",
}
ODD = (
    "set DateStyle = 'SQL, DMY'; set TimeZone = 'Asia/Kolkata';"
    "set IntervalStyle = 'sql_standard'; set extra_float_digits = -10;"
    "set bytea_output = 'escape'"
)
SET = (
    "select string_agg(name || '=' || setting, ' ' order by name) from pg_settings"
    " where name in ('DateStyle', 'TimeZone', 'IntervalStyle', 'extra_float_digits',"
    " 'bytea_output', 'lc_monetary')"
)
LOG = (
    "select operation, row_key, old_values, new_values from agentdb.audit_log"
    " where audit_log_id > %s order by audit_log_id"
)


STATEMENTS = (
    "insert into t select 1, v from given union all select 2, v from given",
    "update t set v = null where id = 1",
    "update t set id = id + 10, v = (select v from given)",
    "update t set id = 20 where id = 12",
    "delete from t",
)


@pytest.mark.parametrize("level", ["statement", "row"])
@pytest.mark.parametrize("kind", VALUES)
def test_record_is_the_same_whatever_is_set(
    db: Connection, connect: Connect, kind: str, level: str
) -> None:
    db.execute(f"create table given (v {kind})".encode())
    db.execute(f"insert into given values ('{VALUES[kind]}')".encode())
    db.execute(f"create table t (id int primary key, v {kind})".encode())
    db.execute("select agentdb.audit_table('t', level => %s)", [level])
    found = []
    for settings in ("set DateStyle = 'ISO, YMD'", ODD):
        last = value(db, "select coalesce(max(audit_log_id), 0) from agentdb.audit_log")
        session = connect(db.info.dbname)
        session.execute(settings.encode())
        before = value(session, SET)
        for statement in STATEMENTS:
            session.execute(statement.encode())
        assert value(session, SET) == before
        found.append(rows(db, LOG, last))
    assert found[0] == found[1]
    assert len(found[0]) == 11


@pytest.mark.parametrize("level", ["statement", "row"])
def test_column_that_came_later_is_recorded_the_same(
    db: Connection, connect: Connect, level: str
) -> None:
    db.execute("create table t (id int primary key, w int)")
    db.execute("select agentdb.audit_table('t', level => %s)", [level])
    db.execute("alter table t add v interval")
    session = connect(db.info.dbname)
    session.execute(ODD.encode())
    before = value(session, SET)
    with session.transaction():
        session.execute(
            "insert into t values (1, 1, '1 month 2 days'), (2, 1, '1 hour')"
        )
        assert value(session, SET) == before
        session.execute("update t set v = '-3 days' where id = 1")
        assert value(session, SET) == before
    found = rows(db, LOG, 0)
    assert [each["new_values"]["v"] for each in found] == [
        "1 mon 2 days",
        "01:00:00",
        "-3 days",
    ]
    assert value(session, SET) == before
