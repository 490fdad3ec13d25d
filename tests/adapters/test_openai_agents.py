"""openai-agents: calls, tools that raise, unknown tools and tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from agents import Agent, ModelBehaviorError, Runner, function_tool
from agents.testing.model import ModelStep, ScriptedModel
from agents.usage import Usage
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)
from openai.types.responses.response_usage import (
    InputTokensDetails,
    OutputTokensDetails,
)

from agentdb.adapters.openai_agents import Recorded, guardrail
from agentdb.client import Looping, Run
from agentdb.errors import Stopped

Read = Callable[[], list[dict[str, Any]]]
USAGE = Usage(
    requests=1,
    input_tokens=100,
    output_tokens=7,
    total_tokens=107,
    input_tokens_details=InputTokensDetails(cached_tokens=40, cache_write_tokens=0),
    output_tokens_details=OutputTokensDetails(reasoning_tokens=2),
)


def step(*output: Any) -> ModelStep:
    return ModelStep(output=list(output), usage=USAGE)


def call(name: str, arguments: str, number: str) -> ResponseFunctionToolCall:
    return ResponseFunctionToolCall(
        type="function_call", name=name, arguments=arguments, call_id=number
    )


def text(said: str) -> ResponseOutputMessage:
    part = ResponseOutputText(type="output_text", text=said, annotations=[])
    return ResponseOutputMessage(
        id="m", type="message", role="assistant", status="completed", content=[part]
    )


def made(run: Run, *steps: ModelStep) -> Agent[Any]:
    @function_tool(tool_input_guardrails=[guardrail(run)])
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        if a < 0:
            raise ValueError("negative")
        return a + b

    return Agent("adder", model=ScriptedModel(steps), tools=[add])


def go(run: Run, *steps: ModelStep) -> Any:
    return asyncio.run(Runner.run(made(run, *steps), "?", hooks=Recorded(run)))


def test_calls_and_tokens(run: Run, calls: Read, tokens: Read) -> None:
    go(run, step(call("add", '{"a": 1, "b": 2}', "c1")), step(text("3")))
    (found,) = calls()
    assert (found["tool"], found["args"], found["ok"], found["call_id"]) == (
        "add", {"a": 1, "b": 2}, True, "c1",
    )  # fmt: skip
    assert (
        tokens()
        == [{"input": 60, "cached": 40, "output": 7, "reasoning": 2, "model": None}] * 2
    )


def test_tool_that_raises_is_a_failed_call_though_it_answers(
    run: Run, calls: Read
) -> None:
    done = go(run, step(call("add", '{"a": -1, "b": 2}', "c1")), step(text("?")))
    answers = [e.output for e in done.new_items if e.type == "tool_call_output_item"]
    assert answers == ["An error occurred while running the tool. Please try again."]
    (found,) = calls()
    assert not found["ok"]
    assert found["error"] == "Tool execution failed. Error details are redacted."


def test_unknown_tool_is_recorded_though_the_turn_is_aborted(
    run: Run, calls: Read
) -> None:
    with pytest.raises(ModelBehaviorError):
        go(run, step(call("nothing", '{"q": 1}', "c1")))
    (found,) = calls()
    assert (found["tool"], found["args"], found["fault"]) == (
        "nothing", {"q": 1}, "invalid_args",
    )  # fmt: skip


def test_loop_is_told_to_the_model_in_place_of_the_call(run: Run) -> None:
    run._log._looping = Looping("run 1 repeats add", hint="Try another way.")
    done = go(run, step(call("add", '{"a": 1, "b": 2}', "c1")), step(text("so")))
    said = [
        item.output for item in done.new_items if item.type == "tool_call_output_item"
    ]
    assert "Try another way." in said[0]


def test_advice_is_told_once_in_place_of_a_call(advised: Run) -> None:
    asked = [step(call("add", '{"a": 1, "b": 2}', f"c{nth}")) for nth in range(2)]
    done = go(advised, *asked, step(text("so")))
    said = [
        item.output for item in done.new_items if item.type == "tool_call_output_item"
    ]
    assert "running low: 81%" in str(said[0])
    assert str(said[1]) == "3"


def test_stopped_run_ends_the_agent(run: Run) -> None:
    run._log.stopped = Stopped("enough")
    with pytest.raises(Stopped):
        go(run, step(text("x")))
