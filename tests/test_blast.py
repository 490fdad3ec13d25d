"""A run that changes too many rows in pieces is told, and refused where tables ask."""

from __future__ import annotations

import pytest

from .agents import labels, refusal, register, row, rows, start, value
from .conftest import Connect, Connection
from .test_rule import in_pieces

LIMITS = """
update agentdb.policy
set blast_radius_rows = 1000, wide_run_rows = 2000, blast_radius_window_rows = 4000
"""


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of an agent that may write two tables which refuse a blast."""
    db.execute(LIMITS)
    for table, level in (("visit", "statement"), ("bill", "row"), ("plain", None)):
        db.execute(f"create table {table} (id int primary key, n int)".encode())
        fill = f"insert into {table} select i, 0 from generate_series(1, 9000) as i"
        db.execute(fill.encode())
        rights = "select, insert, update, delete, truncate"
        db.execute(f"grant {rights} on {table} to agent_a".encode())
        refuse = "true" if level else "false"
        db.execute(
            f"select agentdb.audit_table('{table}', level => "
            f"'{level or 'statement'}', refuse_blast => {refuse})".encode()
        )
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


def test_pieces_over_tables_are_warned_of_and_then_refused(
    db: Connection, agent: Connection
) -> None:
    in_pieces(agent, "delete from visit", 2000)
    assert labels(db, "wide_run") == []
    in_pieces(agent, "update bill set n = 1", 2000)
    assert labels(db, "wide_run") == [{"agent": "a", "run": "1"}]
    assert labels(db, "blast_radius") == []
    said = refusal(agent, "delete from visit where id = 2001")
    assert said.sqlstate == "ZA031"
    assert said.message_primary is not None
    assert "run 1 would change or remove more than 4000 rows" in said.message_primary
    assert said.message_detail is not None
    assert "With this statement on public.visit it would be 4001" in said.message_detail
    # Whoever logs only the words is understood as well.
    agent.execute(
        "select agentdb.log_tool_call('sweep', ok => false, error => %s)",
        [said.message_primary],
    )
    found = "select tool from agentdb._calls_refused(1, 'blast', '-infinity', now())"
    assert value(db, found) == "sweep"
    # What was refused is not counted: nothing more was changed.
    assert value(db, "select sum(changed) from agentdb.run_blast") == 4000
    assert refusal(agent, "update bill set n = 2 where id = 1").sqlstate == "ZA031"
    counted = rows(db, "select kind, refused from agentdb._refusals(now(), '1 hour')")
    assert counted == [{"kind": "blast", "refused": 2}]


def test_the_rule_is_critical_beyond_the_limit_over_all_tables(
    db: Connection, agent: Connection
) -> None:
    in_pieces(agent, "delete from plain", 4000)
    assert labels(db, "blast_radius") == []
    agent.execute("delete from visit where id = 1")
    assert labels(db, "blast_radius") == [{"agent": "a", "run": "1"}]
    told = value(db, "select annotations from agentdb.blast_radius")
    assert told["statements"] == 9
    assert told["removed"] == 4001
    assert told["summary"].startswith(
        "a changed or removed 4001 rows of public.plain, "
    )
    assert told["threshold"] == 4000


@pytest.mark.parametrize("table", ["visit", "bill"])
def test_truncate_counts_with_the_rows_that_went(
    db: Connection, agent: Connection, table: str
) -> None:
    db.execute(f"delete from {table} where id > 900".encode())
    in_pieces(
        agent, "delete from visit" if table == "bill" else "delete from bill", 3000
    )
    db.execute("update agentdb.policy set blast_radius_window_rows = 3899")
    said = refusal(agent, f"truncate {table}")
    assert said.sqlstate == "ZA031"
    assert value(db, f"select count(*) from {table}") == 900
    db.execute("update agentdb.policy set blast_radius_window_rows = 3900")
    agent.execute(f"truncate {table}".encode())
    assert value(db, "select sum(changed) from agentdb.run_blast") == 3900
    assert labels(db, "wide_run") == [{"agent": "a", "run": "1"}]
    told = value(db, "select annotations from agentdb.wide_run")
    assert told["removed"] == 3900


def test_truncate_of_too_many_rows_is_refused_at_once(
    db: Connection, agent: Connection
) -> None:
    assert refusal(agent, "truncate visit").sqlstate == "ZA031"
    assert refusal(agent, "truncate bill").sqlstate == "ZA031"
    agent.execute("truncate plain")
    assert value(db, "select count(*) from visit") == 9000


@pytest.mark.parametrize(
    "twin", ["inserts", "another run", "the application", "no limit", "rolled back"]
)
def test_work_that_differs_in_one_thing_is_not_refused(
    db: Connection, connect: Connect, agent: Connection, twin: str
) -> None:
    if twin == "no limit":
        db.execute("update agentdb.policy set blast_radius_window_rows = null")
    if twin == "inserts":
        for first in range(10000, 20000, 500):
            agent.execute(
                "insert into visit select i, 0 from generate_series(%s::int, %s) as i",
                [first, first + 499],
            )
    elif twin == "the application":
        in_pieces(db, "delete from visit", 8000)
    elif twin == "rolled back":
        agent.autocommit = False
        in_pieces(agent, "delete from visit", 4000)
        agent.rollback()
        agent.autocommit = True
    else:
        in_pieces(agent, "delete from visit", 4000)
    if twin == "another run":
        agent.execute("select agentdb.end_run()")
        start(agent)
    in_pieces(agent, "update bill set n = 1", 4000)
    # One row more, and only the twin without a limit goes on.
    if twin == "no limit":
        agent.execute("delete from bill where id = 8000")
    else:
        assert refusal(agent, "delete from bill where id = 8000").sqlstate == "ZA031"


def test_what_lies_outside_of_the_window_counts_no_more(
    db: Connection, agent: Connection
) -> None:
    in_pieces(agent, "delete from visit", 4000)
    db.execute(
        "update agentdb.run_blast set slice_at = slice_at - interval '30 minutes'"
    )
    assert refusal(agent, "delete from visit where id = 4001").sqlstate == "ZA031"
    db.execute(
        "update agentdb.run_blast set slice_at = slice_at - interval '35 minutes'"
    )
    in_pieces(agent, "update bill set n = 1", 4000)
    assert refusal(agent, "delete from visit where id = 4001").sqlstate == "ZA031"


def test_sessions_of_a_run_wait_for_nobody_and_share_the_sum(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    token = row(agent, "select * from agentdb.start_run()")["token"]
    other = connect(db.info.dbname, "agent_a")
    other.execute("select agentdb.bind_run(%s)", [token])
    agent.autocommit = False
    agent.execute("delete from visit where id <= 1000")
    other.execute("delete from visit where id between 1001 and 2000")
    agent.commit()
    agent.autocommit = True
    assert value(db, "select count(*) from agentdb.run_blast") == 2
    in_pieces(other, "update bill set n = 1", 2000)
    assert refusal(agent, "delete from visit where id = 2001").sqlstate == "ZA031"


def test_the_limit_is_above_the_warning(db: Connection, agent: Connection) -> None:
    said = refusal(db, "update agentdb.policy set blast_radius_window_rows = 1999")
    assert said.constraint_name == "policy_audit_check"
