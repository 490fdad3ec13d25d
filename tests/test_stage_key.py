"""An UPDATE of a primary key stays one, from the staging view to its undo."""

from __future__ import annotations

import pytest

from .agents import refusal, register, row, rows, start, value
from .changes import approve, latest
from .conftest import Connect, Connection

TABLES = (
    "create table {t} (id int primary key, v int, z text default 'new');"
    "insert into {t} values (1, 10, 'kept'), (2, 20, 'kept'), (3, 30, 'kept');"
    "create table {t}_child (id int primary key, t int references {t}"
    " on delete cascade on update cascade);"
    "insert into {t}_child values (1, 1), (2, 1), (3, 2);"
    "create table {t}_log (what text, old int, new int);"
    "create function {t}_note () returns trigger language plpgsql as $$ begin"
    " insert into public.{t}_log values (tg_op, case when tg_op <> 'INSERT' then old.id end,"
    " case when tg_op <> 'DELETE' then new.id end); return null; end $$;"
    "create trigger note after insert or update or delete on {t}"
    " for each row execute function {t}_note();"
    "grant select, insert, update, delete on {t} to agent_a;"
    "grant insert on {t}_log to agent_a, agentdb_applier"
)
# What is staged in one change; triggers fire once a row.
STORIES = {
    "moved": ["update {t} set id = 7 where id = 1"],
    "moved with a value": ["update {t} set id = 7, v = v + 1 where id < 3 and v < 20"],
    "all": ["update {t} set id = id + 100"],
    "moved, and its key taken": [
        "update {t} set id = 7 where id = 1",
        "insert into {t} (id, v) values (1, 99)",
    ],
    "moved after a key was freed": [
        "delete from {t} where id = 3",
        "update {t} set id = 3 where id = 2",
    ],
    "one after the other": [
        "update {t} set id = 7 where id = 3",
        "update {t} set id = 3 where id = 2",
        "update {t} set id = 2 where id = 1",
    ],
    "met twice": [
        "update {t} as t set id = t.id + 50 from (values (1), (1), (2)) as o (n)"
        " where o.n = t.id"
    ],
}


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """An agent beside a guarded table with a column that is not recorded."""
    register(db)
    db.execute("revoke create on schema public from public")
    for table in ("t", "d"):
        db.execute(TABLES.replace("{t}", table).encode())
    db.execute("select agentdb.audit_table('t', exclude => '{z}')")
    db.execute("select agentdb.audit_table('t_child'), agentdb.guard_table('t')")
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


def both(db: Connection) -> list[list[dict[str, object]]]:
    """Return what is in the tables that were written directly and by changes."""
    return [
        [
            dict(each, table=name)
            for name, order in (
                ("", "id"),
                ("_child", "id"),
                ("_log", "what, old, new"),
            )
            for each in rows(db, f"select * from {table}{name} order by {order}")
        ]
        for table in ("d", "t")
    ]


@pytest.mark.parametrize("story", STORIES)
def test_changed_key_does_what_it_does_directly(
    db: Connection, connect: Connect, agent: Connection, story: str
) -> None:
    for table in ("d", "agentdb_stage.t"):
        with agent.transaction():
            counts = [
                agent.execute(each.replace("{t}", table).encode()).rowcount
                for each in STORIES[story]
            ]
            if table == "d":
                directly = counts
    assert counts == directly
    seen = rows(agent, "select id, v from agentdb_stage.t order by id")
    ended = approve(connect(db.info.dbname, "reviewer_r"), latest(db)["change_id"])
    assert ended["state"] == "applied", ended["problem"]
    assert seen == rows(db, "select id, v from t order by id")
    direct, applied = both(db)
    assert applied == direct


