"""What made other audits lose, blur or invent rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .agents import refusal, row, rows, value
from .conftest import Connect, Connection

if TYPE_CHECKING:
    from typing_extensions import LiteralString

Change = tuple[Any, ...]


def make(db: Connection, definition: str, name: str = "t") -> None:
    """Create a table and have it audited."""
    db.execute(f"create table {name} {definition}".encode())
    db.execute("select agentdb.audit_table(%s::regclass)", [name])


def log(db: Connection, *statements: str) -> list[Change]:
    """Return what statements add to the log, in a stable order."""
    since = value(db, "select coalesce(max(audit_log_id), 0) from agentdb.audit_log")
    for statement in statements:
        db.execute(statement.encode())
    found = rows(
        db,
        "select operation, row_key, old_values, new_values from agentdb.audit_log "
        "where audit_log_id > %s order by statement, row_key::text, operation",
        since,
    )
    return [tuple(each.values()) for each in found]


def test_changed_key_is_a_delete_and_an_insert(db: Connection) -> None:
    make(db, "(id int primary key, v int)")
    db.execute("insert into t values (1, 1), (2, 2)")
    moved = [
        ("delete", {"id": 1}, {"id": 1, "v": 1}, None),
        ("insert", {"id": 9}, None, {"id": 9, "v": 1}),
    ]
    assert log(db, "update t set id = 9 where id = 1") == moved
    assert log(db, "update t set id = id + 100") == [
        ("insert", {"id": 102}, None, {"id": 102, "v": 2}),
        ("insert", {"id": 109}, None, {"id": 109, "v": 1}),
        ("delete", {"id": 2}, {"id": 2, "v": 2}, None),
        ("delete", {"id": 9}, {"id": 9, "v": 1}, None),
    ]


def test_keyless_rows_are_recorded_whole(db: Connection) -> None:
    make(db, "(a int, b text)")
    db.execute("insert into t values (1, 'x'), (1, 'x'), (2, 'x')")
    assert log(db, "update t set b = 'y' where a = 2", "update t set b = 'y'") == [
        ("update", None, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}),
        ("update", None, {"a": 1, "b": "x"}, {"a": 1, "b": "y"}),
        ("update", None, {"a": 1, "b": "x"}, {"a": 1, "b": "y"}),
    ]
    assert refusal(db, "select agentdb.table_as_of('t', now())").sqlstate == "ZA033"


def test_deferrable_key_is_no_name(db: Connection) -> None:
    """Within a transaction two rows may have it: whole rows say what happened."""
    make(db, "(id int primary key deferrable, v int)")
    db.execute("insert into t values (1, 1), (2, 2)")
    found = log(db, "update t set id = 3 - id")
    assert {(each[1], each[2]["v"], each[3]["id"]) for each in found} == {
        (None, 1, 2), (None, 2, 1),
    }  # fmt: skip


def test_composite_key_in_its_own_order(db: Connection) -> None:
    make(db, "(a int, b text, c int, primary key (b, a))")
    db.execute("insert into t values (1, 'x', 0), (2, 'x', 0)")
    assert log(db, "update t set c = 1") == [
        ("update", {"a": 1, "b": "x"}, {"c": 0}, {"c": 1}),
        ("update", {"a": 2, "b": "x"}, {"c": 0}, {"c": 1}),
    ]


def test_generated_and_identity_columns(db: Connection) -> None:
    make(db, "(id int generated always as identity primary key, a int,"
             " b int generated always as (a * 2) stored)")  # fmt: skip
    assert log(db, "insert into t (a) values (1)", "update t set a = 5") == [
        ("insert", {"id": 1}, None, {"id": 1, "a": 1, "b": 2}),
        ("update", {"id": 1}, {"a": 1, "b": 2}, {"a": 5, "b": 10}),
    ]


def test_columns_may_have_any_name(db: Connection) -> None:
    names = (
        "o", "n", "d", "select", "user", 'qu"ote', "quo'te", "per%cent", "{write}",
        "capture", "v_old", "v_new", "v_now", "v_same", "operation", "row_key", "old",
        "new", "tg_op", "agentdb_new", "$1", "\\x", "Ünï", "session_user",
    )  # fmt: skip
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    columns = ", ".join(f"{name} int" for name in quoted)
    make(db, f'({columns}, "key one" int primary key)', '"odd ""table"')
    table = '"odd ""table"'
    db.execute(f'insert into {table} ("key one") values (1), (2)'.encode())
    for statement in (
        f"update {table} set {quoted[0]} = 1, {quoted[5]} = 2 where " + '"key one" = 1',
        f"update {table} set " + ", ".join(f"{name} = 7" for name in quoted),
        f'update {table} set "key one" = 3 where "key one" = 1',
        f"delete from {table}",
    ):
        assert log(db, statement) != []
    assert value(db, "select count(*) from agentdb.audit_log where "
                     "operation = 'delete' and old_values ->> 'per%cent' = '7'") == 3  # fmt: skip


ALTERATIONS = {
    "add": ("add column c int default 7", "c = 8", {"c": 7}, {"c": 8}),
    "rename": ("rename column a to z", "z = 8", {"z": 1}, {"z": 8}),
    "drop": ("drop column b", "a = 8", {"a": 1}, {"a": 8}),
    "retype": ("alter column a type text using 't' || a", "a = 'u'", {"a": "t1"}, {"a": "u"}),
    "rekey": ("drop constraint t_pkey, add primary key (id, b)", "a = 8", {"a": 1}, {"a": 8}),
    "rename the table": ("rename to t2", "a = 8", {"a": 1}, {"a": 8}),
    "move it": ("set schema elsewhere", "a = 8", {"a": 1}, {"a": 8}),
}  # fmt: skip


@pytest.mark.parametrize("level", ["statement", "row"])
@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_altered_table_loses_nothing(
    db: Connection, connect: Connect, alteration: str, level: str
) -> None:
    """Neither in a session that has run the trigger before, nor in a new one."""
    change, assignment, old, new = ALTERATIONS[alteration]
    db.execute(
        "create schema elsewhere; create table t (id int primary key, a int, b int not null"
        " default 0); insert into t select g, 1 from generate_series(1, 6) as g;"
    )
    db.execute("select agentdb.audit_table('t', level => %s)", [level])
    for number in (1, 2):
        for _ in range(6):
            db.execute("update t set a = a + 1 where id = %s", [number])
    db.execute("update t set a = 1")
    db.execute(f"alter table t {change}".encode())
    name = {"rename the table": "t2", "move it": "elsewhere.t"}.get(alteration, "t")
    update = f"update {name} set {assignment} where id "
    assert [each[2:] for each in log(db, update + "= 1")] == [(old, new)]
    assert [each[2:] for each in log(db, update + "in (2, 3)")] == [(old, new)] * 2
    other = connect(db.info.dbname)
    assert [each[2:] for each in log(other, update + "= 4")] == [(old, new)]
    assert value(db, "select fault from agentdb.audited_table") is None
    assert value(db, "select part from agentdb.altered_table") == "capture function"
    db.execute("select agentdb.maintain(0)")
    found = row(db, "select table_name, fault from agentdb.audited_table")
    assert found["fault"] is None
    assert found["table_name"] == (name if "." in name else f"public.{name}")
    assert [each[2:] for each in log(db, update + "= 5")] == [(old, new)]
    assert [each[2:] for each in log(other, update + "= 6")] == [(old, new)]
    assert len(log(db, f"delete from {name}")) == 6


def test_renamed_column_stays_redacted(db: Connection) -> None:
    db.execute("create table t (id int primary key, secret text, gone text)")
    db.execute("select agentdb.audit_table('t', '{gone}', '{secret}')")
    db.execute(
        "alter table t rename secret to shown; alter table t rename gone to back"
    )
    for _ in range(2):
        assert log(db, "insert into t values (1, 'x', 'y')", "delete from t")[0][3] == {
            "id": 1, "shown": "[redacted]",
        }  # fmt: skip
        db.execute("select agentdb.maintain(0)")


VALUES = {
    "numeric": ["1.0", "1.00", "NaN", "1e30", "-0.10"],
    "numeric(9,2)": ["1", "NaN", "-3.10"],
    "float8": ["0", "-0", "NaN", "Infinity", "-Infinity", "0.1", "1e-300", "5e-324"],
    "float4": ["0.1", "1e38", "-0", "NaN"],
    "text": ["", " ", "\\", "'", "ä\U0001f600", "null", '"'],
    "char(5)": ["a", "abc"],
    "varchar": ["a", "A"],
    '"char"': ["a"],
    "bytea": ["\\x", "\\x00ff41"],
    "bool": ["true", "false"],
    "bigint": ["9223372036854775807"],
    "date": ["2026-01-01", "infinity", "-infinity", "0044-03-15 BC"],
    "timestamp": ["2026-01-01 00:00:00.000001", "infinity", "0044-03-15 10:00 BC"],
    "timestamptz": ["2026-01-01 00:00+05:30", "-infinity"],
    "timetz": ["10:00:00+05:30"],
    "interval": ["24 hours", "1 day", "1 year -2 days +03:04:05.6", "-1 mon"],
    "json": ['{"a": 1}', '{"a":1}', '{"a":1, "a":2}', "null", '"x"'],
    "jsonb": [
        '{"a": 1.0}',
        '{"a": 1.00}',
        "null",
        '"x"',
        "1",
        "[null]",
        '"null"',
        "true",
    ],
    "uuid": ["00000000-0000-0000-0000-000000000001"],
    "inet": ["10.0.0.1/24", "10.0.0.1"],
    "point": ["(1,2)", "(1e-300,0)"],
    "polygon": ["((0,0),(1,1),(1,0))"],
    "int4range": ["[1,3)", "empty", "(,)"],
    "nummultirange": ["{[1.0,2.0)}", "{[1.00,2.0)}"],
    "int[]": ["{}", "{1,NULL}", "[0:1]={1,2}", "{{1},{2}}"],
    "text[]": ['{"a,b","NULL",NULL,""}'],
    "numeric[]": ["{1.0}", "{1.00}"],
    "json[]": ['{"{\\"a\\":1}"}'],
    "jsonb[]": ["{null,NULL}"],
    "tsvector": ["'a':1 'b'"],
    "bit(3)": ["101"],
    "money": ["1.50", "-2.00"],
    "mood": ["sad", "happy"],
    "pair": ["(1,x)", "(,)", '(1,"a,b")'],
    "odd": ["(1,x)"],
    "name": ["n"],
    "regclass": ["pg_class"],
    "pg_lsn": ["0/16AE7F8"],
    "ci": ["Abc", "aBC"],
}

HOSTILE = (
    "set extra_float_digits = -15; set bytea_output = 'escape'; set datestyle = 'German';"
    "set timezone = 'Asia/Tokyo'; set intervalstyle = 'sql_standard'; set xmlbinary = 'hex'"
)


@pytest.mark.parametrize("type_name", VALUES)
@pytest.mark.parametrize("level", ["statement", "row"])
def test_every_value_comes_back_exactly(
    db: Connection, connect: Connect, type_name: str, level: str
) -> None:
    """From every value to every other, by one row and by many, in hostile settings."""
    db.execute(
        "create type mood as enum ('sad', 'happy'); create type pair as (a int, b text);"
        "create domain odd as pair; create domain ci as text check (value <> 'x')"
    )
    db.execute(f"create table t (id int primary key, v {type_name})".encode())
    db.execute("select agentdb.audit_table('t', level => %s)", [level])
    reader = connect(db.info.dbname)
    reader.execute("set timezone = 'UTC'; set lc_monetary = 'C'")
    text = "case when num_nulls({0}) = 0 then concat({0}) end"
    image: Any = f"select {text.format('v')} as text from t where id = 1"
    db.execute(HOSTILE)
    db.execute("insert into t values (1), (2)")
    states = [None]
    for each in [*VALUES[type_name], None, *VALUES[type_name]]:
        where = "where id = 1" if len(states) % 2 else ""
        db.execute(f"update t set v = %s::text::{type_name} {where}".encode(), [each])
        if (state := value(reader, image)) != states[-1]:
            states.append(state)
    db.execute("delete from t")
    old, new = (
        text.format(f"({which}_values ->> 'v')::{type_name}")
        for which in ("old", "new")
    )
    query: Any = (
        f"select {old} as was, {new} as became from agentdb.audit_log "
        "where row_key = '{\"id\": 1}' order by statement"
    )
    found = rows(reader, query)
    assert [each["became"] for each in found] == [*states, None]
    assert [each["was"] for each in found] == [None, *states]


def test_untouched_long_value_is_not_copied(db: Connection) -> None:
    make(db, "(id int primary key, small int, doc text)")
    db.execute("alter table t alter doc set storage external")
    db.execute(
        "insert into t select g, 0, repeat('x', 1000000) from generate_series(1, 3) g"
    )
    assert log(db, "update t set small = 1 where id = 1", "update t set small = 2")[0][
        3
    ] == {"small": 1}
    (changed,) = log(db, "update t set doc = repeat('y', 1000000) where id = 1")
    assert (changed[2]["doc"][:2], len(changed[3]["doc"])) == ("xx", 1_000_000)


def test_wide_tables(db: Connection) -> None:
    for count, name in ((120, "a"), (599, "b"), (1590, "c")):
        columns = ", ".join(f"c{i} int" for i in range(count))
        make(db, f"(id int primary key, {columns}, f float8, j json)", name)
        db.execute(f"insert into {name} (id, f) values (1, 0.5), (2, '-0')".encode())
        expected = [("update", {"id": i}, {"c7": None}, {"c7": 1}) for i in (1, 2)]
        assert log(db, f"update {name} set c7 = 1 where id = 1") == expected[:1]
        assert log(db, f"update {name} set c7 = null where id = 1") != []
        changed = log(db, f"update {name} set c7 = 1")
        assert sorted(changed, key=lambda each: each[1]["id"]) == expected
        assert len(log(db, f"delete from {name}")) == 2


def test_partitions_by_every_way_in(db: Connection) -> None:
    db.execute(
        "create table p (id int, k int, v text, primary key (id, k)) partition by list (k);"
        "create table p1 (v text, k int not null, id int not null);"
        "alter table p attach partition p1 for values in (1);"
        "create table p2 partition of p for values in (2) partition by list (id);"
        "create table p2d partition of p2 default; select agentdb.audit_table('p')"
    )
    found = log(
        db,
        "insert into p values (1, 1, 'a'), (2, 2, 'b')",
        "update p set v = 'c' where id = 1",
        "update p1 set v = 'direct'",
        "update p set k = 2 where id = 1",
        "create table p3 partition of p for values in (3); insert into p3 values (9, 3, 'z')",
    )
    assert [(each[0], each[1]["id"], each[1]["k"]) for each in found] == [
        ("insert", 1, 1), ("insert", 2, 2), ("update", 1, 1), ("update", 1, 1),
        ("delete", 1, 1), ("insert", 1, 2), ("insert", 9, 3),
    ]  # fmt: skip
    assert "truncate on p3 is missing" in value(
        db, "select fault from agentdb.audited_table"
    )
    db.execute("select agentdb.audit_table('p')")
    assert len(log(db, "truncate p2d")) == 2
    assert [each[1]["id"] for each in log(db, "truncate p")] == [9]
    assert refusal(db, "select agentdb.audit_table('p1')").sqlstate == "ZA030"


def test_inheritance_children_are_recorded_once_and_whole(db: Connection) -> None:
    db.execute(
        "create table parent (id int primary key, v int);"
        "create table child (x int, primary key (id)) inherits (parent);"
        "select agentdb.audit_table('parent');"
        "insert into parent values (1, 1); insert into child values (2, 2, 2)"
    )
    assert log(db, "update parent set v = 9", "update child set x = 3") == [
        ("update", {"id": 1}, {"v": 1}, {"v": 9}),
        ("update", {"id": 2}, {"v": 2}, {"v": 9}),
        ("update", {"id": 2}, {"x": 2}, {"x": 3}),
    ]


def test_triggers_of_the_user_keep_their_order(db: Connection) -> None:
    db.execute(
        "create table t (id int primary key, v int); insert into t values (1, 0), (2, 0);"
        "create function bump() returns trigger language plpgsql as $$ begin "
        "if pg_trigger_depth() < 3 then update t set v = v + 100 where id = new.id; end if;"
        "return null; end $$;"
        "create trigger aa after update on t for each row execute function bump();"
        "select agentdb.audit_table('t')"
    )
    assert value(db, "select level from agentdb.audited_table") == "row"
    found = log(db, "update t set v = 5 where id = 1")
    assert [each[2:] for each in found] == [
        ({"v": 0}, {"v": 5}), ({"v": 5}, {"v": 105}), ({"v": 105}, {"v": 205}),
    ]  # fmt: skip


def test_what_triggers_made_of_a_row_is_recorded(db: Connection) -> None:
    make(db, "(id int primary key, v int)")
    db.execute(
        "create function veto() returns trigger language plpgsql as $$ begin "
        "if new.id = 2 then return null; end if; new.v := new.v * 2; return new; end $$;"
        "create trigger bb before insert or update on t for each row execute function veto()"
    )
    found = log(db, "insert into t values (1, 1), (2, 1)", "update t set v = 7")
    assert [each[1:] for each in found] == [
        ({"id": 1}, None, {"id": 1, "v": 2}), ({"id": 1}, {"v": 2}, {"v": 14}),
    ]  # fmt: skip


def test_replication_role_switches_nothing_off(db: Connection) -> None:
    make(db, "(id int primary key)")
    statements = ("set session_replication_role = replica", "insert into t values (1)")
    assert len(log(db, *statements)) == 1


@pytest.mark.parametrize(
    ("definition", "hint"),
    [
        ("temp table x (id int)", "temporary"),
        ("unlogged table x (id int)", "unlogged"),
        ("view x as select 1 as id", "view"),
        ("materialized view x as select 1 as id", "view"),
        ("sequence x", "no table"),
        ("foreign table x (id int) server s", "foreign"),
    ],
)
def test_what_is_no_lasting_table_is_refused(
    db: Connection, definition: str, hint: str
) -> None:
    if "foreign" in definition:
        db.execute(
            "create foreign data wrapper w; create server s foreign data wrapper w"
        )
    db.execute(f"create {definition}".encode())
    refused = refusal(db, "select agentdb.audit_table('x')")
    assert refused.sqlstate == "ZA030"
    assert hint in (refused.message_primary or "")
    for ours in ("pg_catalog.pg_class", "agentdb.run"):
        query: LiteralString = "select agentdb.audit_table(%s::regclass)"
        assert refusal(db, query, ours).sqlstate == "ZA030"


def test_key_can_be_neither_excluded_nor_redacted(db: Connection) -> None:
    db.execute("create table t (id int primary key, v int)")
    for options in ("exclude => '{id}'", "redact => '{id}'", "exclude => '{nothing}'"):
        query = f"select agentdb.audit_table('t', {options})"
        assert refusal(db, query).sqlstate == "ZA004"


def test_truncate_that_cannot_be_recorded_is_refused(db: Connection) -> None:
    make(db, "(id int primary key)")
    db.execute("insert into t values (1); alter table t enable row level security;"
               "alter table t force row level security")  # fmt: skip
    refused = refusal(db, "truncate t")
    assert refused.sqlstate == "ZA032"
    db.execute(
        "create policy agentdb_audit on t for select to agentdb_capture using (true)"
    )
    assert len(log(db, "truncate t")) == 1


def test_dropped_table_is_forgotten_and_its_log_kept(db: Connection) -> None:
    make(db, "(id int primary key)")
    db.execute("insert into t values (1); drop table t")
    assert value(db, "select fault from agentdb.audited_table") == "the table is gone"
    db.execute("select agentdb.maintain(0)")
    assert value(db, "select count(*) from agentdb.audited_table") == 0
    assert value(db, "select table_name from agentdb.audit") == "public.t"
    make(db, "(id int primary key)")


def test_key_of_any_size_can_be_written(db: Connection) -> None:
    make(db, "(id text primary key, v int)")
    db.execute(
        "insert into t select string_agg(md5(g::text), '') from generate_series(1, 80) g"
    )
    assert (
        len(log(db, "insert into t values (repeat('x', 100000))", "update t set v = 1"))
        == 3
    )
