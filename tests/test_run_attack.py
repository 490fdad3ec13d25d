"""Ways around a run's identity and its end: each succeeded once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .agents import age, refusal, row, start, value, visited
from .test_process import LOG, WRITE, WRITER, kill, leave
from .test_process import audited as audited
from .test_process import join as join

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Connection
    from .test_process import Join

MOMENTS = {
    "run": ("started_at", "ended_at"),
    "run_stop": ("stopped_at",),
    "run_session": ("joined_at",),
}
TICKS = """
insert into agentdb.run (
  agent_id, role_name, pooled, conversation, started_at, ended_at, outcome, label,
  lock_max_ttl, renew_needs_progress, alone
)
select a.agent_id, a.role_name, false, 'old', t.at, t.at, 'succeeded', 'old', '1 hour',
  false, true
from agentdb.agent as a, generate_series(
  now() - interval '2 days', now() - interval '1 day', '30 seconds') as t (at)
"""


def later(db: Connection, by: str) -> None:
    """Let time pass for runs."""
    for table, columns in MOMENTS.items():
        for column in columns:
            age(db, table, column, by)


def overlap(db: Connection, join: Join) -> None:
    sessions = [join(), join()]
    for session in sessions:
        start(session)
    for session in sessions:
        session.execute("select agentdb.end_run()")
        leave(db, session)


def stop(db: Connection, join: Join) -> None:
    session = join()
    kill(db, start(session))
    leave(db, session)


def replace(db: Connection, join: Join) -> None:
    sessions = [join(), join()]
    for session in sessions:
        start(session, instance="host-3")
    for session in sessions:
        leave(db, session)


@pytest.mark.parametrize("crowd", [overlap, stop, replace])
def test_crowd_is_over_after_its_time_however_often_the_agent_ticks(
    audited: Connection, join: Join, crowd: Callable[[Connection, Join], None]
) -> None:
    crowd(audited, join)
    opener, other = join(), join()
    start(opener)
    assert refusal(other, LOG).sqlstate == "ZA001"
    for _ in range(3):
        later(audited, "4 minutes")
        opener.execute("select agentdb.end_run()")
        run = start(opener)
    assert value(other, LOG) == run
    other.execute(WRITE)
    assert value(audited, WRITER) == run


@pytest.mark.parametrize("call", [LOG, WRITE])
def test_process_that_was_replaced_does_not_go_on_as_its_successor(
    audited: Connection, join: Join, call: str
) -> None:
    opener, other, successor = join(), join(), join()
    start(opener, instance="host-3")
    other.execute(call.encode())
    run = start(successor, instance="host-3")
    assert refusal(other, call).sqlstate == "ZA001"
    opener.execute("reset all")
    assert refusal(opener, call).sqlstate == "ZA001"
    assert value(successor, LOG) == run


def test_session_that_replaces_its_own_run_is_no_crowd(
    audited: Connection, join: Join
) -> None:
    opener, other = join(), join()
    start(opener, instance="host-3")
    run = start(opener, instance="host-3")
    assert value(other, LOG) == run


def test_start_reads_no_more_after_thousands_of_runs(
    audited: Connection, join: Join
) -> None:
    session = join()

    def reads() -> int:
        begun = visited(session, "select agentdb.start_run()")
        session.execute("select agentdb.end_run()")
        return begun

    reads()
    before = reads()
    audited.execute(TICKS)
    audited.execute("analyze agentdb.run")
    assert reads() <= before + 20


@pytest.mark.parametrize("setting", ["run_token", "session_token"])
def test_session_that_sets_a_token_by_hand_is_reached_by_the_kill_all_the_same(
    audited: Connection, join: Join, setting: str
) -> None:
    opened = row(join(), "select * from agentdb.start_run()")
    other = join()
    run = start(other)
    keep = f"select set_config('agentdb.{setting}', %s, false)"
    other.execute(keep.encode(), [opened["token"]])
    if setting == "session_token":
        other.execute("select agentdb.bind_run(%s)", [opened["token"]])
    other.execute(WRITE)
    wrote = value(audited, WRITER)
    kill(audited, opened["run_id"])
    other.execute(f"reset agentdb.{setting}".encode())
    if wrote == run:
        other.execute(WRITE)
    else:
        assert refusal(other, WRITE).sqlstate == "ZA040"


def test_program_that_connects_for_each_call_leaves_no_row_for_each(
    audited: Connection, join: Join
) -> None:
    opened = row(join(), "select * from agentdb.start_run()")
    for _ in range(5):
        session = join()
        session.execute("select agentdb.bind_run(%s)", [opened["token"]])
        assert value(session, LOG) == opened["run_id"]
        leave(audited, session)
    count = "select count(*) from agentdb.run_session where run_id = %s"
    assert value(audited, count, opened["run_id"]) == 2


def test_start_that_waits_for_another_says_what_to_do(
    audited: Connection, join: Join
) -> None:
    first, second = join(), join()
    with first.transaction():
        start(first)
        refused = refusal(second, "select agentdb.start_run()")
    assert refused.sqlstate == "55P03"
    assert "Commit after start_run()" in str(refused.message_hint)
    assert start(second) == 2