def test_row_that_changes_its_key_again_is_written_once(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    with agent.transaction():
        agent.execute("update agentdb_stage.t set id = 7 where id = 1")
        agent.execute("update agentdb_stage.t set v = 11 where id = 7")
        agent.execute("update agentdb_stage.t set id = 8 where id = 7")
        agent.execute("insert into agentdb_stage.t values (9, 90)")
        agent.execute("update agentdb_stage.t set id = 10 where id = 9")
        agent.execute("update agentdb_stage.t set id = 7 where id = 2")
        agent.execute("delete from agentdb_stage.t where id = 7")
        agent.execute("insert into agentdb_stage.t values (2, 22)")
        taken = "insert into agentdb_stage.t values (8, 1)"
        with pytest.raises(Exception, match="duplicate key"), agent.transaction():
            agent.execute(taken.encode())
    staged = (
        "select operation, row_key -> 'id' as id, new_values from agentdb.change_row"
    )
    assert rows(db, f"{staged} order by place") == [
        {"operation": "update", "id": 1, "new_values": {"id": 8, "v": 11}},
        {"operation": "insert", "id": 10, "new_values": {"id": 10, "v": 90}},
        {"operation": "delete", "id": 2, "new_values": None},
        {"operation": "insert", "id": 2, "new_values": {"id": 2, "v": 22}},
    ]
    approve(connect(db.info.dbname, "reviewer_r"), latest(db)["change_id"])
    assert rows(db, "select id, v, z from t order by id") == [
        {"id": 2, "v": 22, "z": "new"},
        {"id": 3, "v": 30, "z": "kept"},
        {"id": 8, "v": 11, "z": "kept"},
        {"id": 10, "v": 90, "z": "new"},
    ]
    assert rows(db, "select t from t_child order by id") == [{"t": 8}, {"t": 8}]


def test_changes_go_on_under_the_key_that_an_earlier_one_gives(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    shown = "select id, v from agentdb_stage.t where id <> 3 order by id"
    for statement in (
        "update agentdb_stage.t set id = 7 where id = 1",
        "update agentdb_stage.t set v = 11 where id = 7",
        "update agentdb_stage.t set id = 8 where id = 7",
        "insert into agentdb_stage.t values (1, 99)",
        "update agentdb_stage.t set v = 12 where id = 8",
    ):
        agent.execute(statement.encode())
    assert refusal(agent, "update agentdb_stage.t set id = 8 where id = 2")
    want = [{"id": 1, "v": 99}, {"id": 2, "v": 20}, {"id": 8, "v": 12}]
    reviewer = connect(db.info.dbname, "reviewer_r")
    for change in rows(db, "select change_id from agentdb.change order by 1"):
        assert rows(agent, shown) == want
        ended = approve(reviewer, change["change_id"])
        assert ended["state"] == "applied", ended["problem"]
    assert rows(agent, shown) == want
    assert rows(db, "select id, v from t where id <> 3 order by id") == want
    assert rows(db, "select what, old, new from t_log where old <> new") == [
        {"what": "UPDATE", "old": 1, "new": 7},
        {"what": "UPDATE", "old": 7, "new": 8},
    ]


def test_review_shows_the_change_of_a_key(db: Connection, agent: Connection) -> None:
    agent.execute("update agentdb_stage.t set id = 7 where id = 1")
    change = latest(db)
    assert change["row_count"] == 1
    assert change["effects"] == {
        "public.t updated": 1,
        "public.t_child updated": 2,
        "public.t_log inserted": 1,
    }
    shown = row(db, "select * from agentdb.show_change_rows(%s)", change["change_id"])
    assert shown["operation"] == "update"
    assert (shown["old_values"], shown["new_values"]) == ({"id": 1}, {"id": 7})


def test_key_that_somebody_took_meanwhile_is_named(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    agent.execute("update agentdb_stage.t set id = 7 where id = 1")
    db.execute("insert into t values (7, 70)")
    change = latest(db)["change_id"]
    ended = approve(connect(db.info.dbname, "reviewer_r"), change)
    assert ended["state"] == "conflict"
    assert [
        (each["key"], each["conflict"]) for each in ended["problem"]["conflicts"]
    ] == [({"id": 1}, "takes a key that is there")]
    db.execute("delete from t where id = 7; update t set v = 5 where id = 1")
    assert value(db, "select state from agentdb.rebase_change(%s)", change) == "pending"
    ended = approve(connect(db.info.dbname, "reviewer_r"), latest(db)["change_id"])
    assert ended["state"] == "applied"
    assert row(db, "select v, z from t where id = 7") == {"v": 5, "z": "kept"}


def test_undo_gives_the_former_key_back(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    agent.execute("update agentdb_stage.t set id = 7, v = 11 where id = 1")
    reviewer = connect(db.info.dbname, "reviewer_r")
    change = latest(db)["change_id"]
    assert approve(reviewer, change)["state"] == "applied"
    assert rows(db, "select t from t_child where id < 3") == [{"t": 7}, {"t": 7}]
    undone = row(db, "select change_id, state from agentdb.undo_change(%s)", change)
    assert undone["state"] == "pending"
    # The other table is not guarded: who may write it applies the undo.
    assert approve(reviewer, undone["change_id"])["state"] == "approved"
    apply = "select state from agentdb.apply_change(%s)"
    assert value(db, apply, undone["change_id"]) == "applied"
    assert row(db, "select v, z from t where id = 1") == {"v": 10, "z": "kept"}
    assert rows(db, "select t from t_child where id < 3") == [{"t": 1}, {"t": 1}]


def test_right_to_update_the_key_is_what_it_takes(
    db: Connection, connect: Connect
) -> None:
    register(db)
    db.execute(
        "create table t (id int primary key, v int); insert into t values (1, 1);"
        "grant select, update (id) on t to agent_a; select agentdb.guard_table('t')"
    )
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    agent.execute("update agentdb_stage.t set id = 2")
    assert latest(db)["effects"] == {"public.t updated": 1}
    db.execute("revoke update (id) on t from agent_a; grant update (v) on t to agent_a")
    refused = refusal(agent, "update agentdb_stage.t set id = 3")
    assert refused.sqlstate == "42501"
