"""An agent, its run, and what became of both."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agentdb import Agent
from agentdb.client import Limits, Run

from ..agents import evaluate, register, rows
from ..conftest import Connection
from ..scene import until
from ..servers import Server
from .provider import provider

# Its own list of prices, and no look for a newer one on the way of each test.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"


@pytest.fixture
def agent(db: Connection, server: Server) -> Agent:
    register(db)
    dsn = server.dsn(database=db.info.dbname, user="agent_a")
    return Agent(dsn, limits=Limits(window=0.05))


@pytest.fixture
def run(agent: Agent) -> Iterator[Run]:
    with agent.run("adapters") as run:
        yield run


@pytest.fixture
def advised(db: Connection, server: Server) -> Iterator[Run]:
    """A run that has something to be told, of an agent that asks for it."""
    register(db)
    db.execute("update agentdb.policy set run_budget_tokens = 100000")
    dsn = server.dsn(database=db.info.dbname, user="agent_a")
    agent = Agent(dsn, limits=Limits(window=0.05), on_advice="raise")
    with agent.run("adapters") as run:
        run._ask("log_tokens", input=81000, output=0)
        evaluate(db)
        until(lambda: run.advice is not None)
        yield run


@pytest.fixture
def calls(db: Connection, run: Run) -> Callable[[], list[dict[str, Any]]]:
    """Return what reads the recorded calls, with what was wrong with each."""

    def read() -> list[dict[str, Any]]:
        assert run._log.flush()
        return rows(
            db,
            "select l.tool, l.args, l.ok, l.error, l.call_id, f.fault"
            " from agentdb.tool_call_log as l"
            " left join agentdb.tool_fault as f using (tool_call_log_id)"
            " order by l.tool_call_log_id",
        )

    return read


@pytest.fixture
def tokens(db: Connection, run: Run) -> Callable[[], list[dict[str, Any]]]:
    """Return what reads the recorded tokens."""

    def read() -> list[dict[str, Any]]:
        assert run._log.flush()
        return rows(
            db,
            "select input_tokens as input, cached_input_tokens as cached,"
            " output_tokens as output, reasoning_tokens as reasoning, model"
            " from agentdb.token_log order by token_log_id",
        )

    return read


@pytest.fixture
def address() -> Iterator[str]:
    """Return the address of a provider of models."""
    with provider() as address:
        yield address
