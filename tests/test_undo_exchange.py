"""Rows that exchanged unique values are undone in one go, or named with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from .agents import refusal, register, row, rows, start, value
from .changes import approve, latest
from .conftest import Connect, Connection

# The same exchange of three values, as an agent can do it with a unique index.
SWAP = ("update t set u = {spare} where id = 1", "update t set u = {one} where id = 2",
        "update t set u = {two} where id = 1")  # fmt: skip
TURN = ("update t set u = {spare} where id = 1", "update t set u = {one} where id = 2",
        "update t set u = {two} where id = 3", "update t set u = {three} where id = 1")  # fmt: skip
MOVE = ("update t set u = {spare} where id = 3", "update t set u = {three} where id = 2",
        "update t set u = {two} where id = 1")  # fmt: skip
STORIES = {"two rows": SWAP, "three rows": TURN, "moved on": MOVE}
TYPES = {
    "int": ("1", "2", "3", "99"),
    "int not null check (u > 0)": ("1", "2", "3", "99"),
    "smallint not null": ("1", "2", "3", "99"),
    "numeric(6, 2) not null": ("1.5", "2.5", "3.5", "99"),
    "float8 not null": ("1.5", "2.5", "3.5", "99"),
    "text not null": ("'a'", "'b'", "'c'", "'z'"),
    "varchar(10) not null": ("'a'", "'b'", "'c'", "'z'"),
    "uuid not null": tuple(f"'{n * 8}-{n * 4}-{n * 4}-{n * 4}-{n * 12}'" for n in "1239"),
    "date not null": tuple(f"'2026-01-0{n}'" for n in "1239"),
    "timestamptz not null": tuple(f"'2026-01-0{n}'" for n in "1239"),
    "jsonb": ("'[1]'", "'[2]'", "'[3]'", "'[9]'"),
    "int[]": ("'{1}'", "'{2}'", "'{3}'", "'{9}'"),
}  # fmt: skip


def filled(story: tuple[str, ...], values: tuple[str, ...]) -> list[str]:
    names = dict(zip(("one", "two", "three", "spare"), values, strict=True))
    return [each.format(**names) for each in story]


def make(db: Connection, column: str, values: tuple[str, ...], more: str = "") -> None:
    db.execute(
        f"create table t (id int primary key, u {column}, v int default 0{more});"
        f"insert into t (id, u) values (1, {values[0]}), (2, {values[1]}), (3, {values[2]});"
        "grant select, insert, update, delete on t to agent_a".encode()
    )


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    register(db)
    return connect(db.info.dbname, "agent_a")


def kept(db: Connection) -> list[Any]:
    return rows(db, "select * from t order by id")


def undone(db: Connection, agent: Connection, statements: list[str]) -> Any:
    """Let a run work and undo it; return what came of it."""
    run = start(agent)
    for each in statements:
        agent.execute(each.encode())
    agent.execute("select agentdb.end_run()")
    found = row(db, "select * from agentdb.undo_run(%s)", run)
    if found["state"] == "approved":
        apply = "select state, problem from agentdb.apply_change(%s)"
        found |= row(db, apply, found["change_id"])
    return found


@pytest.mark.parametrize("column", TYPES)
@pytest.mark.parametrize("story", STORIES)
def test_exchanged_values_come_back_in_one_go(
    db: Connection, agent: Connection, column: str, story: str
) -> None:
    make(db, column, TYPES[column], ", unique (u)")
    db.execute("select agentdb.audit_table('t')")
    before = kept(db)
    found = undone(db, agent, filled(STORIES[story], TYPES[column]))
    assert found["state"] == "applied", found["conflicts"]
    assert kept(db) == before
    redo = row(db, "select * from agentdb.undo_change(%s)", found["change_id"])
    assert redo["state"] == "approved", redo["conflicts"]


@pytest.mark.parametrize("deferrable", ["deferrable", "deferrable initially deferred"])
def test_exchange_in_one_statement_comes_back(
    db: Connection, agent: Connection, deferrable: str
) -> None:
    make(db, "int not null", TYPES["int"], f", unique (u) {deferrable}")
    db.execute("select agentdb.audit_table('t')")
    before = kept(db)
    found = undone(db, agent, ["update t set u = u % 3 + 1, v = v + 1"])
    assert found["state"] == "applied", found["conflicts"]
    assert kept(db) == before


INDEXES = {
    "of an expression": "create unique index on t (lower(u::text))",
    "of two columns": "create unique index on t (v, u)",
    "of some rows": "create unique index on t (u) where v = 0",
    "of a range": "alter table t add exclude using btree (u with =)",
}


@pytest.mark.parametrize("index", INDEXES)
def test_whatever_index_keeps_values_apart(
    db: Connection, agent: Connection, index: str
) -> None:
    make(db, "text not null", TYPES["text not null"])
    db.execute(INDEXES[index].encode())
    db.execute("select agentdb.audit_table('t')")
    before = kept(db)
    found = undone(db, agent, filled(SWAP, TYPES["text not null"]))
    assert found["state"] == "applied", found["conflicts"]
    assert kept(db) == before


def test_nulls_that_are_one_value_are_not_free(
    db: Connection, agent: Connection
) -> None:
    if db.info.server_version < 150000:
        pytest.skip("NULLs are always distinct before version 15")
    make(db, "int", TYPES["int"], ", unique nulls not distinct (u)")
    db.execute("insert into t values (4, null); select agentdb.audit_table('t')")
    before = kept(db)
    found = undone(db, agent, filled(TURN, TYPES["int"]))
    assert found["state"] == "applied", found["conflicts"]
    assert kept(db) == before


IMPOSSIBLE = {
    "no other value": ("text not null check (length(u) = 1)", ("'a'", "'b'", "'c'", "'z'")),
    "no type to make one of": ("int4range not null", ("'[1,2)'", "'[2,3)'", "'[3,4)'", "'[9,10)'")),
}  # fmt: skip


@pytest.mark.parametrize("why", IMPOSSIBLE)
def test_exchange_without_a_free_value_is_a_conflict_that_names_its_rows(
    db: Connection, agent: Connection, why: str
) -> None:
    column, values = IMPOSSIBLE[why]
    make(db, column, values, ", unique (u)")
    db.execute("select agentdb.audit_table('t')")
    statements = filled(SWAP, values)
    found = undone(db, agent, statements)
    assert found["state"] == "conflict"
    (conflict,) = found["conflicts"]
    assert conflict["sqlstate"] == "23505"
    said = conflict["message"]
    assert 'public.t {"id": 1} takes u of {"id": 2}' in said
    assert 'public.t {"id": 2} takes u of {"id": 1}' in said
    for number, expected in ((1, values[1]), (2, values[0])):
        assert value(db, f"select u = {expected} from t where id = {number}")


def test_value_that_others_refer_to_is_not_given_up(
    db: Connection, agent: Connection
) -> None:
    make(db, "int", TYPES["int"], ", unique (u)")
    db.execute(
        "create table child (u int references t (u) on update cascade);"
        "select agentdb.audit_table('t')"
    )
    statements = filled(SWAP, TYPES["int"])
    for_child = "insert into child values (3)"
    db.execute(for_child.encode())
    found = undone(db, agent, statements)
    assert found["state"] == "conflict"
    assert rows(db, "select u from child") == [{"u": 3}]


def test_row_of_others_with_the_former_value_is_a_conflict(
    db: Connection, agent: Connection
) -> None:
    make(db, "int", TYPES["int"], ", unique (u)")
    db.execute("select agentdb.audit_table('t')")
    run = start(agent)
    agent.execute("update t set u = 50 where id = 1")
    db.execute("insert into t values (7, 1)")
    now = kept(db)
    found = row(db, "select * from agentdb.undo_run(%s)", run)
    assert found["state"] == "conflict"
    assert "exchange" not in str(found["conflicts"])
    assert found["conflicts"][0]["constraint"] == "t_u_key"
    assert kept(db) == now


def test_exchange_in_a_statement_fails_staged_as_it_does_directly(
    db: Connection, agent: Connection
) -> None:
    make(db, "int", TYPES["int"], ", unique (u)")
    db.execute("select agentdb.guard_table('t')")
    start(agent)
    swap = "update {0} set u = 3 - u where u < 3"
    staged = refusal(agent, swap.format("agentdb_stage.t"))
    assert staged.sqlstate == "23505"
    assert refusal(db, swap.format("t")).sqlstate == "23505"


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("column", ["int", "int not null check (u > 0)"])
def test_exchange_by_a_detour_is_staged_and_undone(
    db: Connection, connect: Connect, agent: Connection, story: str, column: str
) -> None:
    make(db, column, TYPES["int"], ", unique (u)")
    db.execute("select agentdb.guard_table('t')")
    before = kept(db)
    start(agent)
    with agent.transaction():
        agent.execute("set local search_path = agentdb_stage")
        for each in filled(STORIES[story], TYPES["int"]):
            agent.execute(each.encode())
        wanted = rows(agent, "select * from t order by id")
    assert wanted != before
    reviewer = connect(db.info.dbname, "reviewer_r")
    change = latest(db)["change_id"]
    ended = approve(reviewer, change)
    assert ended["state"] == "applied", ended["problem"]
    assert kept(db) == wanted
    undo = row(db, "select * from agentdb.undo_change(%s)", change)
    assert undo["state"] == "pending", undo["conflicts"]
    assert approve(reviewer, undo["change_id"])["state"] == "applied"
    assert kept(db) == before


def test_change_of_a_row_that_is_given_up_is_a_conflict(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    make(db, "int", TYPES["int"], ", unique (u)")
    db.execute("select agentdb.guard_table('t')")
    start(agent)
    with agent.transaction():
        agent.execute("set local search_path = agentdb_stage")
        for each in filled(SWAP, TYPES["int"]):
            agent.execute(each.encode())
    db.execute("update t set v = 9 where id = 1")
    now = kept(db)
    ended = approve(connect(db.info.dbname, "reviewer_r"), latest(db)["change_id"])
    assert ended["state"] == "conflict"
    assert ended["problem"]["sqlstate"] == "ZA052"
    assert kept(db) == now
