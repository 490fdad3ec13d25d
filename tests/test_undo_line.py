"""An undo takes back what was done and nothing else, whoever wrote the row in between."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .agents import refusal, register, row, rows, start, value
from .conftest import Connect, Connection

EXAMPLES = int(os.environ.get("AGENTDB_EXAMPLES", "60"))
COLUMNS = ("a", "b", "c")

Fields = dict[str, int]
Table = dict[int, Fields]


@dataclass(frozen=True)
class Deed:
    """One statement of somebody on one row."""

    who: str
    operation: str
    key: int
    values: Fields = field(default_factory=dict)

    def sql(self) -> str:
        if self.operation == "delete":
            return f"delete from t where id = {self.key}"
        if self.operation == "update":
            given = ", ".join(f"{name} = {to}" for name, to in self.values.items())
            return f"update t set {given} where id = {self.key}"
        names, numbers = zip(*self.values.items(), strict=True)
        return (
            f"insert into t (id, {', '.join(names)}) "
            f"values ({self.key}, {', '.join(map(str, numbers))})"
        )

    def do(self, table: Table, *, over: bool = False) -> None:
        """Change a table as PostgreSQL would; over a row that is there where said."""
        present = table.get(self.key)
        if self.operation == "delete":
            table.pop(self.key, None)
        elif self.operation == "update" and present is not None:
            table[self.key] = {**present, **self.values}
        elif self.operation == "insert" and (present is None or over):
            table[self.key] = dict(self.values)


deeds = st.builds(
    Deed,
    who=st.sampled_from(["ada", "ada", "bob"]),
    operation=st.sampled_from(["insert", "update", "update", "delete"]),
    key=st.integers(1, 2),
    values=st.dictionaries(
        st.sampled_from(COLUMNS), st.integers(0, 9), min_size=1, max_size=3
    ),
)


def complete(deed: Deed) -> Deed:
    """An inserted row has all of its columns."""
    if deed.operation != "insert":
        return deed
    values = {name: deed.values.get(name, 0) for name in COLUMNS}
    return Deed(deed.who, deed.operation, deed.key, values)


@pytest.fixture
def scene(db: Connection, connect: Connect) -> dict[str, Connection]:
    db.execute("create table t (id int primary key, a int, b int, c int)")
    db.execute("grant select, insert, update, delete on t to agent_a, agent_b")
    db.execute("select agentdb.audit_table('t')")
    register(db)
    register(db, "b", "agent_b")
    return {
        "db": db,
        "ada": connect(db.info.dbname, "agent_a"),
        "bob": connect(db.info.dbname, "agent_b"),
    }


def contents(db: Connection) -> Table:
    found = rows(db, "select * from t")
    return {each.pop("id"): each for each in found}


def undo(db: Connection, run: int, on_conflict: str) -> dict[str, Any]:
    query = "select * from agentdb.undo_run(%s, on_conflict => %s::text)"
    found = row(db, query, run, on_conflict)
    if found["state"] == "approved":
        apply = "select state from agentdb.apply_change(%s)"
        found["state"] = value(db, apply, found["change_id"])
    return found


def crowded(done: list[Deed]) -> set[int]:
    """Return the rows that somebody else wrote after ada did."""
    hers: set[int] = set()
    others: set[int] = set()
    for deed in done:
        if deed.who == "ada":
            hers.add(deed.key)
        elif deed.key in hers:
            others.add(deed.key)
    return others


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    first=st.sets(st.integers(1, 2)),
    story=st.lists(deeds.map(complete), max_size=9),
    on_conflict=st.sampled_from(["refuse", "skip"]),
)
def test_rows_of_others_stay_and_rows_of_the_run_are_as_before(
    scene: dict[str, Connection], first: set[int], story: list[Deed], on_conflict: str
) -> None:
    db = scene["db"]
    db.execute("delete from t")
    start_rows = {key: dict.fromkeys(COLUMNS, 0) for key in first}
    for key in first:
        db.execute(f"insert into t values ({key}, 0, 0, 0)".encode())
    run = start(scene["ada"])
    start(scene["bob"])
    tried = (carried_out(db, scene[deed.who], deed) for deed in story)
    done = [deed for deed in tried if deed is not None]
    for session in ("ada", "bob"):
        scene[session].execute("select agentdb.end_run()")
    if not any(deed.who == "ada" for deed in done):
        return
    now = contents(db)
    without = {key: dict(fields) for key, fields in start_rows.items()}
    for deed in done:
        if deed.who == "bob":
            deed.do(without, over=True)
    if now == without:
        return
    found = undo(db, run, on_conflict)
    after, others = contents(db), crowded(done)
    if found["state"] == "conflict":
        assert others, found["conflicts"]
        assert {each["key"]["id"] for each in found["conflicts"]} <= others
        assert after == now
        return
    for key in {1, 2}:
        if key in others:
            assert after.get(key) in (now.get(key), without.get(key)), key
        else:
            assert after.get(key) == without.get(key), key


def carried_out(db: Connection, session: Connection, deed: Deed) -> Deed | None:
    """Do something; return what of it changed anything: a value set anew is nobody's."""
    before = contents(db)
    with contextlib.suppress(psycopg.errors.UniqueViolation):
        session.execute(deed.sql().encode())
    if contents(db) == before:
        return None
    if deed.operation != "update":
        return deed
    former = before[deed.key]
    changed = {name: to for name, to in deed.values.items() if former[name] != to}
    return Deed(deed.who, deed.operation, deed.key, changed)


