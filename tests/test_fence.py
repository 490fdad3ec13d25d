"""A fenced table is written by the present holder of its lock, and by no former one."""

from __future__ import annotations

import psycopg
import pytest

from agentdb.schema import install as installation

from .agents import refusal, register, row, rows, start, value
from .conftest import INSTALLER, Connect, Connection
from .servers import Server
from .test_lock import acquire, let_pass, release, renew

WRITE = "insert into public.report values (1)"
FENCE = "select * from agentdb.fence_table('public.report', 'l')"


@pytest.fixture
def a(db: Connection, connect: Connect) -> Connection:
    """The session of agent a, which may write the fenced table."""
    db.execute("create table public.report (x int)")
    db.execute("grant all on public.report to agent_a, agent_b, app_user")
    db.execute(FENCE)
    return session(db, connect, "a")


@pytest.fixture
def b(db: Connection, connect: Connect, a: Connection) -> Connection:
    """The session of agent b, which may as well."""
    return session(db, connect, "b")


def session(db: Connection, connect: Connect, name: str) -> Connection:
    register(db, name, f"agent_{name}")
    opened = connect(db.info.dbname, f"agent_{name}")
    start(opened)
    return opened


def written(db: Connection) -> int:
    return int(value(db, "select count(*) from public.report"))


def test_holder_writes(db: Connection, a: Connection) -> None:
    acquire(a)
    a.execute(WRITE)
    a.execute("update public.report set x = 2")
    a.execute("delete from public.report")
    a.execute(WRITE)
    assert written(db) == 1
    a.execute("truncate public.report")
    assert rows(db, "select * from agentdb.fenced_write") == []


@pytest.mark.parametrize(
    "write",
    [
        WRITE,
        "update public.report set x = 2",
        "delete from public.report",
        "truncate public.report",
        "merge into public.report using (values (1)) as v (x) on false "
        "when not matched then insert values (1)",
    ],
)
def test_who_holds_no_lock_writes_nothing(
    db: Connection, a: Connection, b: Connection, write: str
) -> None:
    if "merge" in write and db.info.server_version < 150000:
        pytest.skip("MERGE comes with version 15")
    acquire(b)
    refused = refusal(a, write)
    assert refused.sqlstate == "ZA020"
    assert "lock l" in (refused.message_primary or "")
    assert "of b has it now" in (refused.message_detail or "")
    assert "acquire_lock" in (refused.message_hint or "")


def test_zombies_write_fails(db: Connection, a: Connection, b: Connection) -> None:
    acquire(a, ttl="1 minute")
    a.execute(WRITE)
    let_pass(db, "2 minutes")
    refused = refusal(a, WRITE)
    assert refused.sqlstate == "ZA020"
    assert "expired" in (refused.message_detail or "")
    acquire(b)
    assert refusal(a, WRITE).sqlstate == "ZA020"
    b.execute(WRITE)
    assert written(db) == 2


def test_late_holder_renews_and_writes_on(db: Connection, a: Connection) -> None:
    mine = acquire(a, ttl="1 minute")
    let_pass(db, "2 minutes")
    assert refusal(a, WRITE).sqlstate == "ZA020"
    renew(a, mine["fence"])
    a.execute(WRITE)


def test_takeover_between_write_and_commit_fails_the_commit(
    db: Connection, a: Connection, b: Connection
) -> None:
    acquire(a, ttl="1 minute")
    with pytest.raises(psycopg.Error) as failure, a.transaction():
        a.execute(WRITE)
        let_pass(db, "2 minutes")
        assert acquire(b)["outcome"] == "taken_over"
    assert failure.value.sqlstate == "ZA020"
    assert written(db) == 0


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
@pytest.mark.parametrize("early", [False, True])
def test_takeover_is_seen_through_an_older_snapshot(
    db: Connection, a: Connection, b: Connection, level: str, early: bool
) -> None:
    acquire(a, ttl="1 minute")
    a.execute(f"begin isolation level {level}".encode())
    a.execute("select count(*) from public.report")
    with pytest.raises(psycopg.Error) as failure:
        if not early:
            a.execute(WRITE)
        let_pass(db, "2 minutes")
        assert acquire(b)["outcome"] == "taken_over"
        if early:
            a.execute(WRITE)
        a.execute("commit")
    assert failure.value.sqlstate in ("ZA020", "40001")
    a.execute("rollback")
    assert written(db) == 0


