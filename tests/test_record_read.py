"""Who reads the past, by which key, and of which tables."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from .agents import refusal, rows, value
from .conftest import Connect, Connection
from .test_record import audit, kept, past

AS_OF = "select agentdb.row_as_of('t', %s::jsonb, %s)"


@pytest.fixture
def tree(db: Connection) -> Connection:
    db.execute(
        "create table t (id int primary key, v int);"
        "create table c (w int, primary key (id)) inherits (t);"
        "create table g (x text, primary key (id)) inherits (c);"
        "insert into t values (1, 1), (4, 4); insert into c values (2, 2, 2);"
        "insert into g values (3, 3, 3, 'x')"
    )
    audit(db)
    return db


def test_parent_shows_its_children_as_select_does(tree: Connection) -> None:
    moments = [kept(tree)]
    for statement in (
        "update t set v = v + 1",
        "update c set w = 9",
        "delete from c where id = 2; insert into c values (7, 7, 7)",
        "insert into g values (2, 2, 2, 'again'); delete from only t",
        "update g set x = 'only here'; truncate t",
    ):
        tree.execute(statement.encode())
        moments.append(kept(tree))
    for at, image in moments:
        assert past(tree, at) == image
        for key in range(1, 8):
            found = [each for each in image if each["id"] == key]
            assert value(tree, AS_OF, str(key), at) == (found[0] if found else None)
    assert past(tree, moments[0][0], "g") == [{"id": 3, "v": 3, "w": 3, "x": "x"}]


@pytest.mark.parametrize(
    "change",
    [
        "alter table g no inherit c",
        "create table late () inherits (t)",
        "create table late (id int primary key, v int); alter table late inherit t;"
        "select agentdb.audit_table('late')",
        "drop table g",
        "select agentdb.unaudit_table('g')",
    ],
)
def test_child_that_came_or_went_is_refused(tree: Connection, change: str) -> None:
    at, _ = kept(tree)
    tree.execute(change.encode())
    for _ in range(2):
        said = refusal(tree, "select agentdb.table_as_of('t', %s)", at)
        assert said.sqlstate == "ZA033"
        tree.execute("select agentdb.maintain_tables()")


KEYS = {
    "collation": ("text collate folded", "Abc", "ABC"),
    "numeric": ("numeric", "1.0", "1.00"),
    "char": ("char(6)", "a", "a  "),
    "interval": ("interval", "1 day", "24 hours"),
    "float": ("float8", "0", "-0"),
}


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("level", ["statement", "row"])
def test_equal_keys_find_the_row_whatever_they_are_spelled(
    db: Connection, kind: str, level: str
) -> None:
    type_name, one, other = KEYS[kind]
    if kind == "collation":
        try:
            db.execute(
                "create collation folded (provider = icu, deterministic = false,"
                " locale = 'und-u-ks-level2')"
            )
        except psycopg.errors.FeatureNotSupported:
            pytest.skip("this server is built without ICU")
    db.execute(
        f"create table t (k {type_name} primary key, v int);"
        f"insert into t values ('{one}', 1)".encode()
    )
    audit(db, level=level)
    moments = [kept(db)]
    for statement in (
        f"update t set k = '{other}', v = 2",
        "update t set v = 3",
        f"delete from t; insert into t values ('{one}', 4)",
        "delete from t",
    ):
        db.execute(statement.encode())
        moments.append(kept(db))
    for at, image in moments:
        found = past(db, at)
        assert [each["v"] for each in found] == [each["v"] for each in image]
        for spelled in (one, other):
            key = f'{{"k": "{spelled}"}}'
            seen = value(db, AS_OF, key, at)
            assert seen == (found[0] if found else None)
    history = "select count(*) from agentdb.row_history('t', %s::jsonb)"
    counts = {value(db, history, f'{{"k": "{each}"}}') for each in (one, other)}
    assert len(counts) == 1


def reader(db: Connection, connect: Connect) -> Connection:
    db.execute("grant select on all tables in schema public to operator_o")
    return connect(db.info.dbname, "operator_o")


SECURED = """
create table t (id int primary key, who text, v int, open boolean default false);
insert into t values (1, 'operator_o', 1), (2, 'agent_a', 2);
insert into t values (3, 'agent_a', 3, true);
alter table t enable row level security;
"""
MINE = "create policy mine on t using (who = current_user);"


@pytest.mark.parametrize(
    "policies",
    [
        MINE,
        MINE + "create policy open on t for select using (open);",
        MINE + "create policy small on t as restrictive using (id < 4);",
        MINE + "create policy never on t for delete using (true);"
        "create policy others on t to agent_a using (true);",
        "create policy nobody on t for insert with check (true);",
        "create policy shouting on t using (upper(who) = upper(current_user::text))",
    ],
)
def test_reader_sees_of_the_past_what_it_could_have_seen(
    db: Connection, connect: Connect, policies: str
) -> None:
    db.execute(f"{SECURED}{policies}".encode())
    audit(db)
    session = reader(db, connect)
    moments = [kept(session)]
    for statement in (
        "update t set v = v + 1",
        "delete from t where id = 1",
        "insert into t values (1, 'agent_a', 5), (4, 'operator_o', 4)",
        "delete from t where id = 2",
    ):
        db.execute(statement.encode())
        moments.append(kept(session))
    for at, image in moments:
        assert past(session, at) == image
        for key in range(1, 5):
            found = [each for each in image if each["id"] == key]
            assert value(session, AS_OF, str(key), at) == (found[0] if found else None)
    assert len(past(db, moments[0][0])) == 3


def test_row_that_was_given_away_is_refused_not_made_up(
    db: Connection, connect: Connect
) -> None:
    db.execute(f"{SECURED}{MINE}".encode())
    audit(db)
    session = reader(db, connect)
    at, _ = kept(session)
    db.execute("update t set who = 'agent_a' where id = 1")
    said = refusal(session, "select agentdb.table_as_of('t', %s)", at)
    assert said.sqlstate == "ZA033"
    assert '"id"' not in f"{said.message_primary} {said.message_hint}"
    assert len(past(db, at)) == 3


@pytest.mark.parametrize(
    "policy",
    [
        "using (exists (select from allowed as a where a.name = who))",
        "using (allowed(who))",
        "using (t is not null)",
    ],
)
def test_policy_that_reads_elsewhere_is_refused(
    db: Connection, connect: Connect, policy: str
) -> None:
    db.execute(
        "create table allowed (name text); create function allowed(who text)"
        " returns boolean stable language sql as"
        " 'select exists (select from allowed where name = who)';"
        f"{SECURED}; create policy elsewhere on t {policy}".encode()
    )
    audit(db)
    session = reader(db, connect)
    at: Any = kept(db)[0]
    db.execute("update t set v = 0")
    said = refusal(session, "select agentdb.table_as_of('t', %s)", at)
    assert said.sqlstate == "ZA033" and "elsewhere" in (said.message_primary or "")
    assert len(past(db, at)) == 3


def test_constraints_read_the_same_after_a_dump(db: Connection) -> None:
    """A definition is spelled as PostgreSQL spells it when it reads it again."""
    query = (
        "select k.conrelid::regclass::text as of, k.conname, pg_get_constraintdef(k.oid)"
        " as text from pg_constraint as k join pg_class as c on c.oid = k.conrelid"
        " where c.relnamespace = 'agentdb'::regnamespace and k.contype = 'c'"
        " and not c.relispartition order by 1, 2"
    )
    before = rows(db, query)
    for each in before:
        db.execute(
            f"alter table {each['of']} drop constraint {each['conname']},"
            f" add constraint {each['conname']} {each['text']}".encode()
        )
    assert rows(db, query) == before
    assert len(before) > 50
