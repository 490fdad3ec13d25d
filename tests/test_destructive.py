"""Tools that destroy are watched by the agent's own past."""

from __future__ import annotations

import pytest

from .agents import age, labels, register, row, start, value, visited
from .conftest import Connect, Connection


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of an agent with one open run."""
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


def call(
    db: Connection, agent: Connection, times: int, tool: str = "delete_file"
) -> None:
    """Call a tool, each time with other arguments, and roll up."""
    agent.execute(
        "select agentdb.log_tool_call(%s, jsonb_build_object('n', i))"
        " from generate_series(1, %s) as i",
        [tool, times],
    )
    db.execute("select agentdb.roll_up()")


def past(db: Connection, calls: int, days: int, first: int = 1) -> None:
    """Give the agent a past of so many calls a day."""
    db.execute(
        "insert into agentdb.tool_day (agent_id, tool, day_at, calls, errors)"
        " select 1, 'delete_file', date_bin('1 day', now(), 'epoch')"
        " - (%s + i) * interval '1 day', %s, 0 from generate_series(0, %s - 1) as i",
        [first, calls, days],
    )


def test_more_than_is_never_too_many_without_a_past(
    db: Connection, agent: Connection
) -> None:
    call(db, agent, 20)
    assert labels(db, "destructive_calls") == []
    call(db, agent, 1)
    assert labels(db, "destructive_calls") == [{"agent": "a", "tool": "delete_file"}]
    told = row(db, "select value, annotations from agentdb.destructive_calls")
    assert told["value"] == 21
    assert told["annotations"]["summary"].startswith("a called delete_file 21 times")
    assert told["annotations"]["run"] == "1"
    age(db, "tool_call_log", "recorded_at", "61 minutes")
    assert labels(db, "destructive_calls") == []


def test_who_destroys_every_day_is_measured_by_that(
    db: Connection, agent: Connection
) -> None:
    past(db, 40, 20)
    # One bad day hides nothing.
    past(db, 5000, 1, first=25)
    call(db, agent, 120)
    assert labels(db, "destructive_calls") == []
    call(db, agent, 1)
    assert labels(db, "destructive_calls") == [{"agent": "a", "tool": "delete_file"}]
    told = row(db, "select annotations from agentdb.destructive_calls")["annotations"]
    assert told["threshold"] == 120
    assert "at most 40 a day" in told["summary"]


@pytest.mark.parametrize(
    ("tool", "destroys"),
    [
        ("delete_file", True),
        ("mcp__files__remove", True),
        ("deleteOrder", True),
        ("s3:DropBucket", True),
        ("PURGE", True),
        ("undelete", False),
        ("dropdown_select", False),
        ("removal_quote", False),
        ("read_deleted", False),
        ("bash", False),
        ("", False),
    ],
)
def test_name_goes_by_its_words(db: Connection, tool: str, destroys: bool) -> None:
    assert value(db, "select agentdb._is_destructive(%s)", tool) is destroys


def test_what_is_registered_overrides_the_name(
    db: Connection, agent: Connection
) -> None:
    db.execute("select agentdb.register_tool('delete_file', destructive => false)")
    call(db, agent, 30)
    assert labels(db, "destructive_calls") == []
    db.execute("select agentdb.register_tool('reset', destructive => true)")
    call(db, agent, 30, "reset")
    assert labels(db, "destructive_calls") == [{"agent": "a", "tool": "reset"}]
    # What is left out stays as it is.
    db.execute("select agentdb.register_tool('reset', effect => true)")
    assert value(db, "select destructive from agentdb.tool where tool_name = 'reset'")
    db.execute("select agentdb.rename_tool('reset', 'begin_again')")
    assert len(labels(db, "destructive_calls")) == 1


def test_hint_of_an_mcp_server_is_taken(db: Connection) -> None:
    db.execute(
        "select agentdb.register_tools('["
        '{"name": "zap", "annotations": {"destructiveHint": true}},'
        '{"name": "delete_draft", "annotations": {"destructiveHint": false}},'
        '{"name": "drop_pin"}]\')'
    )
    query = "select destructive from agentdb.tool where tool_name = %s"
    assert value(db, query, "zap") is True
    assert value(db, query, "delete_draft") is False
    assert value(db, query, "drop_pin") is None


def test_off_by_null_and_other_tools_cost_nothing(
    db: Connection, agent: Connection
) -> None:
    call(db, agent, 3000, "read_file")
    assert labels(db, "destructive_calls") == []
    assert visited(db, "select * from agentdb.destructive_calls") < 50
    call(db, agent, 30)
    db.execute("update agentdb.policy set destructive_calls_count = null")
    assert labels(db, "destructive_calls") == []
