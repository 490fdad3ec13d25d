"""The examples, with models that ask the same again and again until they are told."""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from agents.testing.model import ModelStep, ScriptedModel
from anthropic import Anthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from openai import OpenAI
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

from agentdb import Agent

from ..agents import evaluate, rows, value
from ..conftest import Connect, Connection
from ..servers import Server
from .provider import THINKS, TOLD

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
pytestmark = pytest.mark.filterwarnings("ignore")


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def watched(db: Connection, connect: Connect) -> Iterator[None]:
    """Evaluate the rules all the time, as a runner does."""
    over = threading.Event()
    session = connect(db.info.dbname)

    def watch() -> None:
        while not over.wait(0.1):
            evaluate(session)

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    over.set()
    thread.join()


def pydantic_ai() -> Any:
    def answer(messages: Any, info: Any) -> ModelResponse:
        time.sleep(THINKS)
        if TOLD in str(messages[-1]):
            return ModelResponse(parts=[TextPart("I cannot find it.")])
        call = ToolCallPart("look_up", {"order": "4711"})
        return ModelResponse(parts=[call])

    return FunctionModel(answer)


class Chat(BaseChatModel):
    """A model of the library that answers by what it was told last."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **how: Any) -> Any:
        return self

    def _generate(self, messages: Any, *more: Any, **how: Any) -> ChatResult:
        time.sleep(THINKS)
        if TOLD in str(messages[-1].content):
            reply = AIMessage("I cannot find it.")
        else:
            number = f"c{len(messages)}"
            call = {"name": "look_up", "args": {"order": "4711"}, "id": number}
            reply = AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=reply)])


def openai_agents() -> Any:
    def answer(call: Any) -> Any:
        time.sleep(THINKS)
        if TOLD in str(call.input[-1]):
            text = ResponseOutputText(
                type="output_text", text="I cannot find it.", annotations=[]
            )
            return [
                ResponseOutputMessage(
                    id="m", type="message", role="assistant", status="completed",
                    content=[text],
                )
            ]  # fmt: skip
        return [
            ResponseFunctionToolCall(
                type="function_call", name="look_up", arguments='{"order": "4711"}',
                call_id=f"c{len(call.input)}",
            )
        ]  # fmt: skip

    return ScriptedModel([ModelStep.respond(answer) for _ in range(3000)])


MODELS: dict[str, Callable[[], dict[str, Any]]] = {
    "plain": dict,
    "with_pydantic_ai": lambda: {"model": pydantic_ai()},
    "with_langchain": lambda: {"model": Chat()},
    "with_openai_agents": lambda: {"model": openai_agents(), "turns": 3000},
}


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("name", MODELS)
def test_example_ends_when_it_is_told_and_people_were_alerted(
    db: Connection, agent: Agent, name: str
) -> None:
    said = load(name).main(agent, **MODELS[name]())
    assert said == "I cannot find it." or "(look_up)" in said
    alerts = rows(db, "select rule_name from agentdb.alert where firing_at is not null")
    assert {"rule_name": "silent_loop"} in alerts
    assert value(db, "select outcome from agentdb.run") == "succeeded"
    assert value(db, "select count(*) from agentdb.tool_call_log") >= 5


def openai_sdk(address: str) -> dict[str, Any]:
    return {"client": OpenAI(api_key="k", base_url=f"{address}/v1")}


def anthropic_sdk(address: str) -> dict[str, Any]:
    return {"client": Anthropic(api_key="k", base_url=address)}


def litellm_of(address: str) -> dict[str, Any]:
    return {"model": "openai/gpt-4o", "api_base": f"{address}/v1", "api_key": "k"}


SDKS = {
    "with_openai": openai_sdk, "with_anthropic": anthropic_sdk,
    "with_litellm": litellm_of,
}  # fmt: skip


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("name", SDKS)
def test_example_of_an_sdk_ends_when_it_is_told(
    db: Connection, agent: Agent, address: str, name: str
) -> None:
    assert load(name).main(agent, **SDKS[name](address)) == "hi"
    alerts = rows(db, "select rule_name from agentdb.alert where firing_at is not null")
    assert {"rule_name": "silent_loop"} in alerts
    calls = value(db, "select count(*) from agentdb.tool_call_log")
    assert calls >= 5
    asked = value(db, "select count(*) from agentdb.token_log where input_tokens = 60")
    # LiteLLM says in the background what was used, and may say the last too late.
    assert asked >= calls


@pytest.mark.usefixtures("watched", "agent")
def test_example_of_an_engine_writes_for_its_run(
    db: Connection, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.execute(
        "create table public.orders (id int primary key, state text);"
        "create table public.note (said text primary key);"
        "grant select on orders to agent_a; grant select, insert on note to agent_a;"
        "select agentdb.audit_table('note')"
    )
    dsn = server.dsn(database=db.info.dbname, user="agent_a")
    monkeypatch.setenv("AGENTDB_DSN", dsn)
    said = load("with_sqlalchemy").main()
    alerts = rows(db, "select rule_name from agentdb.alert where firing_at is not null")
    assert {"rule_name": "silent_loop"} in alerts
    written = rows(db, "select r.run_id, a.new_values ->> 'said' as said from"
                       " agentdb.audit as a join agentdb.run as r using (run_id)")  # fmt: skip
    assert [each["said"] for each in written] == [said]


@pytest.mark.usefixtures("watched")
def test_example_of_a_gateway_ends_when_it_is_told(
    db: Connection, agent: Agent, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = server.dsn(database=db.info.dbname, user="agent_a")
    monkeypatch.setenv("AGENTDB_DSN", dsn)
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES.parent))
    assert TOLD in load("with_mcp").main()
    alerts = rows(db, "select rule_name from agentdb.alert where firing_at is not null")
    assert {"rule_name": "silent_loop"} in alerts
    assert value(db, "select count(*) from agentdb.tool_call_log") >= 5
