"""A lock that says so is free as soon as its holder's sessions are gone, not before."""

from __future__ import annotations

import pytest

from agentdb.client.lock import wait_for_lock

from .agents import refusal, register, row, rows, start, value
from .conftest import Connect, Connection
from .scene import until

LOCK = "select * from agentdb.acquire_lock('l', release_on_disconnect => %s::boolean)"
SLOT = (
    "select * from agentdb.acquire_slot('s', 1, release_on_disconnect => %s::boolean)"
)
both = pytest.mark.parametrize("take", [LOCK, SLOT], ids=["lock", "slot"])


@pytest.fixture
def a(db: Connection, connect: Connect) -> Connection:
    """The session of agent a with one open run."""
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


@pytest.fixture
def b(db: Connection, connect: Connect) -> Connection:
    """The session of agent b with one open run."""
    register(db, "b", "agent_b")
    session = connect(db.info.dbname, "agent_b")
    start(session)
    return session


def disconnect(db: Connection, session: Connection) -> None:
    """End a session, and return once the server has no trace of it."""
    pid = session.info.backend_pid
    session.close()
    gone = "select not exists (select from pg_stat_activity where pid = %s)"
    until(lambda: value(db, gone, pid))


@both
def test_lock_of_a_gone_holder_goes_to_who_asks(
    db: Connection, a: Connection, b: Connection, take: str
) -> None:
    mine = row(a, take, True)
    assert row(b, take, False)["outcome"] == "held"
    disconnect(db, a)
    theirs = row(b, take, False)
    assert theirs["acquired"]
    assert theirs["fence"] > mine["fence"]
    run = row(
        db, "select outcome, end_reason, released from agentdb.run where run_id = 1"
    )
    assert run["outcome"] == "crashed"
    assert "agent_b" in run["end_reason"]
    logged = row(db, "select run_id, fence, outcome, ended_by from agentdb.lock_log")
    assert logged == {
        "run_id": 1,
        "fence": mine["fence"],
        "outcome": "crashed",
        "ended_by": "agent_b",
    }


@both
@pytest.mark.parametrize("flag", [False, None])
def test_by_default_only_the_ttl_frees_it(
    db: Connection, a: Connection, b: Connection, take: str, flag: bool | None
) -> None:
    row(a, take, flag)
    disconnect(db, a)
    said = row(b, take, True)
    assert (said["outcome"], said["holder"]) == ("held", "run 1 of a")
    assert value(db, "select outcome is null from agentdb.run where run_id = 1")


@both
def test_what_the_last_tenure_said_does_not_bind_the_next(
    db: Connection, a: Connection, b: Connection, take: str
) -> None:
    mine = row(a, take, True)
    name = "l" if take is LOCK else "s"
    a.execute("select agentdb.release_lock(%s, %s)", [name, mine["fence"]])
    row(a, take, False)
    disconnect(db, a)
    assert row(b, take, False)["outcome"] == "held"


def test_locks_of_a_crashed_run_that_did_not_say_so_stay(
    db: Connection, a: Connection, b: Connection
) -> None:
    a.execute("select agentdb.acquire_lock('other')")
    row(a, LOCK, True)
    disconnect(db, a)
    assert row(b, LOCK, False)["acquired"]
    found = rows(
        db, "select lock_name, run_id, state from agentdb.lock_status order by 1"
    )
    assert found == [
        {"lock_name": "l", "run_id": 2, "state": "held"},
        {"lock_name": "other", "run_id": 1, "state": "held"},
    ]


def test_one_gone_holder_among_several_is_enough(
    db: Connection, a: Connection, b: Connection, connect: Connect
) -> None:
    take = SLOT.replace("1,", "2,")
    row(a, take, True)
    row(b, take, True)
    register(db, "c", "agent_pool")
    c = connect(db.info.dbname, "agent_pool")
    start(c)
    assert row(c, take, False)["outcome"] == "held"
    disconnect(db, a)
    assert row(c, take, False)["slot"] == 1
    assert value(db, "select outcome is null from agentdb.run where run_id = 2")


def test_sessions_of_a_shared_role_prove_nothing(
    db: Connection, b: Connection, connect: Connect
) -> None:
    secret = register(db, "p", "agent_pool", pooled=True)
    session = connect(db.info.dbname, "agent_pool")
    token = value(
        session, "select token from agentdb.start_run('p', secret => %s)", secret
    )
    with session.transaction():
        session.execute("select agentdb.bind_run(%s)", [token])
        assert row(session, LOCK, True)["acquired"]
    disconnect(db, session)
    assert row(b, LOCK, False)["outcome"] == "held"


def test_former_holder_that_is_back_can_write_nothing(
    db: Connection, a: Connection, b: Connection, connect: Connect
) -> None:
    db.execute("create table public.report (line text)")
    db.execute("grant insert on public.report to agent_a")
    db.execute("select agentdb.fence_table('public.report', 'l')")
    row(a, LOCK, True)
    a.execute("insert into public.report values ('in time')")
    disconnect(db, a)
    assert row(b, LOCK, False)["acquired"]
    back = connect(db.info.dbname, "agent_a")
    assert (
        refusal(back, "select agentdb.log_progress('on', run => 1)").sqlstate == "ZA003"
    )
    start(back)
    refused = refusal(back, "insert into public.report values ('late')")
    assert refused.sqlstate == "ZA020"


def test_operator_sees_which_locks_are_released_on_disconnect(
    db: Connection, a: Connection
) -> None:
    mine = row(a, LOCK, True)
    see = "select release_on_disconnect as it from agentdb.lock_status"
    assert rows(db, see) == [{"it": True}]
    a.execute("select agentdb.release_lock('l', %s)", [mine["fence"]])
    assert rows(db, see) == [{"it": False}]


def test_python_client_asks_for_it(
    db: Connection, a: Connection, b: Connection
) -> None:
    assert wait_for_lock(a, "l", release_on_disconnect=True).acquired
    disconnect(db, a)
    assert wait_for_lock(b, "l", timeout=10).acquired
