"""What a run knows of stops spares it questions, and never hides a stop from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from .agents import refusal, register, row, start, value
from .conftest import Connect, Connection

if TYPE_CHECKING:
    from typing_extensions import LiteralString

LOG = "select run_id from agentdb.log_progress('step')"
SEEN = "select stop_seen from agentdb.run where run_id = %s"
LAST = "select coalesce(pg_sequence_last_value('agentdb.stop_number_seq'), 0)"


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of a registered agent without a run."""
    register(db)
    return connect(db.info.dbname, "agent_a")


@pytest.fixture
def operator(db: Connection, connect: Connect) -> Connection:
    """The session of an operator, who stops agents in transactions of any length."""
    return connect(db.info.dbname, "operator_o")


def known(db: Connection, run: int) -> bool:
    """Tell whether the calls of a run need not look for stops."""
    return bool(value(db, SEEN, run) == value(db, LAST))


def test_newest_run_is_not_taken_for_the_only_one(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    sibling, third = (connect(db.info.dbname, "agent_a") for _ in range(2))
    first, second = start(agent), start(sibling)
    assert refusal(third, LOG).sqlstate == "ZA001"
    sibling.execute("select agentdb.end_run()")
    assert refusal(third, LOG).sqlstate == "ZA001"
    assert value(agent, LOG) == first
    assert known(db, first) and known(db, second)


def test_two_runs_that_start_at_once_are_told_apart(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    other, third = (connect(db.info.dbname, "agent_a") for _ in range(2))
    with agent.transaction():
        first = start(agent)
        # The second waits for the first to commit, and gives up before it does.
        assert refusal(other, "select agentdb.start_run()").sqlstate == "55P03"
    second = start(other)
    assert [value(agent, LOG), value(other, LOG)] == [first, second]
    assert refusal(third, LOG).sqlstate == "ZA001"


def test_stop_in_flight_is_not_taken_for_seen(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    with operator.transaction():
        operator.execute("select agentdb.kill_agent('a', 'wrong')")
        run = start(agent)
        assert value(db, SEEN, run) is None
        # Not committed yet: the agent works on.
        assert value(agent, LOG) == run
    assert refusal(agent, LOG).sqlstate == "ZA040"


def test_stop_that_came_to_nothing_is_passed(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    run = start(agent)
    with operator.transaction(force_rollback=True):
        operator.execute("select agentdb.kill_run(%s, 'a mistake')", [run])
    assert not known(db, run)
    assert value(agent, LOG) == run
    operator.execute("select agentdb.roll_up()")
    assert known(db, run)
    assert value(agent, LOG) == run


def test_stop_of_another_is_passed_and_ones_own_never(
    db: Connection, connect: Connect, agent: Connection, operator: Connection
) -> None:
    register(db, "b", "agent_b")
    other = connect(db.info.dbname, "agent_b")
    run, theirs = start(agent), start(other)
    operator.execute("select agentdb.kill_run(%s, 'wrong')", [theirs])
    assert value(agent, LOG) == run
    operator.execute("select agentdb.roll_up()")
    assert known(db, run) and not known(db, theirs)
    assert refusal(other, LOG).sqlstate == "ZA040"
    operator.execute("select agentdb.kill_run(%s, 'wrong, too')", [run])
    operator.execute("select agentdb.roll_up()")
    assert not known(db, run)
    assert refusal(agent, LOG).sqlstate == "ZA040"


def test_pause_is_not_passed_before_it_ends(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    run = start(agent)
    operator.execute("select agentdb.pause_agent('a', 'wait')")
    operator.execute("select agentdb.roll_up()")
    assert not known(db, run)
    assert refusal(agent, LOG).sqlstate == "ZA041"
    operator.execute("select agentdb.resume_agent('a', 'go on')")
    assert value(agent, LOG) == run


def test_roll_up_waits_for_nobody_to_pass_a_stop(
    db: Connection, connect: Connect, agent: Connection, operator: Connection
) -> None:
    register(db, "b", "agent_b")
    other = connect(db.info.dbname, "agent_b")
    run, theirs = start(agent), start(other)
    operator.execute("select agentdb.kill_run(%s, 'wrong')", [theirs])
    with agent.transaction(force_rollback=True):
        agent.execute("select agentdb.end_run()")
        operator.execute("select agentdb.roll_up()")
    # Left alone: it looks for stops itself.
    assert not known(db, run)
    assert value(agent, LOG) == run


@pytest.mark.parametrize("level", ["REPEATABLE_READ", "SERIALIZABLE"])
def test_older_snapshot_learns_of_a_stop(
    db: Connection, agent: Connection, operator: Connection, level: str
) -> None:
    run = start(agent)
    agent.isolation_level = psycopg.IsolationLevel[level]
    with agent.transaction():
        assert value(agent, LOG) == run
        operator.execute("select agentdb.kill_run(%s, 'wrong')", [run])
        assert refusal(agent, LOG).sqlstate == "40001"
    assert refusal(agent, LOG).sqlstate == "ZA040"


def test_run_of_an_older_snapshot_knows_of_no_stop(
    db: Connection, agent: Connection
) -> None:
    agent.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with agent.transaction():
        run = start(agent)
    assert value(db, SEEN, run) is None
    assert value(agent, LOG) == run


def test_pooled_run_needs_its_token_whatever_it_knows(
    db: Connection, connect: Connect
) -> None:
    secret = register(db, "p", "agent_pool", pooled=True)
    session = connect(db.info.dbname, "agent_pool")
    opened = row(
        session,
        "select * from agentdb.start_run(agent => 'p', secret => %s::text)",
        secret,
    )
    assert value(db, SEEN, opened["run_id"]) is None
    assert refusal(session, LOG).sqlstate == "ZA001"


@pytest.mark.parametrize(
    "by_hand",
    [
        "insert into agentdb.run_stop (run_id, kind, reason) values (%s, 'killed', 'x')",
        "insert into agentdb.agent_stop (agent_id, kind, reason)"
        " select agent_id, 'killed', 'x' from agentdb.run where run_id = %s",
    ],
)
def test_stop_by_hand_is_no_less_a_stop(
    db: Connection, agent: Connection, by_hand: LiteralString
) -> None:
    run = start(agent)
    db.execute(by_hand, [run])
    assert refusal(agent, LOG).sqlstate == "ZA040"


def test_number_of_a_stop_is_never_given_again(
    db: Connection, agent: Connection, operator: Connection
) -> None:
    run = start(agent)
    # What a dump brings along: transactions of a server that had counted further.
    db.execute("select setval('agentdb.stop_last_seq', 4611686018427387904)")
    assert not known(db, start(agent)) and known(db, run)
    operator.execute("select agentdb.kill_agent('a', 'wrong')")
    assert not known(db, run)
    assert (
        refusal(agent, "select agentdb.log_progress('s', run => %s)", run).sqlstate
        == "ZA040"
    )


@pytest.mark.parametrize(
    "sequence", ["stop_last_seq", "stop_number_seq", "lock_wait_seq"]
)
def test_no_agent_writes_what_calls_believe(agent: Connection, sequence: str) -> None:
    start(agent)
    for attack in (
        f"select setval('agentdb.{sequence}', 1)",
        f"select nextval('agentdb.{sequence}')",
        f"select last_value from agentdb.{sequence}",
        "update agentdb.run set stop_seen = 0",
        "update agentdb.run set lock_max_ttl = '1 year'",
        "select agentdb._pass_stop()",
    ):
        assert refusal(agent, attack).sqlstate == "42501"
