"""Each rule fires past its threshold, not before, and answers for any moment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .agents import age, labels, policy, register, row, rows, start, value
from .conftest import Connect, Connection


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of an agent."""
    register(db)
    return connect(db.info.dbname, "agent_a")


RULES = (
    "call_flood",
    "conversation_budget",
    "crashed_run",
    "hung_tool_call",
    "long_tick",
    "missed_tick",
    "no_progress",
    "repeated_tool_call",
    "silent_loop",
    "token_rate",
    "tool_errors",
    "wide_run",
)


@pytest.mark.parametrize("rule", RULES)
def test_view_is_the_rule_at_the_present_time(db: Connection, rule: str) -> None:
    assert rows(db, f"select * from agentdb.{rule}") == []
    assert labels(db, rule) == []


@pytest.mark.parametrize("user", ["auditor_u", "operator_o"])
@pytest.mark.parametrize("rule", RULES)
def test_rules_are_read_by_auditors_and_operators(
    db: Connection, connect: Connect, agent: Connection, rule: str, user: str
) -> None:
    start(agent, tick_interval="1 min")
    session = connect(db.info.dbname, user)
    assert rows(session, f"select * from agentdb.{rule}") == []


def test_conversation_over_its_budget_fires(db: Connection, agent: Connection) -> None:
    run = start(agent, conversation="case 7")
    agent.execute("select agentdb.log_tokens(400000, 50000, 50000)")
    assert labels(db, "conversation_budget") == []
    agent.execute("select agentdb.log_tokens(1, 0)")
    expected = [{"agent": "a", "conversation": "case 7", "run": str(run)}]
    assert labels(db, "conversation_budget") == expected
    db.execute("select agentdb.roll_up()")
    assert labels(db, "conversation_budget") == expected


def test_conversation_counts_across_its_runs(db: Connection, agent: Connection) -> None:
    for _ in range(3):
        start(agent, conversation="case 7")
        agent.execute("select agentdb.log_tokens(200000, 0)")
        agent.execute("select agentdb.end_run()")
    start(agent, conversation="case 8")
    agent.execute("select agentdb.log_tokens(200000, 0)")
    assert [each["conversation"] for each in labels(db, "conversation_budget")] == [
        "case 7"
    ]


def test_conversation_that_ended_long_ago_is_over(
    db: Connection, agent: Connection
) -> None:
    start(agent)
    agent.execute("select agentdb.log_tokens(600000, 0)")
    agent.execute("select agentdb.end_run()")
    assert len(labels(db, "conversation_budget")) == 1
    age(db, "run", "ended_at", "61 minutes")
    assert labels(db, "conversation_budget") == []


def test_one_tool_again_and_again_fires_by_the_playbook(
    db: Connection, agent: Connection
) -> None:
    run = start(agent)
    policy(db, "playbook")
    agent.execute("select agentdb.log_tool_call('search') from generate_series(1, 5)")
    agent.execute("select agentdb.log_tool_call('other') from generate_series(1, 5)")
    assert labels(db, "repeated_tool_call") == []
    agent.execute("select agentdb.log_tool_call('search')")
    expected = [{"agent": "a", "run": str(run), "tool": "search"}]
    assert labels(db, "repeated_tool_call") == expected
    age(db, "tool_call_log", "recorded_at", "11 minutes")
    assert labels(db, "repeated_tool_call") == []


def test_hung_call_fires_until_it_or_its_run_ends(
    db: Connection, agent: Connection
) -> None:
    run = start(agent)
    agent.execute("select agentdb.begin_tool_call('fetch', call_id => 'c1')")
    assert labels(db, "hung_tool_call") == []
    age(db, "run", "started_at", "6 minutes")
    age(db, "tool_call", "began_at", "6 minutes")
    expected = [{"agent": "a", "run": str(run), "tool": "fetch", "call": "c1"}]
    assert labels(db, "hung_tool_call") == expected
    agent.execute("select agentdb.end_tool_call('c1')")
    assert labels(db, "hung_tool_call") == []
    moment = value(db, "select (clock_timestamp() - interval '5 seconds')::text")
    assert labels(db, "hung_tool_call", moment) == expected


