"""Random statements, once directly and once staged and approved, end in the same rows."""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .agents import register, rows, start
from .changes import approve
from .conftest import Connect, Connection, MakeDatabase
from .differential import explore, sessions_in
from .servers import Server

EXAMPLES = int(os.environ.get("AGENTDB_EXAMPLES", "60"))
COLUMNS = """(
  id int primary key, a int check (a < 9), b text, c numeric(6, 2) default 1.5,
  d int[] default '{1,2}', g int generated always as (a * 2) stored,
  h text generated always as (coalesce(b, '') || '!') stored
)"""
UNDECIDED = "select change_id from agentdb.change where state = 'pending'"
FIRST = "(1, 1, 'x'), (2, 2, 'y'), (3, null, null)"

keys = st.integers(1, 5)
numbers = st.one_of(st.none(), st.integers(0, 9)).map(
    lambda n: "null" if n is None else str(n)
)
texts = st.sampled_from(["null", "'x'", "'y'", "b || '.'", "a::text", "''"])
arrays = st.sampled_from(["'{3}'", "d || 7", "null", "'[0:1]={1,NULL}'", "'{}'"])
conditions = st.one_of(
    keys.map("id = {}".format),
    keys.map("id >= {}".format),
    numbers.map("g > {}".format),
    st.sampled_from(["h like 'x%'", "b is null", "c < 3", "d @> '{1}'", "true"]),
)


@st.composite
def statements(draw: st.DrawFn) -> str:
    """Return one statement on {t}, which both tables understand."""
    kind = draw(st.sampled_from(["insert", "update", "update", "delete", "copy"]))
    back = draw(st.sampled_from(["", " returning id, a, b, c, d::text, g, h"]))
    if kind == "delete":
        return f"delete from {{t}} where {draw(conditions)}{back}"
    if kind == "copy":
        return (
            "insert into {t} (id, a, b, d) select id + 10, a, b, d from {t}"
            f" where {draw(conditions)} and id < 6{back}"
        )
    given = {
        "a": draw(
            numbers if kind == "insert" else st.one_of(numbers, st.just("a + 1"))
        ),
        "b": draw(texts if kind == "update" else st.sampled_from(["'x'", "null"])),
        "c": draw(st.sampled_from(["2", "2.00", "c + 1" if kind == "update" else "7"])),
        "d": draw(arrays if kind == "update" else st.sampled_from(["'{3}'", "null"])),
    }
    names = draw(st.sets(st.sampled_from(sorted(given)), min_size=1))
    chosen = {name: given[name] for name in sorted(names)}
    if kind == "update":
        said = ", ".join(f"{name} = {text}" for name, text in chosen.items())
        return f"update {{t}} set {said} where {draw(conditions)}{back}"
    return (
        f"insert into {{t}} (id, {', '.join(chosen)})"
        f" values ({draw(keys)}, {', '.join(chosen.values())}){back}"
    )


@pytest.fixture
def sessions(db: Connection, connect: Connect) -> dict[str, Connection]:
    register(db)
    for table in ("guarded", "direct"):
        db.execute(f"create table {table} {COLUMNS}".encode())
        db.execute(
            f"grant select, insert, update, delete on {table} to agent_a".encode()
        )
    db.execute("select agentdb.guard_table('guarded')")
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    return {
        "db": db,
        "agent": agent,
        "reviewer": connect(db.info.dbname, "reviewer_r"),
    }


def work(session: Connection, table: str, story: list[str]) -> tuple[str, list[Any]]:
    """Do all of it in one transaction; return its SQLSTATE and what was returned."""
    seen: list[Any] = []
    try:
        with session.transaction():
            for each in story:
                done = session.execute(each.replace("{t}", table).encode())
                found = sorted(map(str, done.fetchall())) if done.description else []
                seen.append([done.rowcount, found])
    except psycopg.Error as error:
        return str(error.sqlstate), seen
    return "", seen


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(story=st.lists(statements(), min_size=1, max_size=4))
def test_staged_and_direct_statements_end_in_the_same_rows(
    sessions: dict[str, Connection], story: list[str]
) -> None:
    db = sessions["db"]
    for table in ("guarded", "direct"):
        db.execute(f"delete from {table}".encode())
        db.execute(f"insert into {table} (id, a, b) values {FIRST}".encode())
    directly, returned = work(sessions["agent"], "direct", story)
    staged, shown = work(sessions["agent"], "agentdb_stage.guarded", story)
    # Of two violations the one at the commit comes last; one that a later statement
    # takes back is none of what is proposed, which the server itself looks at.
    taken_back = not staged and directly[:2] == "23" and len(story) > 1
    assert staged == directly or staged[:2] == directly[:2] == "23" or taken_back
    if taken_back:
        for each in rows(db, UNDECIDED):
            ended = approve(sessions["reviewer"], each["change_id"])
            assert ended["state"] == "applied", ended["problem"]
        return
    if not directly:
        assert shown == returned
        for each in rows(db, UNDECIDED):
            ended = approve(sessions["reviewer"], each["change_id"])
            assert ended["state"] == "applied", ended["problem"]
    query = "select {0}::text as row from {0} order by id"
    assert rows(db, query.format("guarded")) == rows(db, query.format("direct"))


WORLDS = int(os.environ.get("AGENTDB_WORLDS", "8"))
SEED = int(os.environ.get("AGENTDB_SEED", "0")) or random.randrange(1, 10**6)


def test_random_tables_rights_policies_triggers_statements_and_undos(
    server: Server, template: str, make_database: MakeDatabase
) -> None:
    """Longer: AGENTDB_WORLDS=200, or python -m tests.differential SECONDS SEED."""
    counted: Counter[str] = Counter()
    for seed in range(SEED, SEED + WORLDS):
        with sessions_in(server.dsn, make_database(template)) as open_session:
            counted += explore(seed, open_session)
    assert counted["applied"] > counted["worlds"]
    assert counted["refused as listed"] <= counted["statements"] * 0.05