SETUP = "create table {name} {columns}; grant select, insert, update, delete on {name} to agent_a, agent_b; select agentdb.audit_table('{name}')"


def make(db: Connection, name: str, columns: str, *values: str) -> None:
    for statement in SETUP.format(name=name, columns=columns).split("; "):
        db.execute(statement.encode())
    for each in values:
        db.execute(f"insert into {name} values ({each})".encode())


def undone(scene: dict[str, Connection], *statements: str, since: str = "") -> Any:
    """Let ada work, somebody write since, and undo her run; return what came of it."""
    run = start(scene["ada"])
    for statement in statements:
        scene["ada"].execute(statement.encode())
    scene["ada"].execute("select agentdb.end_run()")
    if since:
        scene["db"].execute(since.encode())
    return undo(scene["db"], run, "refuse")


@pytest.mark.parametrize(
    ("type_name", "before", "hers", "since"),
    [
        ("jsonb", "'{}'", "'{\"a\": 1}'", '\'{"a": 1, "b": 2}\''),
        ("jsonb", "'[1]'", "'[2]'", "'[1, 2, 3]'"),
        ("jsonb", "'{\"a\": {}}'", "'{}'", '\'{"a": {"b": 1}}\''),
        ("int[]", "'{1}'", "'{2}'", "'{1,2}'"),
        ("text", "'a'", "'b'", "'ab'"),
    ],
)
def test_value_that_contains_the_former_is_another_value(
    scene: dict[str, Connection], type_name: str, before: str, hers: str, since: str
) -> None:
    make(scene["db"], "d", f"(id int primary key, v {type_name})", f"1, {before}")
    found = undone(scene, f"update d set v = {hers}", since=f"update d set v = {since}")
    assert found["state"] == "conflict"
    (conflict,) = found["conflicts"]
    assert list(conflict["columns"]) == ["v"]
    assert value(scene["db"], f"select v = {since} from d")


@pytest.mark.parametrize(
    ("type_name", "value_now", "same"),
    [
        ("int[]", "(array[1, null, 3])[1:2]", "'{1,NULL}'"),
        ("float8", "'Infinity'::float8 - 'Infinity'::float8", "'NaN'"),
        ("float8", "0::float8 * -1", "0"),
        ("float4[]", "array['inf'::float4 - 'inf'::float4]", "'{NaN}'"),
        ("numeric", "1.00", "1.0"),
        ("numeric[]", "'{1.00}'", "'{1.0}'"),
    ],
)
def test_one_value_in_another_form_is_no_conflict(
    scene: dict[str, Connection], type_name: str, value_now: str, same: str
) -> None:
    make(scene["db"], "d", f"(id int primary key, v {type_name})", "1, null")
    found = undone(
        scene, f"update d set v = {value_now}", since=f"update d set v = {same}"
    )
    assert found["state"] == "applied", found["conflicts"]
    assert value(scene["db"], "select v from d") is None


def test_what_people_see_as_two_values_is_a_conflict(
    scene: dict[str, Connection],
) -> None:
    make(scene["db"], "d", "(id int primary key, v interval)", "1, null")
    found = undone(
        scene, "update d set v = '1 day'", since="update d set v = '24 hours'"
    )
    assert found["state"] == "conflict"


REFERRING = """
create table child (id int primary key, parent int references parent
  on update cascade on delete {action});
insert into child values (1, 1), (2, 2), (3, 2), (9, 3)
"""


