"""pydantic-ai's own spans, sent to the server: each call and request once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from pydantic import BaseModel
from pydantic_ai import Agent, InstrumentationSettings, ModelRetry
from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from ..agents import rows, value
from ..conftest import Connection
from ..serving import Serving
from .emitting import calls, exporting, of_requests, outcomes, problems, totals
from .scripted import Script, asks, says, scripted

BAD, UNKNOWN = "invalid_args", "unknown"


def made(script: Script, provider: TracerProvider, **more: Any) -> Agent[None, Any]:
    model = OpenAIChatModel(
        "m-1", provider=OpenAIProvider(base_url=script.url, api_key="x")
    )
    settings = more.pop("settings", InstrumentationSettings(tracer_provider=provider))
    agent: Agent[None, Any] = Agent(model, name="coder", retries=3, **more)
    agent.instrument = settings

    @agent.tool_plain
    def add(a: int, b: int) -> int:
        if a < 0:
            raise ValueError("negative")
        if a == 99:
            raise ModelRetry("not 99")
        return a + b

    @agent.tool_plain
    async def wait() -> None:
        await asyncio.sleep(60)

    return agent


def run(agent: Agent[None, Any], prompt: str, **more: Any) -> Any:
    """Run to the end; run_sync() leaves its event loop open."""
    return asyncio.run(agent.run(prompt, **more))


def test_good_call(db: Connection, serve: Serving) -> None:
    script = scripted(asks(("c1", "add", {"a": 1, "b": 2})), says("3"))
    with script as provider, exporting(serve) as tracers:
        assert run(made(provider, tracers), "1 + 2?").output == "3"
    assert calls(db) == [("add", True, None, "c1")]
    assert totals(db) == of_requests(2)
    assert outcomes(db) == ["succeeded"]
    assert value(db, "select args from agentdb.tool_call_log") == {"a": 1, "b": 2}
    assert problems(db) == []


def test_what_goes_wrong_is_told_apart(db: Connection, serve: Serving) -> None:
    script = scripted(
        asks(("c1", "add", {"a": "x"})),
        asks(("c2", "nothing", {"q": 1})),
        asks(("c3", "add", {"a": 99, "b": 2})),
        asks(("c4", "add", {"a": -1, "b": 2})),
    )
    with script as provider, exporting(serve) as tracers, pytest.raises(ValueError):
        run(made(provider, tracers), "?")
    assert calls(db) == [
        ("add", False, BAD, "c1"),
        ("nothing", False, UNKNOWN, "c2"),
        ("add", False, None, "c3"),
        ("add", False, None, "c4"),
    ]
    assert totals(db) == of_requests(4)
    assert outcomes(db) == ["failed"]


def test_two_turns_are_one_conversation(db: Connection, serve: Serving) -> None:
    with scripted(says("hi"), says("you")) as provider, exporting(serve) as tracers:
        agent = made(provider, tracers)
        first = run(agent, "a")
        run(agent, "b", message_history=first.all_messages())
    assert totals(db) == of_requests(2)
    conversations = rows(db, "select distinct conversation from agentdb.run")
    assert len(conversations) == 1


def test_stream(db: Connection, serve: Serving) -> None:
    async def streamed(agent: Agent[None, Any]) -> None:
        async with agent.run_stream("?") as found:
            async for _ in found.stream_text():
                pass

    script = scripted(asks(("c1", "add", {"a": 1, "b": 2})), says("3"))
    with script as provider, exporting(serve) as tracers:
        asyncio.run(streamed(made(provider, tracers)))
    assert calls(db) == [("add", True, None, "c1")]
    assert totals(db) == of_requests(2)


def test_cancelled(db: Connection, serve: Serving) -> None:
    async def cancelled(agent: Agent[None, Any]) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(agent.run("?"), 1.0)

    with scripted(asks(("c1", "wait", {}))) as provider, exporting(serve) as tracers:
        asyncio.run(cancelled(made(provider, tracers)))
    assert [each[0] for each in calls(db)] == ["wait"]
    assert totals(db) == of_requests(1)


def test_agent_within_an_agent_counts_once(db: Connection, serve: Serving) -> None:
    """The outer agent's span repeats what the inner one used."""
    inner = scripted(says("42"))
    outer = scripted(asks(("c1", "delegate", {})), says("done"))
    with inner as first, outer as second, exporting(serve) as tracers:
        expert = made(first, tracers)
        agent = made(second, tracers)

        @agent.tool_plain
        async def delegate() -> str:
            return str((await expert.run("?")).output)

        run(agent, "?")
    assert calls(db) == [("delegate", True, None, "c1")]
    assert totals(db) == of_requests(3)


def test_result_that_is_a_tool_is_no_unknown_one(
    db: Connection, serve: Serving
) -> None:
    class Answer(BaseModel):
        number: int

    script = scripted(asks(("c1", "final_result", {"number": 3})))
    with script as provider, exporting(serve) as tracers:
        found = run(made(provider, tracers, output_type=Answer), "?")
    assert found.output == Answer(number=3)
    assert not [each for each in calls(db) if each[2]]


@pytest.mark.parametrize("version", (2, 3, 4, 5, 6))
@pytest.mark.filterwarnings("ignore:Instrumentation format versions")
def test_every_format_of_its_spans(
    db: Connection, serve: Serving, version: Any
) -> None:
    script = scripted(
        asks(("c1", "add", {"a": 1, "b": 2})),
        asks(("c2", "add", {"a": "x"})),
        says("3"),
    )
    with script as provider, exporting(serve) as tracers:
        settings = InstrumentationSettings(tracer_provider=tracers, version=version)
        run(made(provider, tracers, settings=settings), "?")
    assert calls(db) == [("add", True, None, "c1"), ("add", False, BAD, "c2")]
    assert totals(db) == of_requests(3)


def test_same_id_twice_in_one_reply_runs_never(db: Connection, serve: Serving) -> None:
    twice = asks(("c1", "add", {"a": 1, "b": 2}), ("c1", "add", {"a": 1, "b": 3}))
    with (
        scripted(twice) as provider,
        exporting(serve) as tracers,
        pytest.raises(UnexpectedModelBehavior),
    ):
        run(made(provider, tracers), "?")
    assert calls(db) == []
    assert totals(db) == of_requests(1)
