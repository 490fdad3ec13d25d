"""A lock has one holder, ends by itself, and logs every tenure."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from .agents import Row, age, labels, refusal, register, row, rows, start, value
from .conftest import Connect, Connection
from .scene import until

MOMENTS = ("acquired_at", "renewed_at", "expires_at")


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


def acquire(session: Connection, name: str = "l", **arguments: object) -> Row:
    return call(session, "acquire_lock", name=name, **arguments)


def release(session: Connection, fence: int, name: str = "l", **arguments: Any) -> Row:
    return call(session, "release_lock", name=name, fence=fence, **arguments)


def renew(session: Connection, fence: int, name: str = "l", **arguments: Any) -> Row:
    return call(session, "renew_lock", name=name, fence=fence, **arguments)


def call(session: Connection, function: str, **arguments: object) -> Row:
    names = ", ".join(f"{name} => %s" for name in arguments)
    query = f"select * from agentdb.{function}({names})"
    return row(session, query, *arguments.values())


def let_pass(db: Connection, by: str) -> None:
    """Let time go by for all locks."""
    for moment in MOMENTS:
        set_moment = "update agentdb.lock set {0} = {0} - %s::interval"
        db.execute(set_moment.format(moment).encode(), [by])


def status(db: Connection, name: str = "l") -> Row:
    return row(db, "select * from agentdb.lock_status where lock_name = %s", name)


def outcomes(db: Connection) -> list[str]:
    query = "select outcome from agentdb.lock_log order by fence, recorded_at"
    return [each["outcome"] for each in rows(db, query)]


def test_free_lock_is_acquired(db: Connection, a: Connection) -> None:
    got = acquire(a)
    assert list(got) == [
        "acquired",
        "fence",
        "expires_at",
        "ttl_ms",
        "holder",
        "outcome",
    ]
    assert (got["acquired"], got["outcome"]) == (True, "acquired")
    assert 800_000 < got["ttl_ms"] <= 900_000
    assert got["holder"].endswith("of a")
    assert status(db)["state"] == "held"


def test_held_lock_is_a_result_and_says_who_holds_it(
    a: Connection, b: Connection
) -> None:
    mine = acquire(a)
    theirs = acquire(b)
    assert (theirs["acquired"], theirs["fence"], theirs["outcome"]) == (
        False,
        None,
        "held",
    )
    assert theirs["holder"] == mine["holder"]
    assert theirs["expires_at"] == mine["expires_at"]


def test_released_lock_is_free_at_once(
    db: Connection, a: Connection, b: Connection
) -> None:
    mine = acquire(a)
    gave = release(a, mine["fence"])
    assert (gave["released"], gave["outcome"], gave["waiting"]) == (True, "released", 0)
    assert status(db)["state"] == "free"
    theirs = acquire(b)
    assert theirs["outcome"] == "acquired"
    assert theirs["fence"] > mine["fence"]


def test_expired_lock_is_taken_over(
    db: Connection, a: Connection, b: Connection
) -> None:
    mine = acquire(a, ttl="1 minute")
    let_pass(db, "61 s")
    assert status(db)["state"] == "stale"
    theirs = acquire(b)
    assert (theirs["acquired"], theirs["outcome"]) == (True, "taken_over")
    assert theirs["fence"] > mine["fence"]
    assert outcomes(db) == ["taken_over"]
    assert renew(a, mine["fence"])["outcome"] == "lost"
    assert release(a, mine["fence"])["outcome"] == "lost"
    assert status(db)["state"] == "held"


def test_real_time_ends_a_lock(a: Connection, b: Connection) -> None:
    acquire(a, ttl="200 ms")
    assert acquire(b)["outcome"] == "held"
    time.sleep(0.25)
    assert acquire(b)["outcome"] == "taken_over"


def test_reentry_takes_the_fence(db: Connection, a: Connection) -> None:
    first = acquire(a)
    assert acquire(a)["outcome"] == "held"
    assert acquire(a, fence=first["fence"] - 1)["outcome"] == "held"
    again = acquire(a, fence=first["fence"])
    assert (again["outcome"], again["fence"]) == ("reentered", first["fence"])
    assert release(a, first["fence"])["outcome"] == "still_held"
    assert status(db)["state"] == "held"
    assert release(a, first["fence"])["outcome"] == "released"
    assert outcomes(db) == ["released"]


def test_second_run_of_the_same_agent_is_somebody_else(
    db: Connection, a: Connection
) -> None:
    first = value(db, "select run_id from agentdb.run")
    second = start(a)
    mine = acquire(a, run=first)
    assert acquire(a, run=second)["outcome"] == "held"
    assert acquire(a, run=second, fence=mine["fence"])["outcome"] == "held"
    assert renew(a, mine["fence"], run=second)["outcome"] == "lost"
    assert release(a, mine["fence"], run=second)["outcome"] == "lost"
    assert release(a, mine["fence"], run=first)["released"]


@pytest.mark.parametrize(
    "ttl", [None, "0", "-1 s", "1 hour 1 s", "1 mon -30 days", "100 years"]
)
def test_ttl_that_no_lock_can_have(
    db: Connection, a: Connection, ttl: str | None
) -> None:
    refused = refusal(a, "select agentdb.acquire_lock('l', ttl => %s::interval)", ttl)
    assert refused.sqlstate == "ZA004"
    assert "01:00:00" in (refused.message_primary or "")
    mine = acquire(a)
    query = "select agentdb.renew_lock('l', %s::bigint, %s::interval)"
    assert refusal(a, query, mine["fence"], ttl).sqlstate == "ZA004"


def test_infinite_ttl_is_refused(db: Connection, a: Connection) -> None:
    if db.info.server_version < 170000:
        pytest.skip("intervals are finite before version 17")
    for odd in ("infinity", "-infinity"):
        query = "select agentdb.acquire_lock('l', ttl => %s::interval)"
        assert refusal(a, query, odd).sqlstate == "ZA004"
        query = "select agentdb.acquire_lock('l', max_hold => %s::interval)"
        assert refusal(a, query, odd).sqlstate == "ZA004"


@pytest.mark.parametrize("name", [None, "", " ", " x", "a\nb", "\u202e", "x" * 201])
def test_odd_names_are_refused(db: Connection, a: Connection, name: str | None) -> None:
    query = "select agentdb.acquire_lock(%s::text)"
    assert refusal(a, query, name).sqlstate == "ZA004"
    query = "select agentdb.acquire_slot(%s::text, 2)"
    assert refusal(a, query, name).sqlstate == "ZA004"
    assert refusal(a, "select agentdb.begin_wait(%s::text)", name).sqlstate == "ZA004"
    assert release(a, 1, name=name)["outcome"] == "lost"  # type: ignore[arg-type]
    assert value(db, "select count(*) from agentdb.lock") == 0


def test_renewal_prolongs_and_is_counted(db: Connection, a: Connection) -> None:
    mine = acquire(a, ttl="1 minute")
    more = renew(a, mine["fence"], ttl="10 minutes")
    assert (more["renewed"], more["outcome"]) == (True, "renewed")
    assert 500_000 < more["ttl_ms"] <= 600_000
    assert status(db)["renewals"] == 1
    release(a, mine["fence"])
    assert value(db, "select renewals from agentdb.lock_log") == 1


def test_late_renewal_succeeds_while_nobody_took_over(
    db: Connection, a: Connection
) -> None:
    mine = acquire(a, ttl="1 minute")
    let_pass(db, "2 minutes")
    assert renew(a, mine["fence"])["renewed"]
    assert status(db)["state"] == "held"


def test_max_hold_bounds_renewals(db: Connection, a: Connection) -> None:
    mine = acquire(a, ttl="10 minutes", max_hold="15 minutes")
    let_pass(db, "8 minutes")
    db.execute("update agentdb.lock set hold_until = hold_until - interval '8 minutes'")
    more = renew(a, mine["fence"], ttl="10 minutes")
    assert more["renewed"]
    assert more["ttl_ms"] <= 7 * 60_000
    let_pass(db, "8 minutes")
    db.execute("update agentdb.lock set hold_until = hold_until - interval '8 minutes'")
    over = renew(a, mine["fence"])
    assert (over["renewed"], over["outcome"], over["ttl_ms"]) == (False, "max_hold", 0)


def test_max_hold_shorter_than_the_ttl_counts(a: Connection) -> None:
    assert acquire(a, ttl="10 minutes", max_hold="1 minute")["ttl_ms"] <= 60_000
    for odd in ("0", "-1 s", "2 years"):
        query = "select agentdb.acquire_lock('m', max_hold => %s::interval)"
        assert refusal(a, query, odd).sqlstate == "ZA004"


def test_renewal_can_need_progress(a: Connection) -> None:
    mine = acquire(a)
    idle = renew(a, mine["fence"], needs_progress=True)
    assert (idle["renewed"], idle["outcome"]) == (False, "no_progress")
    assert idle["ttl_ms"] > 0
    a.execute("select agentdb.log_progress('one')")
    assert renew(a, mine["fence"], needs_progress=True)["renewed"]
    assert not renew(a, mine["fence"], needs_progress=True)["renewed"]
    a.execute("select agentdb.log_progress('one')")
    assert not renew(a, mine["fence"], needs_progress=True)["renewed"]
    a.execute("select agentdb.log_progress('two')")
    assert renew(a, mine["fence"], needs_progress=True)["renewed"]


def test_policy_can_demand_progress(db: Connection, a: Connection) -> None:
    db.execute("update agentdb.policy set renew_needs_progress = true")
    mine = acquire(a)
    assert renew(a, mine["fence"])["outcome"] == "no_progress"


def test_at_least_keeps_a_lock_cooling(
    db: Connection, a: Connection, b: Connection
) -> None:
    mine = acquire(a)
    gave = release(a, mine["fence"], at_least="10 minutes")
    assert gave["released"]
    assert gave["cooling_until"] is not None
    assert status(db)["state"] == "cooling"
    denied = acquire(b)
    assert (denied["acquired"], denied["outcome"], denied["holder"]) == (
        False,
        "cooling",
        None,
    )
    let_pass(db, "11 minutes")
    assert acquire(b)["outcome"] == "acquired"
    assert outcomes(db) == ["released"]
    for odd in ("-1 s", "2 hours"):
        query = "select agentdb.release_lock('l', 1, at_least => %s::interval)"
        assert refusal(a, query, odd).sqlstate == "ZA004"


def test_operator_forces_a_release_with_a_reason(
    db: Connection, connect: Connect, a: Connection, b: Connection
) -> None:
    mine = acquire(a)
    operator = connect(db.info.dbname, "operator_o")
    query = "select agentdb.force_release_lock('l', %s::text)"
    for empty in (None, "", " "):
        assert refusal(operator, query, empty).sqlstate == "ZA004"
    forced = call(operator, "force_release_lock", name="l", reason="hangs\u202e")
    assert (forced["fence"], forced["was"]) == (mine["fence"], "held")
    found = row(db, "select outcome, ended_by, reason from agentdb.lock_history")
    assert found == {
        "outcome": "forced",
        "ended_by": "operator_o",
        "reason": "hangs\ufffd",
    }
    assert renew(a, mine["fence"])["outcome"] == "lost"
    assert acquire(b)["outcome"] == "acquired"
    query = "select agentdb.force_release_lock('nothing', 'x')"
    assert refusal(operator, query).sqlstate == "ZA006"
    assert refusal(a, query).sqlstate == "42501"


def test_forced_release_of_a_lock_in_an_open_transaction_is_told(
    db: Connection, connect: Connect, a: Connection
) -> None:
    mine = acquire(a)
    operator = connect(db.info.dbname, "operator_o")
    with a.transaction():
        renew(a, mine["fence"])
        query = "select agentdb.force_release_lock('l', 'x')"
        refused = refusal(operator, query)
        assert refused.sqlstate == "ZA021"
        hint = (refused.message_hint or "").removeprefix("End that session: ")
        # Only looked at: it would end the session.
        found = rows(operator, hint.replace(", pg_terminate_backend(k.pid)", ""))
        assert [each["pid"] for each in found] == [a.info.backend_pid]


def test_end_of_a_run_frees_its_locks(
    db: Connection, a: Connection, b: Connection
) -> None:
    acquire(a)
    call(a, "acquire_slot", name="s", slots=2)
    a.execute("select agentdb.end_run()")
    assert outcomes(db) == ["run_ended", "run_ended"]
    assert acquire(b)["outcome"] == "acquired"


def test_abandoned_run_frees_its_locks(db: Connection, a: Connection) -> None:
    acquire(a)
    age(db, "run", "started_at", "2 days")
    db.execute("select agentdb.maintain()")
    assert outcomes(db) == ["abandoned"]
    assert status(db)["state"] == "free"


def test_slots_are_as_many_as_said(
    db: Connection, a: Connection, b: Connection
) -> None:
    def take(session: Connection, **more: object) -> Row:
        return call(session, "acquire_slot", name="s", slots=2, **more)

    first, second, third = take(a), take(b), take(b)
    assert [each["slot"] for each in (first, second, third)] == [1, 2, None]
    assert (third["acquired"], third["outcome"]) == (False, "held")
    assert third["holder"] == first["holder"]
    assert first["fence"] != second["fence"]
    assert take(a, fence=first["fence"])["outcome"] == "reentered"
    release(a, first["fence"], "s")
    assert renew(a, first["fence"], "s")["renewed"]
    assert release(b, first["fence"], "s")["outcome"] == "lost"
    assert release(a, first["fence"], "s")["released"]
    again = take(b)
    assert (again["slot"], again["fence"] > first["fence"]) == (1, True)
    let_pass(db, "16 minutes")
    assert take(a)["outcome"] == "taken_over"
    assert sorted(outcomes(db)) == ["released", "taken_over"]


def test_number_of_slots_changes_only_while_none_is_held(
    db: Connection, a: Connection
) -> None:
    mine = call(a, "acquire_slot", name="s", slots=2)
    refused = refusal(a, "select agentdb.acquire_slot('s', 3)")
    assert refused.sqlstate == "ZA004"
    assert "slots => 2" in (refused.message_hint or "")
    release(a, mine["fence"], "s")
    assert call(a, "acquire_slot", name="s", slots=3)["acquired"]
    assert value(db, "select count(*) from agentdb.lock_status") == 3
    for odd in (None, 0, -1, 1001):
        query = "select agentdb.acquire_slot('t', %s::integer)"
        assert refusal(a, query, odd).sqlstate == "ZA004"


def test_lock_and_semaphore_do_not_share_a_name(a: Connection) -> None:
    acquire(a)
    assert refusal(a, "select agentdb.acquire_slot('l', 2)").sqlstate == "ZA004"
    call(a, "acquire_slot", name="s", slots=1)
    assert refusal(a, "select agentdb.acquire_lock('s')").sqlstate == "ZA004"


def test_locks_of_an_agent_are_capped(db: Connection, a: Connection) -> None:
    db.execute("update agentdb.policy set max_locks = 3")
    fences = [acquire(a, name)["fence"] for name in "xyz"]
    refused = refusal(a, "select agentdb.acquire_lock('w')")
    assert refused.sqlstate == "ZA005"
    assert "x, y, z" in (refused.message_detail or "")
    assert refusal(a, "select agentdb.acquire_slot('v', 2)").sqlstate == "ZA005"
    assert acquire(a, "x", fence=fences[0])["outcome"] == "reentered"
    release(a, fences[1], "y")
    assert acquire(a, "w")["acquired"]
    let_pass(db, "16 minutes")
    assert acquire(a, "u")["acquired"]
    assert "expired" in outcomes(db)


def test_lowered_cap_is_noticed_now_and_then(db: Connection, a: Connection) -> None:
    for name in "xyz":
        release(a, acquire(a, name)["fence"], name)
    db.execute("update agentdb.policy set max_locks = 2")
    for name in "xy":
        acquire(a, name)
    # One fence in a thousand: this is the next one of z, whatever the clock says.
    db.execute(
        "update agentdb.lock set fence = (fence / 1000 + 1000000) * 1000 - 1"
        " where lock_name = 'z'"
    )
    assert refusal(a, "select agentdb.acquire_lock('z')").sqlstate == "ZA005"


@pytest.mark.parametrize("commits", [True, False])
def test_of_two_in_the_same_instant_one_gets_the_lock(
    db: Connection, a: Connection, b: Connection, commits: bool
) -> None:
    release(b, acquire(b)["fence"])
    # Holds b up where it has found the lock free and nobody changing it.
    db.execute(
        "create or replace function agentdb._is_unstopped (stop_seen bigint)"
        " returns boolean language plpgsql as $$ begin"
        " if session_user = 'agent_b' then"
        "   perform pg_advisory_lock(1), pg_advisory_unlock(1);"
        " end if; return true; end $$"
    )
    with psycopg.connect(db.info.dsn, dbname=db.info.dbname, autocommit=True) as gate:
        gate.execute("select pg_advisory_lock(1)")
        found: list[Any] = []

        def take() -> None:
            try:
                found.append(acquire(b)["outcome"])
            except psycopg.errors.LockNotAvailable as error:
                found.append(error.sqlstate)

        second = threading.Thread(target=take)
        second.start()
        blocked = "select cardinality(pg_blocking_pids(%s)) > 0"
        until(lambda: value(db, blocked, b.info.backend_pid))
        with a.transaction():
            assert acquire(a)["acquired"]
            gate.execute("select pg_advisory_unlock(1)")
            waits = "select %s = any(pg_blocking_pids(%s))"
            until(lambda: value(db, waits, a.info.backend_pid, b.info.backend_pid))
            if not commits:
                second.join()
        second.join()
    assert found == ["held" if commits else "55P03"]
    assert status(db)["holder"].endswith("of a")


def test_paused_run_gives_no_lock_back(db: Connection, a: Connection) -> None:
    release(a, acquire(a)["fence"])
    fence = acquire(a)["fence"]
    db.execute("select agentdb.pause_agent('a', 'wait')")
    query = "select agentdb.release_lock('l', %s)"
    assert refusal(a, query, fence).sqlstate == "ZA041"
    db.execute("select agentdb.resume_agent('a', 'go on')")
    assert release(a, fence)["outcome"] == "released"


def test_fence_says_which_run_is_meant_unless_one_is_bound(
    db: Connection, a: Connection
) -> None:
    release(a, acquire(a)["fence"])
    # One that the agent had before, and one that it never had.
    fences = {name: acquire(a, name)["fence"] for name in ("l", "new")}
    token = value(a, "select token from agentdb.start_run()")
    for name, fence in fences.items():
        with a.transaction():
            a.execute("select agentdb.bind_run(%s)", [token])
            assert renew(a, fence, name)["outcome"] == "lost"
            assert release(a, fence, name)["outcome"] == "lost"
        assert renew(a, fence, name)["outcome"] == "renewed"
        assert release(a, fence, name)["outcome"] == "released"
        assert release(a, fence, name)["outcome"] == "lost"


def test_cap_holds_in_a_race(db: Connection, connect: Connect, a: Connection) -> None:
    db.execute("update agentdb.policy set max_locks = 4")
    sessions = [connect(db.info.dbname, "agent_a") for _ in range(8)]

    def take(session: Connection, number: int) -> None:
        for each in range(4):
            try:
                acquire(session, f"l{number}-{each}")
            except psycopg.Error as error:
                assert error.sqlstate == "ZA005"

    threads = [
        threading.Thread(target=take, args=each)
        for each in zip(sessions, range(8), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = "select count(*) from agentdb.lock_status where state = 'held'"
    assert value(db, held) == 4


def test_many_names_one_after_another_stay_cheap_to_count(
    db: Connection, a: Connection
) -> None:
    for number in range(300):
        name = f"invoice-{number}"
        release(a, acquire(a, name)["fence"], name)
    assert (
        value(db, "select count(*) from agentdb.lock where agent_id is not null") <= 100
    )


def test_denials_are_counted_at_most_once_a_second(
    db: Connection, a: Connection, b: Connection
) -> None:
    acquire(a)
    for _ in range(50):
        acquire(b)
    assert 1 <= status(db)["denied_since"] <= 5
    before = value(db, "select sum(denials) from agentdb.lock_denial")
    age(db, "lock_denial", "last_at", "2 s")
    acquire(b)
    assert value(db, "select sum(denials) from agentdb.lock_denial") == before + 1
    assert value(db, "select count(*) from agentdb.lock_denial") == 1


def test_denied_attempts_write_nothing(
    db: Connection, a: Connection, b: Connection
) -> None:
    acquire(a)
    acquire(b)
    db.execute("update agentdb.lock_denial set last_at = last_at + interval '0.5 s'")
    locked = "select xmin::text, xmax::text, ctid::text from agentdb.lock"
    before = row(db, locked)
    assert [acquire(b)["outcome"] for _ in range(5)] == ["held"] * 5
    assert row(db, locked) == before


def test_who_tries_in_a_loop_is_held_up(
    db: Connection, a: Connection, b: Connection
) -> None:
    acquire(a)
    over = threading.Event()

    def hammer() -> None:
        while not over.is_set():
            acquire(b)

    thread = threading.Thread(target=hammer)
    thread.start()
    # While it sleeps the holder has the processor.
    sleeping = (
        "select count(*) from pg_stat_activity where pid = %s and wait_event = %s"
    )
    try:
        until(lambda: value(db, sleeping, b.info.backend_pid, "PgSleep") == 1)
    finally:
        over.set()
        thread.join()
    assert status(db)["state"] == "held"


def test_no_hand_gets_around_the_log(db: Connection, a: Connection) -> None:
    acquire(a, "x")
    acquire(a, "y")
    db.execute("update agentdb.lock set run_id = null where lock_name = 'x'")
    db.execute("delete from agentdb.lock where lock_name = 'y'")
    assert outcomes(db) == ["edited", "deleted"]
    assert refusal(db, "truncate agentdb.lock").sqlstate == "ZA008"
    assert refusal(db, "truncate agentdb.lock_log").sqlstate == "ZA008"
    assert refusal(db, "delete from agentdb.lock_log").sqlstate == "ZA008"


def test_agents_see_and_change_no_table(a: Connection) -> None:
    for table in ("lock", "lock_log", "lock_denial", "lock_waiter", "fenced_write"):
        query = f"select * from agentdb.{table}"
        assert refusal(a, query).sqlstate == "42501"


def test_fence_grows_when_the_clock_was_set_back(
    db: Connection, a: Connection, b: Connection
) -> None:
    mine = acquire(a, ttl="1 minute")
    let_pass(db, "-1 year")
    db.execute("update agentdb.lock set fence = fence + 1000000000000")
    assert status(db)["state"] == "stale"
    theirs = acquire(b)
    assert theirs["outcome"] == "taken_over"
    assert theirs["fence"] > mine["fence"] + 1000000000000


def test_small_step_of_the_clock_takes_no_lock_away(
    db: Connection, a: Connection, b: Connection
) -> None:
    acquire(a, ttl="1 minute")
    let_pass(db, "-10 s")
    assert acquire(b)["outcome"] == "held"


def test_cooling_from_the_future_ends(
    db: Connection, a: Connection, b: Connection
) -> None:
    release(a, acquire(a)["fence"], at_least="1 minute")
    let_pass(db, "-1 year")
    assert acquire(b)["outcome"] == "acquired"


def test_fence_grows_when_the_row_is_forgotten(db: Connection, a: Connection) -> None:
    mine = acquire(a)
    db.execute("update agentdb.lock set fence = fence + 1000000000000")
    release(a, mine["fence"] + 1000000000000)
    let_pass(db, "2 days")
    db.execute("select agentdb.maintain()")
    assert rows(db, "select * from agentdb.lock") == []
    assert acquire(a)["fence"] > mine["fence"] + 1000000000000


def test_rolled_back_lock_was_never_held(
    db: Connection, a: Connection, b: Connection
) -> None:
    release(b, acquire(b)["fence"])
    with a.transaction(force_rollback=True):
        mine = acquire(a)
        assert acquire(b)["outcome"] == "busy"
    theirs = acquire(b)
    assert (theirs["outcome"], theirs["fence"] > mine["fence"]) == ("acquired", True)


def test_first_use_in_an_open_transaction_keeps_nobody_waiting(
    a: Connection, b: Connection
) -> None:
    with a.transaction(force_rollback=True):
        acquire(a)
        began = time.monotonic()
        assert acquire(b)["outcome"] == "busy"
        assert time.monotonic() - began < 5
    assert acquire(b)["outcome"] == "acquired"


def test_time_counts_from_the_call_in_an_old_transaction(
    a: Connection, b: Connection
) -> None:
    with a.transaction():
        a.execute("select pg_sleep(0.4)")
        assert acquire(a, ttl="300 ms")["ttl_ms"] > 100
    assert acquire(b)["outcome"] == "held"


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_older_snapshot_makes_no_second_holder(
    db: Connection, a: Connection, b: Connection, level: str
) -> None:
    acquire(a, ttl="1 minute")
    let_pass(db, "2 minutes")
    second = start(a)
    a.execute(f"begin isolation level {level}".encode())
    value(a, "select count(*) from pg_class")
    assert acquire(b)["outcome"] == "taken_over"
    with suppress(psycopg.errors.SerializationFailure):
        assert acquire(a, run=second)["acquired"] is False
    a.execute("rollback")
    assert acquire(a, run=second)["outcome"] == "held"


def test_stranger_does_nothing_with_a_lock(
    db: Connection, a: Connection, b: Connection
) -> None:
    mine = acquire(a)
    assert renew(b, mine["fence"])["outcome"] == "lost"
    assert release(b, mine["fence"])["outcome"] == "lost"
    assert acquire(b, fence=mine["fence"])["outcome"] == "held"
    run = value(db, "select min(run_id) from agentdb.run")
    for function in ("renew_lock", "release_lock"):
        query = f"select agentdb.{function}('l', %s::bigint, run => %s::bigint)"
        assert refusal(b, query, mine["fence"], run).sqlstate == "ZA001"
    assert status(db)["state"] == "held"


def test_without_a_run_there_is_no_lock(db: Connection, connect: Connect) -> None:
    register(db)
    session = connect(db.info.dbname, "agent_a")
    assert refusal(session, "select agentdb.acquire_lock('l')").sqlstate == "ZA001"


def test_pooled_agents_hold_locks_by_their_tokens(
    db: Connection, connect: Connect
) -> None:
    secrets = {name: register(db, name, "agent_pool", pooled=True) for name in "pq"}
    session = connect(db.info.dbname, "agent_pool")
    tokens = {
        name: value(
            session,
            "select token from agentdb.start_run(agent => %s, secret => %s)",
            name,
            secret,
        )
        for name, secret in secrets.items()
    }
    got = {}
    for name, token in tokens.items():
        with session.transaction():
            session.execute("select agentdb.bind_run(%s)", [token])
            got[name] = acquire(session)
    assert [each["outcome"] for each in got.values()] == ["acquired", "held"]
    assert refusal(session, "select agentdb.acquire_lock('m')").sqlstate == "ZA001"


def test_rule_names_a_stale_lock(db: Connection, a: Connection, b: Connection) -> None:
    acquire(a, ttl="1 minute")
    assert labels(db, "stale_lock") == []
    let_pass(db, "2 minutes")
    (found,) = labels(db, "stale_lock")
    assert (found["lock"], found["agent"]) == ("l", "a")
    assert rows(db, "select labels from agentdb.stale_lock")[0]["labels"] == found
    before = value(db, "select clock_timestamp()")
    acquire(b)
    assert labels(db, "stale_lock") == []
    assert labels(db, "stale_lock", before.isoformat()) == [found]


def test_rule_names_a_lock_held_too_long(db: Connection, a: Connection) -> None:
    mine = acquire(a)
    assert labels(db, "lock_held_too_long") == []
    let_pass(db, "2 hours")
    renew(a, mine["fence"])
    assert [each["lock"] for each in labels(db, "lock_held_too_long")] == ["l"]
    assert labels(db, "stale_lock") == []


def test_rule_names_a_contended_lock(
    db: Connection, a: Connection, b: Connection
) -> None:
    acquire(a)
    acquire(b)
    assert labels(db, "lock_contention") == []
    db.execute("update agentdb.lock_denial set denials = 10")
    assert labels(db, "lock_contention") == [{"lock": "l"}]
    assert labels(db, "lock_contention", "yesterday") == []


def test_rule_sees_the_silent_outage(
    db: Connection, a: Connection, b: Connection
) -> None:
    mine = acquire(a)
    for _ in range(3):
        assert labels(db, "schedule_blocked") == []
        b.execute("select agentdb.end_run()")
        start(b)
        assert not acquire(b)["acquired"]
    assert labels(db, "schedule_blocked") == [{"agent": "b", "lock": "l"}]
    release(a, mine["fence"])
    assert labels(db, "schedule_blocked") == [{"agent": "b", "lock": "l"}]
    theirs = acquire(b)
    assert labels(db, "schedule_blocked") == []
    release(b, theirs["fence"])
    assert labels(db, "schedule_blocked") == []


def test_history_tells_every_tenure(
    db: Connection, a: Connection, b: Connection
) -> None:
    release(a, acquire(a)["fence"])
    acquire(b)
    found = rows(
        db,
        "select agent_name, outcome, ended_by, ended_at is null as lasts "
        "from agentdb.lock_history order by fence",
    )
    assert found == [
        {
            "agent_name": "a",
            "outcome": "released",
            "ended_by": "agent_a",
            "lasts": False,
        },
        {"agent_name": "b", "outcome": None, "ended_by": None, "lasts": True},
    ]


def test_auditor_reads_what_there_is_to_see(
    db: Connection, connect: Connect, a: Connection
) -> None:
    acquire(a)
    auditor = connect(db.info.dbname, "auditor_u")
    for view in (
        "lock_status",
        "lock_history",
        "stale_lock",
        "lock_contention",
        "lock_held_too_long",
        "schedule_blocked",
        "fenced_table",
    ):
        rows(auditor, f"select * from agentdb.{view}")


def test_old_denials_and_waiters_go(
    db: Connection, a: Connection, b: Connection
) -> None:
    acquire(a)
    acquire(b)
    b.execute("select agentdb.begin_wait('l')")
    db.execute("update agentdb.lock_denial set last_at = last_at - interval '31 days'")
    db.execute("update agentdb.lock_waiter set until_at = until_at - interval '1 day'")
    db.execute("select agentdb.maintain()")
    assert rows(db, "select * from agentdb.lock_denial") == []
    assert rows(db, "select * from agentdb.lock_waiter") == []


@pytest.mark.parametrize("odd", [None, "0", "-1 s", "2 days"])
def test_waits_are_bounded(a: Connection, odd: str | None) -> None:
    query = "select agentdb.begin_wait('l', %s::interval)"
    assert refusal(a, query, odd).sqlstate == "ZA004"