@pytest.mark.parametrize("action", ["set null", "cascade", "no action"])
@pytest.mark.parametrize(
    "change",
    [
        ("update parent set id = 100, v = 7 where id = 1",),
        ("update parent set id = id + 100",),
        ("update parent set id = 50 where id = 3", "update parent set v = 0"),
        (
            "update parent set id = 50 where id = 3",
            "update parent set id = 60, v = 6 where id = 50",
        ),
    ],
)
def test_what_refers_to_a_row_follows_its_key_back(
    scene: dict[str, Connection], action: str, change: tuple[str, ...]
) -> None:
    db = scene["db"]
    make(db, "parent", "(id int primary key, v int)", "1, 1", "2, 2", "3, 3")
    for statement in REFERRING.format(action=action).split(";"):
        db.execute(statement.encode())
    db.execute("grant select on child to agent_a")
    query = "select p.*, c.* from parent as p full join child as c on c.parent = p.id"
    before = sorted(map(str, rows(db, query)))
    found = undone(scene, *change)
    assert found["state"] == "applied", found["conflicts"]
    assert sorted(map(str, rows(db, query))) == before


@pytest.mark.parametrize("action", ["set null", "set default", "cascade"])
def test_row_of_others_that_refers_to_what_is_taken_away_is_a_conflict(
    scene: dict[str, Connection], action: str
) -> None:
    db = scene["db"]
    make(db, "parent", "(id int primary key, v int)", "1, 1", "2, 2", "3, 3")
    for statement in REFERRING.format(action=action).split(";"):
        db.execute(statement.encode())
    query = "select * from child order by id"
    added = [*rows(db, query), {"id": 10, "parent": 4}]
    found = undone(
        scene,
        "insert into parent values (4, 4)",
        since="insert into child values (10, 4)",
    )
    assert found["state"] == "conflict"
    assert "child" in str(found["conflicts"])
    assert rows(db, query) == added


COUNTER = """
create table stats (id int primary key, n int);
insert into stats values (1, 5);
create function count_rows () returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'INSERT' then
    update public.stats set n = n + 1 where id = 1;
  else
    update public.stats set n = n - 1 where id = 1;
  end if;
  return null;
end $$;
create trigger count_rows after insert or delete on purchase
  for each row execute function count_rows();
select agentdb.audit_table('stats')
"""


def count(db: Connection) -> None:
    db.execute(COUNTER.encode())


def test_counter_of_a_trigger_is_left_to_the_trigger(
    scene: dict[str, Connection],
) -> None:
    db = scene["db"]
    make(db, "purchase", "(id int primary key)", "1")
    count(db)
    found = undone(
        scene,
        "insert into purchase values (2), (3)",
        "delete from purchase where id = 1",
    )
    assert found["state"] == "applied", found["conflicts"]
    assert value(db, "select n from stats") == 5
    assert rows(db, "select id from purchase") == [{"id": 1}]


def test_counter_that_the_run_wrote_itself_as_well_is_a_conflict(
    scene: dict[str, Connection],
) -> None:
    db = scene["db"]
    make(db, "purchase", "(id int primary key)")
    count(db)
    db.execute("grant select, update on stats to agent_a")
    found = undone(
        scene, "insert into purchase values (2)", "update stats set n = n + 100"
    )
    assert found["state"] == "conflict"
    assert "triggers make something else" in str(found["conflicts"])
    assert value(db, "select n from stats") == 106


def test_what_a_trigger_before_the_row_writes_is_said(
    scene: dict[str, Connection],
) -> None:
    db = scene["db"]
    make(db, "d", "(id int primary key, v int, touched int default 0)", "1, 1")
    db.execute(
        "create function touch () returns trigger language plpgsql as $$ begin"
        " new.touched := old.touched + 1; return new; end $$"
    )
    db.execute(
        "create trigger touch before update on d for each row execute function touch()"
    )
    found = undone(scene, "update d set v = 2")
    assert found["state"] == "applied"
    assert row(db, "select v, touched from d") == {"v": 1, "touched": 2}
    assert found["effects"]["rows that triggers write otherwise"] == 1


def test_what_went_with_a_deleted_row_and_is_not_audited_is_named(
    scene: dict[str, Connection],
) -> None:
    db = scene["db"]
    make(db, "parent", "(id int primary key)", "1")
    db.execute(
        "create table gone (id int primary key, parent int references parent"
        " on delete cascade); insert into gone values (1, 1);"
        "create table cut (id int primary key, parent int references parent"
        " on delete set null); insert into cut values (1, 1)"
    )
    found = undone(scene, "delete from parent")
    assert found["state"] == "applied"
    assert rows(db, "select id from parent") == [{"id": 1}]
    gone, cut = sorted(found["left_undone"], reverse=True)
    assert "public.gone" in gone and "do not come back" in gone
    assert "public.cut" in cut and "do not refer to them again" in cut


