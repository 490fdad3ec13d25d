"""What a proposal cannot be is a closed list: each of it is refused, none is ignored."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from .agents import refusal, register, row, rows, start, value
from .changes import approve, latest
from .conftest import Connect, Connection

REVIEW = Path(__file__).parent.parent / "docs" / "review.md"
LISTED = re.compile(r"^\| `(?P<said>[^|]+)` \| (?P<state>[^|]+) \|", re.MULTILINE)


def closed_list() -> list[tuple[str, str]]:
    """Return each statement of docs/review.md that is none, with what refuses it."""
    _, _, after = REVIEW.read_text().partition("## What a proposal cannot be")
    part, _, _ = after.partition("\n## ")
    return [(found["said"], found["state"]) for found in LISTED.finditer(part)]


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """An agent beside a guarded table with children."""
    register(db)
    db.execute(
        "create table t (id int primary key, v int); insert into t values (1, 10), (2, 20);"
        "create table child (primary key (id)) inherits (t); insert into child values (3, 30);"
        "grant select, insert, update, delete on t, child to agent_a;"
        "select agentdb.guard_table('t')"
    )
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


def test_closed_list_is_complete() -> None:
    said = " ".join(each for each, _ in closed_list()).lower()
    for kind in ("on conflict do nothing", "on conflict (", "merge", "current of",
                 "truncate", "only", "ctid", "tableoid", "for update"):  # fmt: skip
        assert kind in said


@pytest.mark.parametrize(("statement", "state"), closed_list())
def test_what_a_proposal_cannot_be_is_refused(
    db: Connection, agent: Connection, statement: str, state: str
) -> None:
    allowed = {
        code
        for code, before in re.findall(r"`(\w{5})`(?: before (\d+))?", state)
        if not before or db.info.server_version < int(before) * 10_000
    }
    with agent.transaction():
        agent.execute("declare c cursor for select * from agentdb_stage.t")
        agent.execute("fetch c")
        came = outcome(agent, statement)
    assert came in allowed or not (came or allowed)
    if came:
        assert value(db, "select count(*) from agentdb.change where row_count > 0") == 0


def outcome(session: Connection, statement: str) -> str:
    """Return the SQLSTATE of a statement that is a transaction, empty where it works."""
    try:
        with session.transaction():
            session.execute(statement.encode())
            session.execute("set constraints all immediate")
    except psycopg.Error as error:
        return str(error.sqlstate)
    return ""


@pytest.mark.parametrize("clause", ["on conflict do nothing", ""])
def test_insert_under_a_key_that_is_there_is_never_ignored(
    db: Connection, agent: Connection, clause: str
) -> None:
    for taken in ("(1, 5)", "(7, 7), (7, 8)"):
        refused = refusal(agent, f"insert into agentdb_stage.t values {taken} {clause}")
        assert refused.sqlstate == "23505"
        assert refused.constraint_name == "t_pkey"
        assert "ON CONFLICT is not possible" in str(refused.message_hint)
        assert re.fullmatch(
            r"Key \(id\)=\(\d\) already exists.", str(refused.message_detail)
        )
    done = agent.execute(f"insert into agentdb_stage.t values (8, 8) {clause}".encode())
    assert done.rowcount == 1
    assert latest(db)["row_count"] == 1


def test_key_that_the_same_change_takes_and_gives_back_was_taken(
    db: Connection, agent: Connection
) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation), agent.transaction():
        agent.execute("insert into agentdb_stage.t values (1, 5)")
        agent.execute("delete from agentdb_stage.t where v = 5")
    with agent.transaction():
        agent.execute("delete from agentdb_stage.t where id = 1")
        agent.execute("insert into agentdb_stage.t values (1, 5)")
        agent.execute("delete from agentdb_stage.t where id = 1")
        agent.execute("insert into agentdb_stage.t values (1, 6)")
    query = "insert into agentdb_stage.t values (1, 7)"
    assert refusal(agent, query).sqlstate == "23505"
    with agent.transaction():
        agent.execute("delete from agentdb_stage.t where id = 1")
        agent.execute(query.encode())
    assert rows(agent, "select * from agentdb_stage.t where id = 1") == [
        {"id": 1, "v": 7}
    ]


def test_key_that_a_trigger_gives_away_is_left_to_the_trigger(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    db.execute(
        "create function next_id () returns trigger language plpgsql as $$ begin"
        " new.id := 100 + new.id; return new; end $$;"
        "create trigger next_id before insert on t for each row execute function next_id()"
    )
    agent.execute("insert into agentdb_stage.t values (1, 5)")
    reviewer = connect(db.info.dbname, "reviewer_r")
    assert approve(reviewer, latest(db)["change_id"])["state"] == "applied"
    assert value(db, "select v from t where id = 101") == 5


def test_moved_keys_meet_as_they_do_directly(db: Connection, agent: Connection) -> None:
    up = "update agentdb_stage.t set id = id + 1 where id < 3"
    assert refusal(agent, up).sqlstate == "23505"
    done = agent.execute("update agentdb_stage.t set id = id + 10 where id < 3")
    assert done.rowcount == 2


def test_copy_is_a_proposal(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    with agent.cursor().copy("copy agentdb_stage.t (id, v) from stdin") as copy:
        copy.write_row((8, 80))
        copy.write_row((9, 90))
    with (
        pytest.raises(psycopg.errors.UniqueViolation),
        agent.cursor().copy("copy agentdb_stage.t (id, v) from stdin") as copy,
    ):
        copy.write_row((8, 81))
    reviewer = connect(db.info.dbname, "reviewer_r")
    assert approve(reviewer, latest(db)["change_id"])["state"] == "applied"
    assert value(db, "select sum(v) from t where id > 7") == 170


MERGE = """
merge into {t} as t using (values (1, 11), (2, null), (8, 88)) as s (id, v)
on t.id = s.id
when matched and s.v is null then delete
when matched then update set v = s.v
when not matched then insert values (s.id, s.v)
"""


def test_merge_is_a_proposal_from_17_on(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    if db.info.server_version < 170000:
        # 0A000 or 42809 by then, a syntax error before 15.
        refused = refusal(agent, MERGE.format(t="agentdb_stage.t")).sqlstate
        assert refused in {"0A000", "42809", "42601"}
        return
    query = MERGE.format(t="agentdb_stage.t") + " returning merge_action(), t.id, t.v"
    assert [tuple(each.values()) for each in rows(agent, query)] == [
        ("UPDATE", 1, 11),
        ("DELETE", 2, 20),
        ("INSERT", 8, 88),
    ]
    reviewer = connect(db.info.dbname, "reviewer_r")
    assert approve(reviewer, latest(db)["change_id"])["state"] == "applied"
    assert rows(db, "select id, v from only t order by id") == [
        {"id": 1, "v": 11},
        {"id": 8, "v": 88},
    ]
    twice = (
        "merge into agentdb_stage.t as t using (values (1, 5), (1, 6)) as s (id, v)"
        " on t.id = s.id when matched then update set v = s.v"
    )
    assert refusal(agent, twice).sqlstate == "21000"


def test_only_goes_through_where_it_makes_no_difference(
    db: Connection, agent: Connection
) -> None:
    done = agent.execute("update only agentdb_stage.child set v = 31")
    assert done.rowcount == 1
    assert latest(db)["row_count"] == 1
    assert agent.execute("update agentdb_stage.t set v = 1 /* only */").rowcount == 3


def test_row_that_two_parts_of_a_statement_write_is_refused(
    db: Connection, agent: Connection
) -> None:
    refused = refusal(
        agent,
        "with gone as (delete from agentdb_stage.t where id = 1 returning id)"
        " update agentdb_stage.t set v = 5",
    )
    assert refused.sqlstate == "ZA004"
    assert "another part of the same statement" in str(refused.message_primary)
    assert row(agent, "select v from agentdb_stage.t where id = 1") == {"v": 10}


def test_unique_value_that_a_row_holds_is_refused_at_once(
    db: Connection, agent: Connection
) -> None:
    db.execute("alter table t add u int unique; update only t set u = id")
    db.execute("select agentdb.guard_table('t'), agentdb.maintain(0)")
    stage = "insert into agentdb_stage.t (id, v, u) values (7, 0, {}) on conflict do nothing"
    for taken in (stage.format(2), "update agentdb_stage.t set u = 2 where id = 1"):
        refused = refusal(agent, taken)
        assert (refused.sqlstate, refused.constraint_name) == ("23505", "t_u_key")
        assert refused.message_detail == "Key (u)=(2) already exists."
    with agent.transaction():
        agent.execute("update agentdb_stage.t set u = 20 where id = 2")
        agent.execute(stage.format(2).encode())
        agent.execute("delete from agentdb_stage.t where id = 1")
        agent.execute("update agentdb_stage.t set u = 1 where id = 7")
    assert latest(db)["row_count"] == 3


def test_constraints_are_looked_at_when_the_transaction_ends(
    db: Connection, agent: Connection
) -> None:
    db.execute("alter table t add constraint small check (v < 100)")
    with agent.transaction():
        agent.execute("update agentdb_stage.t set v = 100 where id = 1")
        agent.execute("update agentdb_stage.t set v = 99 where id = 1")
    assert latest(db)["row_count"] == 1
    refused = refusal(agent, "update agentdb_stage.t set v = 100 where id = 2")
    assert refused.sqlstate == "23514"
