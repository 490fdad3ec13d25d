"""Nothing is staged anew in the name of who could not stage it now."""

from __future__ import annotations

import pytest

from .agents import refusal, rows, start, value
from .changes import approve, latest
from .conftest import Connect, Connection

REBASE = "select * from agentdb.rebase_change(%s, 'override', 'as agreed')"


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    session = connect(guarded.info.dbname, "agent_a")
    start(session)
    return session


@pytest.mark.parametrize(
    ("ddl", "state", "said"),
    [
        (
            "revoke update on public.invoice from agent_a;"
            "grant update (amount) on public.invoice to agent_a",
            "42501",
            "agent_a may not write that",
        ),
        ("revoke select on public.invoice from agent_a", "42501", "may not write that"),
        (
            "select agentdb.guard_table('public.invoice', columns => '{amount}')",
            "ZA004",
            "may only set amount now",
        ),
        ("select agentdb.unguard_table('public.invoice')", "ZA004", "not guarded"),
        ("drop table public.invoice cascade", "ZA004", "not guarded"),
    ],
)
@pytest.mark.parametrize("decided", [True, False])
def test_what_its_proposer_could_not_stage_now_is_not_staged_anew(
    guarded: Connection,
    agent: Connection,
    reviewer: Connection,
    ddl: str,
    state: str,
    said: str,
    decided: bool,
) -> None:
    agent.execute("update agentdb_stage.invoice set note = 'mine' where id = 1")
    change = latest(guarded)["change_id"]
    guarded.execute("update public.invoice set note = 'theirs' where id = 1")
    if decided:
        assert approve(reviewer, change)["state"] == "conflict"
    guarded.execute(ddl.encode())
    found = refusal(reviewer, REBASE, change)
    assert found.sqlstate == state
    assert said in (found.message_primary or "")
    assert value(guarded, "select count(*) from agentdb.change") == 1


def test_who_may_only_read_still_proposes(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    agent.execute("update agentdb_stage.invoice set note = 'mine' where id = 1")
    change = latest(guarded)["change_id"]
    guarded.execute("revoke insert, update, delete on public.invoice from agent_a")
    assert approve(reviewer, change)["state"] == "conflict"
    reviewer.execute(REBASE.encode(), [change])
    assert approve(reviewer, latest(guarded)["change_id"])["state"] == "applied"
    assert rows(guarded, "select note from public.invoice where id = 1") == [
        {"note": "mine"}
    ]