@pytest.mark.parametrize("how", ["delete from parent", "truncate parent cascade"])
def test_audited_rows_that_went_along_come_back(
    scene: dict[str, Connection], how: str
) -> None:
    db = scene["db"]
    make(db, "parent", "(id int primary key)", "1", "2")
    make(
        db,
        "child",
        "(id int primary key, parent int references parent on delete cascade)",
        "1, 1",
        "2, 2",
    )
    db.execute("grant truncate on parent, child to agent_a")
    found = undone(scene, how)
    assert found["state"] == "applied", found["conflicts"]
    assert found["left_undone"] is None
    assert value(db, "select count(*) from child") == 2


CHOICE = """
select state, row_count from agentdb.undo_run(%s, include => %s::text::jsonb,
  keep => %s::text::jsonb)
"""


@pytest.mark.parametrize(
    ("only", "keep", "left"),
    [
        ('[{"table": "public.one"}]', None, {"one": [], "two": [1, 2]}),
        ('[{"table": "one", "key": {"id": 1}}]', None, {"one": [2], "two": [1, 2]}),
        (None, '[{"table": "two"}]', {"one": [], "two": [1, 2]}),
        (None, '[{"table": "two", "key": {"id": 2}}]', {"one": [], "two": [2]}),
        ('[{"table": "two"}]', '[{"table": "two", "key": {"id": 1}}]',
            {"one": [1, 2], "two": [1]}),
    ],
)  # fmt: skip
def test_tables_and_rows_can_be_chosen(
    scene: dict[str, Connection],
    only: str | None,
    keep: str | None,
    left: dict[str, list[int]],
) -> None:
    db = scene["db"]
    for name in left:
        make(db, name, "(id int primary key)")
    run = start(scene["ada"])
    scene["ada"].execute("insert into one values (1), (2)")
    scene["ada"].execute("insert into two values (1), (2)")
    change = value(db, CHOICE.replace("state, row_count", "change_id"), run, only, keep)
    db.execute("select agentdb.apply_change(%s)", [change])
    for name, ids in left.items():
        query = f"select id from {name} order by id"
        assert [each["id"] for each in rows(db, query)] == ids


@pytest.mark.parametrize(
    "wrong",
    ["{}", "[]", "[1]", '["one"]', '[{"table": 1}]', '[{"table": "nowhere"}]',
     '[{"table": "one", "key": {"id": 7}}]', '[{"table": "one", "kye": {"id": 1}}]',
     '[{"table": null}]', '[{"table": "one", "key": 1}]'],
)  # fmt: skip
def test_what_is_chosen_must_be_there(scene: dict[str, Connection], wrong: str) -> None:
    make(scene["db"], "one", "(id int primary key)")
    run = start(scene["ada"])
    scene["ada"].execute("insert into one values (1)")
    for arguments in ((wrong, None), (None, wrong)):
        assert refusal(scene["db"], CHOICE, run, *arguments).sqlstate == "ZA004"


def test_what_a_trigger_of_the_table_writes_after_the_statement_is_said(
    scene: dict[str, Connection],
) -> None:
    db = scene["db"]
    make(db, "d", "(id int primary key, v int, n int default 0)", "1, 1")
    db.execute(
        "create function count_up () returns trigger language plpgsql as $$ begin"
        " if pg_trigger_depth() < 2 then update d as t set n = t.n + 1 from fresh as f"
        " where f.id = t.id; end if; return null; end $$"
    )
    db.execute(
        "create trigger count_up after update on d referencing new table as fresh"
        " for each statement execute function count_up()"
    )
    # Else an agent could put a table of its own in the way of the trigger.
    db.execute("revoke create on schema public from public")
    db.execute("select agentdb.maintain()")
    found = undone(scene, "update d set v = 2", "insert into d values (2, 2)")
    assert found["state"] == "applied", found["conflicts"]
    assert rows(db, "select id, v, n from d") == [{"id": 1, "v": 1, "n": 1}]
    assert found["effects"]["rows that triggers write otherwise"] == 1


def test_row_that_a_trigger_brings_back_is_not_undone(
    scene: dict[str, Connection],
) -> None:
    db = scene["db"]
    make(db, "d", "(id int primary key)", "1")
    db.execute(
        "create function stay () returns trigger language plpgsql as $$ begin"
        " insert into d values (old.id); return null; end $$"
    )
    found = undone(
        scene,
        "insert into d values (2)",
        since="create trigger stay after delete on d for each row execute function stay()",
    )
    assert found["state"] == "conflict"
    assert [each["id"] for each in rows(db, "select id from d order by 1")] == [1, 2]
