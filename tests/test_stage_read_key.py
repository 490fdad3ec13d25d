"""A row is named by any form of its key that the database finds equal."""

from __future__ import annotations

import pytest

from .agents import rows, start
from .changes import approve, latest
from .conftest import Connect, Connection


@pytest.mark.parametrize(
    ("key", "given", "other"),
    [
        ("char(5)", "abc", "abd"),
        ("numeric", "1.50", "1.5001"),
        ("timestamptz", "2026-01-01T01:00:00+01", "2026-01-01T01:00:00+02"),
        ("float8", "-0", "1"),
    ],
)
def test_key_in_another_form_binds_the_row(
    guarded: Connection,
    connect: Connect,
    reviewer: Connection,
    key: str,
    given: str,
    other: str,
) -> None:
    held = "0" if key == "float8" else given
    guarded.execute(
        f"create table public.k (id {key} primary key, what text);"
        f"insert into k values ('{held}', 'x');"
        "grant select, update on k to agent_a; select agentdb.guard_table('public.k')"
    )
    agent = connect(guarded.info.dbname, "agent_a")
    start(agent)
    with agent.transaction():
        agent.execute(
            "select agentdb.stage_reads('public.k',"
            f' \'[{{"id": "{given}"}}, {{"id": "{other}"}}]\')'.encode()
        )
        agent.execute("update agentdb_stage.invoice set note = 'x' where id = 1")
    found = rows(guarded, "select seen ->> 'what' as what from agentdb.change_read")
    assert sorted(str(each["what"]) for each in found) == ["None", "x"]
    assert approve(reviewer, latest(guarded)["change_id"])["state"] == "applied"