def test_expiry_without_a_successor_fails_no_commit(
    db: Connection, a: Connection
) -> None:
    acquire(a, ttl="1 minute")
    with a.transaction():
        a.execute(WRITE)
        let_pass(db, "2 minutes")
    assert written(db) == 1


def test_release_in_the_same_transaction_is_fine(db: Connection, a: Connection) -> None:
    mine = acquire(a)
    with a.transaction():
        a.execute(WRITE)
        release(a, mine["fence"])
    mine = acquire(a)
    with a.transaction():
        a.execute(WRITE)
        a.execute("select agentdb.end_run()")
    assert written(db) == 2


def test_release_in_another_session_is_not(
    db: Connection, connect: Connect, a: Connection
) -> None:
    mine = acquire(a)
    other = connect(db.info.dbname, "agent_a")
    with pytest.raises(psycopg.Error) as failure, a.transaction():
        a.execute(WRITE)
        assert release(other, mine["fence"])["released"]
    assert failure.value.sqlstate == "ZA020"


def test_open_write_keeps_nobody_from_renewing_or_taking_over(
    db: Connection, connect: Connect, a: Connection, b: Connection
) -> None:
    mine = acquire(a)
    other = connect(db.info.dbname, "agent_a")
    with a.transaction():
        a.execute(WRITE)
        assert renew(other, mine["fence"])["renewed"]
    assert written(db) == 1


def test_immediate_constraints_do_not_let_a_zombie_through(
    db: Connection, a: Connection, b: Connection
) -> None:
    acquire(a, ttl="1 minute")
    with a.transaction():
        a.execute("set constraints all immediate")
        a.execute(WRITE)
        assert not acquire(b)["acquired"]
    assert written(db) == 1


def test_savepoint_hides_no_write(db: Connection, a: Connection, b: Connection) -> None:
    acquire(a, ttl="1 minute")
    with pytest.raises(psycopg.Error) as failure, a.transaction():
        with a.transaction(force_rollback=True):
            a.execute(WRITE)
        a.execute(WRITE)
        let_pass(db, "2 minutes")
        acquire(b)
    assert failure.value.sqlstate == "ZA020"
    assert written(db) == 0


def test_second_run_of_an_agent_says_which_it_is(
    db: Connection, connect: Connect, a: Connection
) -> None:
    first = value(db, "select min(run_id) from agentdb.run")
    acquire(a, run=first)
    token = value(a, "select token from agentdb.start_run()")
    # The session's own is the new one, which does not hold the lock.
    assert refusal(a, WRITE).sqlstate == "ZA020"
    stranger = connect(db.info.dbname, "agent_a")
    assert refusal(stranger, WRITE).sqlstate == "ZA001"
    with pytest.raises(psycopg.Error) as failure, stranger.transaction():
        stranger.execute("select agentdb.bind_run(%s)", [token])
        stranger.execute(WRITE)
    assert failure.value.sqlstate == "ZA020"


def test_who_is_no_agent_is_not_fenced(
    db: Connection, connect: Connect, a: Connection
) -> None:
    connect(db.info.dbname, "app_user").execute(WRITE)
    assert written(db) == 1


def test_replica_role_does_not_switch_a_fence_off(
    db: Connection, a: Connection
) -> None:
    found = row(db, "select table_name, lock_name, enabled from agentdb.fenced_table")
    assert found == {"table_name": "public.report", "lock_name": "l", "enabled": True}


