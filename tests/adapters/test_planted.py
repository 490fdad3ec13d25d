"""A key in what a model asks for, gets and answers is nowhere in the database."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from agents import Agent as OpenAIAgent
from agents import Runner, function_tool
from agents.testing.model import ScriptedModel
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import tool as langchain_tool
from openai import OpenAI
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel
from sqlalchemy import create_engine, text

from agentdb.adapters import langchain, openai_agents, pydantic_ai, sdk, sqlalchemy
from agentdb.client import Run

from ..agents import value
from ..conftest import Connection
from ..planted import KEYS, leaked, prose
from ..servers import Server
from .test_langchain import Model
from .test_openai_agents import USAGE, call, step
from .test_openai_agents import text as said_by_model

# What the libraries leave open is theirs.
pytestmark = pytest.mark.filterwarnings("ignore")


def fails(text: str) -> str:
    raise ValueError(text)


def gives(text: str, password: str = "") -> str:
    return text


def asked(name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the calls that a model makes of tools, and of such as there are not."""
    said = prose(name)
    return [
        ("gives", {"text": said, "password": KEYS[name]}),
        ("fails", {"text": said}),
        ("gives", {"nothing": said}),
        (f"none_{name}", {"text": said, "key": KEYS[name]}),
    ]


def check(db: Connection, run: Run) -> None:
    run.progress(" ".join(KEYS.values()))
    assert run._log.flush()
    assert value(db, "select count(*) from agentdb.tool_call_log") >= 2 * len(KEYS)
    assert leaked(db) == []


@pytest.mark.parametrize("how", ["sync", "async"])
def test_langchain(db: Connection, run: Run, how: str) -> None:
    @langchain_tool
    def given(text: str, password: str = "") -> str:
        """Give it back."""
        return text

    @langchain_tool
    def failing(text: str) -> str:
        """Fail."""
        raise ValueError(text)

    names = {"gives": "given", "fails": "failing"}
    for name in KEYS:
        for number, (tool, args) in enumerate(asked(name)):
            turn = {
                "name": names.get(tool, tool),
                "args": args,
                "id": f"{name}{number}",
            }
            messages = [AIMessage("", tool_calls=[turn]), AIMessage(prose(name))]
            agent = create_agent(
                Model(messages=iter(messages)),
                [given, failing],
                middleware=[langchain.Recorded(run)],
            )
            what = {"messages": [{"role": "user", "content": prose(name)}]}
            with suppress(ValueError):
                if how == "sync":
                    agent.invoke(what)
                else:
                    asyncio.run(agent.ainvoke(what))
    check(db, run)


def test_pydantic_ai(db: Connection, run: Run) -> None:
    for name in KEYS:
        for tool, args in asked(name):
            parts: list[Any] = [[ToolCallPart(tool, args)], [TextPart(prose(name))]]

            def answer(messages: Any, info: Any, parts: Any = parts) -> ModelResponse:
                return ModelResponse(parts=parts.pop(0), model_name=KEYS["slack"])

            agent = PydanticAgent(
                FunctionModel(answer), capabilities=[pydantic_ai.Recorded(run)]
            )
            agent.tool_plain(gives)
            agent.tool_plain(fails)
            with suppress(ValueError):
                agent.run_sync(prose(name))
    check(db, run)


def test_openai_agents(db: Connection, run: Run) -> None:
    given = function_tool(gives, failure_error_function=lambda _, error: str(error))
    failing = function_tool(fails, failure_error_function=lambda _, error: str(error))
    assert USAGE.input_tokens
    for name in KEYS:
        for number, (tool, args) in enumerate(asked(name)):
            made = OpenAIAgent(
                name="a",
                model=ScriptedModel(
                    [
                        step(call(tool, json.dumps(args), f"{name}{number}")),
                        step(said_by_model(prose(name))),
                    ]
                ),
                tools=[given, failing],
            )
            with suppress(Exception):
                hooks = openai_agents.Recorded(run)
                asyncio.run(Runner.run(made, prose(name), hooks=hooks))
    check(db, run)


def test_sdk_and_engine(db: Connection, run: Run, server: Server, address: str) -> None:
    db.execute(
        "create table public.item (id int primary key);"
        "grant select, insert on item to agent_a; select agentdb.audit_table('item')"
    )
    dsn = server.dsn(database=db.info.dbname, user="agent_a")
    engine = create_engine(dsn.replace("postgresql://", "postgresql+psycopg://"))
    sqlalchemy.bind(run, engine)
    with OpenAI(api_key=KEYS["openai"], base_url=f"{address}/v1") as plain:
        client = sdk.recorded(run, plain)
        for number, (name, key) in enumerate(KEYS.items()):
            client.chat.completions.create(
                model=key, messages=[{"role": "user", "content": prose(name)}]
            )
            with engine.begin() as connection:
                connection.execute(text(f"insert into item values ({number})"))
    engine.dispose()
    run.progress(" ".join(KEYS.values()))
    assert run._log.flush()
    assert value(db, "select count(*) from agentdb.token_log") == len(KEYS)
    assert leaked(db) == []
