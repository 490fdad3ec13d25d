"""Every way to end a run releases what it held, as the table of the docs says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from .agents import age, refusal, row, rows, start, value
from .conftest import Connect, Connection
from .scene import until

PAGE = Path(__file__).parent.parent / "docs" / "runs.md"
END = "select agentdb._end_run(%s, %s, 'a test saw it')"
STAGE = "insert into agentdb_stage.invoice (customer, amount) values (1, 7)"
SUBMIT = "select change_id from agentdb.submit_change()"


def promised() -> dict[str, dict[str, str]]:
    """Return what the docs say becomes of each thing in each way."""
    lines = re.findall(r"^\| (.+) \|$", PAGE.read_text(), re.M)
    table = [line.split(" | ") for line in lines if line.count(" | ") == 5]
    (_, *ways), _, *body = table
    return {
        way: {line[0]: line[place] for line in body}
        for place, way in enumerate(ways, start=1)
    }


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    """The session of an agent with one open run that has one of everything."""
    session = connect(guarded.info.dbname, "agent_a")
    start(session, conversation="case 7", instance="host-3")
    take(session)
    return session


@pytest.fixture
def operator(guarded: Connection, connect: Connect) -> Connection:
    return connect(guarded.info.dbname, "operator_o")


def take(agent: Connection) -> None:
    """Have the run hold whatever a run can hold."""
    for flag, place in (("false", ""), ("true", " with")):
        taken = f"release_on_disconnect => {flag}"
        agent.execute(f"select agentdb.acquire_lock('lock{place}', {taken})".encode())
        slot = f"select agentdb.acquire_slot('slot{place}', 2, {taken})"
        agent.execute(slot.encode())
    agent.execute("select agentdb.begin_wait('other')")
    agent.execute("select agentdb.reserve_tokens(400000)")
    agent.execute("""select agentdb.begin_tool_call('bash', '{"c": 1}', 'c1')""")
    agent.execute("select agentdb.open_change('submitted')")
    agent.execute(STAGE)
    agent.execute(SUBMIT)
    agent.execute("select agentdb.open_change('open')")
    agent.execute("select agentdb.ask_human('May I?')")


def kept(db: Connection) -> dict[str, str]:
    """Return what became of each thing of the only run that held any."""

    def locks(name: str) -> str:
        query = (
            "select count(*) from agentdb.lock_status"
            " where lock_name = %s and state = 'held'"
        )
        return "kept" if value(db, query, name) else "released"

    def gone(query: str, word: str) -> str:
        return "kept" if value(db, f"select exists ({query})") else word

    def change(reason: str) -> str:
        query = "select state from agentdb.change_summary where reason = %s"
        state = str(value(db, query, reason))
        return "kept" if state == "pending" else state

    return {
        "a lock": locks("lock"),
        "a slot of a semaphore": locks("slot"),
        "a lock with `release_on_disconnect`": locks("lock with"),
        "a slot with `release_on_disconnect`": locks("slot with"),
        "a wait for a lock": gone("select from agentdb.lock_waiter", "closed"),
        "reserved tokens": gone(
            "select from agentdb._reserved(0, 1, 'case 7', 0)", "released"
        ),
        "a tool call that was begun": gone(
            "select from agentdb._call_in_flight('now')", "closed"
        ),
        "a change that is still open": change("open"),
        "a change that was submitted": change("submitted"),
        "an open question": gone("select from agentdb.open_question", "closed"),
    }


def crash(db: Connection, agent: Connection, operator: Connection) -> None:
    dsn, pid = agent.info.dsn, agent.info.backend_pid
    agent.close()
    gone = "select not exists (select from pg_stat_activity where pid = %s)"
    until(lambda: value(db, gone, pid))
    with psycopg.connect(dsn, autocommit=True) as successor:
        start(successor)


def replace(db: Connection, agent: Connection, operator: Connection) -> None:
    with psycopg.connect(agent.info.dsn, autocommit=True) as other:
        start(other, instance="host-3")


def end(db: Connection, agent: Connection, operator: Connection) -> None:
    agent.execute("select agentdb.end_run('cancelled')")


def complete(db: Connection, agent: Connection, operator: Connection) -> None:
    agent.execute("select agentdb.complete_run()")


def kill_run(db: Connection, agent: Connection, operator: Connection) -> None:
    operator.execute("select agentdb.kill_run(1, 'enough')")


def kill_agent(db: Connection, agent: Connection, operator: Connection) -> None:
    operator.execute("select agentdb.kill_agent('a', 'enough')")


def abandon(db: Connection, agent: Connection, operator: Connection) -> None:
    age(db, "run", "started_at", "2 days")
    age(db, "tool_call", "began_at", "2 days")
    db.execute("select agentdb.maintain()")


def by_hand(db: Connection, agent: Connection, operator: Connection) -> None:
    db.execute("update agentdb.run set ended_at = now(), outcome = 'failed'")


Way = Callable[[Connection, Connection, Connection], None]
WAYS: list[tuple[Way, str, str]] = [
    (end, "ended", "cancelled"),
    (complete, "ended", "succeeded"),
    (by_hand, "ended", "failed"),
    (kill_run, "killed", "killed"),
    (kill_agent, "killed", "killed"),
    (abandon, "abandoned", "abandoned"),
    (replace, "replaced", "replaced"),
    (crash, "crashed", "crashed"),
]


@pytest.mark.parametrize(
    ("way", "column", "outcome"), WAYS, ids=[way.__name__ for way, *_ in WAYS]
)
def test_end_releases_what_the_docs_say(
    guarded: Connection,
    agent: Connection,
    operator: Connection,
    way: Way,
    column: str,
    outcome: str,
) -> None:
    assert set(kept(guarded).values()) == {"kept", "open"}
    way(guarded, agent, operator)
    assert kept(guarded) == promised()[column]
    found = row(guarded, "select outcome, released from agentdb.run where run_id = 1")
    assert found["outcome"] == outcome
    released = found["released"]
    crashed, killed = outcome == "crashed", outcome == "killed"
    assert released.get("locks") == named(*["lock"] * (not crashed), "lock with")
    assert released.get("slots") == named(
        *["slot slot 1"] * (not crashed), "slot with slot 1"
    )
    assert released.get("kept_locks") == (
        named("lock", "slot slot 1") if crashed else None
    )
    assert released["waits"] == named("other")
    assert released["reservations"] == {"count": 1, "tokens": 400000}
    assert released["calls"] == named("bash c1")
    assert released["changes"] == named(*["1"] * killed, "2")
    assert released["questions"] == named("Q-1")


def named(*names: str) -> dict[str, object]:
    return {"count": len(names), "names": list(names)}


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        (end, None),
        (kill_run, "operator_o: enough"),
        (abandon, r"it logged nothing for 1 d \(policy.abandon_after\)"),
        (crash, r"its session is gone: process \d+ of the server"),
        (replace, "instance host-3 was started again"),
    ],
)
def test_end_that_was_not_its_own_has_a_reason(
    guarded: Connection,
    agent: Connection,
    operator: Connection,
    way: Way,
    reason: str | None,
) -> None:
    way(guarded, agent, operator)
    query = "select end_reason from agentdb.run_summary where run_id = 1"
    found = value(operator, query)
    assert found is reason or re.fullmatch(str(reason), found)


def test_run_that_held_nothing_releases_nothing(
    guarded: Connection, connect: Connect
) -> None:
    session = connect(guarded.info.dbname, "agent_a")
    start(session)
    session.execute("select agentdb.end_run()")
    assert value(guarded, "select released from agentdb.run") == {}


def test_run_ends_once(guarded: Connection, agent: Connection) -> None:
    assert value(
        guarded, "select ended_at is not null from agentdb._end_run(1, 'crashed')"
    )
    assert value(
        guarded, "select ended_at is null from agentdb._end_run(1, 'replaced')"
    )
    assert value(guarded, "select outcome from agentdb.run") == "crashed"


def test_end_by_others_waits_for_nobody_who_is_at_the_run(
    guarded: Connection, agent: Connection
) -> None:
    guarded.execute("set lock_timeout = '1ms'")
    with agent.transaction():
        agent.execute("select agentdb.hold_run(now() + interval '1 min', 'CI runs')")
        query = "select ended_at is null from agentdb._end_run(1, 'crashed')"
        assert value(guarded, query)
    assert value(guarded, "select ended_at is null from agentdb.run")


def test_change_that_is_staged_in_the_transaction_of_the_end_is_submitted(
    guarded: Connection, connect: Connect
) -> None:
    session = connect(guarded.info.dbname, "agent_a")
    start(session)
    with session.transaction():
        session.execute(STAGE)
        session.execute("select agentdb.end_run()")
    assert value(guarded, "select state from agentdb.change_summary") == "pending"


def replace_now(db: Connection, agent: Connection, operator: Connection) -> None:
    # A start would wait for whoever takes something for the agent.
    db.execute(END, [1, "replaced"])


@pytest.mark.parametrize(
    ("way", "column"),
    [
        (end, "ended"),
        (kill_run, "killed"),
        (abandon, "abandoned"),
        (replace_now, "replaced"),
    ],
)
def test_what_was_just_being_taken_is_released_by_the_next_sweep(
    guarded: Connection,
    connect: Connect,
    operator: Connection,
    way: Way,
    column: str,
) -> None:
    session, other = (connect(guarded.info.dbname, "agent_a") for _ in range(2))
    start(session, conversation="case 7")
    with other.transaction():
        take(other)
        way(guarded, session, operator)
        assert value(
            guarded, "select outcome is not null from agentdb.run where run_id = 1"
        )
    assert "kept" in kept(guarded).values()
    guarded.execute("select agentdb.maintain()")
    assert kept(guarded) == promised()[column]
    released = value(guarded, "select released from agentdb.run where run_id = 1")
    assert released["locks"] == named("lock", "lock with")
    assert released["reservations"]["tokens"] == 400000
    assert rows(guarded, "select * from agentdb._release_ended()") == []


def test_drain_releases_what_a_killed_run_was_changing(
    guarded: Connection, agent: Connection, operator: Connection
) -> None:
    fence = value(guarded, "select fence from agentdb.lock where lock_name = 'lock'")
    with agent.transaction():
        agent.execute("select agentdb.renew_lock('lock', %s)", [fence])
        kill_run(guarded, agent, operator)
        assert kept(guarded)["a lock"] == "kept"
    assert value(operator, "select drained from agentdb.drain_run(1)")
    assert kept(guarded) == promised()["killed"]
    released = value(guarded, "select released from agentdb.run")
    assert sorted(released["locks"]["names"]) == ["lock", "lock with"]
    assert released["locks"]["count"] == 2


def test_sweep_keeps_what_runs_hold_that_are_alive_or_crashed(
    guarded: Connection, agent: Connection
) -> None:
    before = kept(guarded)
    assert rows(guarded, "select * from agentdb._release_ended()") == []
    assert kept(guarded) == before
    crash(guarded, agent, guarded)
    assert rows(guarded, "select * from agentdb._release_ended()") == []
    assert kept(guarded) == promised()["crashed"]


@pytest.mark.parametrize("way", [kill_run, abandon, crash, replace])
def test_call_that_its_run_did_not_live_to_end_is_no_error(
    guarded: Connection, agent: Connection, operator: Connection, way: Way
) -> None:
    way(guarded, agent, operator)
    assert rows(guarded, "select from agentdb.tool_call_log") == []
    assert rows(guarded, "select from agentdb.faulty_call") == []
    told = rows(operator, "select kind, what, ok, details from agentdb.timeline(1)")
    (call,) = [each for each in told if each["what"] == "bash"]
    assert call == {
        "kind": "unfinished",
        "what": "bash",
        "ok": None,
        "details": {"c": 1},
    }


def test_answer_to_a_run_that_is_over_is_refused(
    guarded: Connection, agent: Connection, operator: Connection
) -> None:
    crash(guarded, agent, operator)
    refused = refusal(operator, "select agentdb.answer_question(1, 'yes')")
    assert refused.sqlstate == "ZA077"


def test_names_of_what_was_released_are_bounded(
    guarded: Connection, connect: Connect
) -> None:
    session = connect(guarded.info.dbname, "agent_a")
    start(session)
    session.execute(
        "select agentdb.begin_tool_call('t', null, 'c' || g)"
        " from generate_series(1, 300) as g"
    )
    session.execute("select agentdb.end_run('failed')")
    calls = value(guarded, "select released -> 'calls' from agentdb.run")
    assert calls["count"] == 300
    assert calls["names"] == [f"t c{number}" for number in range(1, 21)]
