"""A reviewer by its own database login: what its GRANTs let it read is enough to decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .agents import start, value
from .changes import latest
from .page import paging
from .test_page import words
from .test_page_modes import DATABASE, enter, passwords

if TYPE_CHECKING:
    from .conftest import Connect, Connection
    from .servers import Server

__all__ = ["passwords"]


@pytest.mark.usefixtures("passwords")
def test_a_reviewer_decides_by_its_own_login(
    server: Server, guarded: Connection, connect: Connect
) -> None:
    agent = connect(guarded.info.dbname, "agent_a")
    start(agent)
    agent.execute("update agentdb_stage.invoice set note = 'x' where id = 1")
    agent.execute("select from agentdb.ask_human('which of the two?')")
    change = latest(guarded)
    with paging(server, guarded, *DATABASE) as url:
        rev, _ = enter(url, "person_r")
        landed = rev.get("/")
        assert landed.status_code == 303 and landed.headers["location"] == "/changes"
        assert f"/change/{change['change_id']}" in rev.get("/changes").text
        assert "which of the two?" in rev.get("/questions").text
        shown = rev.get(f"/change/{change['change_id']}")
        assert shown.status_code == 200 and change["digest"] in shown.text
        said = words(shown.text)
        assert "You may not read" in said and "what the run did before" in said
        assert "grant agentdb_auditor to person_r;" in said
        # What it may not read names the GRANT, and leads to what works.
        refused = rev.get("/costs")
        assert refused.status_code == 403
        assert "grant agentdb_auditor to person_r;" in words(refused.text)
        assert "who administers the database" in words(refused.text)
        assert 'href="/changes"' in refused.text and 'href="/costs"' not in refused.text
        path = f"/change/{change['change_id']}/approve"
        rev.post(path, {"digest": change["digest"]}, csrf=rev.csrf("/changes"))
        assert "is applied" in rev.said("/changes")
        rev.post("/question/1/answer", {"answer": "this"}, csrf=rev.csrf("/changes"))
    assert value(guarded, "select answered_by from agentdb.question") == "person_r"
