"""What each framework's calls cost: by kind, for the provider that it names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import litellm
import pytest
from agents import Agent as OpenAIAgent
from agents import Runner
from agents.testing.model import ScriptedModel
from anthropic.types import Message
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from openai.types.chat import ChatCompletion
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.usage import RequestUsage

from agentdb.adapters import langchain, openai_agents, pydantic_ai
from agentdb.adapters import litellm as ours
from agentdb.client import Run
from agentdb.client.usage import usage_of

from ..agents import rows
from ..conftest import Connection
from ..scene import until
from .provider import CHAT, MESSAGES
from .test_langchain import ASKED, Model
from .test_openai_agents import step, text

# What the libraries leave open is theirs.
pytestmark = pytest.mark.filterwarnings("ignore")

# 60 tokens, 40 of a cache, 7 of output, at 2.50, 1.25 and 10 a million.
PRICE = (Decimal("0.00015"), Decimal("0.00005"), Decimal("0.00007"))
NONE = (None, None, None)


@pytest.fixture
def prices(db: Connection, run: Run) -> Callable[[], list[tuple[Any, ...]]]:
    def read() -> list[tuple[Any, ...]]:
        assert run._log.flush()
        found = rows(
            db,
            "select input_cost, cached_input_cost, output_cost from agentdb.token_log"
            " order by token_log_id",
        )
        return [tuple(each.values()) for each in found]

    return read


def langchain_of(run: Run, provider: str | None, url: str | None) -> None:
    reply = AIMessage(
        "done",
        usage_metadata={
            "input_tokens": 100, "output_tokens": 7, "total_tokens": 107,
            "input_token_details": {"cache_read": 40},
        },
        response_metadata={"model_name": "gpt-4o", "model_provider": provider},
    )  # fmt: skip
    model = Model(messages=iter([reply]))
    if url:
        object.__setattr__(model, "openai_api_base", url)
    create_agent(model, [], middleware=[langchain.Recorded(run)]).invoke(ASKED)


def pydantic_of(run: Run, provider: str | None, url: str | None) -> None:
    def answer(messages: Any, info: Any) -> ModelResponse:
        return ModelResponse(
            parts=[TextPart("done")], model_name="gpt-4o", provider_name=provider,
            provider_url=url,
            usage=RequestUsage(
                input_tokens=100, cache_read_tokens=40, output_tokens=7
            ),
        )  # fmt: skip

    hooks = [pydantic_ai.Recorded(run)]
    model = FunctionModel(answer, model_name="gpt-4o")
    PydanticAgent(model, capabilities=hooks).run_sync("?")


def openai_agents_of(run: Run, provider: str | None, url: str | None) -> None:
    model = ScriptedModel([step(text("done"))])
    model.model = "gpt-4o"
    made = OpenAIAgent(name="a", model=model)
    hooks = openai_agents.Recorded(run, provider)
    asyncio.run(Runner.run(made, "?", hooks=hooks))


WAYS = {
    "langchain": langchain_of,
    "pydantic_ai": pydantic_of,
    "openai_agents": openai_agents_of,
}


@pytest.mark.parametrize("way", WAYS)
def test_price_of_the_provider_that_is_named(
    run: Run, prices: Callable[[], Any], way: str
) -> None:
    WAYS[way](run, "openai", None)
    WAYS[way](run, None, None)
    assert prices() == [PRICE, NONE]


@pytest.mark.parametrize("way", ["langchain", "pydantic_ai"])
def test_another_address_has_prices_of_its_own(
    run: Run, prices: Callable[[], Any], way: str
) -> None:
    WAYS[way](run, "openai", "https://api.openai.com/v1")
    WAYS[way](run, "openai", "http://127.0.0.1:4000/v1")
    assert prices() == [PRICE, NONE]


def test_litellm_says_itself_what_it_costs(
    run: Run, address: str, prices: Callable[[], Any], db: Connection
) -> None:
    litellm.callbacks = [ours.Recorded(run)]
    litellm.completion(
        model="openai/gpt-4o", messages=ASKED["messages"], api_base=f"{address}/v1",
        api_key="k", extra_headers={"x-model": "gpt-4o"},
    )  # fmt: skip
    until(lambda: len(prices()) == 1)
    assert prices() == [PRICE]
    (found,) = rows(db, "select priced_by, cost from agentdb.token_log")
    assert found == {"priced_by": None, "cost": sum(PRICE)}
    litellm.callbacks = []


def test_response_of_an_sdk_has_the_prices_of_its_maker() -> None:
    completion = ChatCompletion.model_validate(
        {
            "id": "x", "created": 1, "model": "gpt-4o", "object": "chat.completion",
            "choices": [], "usage": CHAT,
        }
    )  # fmt: skip
    used = usage_of(completion)
    assert (used.input_cost, used.cached_input_cost, used.output_cost) == PRICE
    assert usage_of(completion, url="http://127.0.0.1:1").input_cost is None
    message: dict[str, Any] = {
        "id": "x", "type": "message", "role": "assistant", "content": [],
        "model": "claude-sonnet-4-5", "stop_reason": "end_turn", "stop_sequence": None,
    }  # fmt: skip
    plain = usage_of(Message.model_validate(message | {"usage": MESSAGES}))
    assert plain.priced_by and "anthropic/claude-sonnet-4-5" in plain.priced_by
    # Writing into the cache for an hour costs twice the input.
    hour = {
        "cache_creation_input_tokens": 10,
        "cache_creation": {
            "ephemeral_1h_input_tokens": 10, "ephemeral_5m_input_tokens": 0,
        },
    }  # fmt: skip
    written = usage_of(Message.model_validate(message | {"usage": MESSAGES | hour}))
    assert written.input == plain.input + 10
    assert plain.input_cost and written.input_cost
    assert Decimal(written.input_cost) - Decimal(plain.input_cost) == Decimal("0.00006")