def test_long_tick_fires_for_ticks_only(db: Connection, agent: Connection) -> None:
    run = start(agent, tick_interval="1 hour")
    start(agent)
    age(db, "run", "started_at", "16 minutes")
    assert labels(db, "long_tick") == [{"agent": "a", "run": str(run)}]


def test_each_agent_is_judged_by_its_own_policy(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    register(db, "b", "agent_b")
    policy(db, "playbook", "a")
    for session in (agent, connect(db.info.dbname, "agent_b")):
        start(session)
        session.execute("select agentdb.log_tool_call('t') from generate_series(1, 10)")
    assert [each["agent"] for each in labels(db, "repeated_tool_call")] == ["a"]


def test_hostile_names_and_numbers_break_no_rule(
    db: Connection, agent: Connection
) -> None:
    start(agent, conversation="%s'; drop table x; -- :at {}")
    policy(db, "playbook")
    for tool in ("%s", "'; --", "\x1b[2J", "\U0001f512" * 200, "{}", ":labels"):
        agent.execute(
            "select agentdb.log_tool_call(%s::text, '[]', false, %s::text) "
            "from generate_series(1, 6)",
            [tool, tool],
        )
    agent.execute("select agentdb.log_tokens(1000000000, 1000000000, 1000000000)")
    assert len(labels(db, "repeated_tool_call")) == 6
    for rule in RULES:
        for each in rows(db, f"select * from agentdb.{rule}"):
            assert each["annotations"]["summary"]


@pytest.mark.parametrize("moment", ["-infinity", "1970-01-01", "2999-01-01"])
def test_any_moment_may_be_asked_about(
    db: Connection, agent: Connection, moment: str
) -> None:
    start(agent, tick_interval="1 min")
    agent.execute("select agentdb.log_tool_call('t')")
    agent.execute("select agentdb.log_tokens(10, 1)")
    for rule in RULES:
        labels(db, rule, moment)


def test_thresholds_are_columns_with_sane_bounds(db: Connection) -> None:
    found = row(db, "select * from agentdb.policy where policy_name = 'default'")
    assert found["conversation_budget_tokens"] == 500_000
    assert str(found["no_progress_after"]) == "0:15:00"
    for wrong in (
        "token_rate_factor = 'NaN'",
        "token_rate_factor = 1",
        "tool_errors_share = 'NaN'",
        "no_progress_after = '0'",
        "repeated_tool_call_count = 0",
        "silent_loop_same = 9",
        "silent_loop_window = '0'",
        "token_rate_quantile = 'NaN'",
        "token_rate_window = '1 hour'",
        "conversation_budget_tokens = null",
    ):
        with pytest.raises(Exception, match="violates"):
            db.execute(f"update agentdb.policy set {wrong}".encode())


def test_page_lists_every_rule(db: Connection) -> None:
    """AGENTDB_WRITE_SCHEMA=1 writes the list anew, from the catalogue."""
    found = rows(
        db,
        "select r.rule_name as rule, r.severity, r.ends_when,"
        " regexp_replace(obj_description(to_regclass(r.view_name)), '^Rule: ', '')"
        " as fires from agentdb.alert_rule as r order by 1",
    )
    listed = "".join(
        f"| `{each['rule']}` | {each['severity']} | {each['fires'].rstrip('.')} |"
        f" {each['ends_when']} |\n"
        for each in found
    )
    page = Path(__file__).parent.parent / "docs" / "rules.md"
    head, mark, _ = page.read_text().partition("## All rules\n")
    expected = head + mark + "| rule | severity | fires for | ends when |\n"
    expected += "| --- | --- | --- | --- |\n" + listed
    if os.environ.get("AGENTDB_WRITE_SCHEMA"):
        page.write_text(expected)
    assert page.read_text() == expected


def test_flood_of_calls_that_are_all_different_is_told(
    db: Connection, agent: Connection
) -> None:
    many = (
        "select agentdb.log_tool_call_many((select jsonb_agg(jsonb_build_object("
        "'tool', 't' || g, 'args', jsonb_build_object('n', g)))"
        " from generate_series(1, 1000) as g))"
    )
    steps = (
        "select agentdb.log_progress_many((select jsonb_agg(jsonb_build_object("
        "'step', 's' || g)) from generate_series(1, 500) as g))"
    )
    start(agent)
    agent.execute(many.encode())
    agent.execute(many.encode())
    assert labels(db, "call_flood") == []
    agent.execute(steps.encode())
    assert labels(db, "call_flood") == [{"agent": "a"}]
    (told,) = rows(db, "select value, annotations from agentdb.call_flood")
    assert told["value"] == 2500
    assert told["annotations"]["threshold"] == 2000
    db.execute("update agentdb.policy set call_flood_count = null")
    assert labels(db, "call_flood") == []
    db.execute("update agentdb.policy set call_flood_count = 5")
    age(db, "tool_call_log", "recorded_at", "11 minutes")
    age(db, "progress_log", "recorded_at", "11 minutes")
    assert labels(db, "call_flood") == []


@pytest.fixture
def wide(db: Connection, agent: Connection) -> Connection:
    """Two audited tables of 6,000 rows each, and an open run."""
    for table in ("visit", "bill"):
        db.execute(f"create table {table} (id int primary key, n int)".encode())
        db.execute(
            f"insert into {table} select i, 0 from generate_series(1, 6000) as i".encode()
        )
        rights = "select, insert, update, delete, truncate"
        db.execute(f"grant {rights} on {table} to agent_a".encode())
        db.execute(f"select agentdb.audit_table('{table}')".encode())
    start(agent)
    return agent


def in_pieces(agent: Connection, statement: str, most: int = 6000) -> None:
    """Do it to 500 rows at a time."""
    for first in range(1, most, 500):
        agent.execute(
            f"{statement} where id between {first} and {first + 499}".encode()
        )


def test_run_that_wipes_in_pieces_over_tables_is_told(
    db: Connection, wide: Connection
) -> None:
    in_pieces(wide, "delete from visit")
    assert labels(db, "blast_radius") == []
    assert labels(db, "wide_run") == []
    in_pieces(wide, "update bill set n = 1", 4000)
    assert labels(db, "wide_run") == []
    wide.execute("delete from bill where id <= 500")
    assert labels(db, "wide_run") == [{"agent": "a", "run": "1"}]
    (told,) = rows(db, "select value, annotations from agentdb.wide_run")
    assert told["value"] == 10500
    assert told["annotations"]["removed"] == 6500
    summary = told["annotations"]["summary"]
    assert "a changed or removed 10500 rows of public.bill, public.visit" in summary
    db.execute("update agentdb.policy set wide_run_rows = null")
    assert labels(db, "wide_run") == []


@pytest.mark.parametrize("twin", ["inserts", "two runs", "others", "long ago"])
def test_work_that_differs_in_one_thing_is_not_told(
    db: Connection, wide: Connection, twin: str
) -> None:
    if twin == "inserts":
        wide.execute(
            "insert into visit select i, 0 from generate_series(6001, 30000) as i"
        )
        assert labels(db, "wide_run") == []
        return
    in_pieces(wide, "delete from visit")
    if twin == "two runs":
        wide.execute("select agentdb.end_run()")
        start(wide)
    in_pieces(db if twin == "others" else wide, "delete from bill")
    if twin == "long ago":
        assert len(labels(db, "wide_run")) == 1
        later = "select r.labels from agentdb.rule_wide_run(now() + '61 min') as r"
        assert rows(db, later) == []
        return
    assert labels(db, "wide_run") == []
