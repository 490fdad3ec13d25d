"""Who is whom on the page: what `…_for` functions judge, and what they write down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .agents import refusal, register, start, value

if TYPE_CHECKING:
    from .conftest import Connect, Connection


def test_kill(db: Connection, connect: Connect) -> None:
    register(db)
    run = start(connect(db.info.dbname, "agent_a"))
    db.execute("select agentdb.map_person('o@x', 'operator_o')")
    web = connect(db.info.dbname, "web_w")
    web.execute("select * from agentdb.kill_run_for('o@x', %s, 'it loops')", [run])
    assert value(db, "select stopped_by from agentdb.run_stop") == "operator_o by way of agentdb serve"
