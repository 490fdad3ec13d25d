"""openai-agents, traced by OpenInference and by OpenLLMetry: each thing once.

Turns, tasks and agents that are tools repeat the tokens of their requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from agents import (
    Agent,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_trace_processors,
)
from agents.exceptions import ModelBehaviorError
from openai import AsyncOpenAI
from openinference.instrumentation.openai_agents import (
    OpenAIAgentsInstrumentor as OpenInference,
)
from opentelemetry.instrumentation.openai_agents import (
    OpenAIAgentsInstrumentor as OpenLLMetry,
)

from ..conftest import Connection
from ..serving import Serving
from .emitting import calls, exporting, of_requests, outcomes, problems, totals
from .scripted import Script, asks, says, scripted

UNKNOWN = "unknown"
LIBRARIES = {"openinference": OpenInference, "openllmetry": OpenLLMetry}


@contextmanager
def traced(serve: Serving, library: str) -> Iterator[None]:
    """Trace with a library until the end of the block; nothing goes elsewhere."""
    set_trace_processors([])
    instrumentor = LIBRARIES[library]()
    with exporting(serve) as provider:
        instrumentor.instrument(tracer_provider=provider)
        try:
            yield
        finally:
            instrumentor.uninstrument()
            set_trace_processors([])


def made(script: Script, **more: Any) -> Agent[Any]:
    @function_tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        if a < 0:
            raise ValueError("negative")
        return a + b

    client = AsyncOpenAI(base_url=script.url, api_key="x", max_retries=1)
    tools = [add, *more.pop("tools", [])]
    model = OpenAIResponsesModel("m-1", client)
    return Agent("coder", model=model, tools=tools, **more)


def run(agent: Agent[Any]) -> Any:
    return asyncio.run(Runner.run(agent, "?")).final_output


# OpenLLMetry tells of no span which call it was.
def call(library: str, number: str) -> str | None:
    return number if library == "openinference" else None


@pytest.mark.parametrize("library", LIBRARIES)
def test_good_and_failing_calls(db: Connection, serve: Serving, library: str) -> None:
    script = scripted(
        asks(("c1", "add", {"a": 1, "b": 2})),
        asks(("c2", "add", {"a": -1, "b": 2})),
        asks(("c3", "add", {"a": "x", "b": 2})),
        says("3"),
    )
    with script as provider, traced(serve, library):
        assert run(made(provider)) == "3"
    # What was wrong with the arguments is kept out of its spans by the library.
    assert [each[:3] for each in calls(db)] == [
        ("add", True, None),
        ("add", False, None),
        ("add", False, None),
    ]
    assert [each[3] for each in calls(db)] == ["c1", "c2", "c3"]
    assert totals(db) == of_requests(4)
    assert outcomes(db) == ["succeeded"]
    assert problems(db) == []


def test_unknown_tool_ends_the_turn(db: Connection, serve: Serving) -> None:
    """The good call beside it does not run, so that it is none."""
    both = asks(("c1", "add", {"a": 1, "b": 2}), ("c2", "nothing", {"q": 1}))
    with (
        scripted(both) as provider,
        traced(serve, "openinference"),
        pytest.raises(ModelBehaviorError),
    ):
        run(made(provider))
    assert calls(db) == [("nothing", False, UNKNOWN, "c2")]
    assert totals(db) == of_requests(1)


@pytest.mark.parametrize("library", LIBRARIES)
def test_agent_that_is_a_tool_counts_once(
    db: Connection, serve: Serving, library: str
) -> None:
    inner = scripted(says("42"))
    outer = scripted(asks(("c1", "expert", {"input": "?"})), says("done"))
    with inner as first, outer as second, traced(serve, library):
        expert = made(first).as_tool("expert", "knows")
        assert run(made(second, tools=[expert])) == "done"
    assert totals(db) == of_requests(3)
    assert [each[0] for each in calls(db)] == ["expert"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_stream(db: Connection, serve: Serving, library: str) -> None:
    async def streamed(agent: Agent[Any]) -> None:
        found = Runner.run_streamed(agent, "?")
        async for _ in found.stream_events():
            pass

    script = scripted(asks(("c1", "add", {"a": 1, "b": 2})), says("3"))
    with script as provider, traced(serve, library):
        asyncio.run(streamed(made(provider)))
    assert [each[:2] for each in calls(db)] == [("add", True)]
    assert totals(db) == of_requests(2)


def test_same_id_twice_in_one_reply(db: Connection, serve: Serving) -> None:
    """It runs once; with other arguments the library refuses the reply."""
    twice = asks(("c1", "add", {"a": 1, "b": 2}), ("c1", "add", {"a": 1, "b": 2}))
    with scripted(twice, says("3")) as provider, traced(serve, "openinference"):
        run(made(provider))
    assert len(calls(db)) == 1
    assert totals(db) == of_requests(2)


def test_retried_request_counts_once(db: Connection, serve: Serving) -> None:
    from .scripted import Asks

    script = scripted(Asks(status=500), says("3"))
    with script as provider, traced(serve, "openinference"):
        assert run(made(provider)) == "3"
    assert totals(db) == of_requests(1)
