"""What a guard binds a change to is for its reviewer to see, not for its proposer."""

from __future__ import annotations

from .agents import value
from .changes import approve, latest
from .conftest import Connect, Connection
from .test_stage_read import NAMED, agent

__all__ = ["agent"]


def test_proposer_learns_no_value_of_a_row_that_only_the_guard_names(
    guarded: Connection, agent: Connection, reviewer: Connection, connect: Connect
) -> None:
    guarded.execute("revoke all on public.customer from agent_a")
    guarded.execute(
        "select agentdb.guard_table('public.invoice', reads => %s)", [NAMED]
    )
    agent.execute("update invoice set note = 'x' where id = 1")
    change = latest(guarded)["change_id"]
    app = connect(guarded.info.dbname, "app_user")
    app.execute("update public.customer set name = 'secret' where id = 2")
    asked = "select agentdb.change_conflicts(%s)::text"
    shown = [value(agent, asked, change)]
    assert '"expected": "bolt"' in value(reviewer, asked, change)
    assert approve(reviewer, change)["state"] == "conflict"
    shown += [
        value(agent, "select (m.problem)::text from agentdb.my_changes() as m"),
        value(
            agent, "select s.problem::text from agentdb.show_change(%s) as s", change
        ),
    ]
    for each in shown:
        assert '"name"' in each
        assert "bolt" not in each
        assert "secret" not in each
