"""A row that a statement meets twice counts once, as it does in the table."""

from __future__ import annotations

import pytest

from .agents import refusal, register, rows, start, value
from .changes import approve, latest
from .conftest import Connect, Connection

# On {t} and beside it: other rows that match once, several times or never.
JOINS = {
    "several matches": "update {t} as t set v = o.v from other as o where o.id = t.id",
    "the first changes nothing": "update {t} as t set v = o.v from other as o"
    " where o.id = t.id and t.id = 2 returning t.id, t.v, o.v",
    "none changes anything": "update {t} as t set v = t.v from other as o"
    " where o.id = t.id returning t.id",
    "all rows of both": "update {t} as t set v = t.v + 1 from other as o"
    " returning t.id, t.v",
    "deleted": "delete from {t} as t using other as o where o.id = t.id"
    " returning t.id, o.v",
    "deleted by a product": "delete from {t} as t using other as o",
    "a key": "update {t} as t set id = t.id + 100 from other as o where o.id = t.id"
    " returning t.id, t.v",
    "two parts": "with a as (update {t} set v = 1 where id = 1 returning id),"
    " b as (update {t} set v = 2 returning id)"
    " select a.id, b.id from a full join b on a.id = b.id",
}
OTHER = (
    "create table other (id int, v int);"
    "insert into other values (1, 11), (1, 12), (2, 20), (2, 21), (9, 90)"
)


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    register(db)
    db.execute(f"{OTHER}; grant select on other to agent_a".encode())
    for table in ("t", "direct"):
        db.execute(
            f"create table {table} (id int primary key, v int);"
            f"insert into {table} values (1, 10), (2, 20), (3, 30);"
            f"grant select, insert, update, delete on {table} to agent_a".encode()
        )
    db.execute("select agentdb.guard_table('t')")
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


def told(session: Connection, statement: str) -> list[object]:
    done = session.execute(statement.encode())
    found = sorted(map(str, done.fetchall())) if done.description else []
    return [done.rowcount, found]


@pytest.mark.parametrize("before", ["", "update {t} set v = v + 1", "insert into {t} values (9, 9)"])  # fmt: skip
@pytest.mark.parametrize("join", JOINS)
def test_row_met_twice_counts_once(
    db: Connection, connect: Connect, agent: Connection, join: str, before: str
) -> None:
    came = []
    for table in ("public.direct", "agentdb_stage.t"):
        with agent.transaction():
            if before:
                agent.execute(before.format(t=table).encode())
            came.append(told(agent, JOINS[join].format(t=table)))
    assert came[0] == came[1]
    if latest_pending := rows(
        db, "select change_id from agentdb.change where state = 'pending'"
    ):
        reviewer = connect(db.info.dbname, "reviewer_r")
        ended = approve(reviewer, latest_pending[0]["change_id"])
        assert ended["state"] == "applied", ended["problem"]
    query = "select id, v from {0} order by id"
    assert rows(db, query.format("t")) == rows(db, query.format("direct"))


def test_second_statement_goes_on_from_the_first(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    twice = ("update {t} set v = v + 1", "update {t} set v = v", "update {t} set v = v * 2",
             "delete from {t} where v > 50")  # fmt: skip
    for table in ("public.direct", "agentdb_stage.t"):
        with agent.transaction():
            counts = [
                agent.execute(each.format(t=table).encode()).rowcount for each in twice
            ]
        assert counts == [3, 3, 3, 1]
    # In one message of the simple protocol too, where now() and the query are the same.
    agent.execute(
        "update agentdb_stage.t set v = v + 1; update agentdb_stage.t set v = v + 1"
    )
    reviewer = connect(db.info.dbname, "reviewer_r")
    for each in rows(db, "select change_id from agentdb.change order by 1"):
        assert approve(reviewer, each["change_id"])["state"] == "applied"
    assert [each["v"] for each in rows(db, "select v from t order by id")] == [24, 44]


def test_own_row_is_deleted_once(db: Connection, agent: Connection) -> None:
    with agent.transaction():
        agent.execute("insert into agentdb_stage.t values (9, 9)")
        done = agent.execute(
            "delete from agentdb_stage.t as t using other as o where t.id = 9"
        )
        assert done.rowcount == 1
    assert latest(db)["state"] == "withdrawn"


TOUCH = """
alter table {t} add touched int default 0;
create function touch_{t} () returns trigger language plpgsql as $$ begin
  new.touched := old.touched + 1; return new; end $$;
create trigger touch before update on {t} for each row execute function touch_{t}()
"""


def test_update_that_changes_nothing_is_one_to_a_trigger(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    for table in ("t", "direct"):
        db.execute(TOUCH.format(t=table).encode())
    db.execute("select agentdb.maintain(0)")
    agent.execute("update direct set v = v where id < 3")
    agent.execute("update agentdb_stage.t set v = v where id < 3")
    change = latest(db)
    assert change["row_count"] == 2
    assert approve(connect(db.info.dbname, "reviewer_r"), change["change_id"])["state"] == "applied"  # fmt: skip
    query = "select id, v, touched from {0} order by id"
    assert rows(db, query.format("t")) == rows(db, query.format("direct"))


def test_update_that_changes_nothing_is_nothing_without_one(
    db: Connection, agent: Connection
) -> None:
    assert agent.execute("update agentdb_stage.t set v = v").rowcount == 3
    assert value(db, "select count(*) from agentdb.change") == 0


def test_who_may_not_update_may_not_do_so_in_vain(
    db: Connection, agent: Connection
) -> None:
    db.execute("revoke update on t from agent_a")
    refused = refusal(agent, "update agentdb_stage.t set v = v")
    assert refused.sqlstate == "42501"


def test_change_that_takes_a_value_an_undecided_one_frees_builds_on_it(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    db.execute("alter table t add u int unique; update t set u = id")
    db.execute("select agentdb.guard_table('t'), agentdb.maintain(0)")
    agent.execute("update agentdb_stage.t set u = 50 where id = 1")
    agent.execute("update agentdb_stage.t set u = 1 where id = 2")
    reviewer = connect(db.info.dbname, "reviewer_r")
    first, second = rows(db, "select change_id from agentdb.change order by 1")
    assert approve(reviewer, second["change_id"])["state"] == "approved"
    assert approve(reviewer, first["change_id"])["state"] == "applied"
    db.execute("select agentdb.advance_changes()")
    assert [each["u"] for each in rows(db, "select u from t order by id")] == [50, 1, 3]