def test_slot_of_a_semaphore_is_enough(db: Connection, a: Connection) -> None:
    db.execute("select agentdb.fence_table('public.report', 's')")
    assert refusal(a, WRITE).sqlstate == "ZA020"
    a.execute("select agentdb.acquire_slot('s', 2)")
    a.execute(WRITE)


def test_unfenced_table_is_free(db: Connection, a: Connection) -> None:
    query = "select * from agentdb.unfence_table('public.report')"
    assert row(db, query) == {"unfenced_table": "public.report", "lock": "l"}
    a.execute(WRITE)
    assert rows(db, query) == []
    triggers = "select count(*) from pg_trigger where tgname like 'agentdb_fence%'"
    assert value(db, triggers + " and tgrelid = 'public.report'::regclass") == 0


def test_partitions_are_fenced_however_they_are_written(
    db: Connection, a: Connection, b: Connection
) -> None:
    db.execute("create table public.part (x int) partition by range (x)")
    db.execute(
        "create table public.part1 partition of public.part for values from (0) to (10)"
    )
    db.execute("select agentdb.fence_table('public.part', 'l')")
    db.execute("create table public.part2 partition of public.part default")
    db.execute("grant all on public.part, public.part1, public.part2 to agent_a")
    writes = (
        "insert into public.part values (1)",
        "insert into public.part1 values (1)",
        "insert into public.part2 values (11)",
        "update public.part set x = x",
        "update public.part set x = 100 - x",
        "truncate public.part",
        "truncate public.part1",
    )
    for write in writes[:3]:
        assert refusal(a, write).sqlstate == "ZA020"
    mine = acquire(a)
    for write in writes:
        a.execute(write.encode())
    a.execute("insert into public.part values (1), (11)")
    release(a, mine["fence"])
    for write in writes:
        assert refusal(a, write).sqlstate == "ZA020"
    db.execute("select agentdb.unfence_table('public.part')")
    assert (
        rows(
            db,
            "select tgname from pg_trigger where tgname like 'agentdb_fence%' "
            "and tgrelid::regclass::text like 'part%'",
        )
        == []
    )


@pytest.mark.parametrize(
    ("table", "sqlstate"),
    [
        ("public.nothing", "ZA006"),
        (None, "ZA006"),
        ("agentdb.lock", "ZA004"),
        ("pg_catalog.pg_class", "ZA004"),
        ("agentdb.lock_status", "ZA004"),
    ],
)
def test_what_cannot_be_fenced(
    db: Connection, table: str | None, sqlstate: str
) -> None:
    query = "select agentdb.fence_table(%s::text, 'l')"
    assert refusal(db, query, table).sqlstate == sqlstate


def test_only_the_owner_fences(db: Connection, connect: Connect, a: Connection) -> None:
    assert refusal(a, FENCE).sqlstate == "42501"
    operator = connect(db.info.dbname, "operator_o")
    assert refusal(operator, FENCE).sqlstate == "42501"
    assert (
        refusal(operator, "select agentdb.unfence_table('public.report')").sqlstate
        == "42501"
    )
    db.execute("alter table public.report owner to operator_o")
    assert row(operator, FENCE)["lock"] == "l"


def test_uninstalling_takes_the_fences_off(
    db: Connection, server: Server, a: Connection
) -> None:
    dsn = server.dsn(database=db.info.dbname, user=INSTALLER)
    db.execute("alter table public.report owner to installer")
    assert installation.differences(dsn) == []
    installation.uninstall(dsn)
    a.execute(WRITE)
    assert written(db) == 1


@pytest.mark.parametrize("name", ["", " ", "a b", 'x".y', "a.b.c.d"])
def test_text_that_is_no_name_is_no_table(db: Connection, name: str) -> None:
    for call in ("fence_table(%s, 'report')", "unfence_table(%s)"):
        with pytest.raises(psycopg.Error) as raised:
            db.execute(f"select agentdb.{call}".encode(), [name])
        assert raised.value.sqlstate == "ZA006"
