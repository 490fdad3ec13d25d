"""Progress is recorded at the database's time, harmless to read, never lost."""

from __future__ import annotations

import pytest

from .agents import refusal, row, rows, value
from .conftest import Connection


def test_step_is_recorded_with_its_details(db: Connection, agent: Connection) -> None:
    details = '{"page": 3, "url": "https://example.org/%s"}'
    said = row(
        agent, "select * from agentdb.log_progress('fetched', %s::jsonb)", details
    )
    found = row(
        db, "select run_id, recorded_at, step, details from agentdb.progress_log"
    )
    assert found["recorded_at"] == said["recorded_at"]
    assert (found["step"], found["details"]["page"]) == ("fetched", 3)


@pytest.mark.parametrize("step", [None, "", " ", "\n\t"])
def test_empty_step_is_refused(agent: Connection, step: str | None) -> None:
    refused = refusal(agent, "select agentdb.log_progress(%s::text)", step)
    assert refused.sqlstate == "ZA004"


def test_hostile_step_is_made_harmless_not_refused(
    db: Connection, agent: Connection
) -> None:
    agent.execute(
        "select agentdb.log_progress(%s::text)", ["a\x1b[31m\u202eb\u200b" + "x" * 5000]
    )
    step = value(db, "select step from agentdb.progress_log")
    assert step.startswith("a\ufffd[31m\ufffdb\ufffdx")
    assert len(step) == 500


def test_huge_and_deep_details_leave_their_size_and_hash(
    db: Connection, agent: Connection
) -> None:
    huge = '{"text": "' + "x" * 1_000_000 + '"}'
    deep = "[" * 5000 + "]" * 5000
    for details in (huge, deep):
        agent.execute("select agentdb.log_progress('s', %s::jsonb)", [details])
    for found in rows(db, "select details from agentdb.progress_log"):
        details = found["details"]
        assert details["truncated"] is True
        assert details["bytes"] >= 10_000
        assert len(details["md5"]) == 32
        assert len(details["head"]) <= 1000


def test_many_steps_are_one_call_and_keep_their_order(
    db: Connection, agent: Connection
) -> None:
    steps = (
        '[{"step": "b"}, {"step": "a", "details": [1]}, {"step": "c", "details": null}]'
    )
    said = row(agent, "select * from agentdb.log_progress_many(%s::jsonb)", steps)
    assert said["recorded"] == 3
    query = "select step, details from agentdb.progress_log order by progress_log_id"
    found = [(each["step"], each["details"]) for each in rows(db, query)]
    assert found == [("b", None), ("a", [1]), ("c", None)]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (None, "got NULL"),
        ("{}", "got object"),
        ("[" + ",".join(['{"step": "a"}'] * 10_001) + "]", "10001 rows"),
    ],
)
def test_what_is_no_batch_is_refused(
    db: Connection, agent: Connection, steps: str | None, said: str
) -> None:
    refused = refusal(agent, "select agentdb.log_progress_many(%s::jsonb)", steps)
    assert refused.sqlstate == "ZA004"
    assert said in (refused.message_primary or "")
    assert value(db, "select count(*) from agentdb.progress_log") == 0


@pytest.mark.parametrize("bad", ['"a"', '{"step": ""}', '{"step": {}}', "null"])
def test_a_bad_step_refuses_itself(db: Connection, agent: Connection, bad: str) -> None:
    steps = f'[{{"step": "a"}}, {bad}, {{"step": "c"}}]'
    found = row(agent, "select * from agentdb.log_progress_many(%s::jsonb)", steps)
    assert found["recorded"] == 2
    assert found["refused"] == [{"row": 2, "why": "step must not be empty"}]
    assert value(db, "select string_agg(step, '') from agentdb.progress_log") == "ac"


def test_nothing_is_recorded_by_a_transaction_that_rolls_back(
    db: Connection, agent: Connection
) -> None:
    with agent.transaction(force_rollback=True):
        agent.execute("select agentdb.log_progress('not really')")
    assert value(db, "select count(*) from agentdb.progress_log") == 0


def test_time_is_the_servers_also_in_a_long_transaction(
    db: Connection, agent: Connection
) -> None:
    with agent.transaction():
        began = value(agent, "select now()")
        agent.execute("select pg_sleep(0.05)")
        said = value(agent, "select recorded_at from agentdb.log_progress('s')")
    assert (said - began).total_seconds() >= 0.05
