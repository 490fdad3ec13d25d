"""What one agent stages in many changes is seen as if all had come, each row once."""

from __future__ import annotations

import pytest

from .agents import register, rows, start, value
from .changes import approve, latest
from .conftest import Connect, Connection

TABLES = """
create table t (id int primary key, v int);
create table twin (like t including all);
insert into t values (1, 1), (2, 2), (3, 3);
insert into twin table t;
grant select, insert, update, delete on t, twin to agent_a;
"""
MOVE = "update {t} set id = 5 where id = 4"
# A number approves that change, in the order in which they were staged.
STORIES: dict[str, list[str | int]] = {
    "inserted, moved, deleted": [
        "insert into {t} values (4, 4)", MOVE, 0, "delete from {t} where id = 5",
    ],
    "inserted, moved, written": [
        "insert into {t} values (4, 4)", MOVE, 0, "update {t} set v = 6 where id = 5",
    ],
    "all of it staged first": [
        "insert into {t} values (4, 4)", MOVE, "update {t} set v = 6 where id = 5", 0,
        "update {t} set v = 7 where id > 3", 1, "delete from {t} where id = 5",
    ],
    "replaced, moved, written": [
        "delete from {t} where id = 1", "insert into {t} values (1, 9)", 0, 1,
        "update {t} set id = 8 where id = 1", "update {t} set v = 2 where id = 8",
    ],
    "key that was given and taken": [
        "update {t} set id = 7 where id = 1", "update {t} set id = 8 where id = 7",
        "insert into {t} values (7, 5)", 0,
    ],
    "key of one that moved, inserted": [
        "insert into {t} values (4, 4)", "update {t} set id = 6 where id = 4",
        "insert into {t} values (4, 5)",
    ],
    "key of one that moved, given": [
        "insert into {t} values (4, 4)", "update {t} set id = 6 where id = 4",
        "update {t} set id = 4 where id = 1", 0,
    ],
    "there and back": [
        "insert into {t} values (4, 4)", MOVE, "update {t} set id = 6 where id = 5",
        "update {t} set id = 4 where id = 6",
    ],
    "written, moved, deleted, inserted": [
        "update {t} set v = 9 where id = 1", "update {t} set id = 5 where id = 1",
        "delete from {t} where id = 5", "insert into {t} values (1, 6)", 0,
    ],
}  # fmt: skip


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    register(db)
    db.execute(TABLES.encode())
    db.execute("select agentdb.guard_table('t')")
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


def shown(session: Connection, table: str) -> list[tuple[int, int]]:
    return [(each["id"], each["v"]) for each in
            rows(session, f"select id, v from {table} order by id, v")]  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_view_shows_what_the_same_statements_have_made_of_a_table(
    db: Connection, agent: Connection, connect: Connect, story: str
) -> None:
    reviewer = connect(db.info.dbname, "reviewer_r")
    made: list[int] = []
    for step in STORIES[story]:
        if isinstance(step, int):
            assert approve(reviewer, made[step])["state"] == "applied"
        else:
            for table in ("twin", "agentdb_stage.t"):
                agent.execute(step.format(t=table).encode())
            made.append(latest(db)["change_id"])
        assert shown(agent, "agentdb_stage.t") == shown(agent, "twin"), step
    waiting = "select state from agentdb.change where change_id = %s"
    for each in made:
        if value(db, waiting, each) == "pending":
            assert approve(reviewer, each)["state"] == "applied"
    assert shown(db, "t") == shown(db, "twin")


def test_what_continues_a_change_is_not_staged_anew_before_that(
    db: Connection, agent: Connection, connect: Connect
) -> None:
    reviewer = connect(db.info.dbname, "reviewer_r")
    agent.execute("update agentdb_stage.t set v = 10 where id = 1")
    first = latest(db)["change_id"]
    agent.execute("update agentdb_stage.t set v = v + 1 where id = 1")
    second = latest(db)["change_id"]
    rebase = "select change_id from agentdb.rebase_change(%s, 'refuse', 'x')"
    anew = value(reviewer, rebase, first)
    assert shown(agent, "agentdb_stage.t")[0] == (1, 10)
    assert len(shown(agent, "agentdb_stage.t")) == 3
    with pytest.raises(Exception, match=f"builds on .* not decided(.|\n)*show {anew}"):
        value(reviewer, rebase, second)
    assert approve(reviewer, anew)["state"] == "applied"
    again = value(reviewer, rebase, second)
    assert approve(reviewer, again)["state"] == "applied"
    assert shown(db, "t")[0] == (1, 11)


def test_row_that_a_change_replaces_itself_can_be_overridden(
    db: Connection, agent: Connection, connect: Connect
) -> None:
    reviewer = connect(db.info.dbname, "reviewer_r")
    with agent.transaction():
        agent.execute("delete from agentdb_stage.t where id = 1")
        agent.execute("insert into agentdb_stage.t values (1, 50)")
    db.execute("update t set v = 99 where id = 1")
    rebase = "select change_id from agentdb.rebase_change(%s, 'override', 'ours')"
    anew = value(reviewer, rebase, latest(db)["change_id"])
    assert approve(reviewer, anew)["state"] == "applied"
    assert shown(db, "t")[0] == (1, 50)
