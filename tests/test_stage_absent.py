"""A change that rests on the absence of a row ends where somebody inserts it."""

from __future__ import annotations

import psycopg
import pytest

from .agents import rows, start
from .conftest import Connect, Connection

LATE = "insert into public.customer values (77, 'late')"


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    guarded.execute("select agentdb.guard_table('public.customer')")
    session = connect(guarded.info.dbname, "agent_a")
    start(session)
    return session


@pytest.mark.parametrize("call", ["stage_reads", "stage_absent"])
def test_row_that_comes_before_the_change_is_submitted_is_a_conflict(
    guarded: Connection, agent: Connection, connect: Connect, call: str
) -> None:
    app = connect(guarded.info.dbname, "app_user")
    agent.execute("select agentdb.open_change('no such customer')")
    query = f"select agentdb.{call}('public.customer', '[{{\"id\": 77}}]')"
    agent.execute(query.encode())
    agent.execute("update agentdb_stage.invoice set note = 'x' where id = 2")
    app.execute(LATE.encode())
    with pytest.raises(psycopg.Error) as error:
        agent.execute("select agentdb.submit_change()")
    assert error.value.sqlstate == "ZA052"
    assert "is there now (by app_user)" in (error.value.diag.message_detail or "")
    assert rows(guarded, "select seen from agentdb.change_read") == [{"seen": None}]
