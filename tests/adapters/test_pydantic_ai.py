"""pydantic-ai: calls, unknown tools, bad arguments and tokens; a loop is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.messages import (
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.usage import RequestUsage

from agentdb.adapters.pydantic_ai import Recorded
from agentdb.client import BudgetRefused, Looping, Run
from agentdb.errors import Stopped

from ..conftest import Connection

Read = Callable[[], list[dict[str, Any]]]


def replies(*parts: list[Any]) -> FunctionModel:
    """Return a model that gives these answers, one after the other."""
    left = list(parts)

    def answer(messages: Any, info: Any) -> ModelResponse:
        usage = RequestUsage(input_tokens=100, cache_read_tokens=40, output_tokens=7)
        return ModelResponse(parts=left.pop(0), usage=usage)

    return FunctionModel(answer, model_name="m-1")


def made(run: Run, model: FunctionModel) -> Agent[None, str]:
    agent = Agent(model, capabilities=[Recorded(run)])

    @agent.tool_plain
    def add(a: int, b: int) -> int:
        if a < 0:
            raise ValueError("negative")
        return a + b

    return agent


def test_calls_and_tokens(run: Run, calls: Read, tokens: Read) -> None:
    call = ToolCallPart("add", {"a": 1, "b": 2}, tool_call_id="c1")
    made(run, replies([call], [TextPart("3")])).run_sync("1 + 2?")
    (found,) = calls()
    assert (found["tool"], found["args"], found["ok"], found["call_id"]) == (
        "add", {"a": 1, "b": 2}, True, "c1",
    )  # fmt: skip
    assert (
        tokens()
        == [{"input": 60, "cached": 40, "output": 7, "reasoning": 0, "model": "m-1"}]
        * 2
    )


def test_what_goes_wrong_is_told_apart(run: Run, calls: Read) -> None:
    model = replies(
        [ToolCallPart("add", {"a": "x"}, tool_call_id="c1")],
        [ToolCallPart("nothing", {"q": 1}, tool_call_id="c2")],
        [ToolCallPart("add", {"a": -1, "b": 2}, tool_call_id="c3")],
    )
    with pytest.raises((ValueError, UnexpectedModelBehavior)):
        made(run, model).run_sync("?")
    assert [(each["tool"], each["ok"], each["fault"]) for each in calls()] == [
        ("add", False, "invalid_args"),
        ("nothing", False, "invalid_args"),
        ("add", False, None),
    ]
    assert calls()[1]["error"] == "the agent has no such tool"
    assert calls()[2]["error"] == "negative"


def test_loop_is_told_to_the_model_in_place_of_the_call(run: Run, calls: Read) -> None:
    model = replies(
        [ToolCallPart("add", {"a": 1, "b": 2}, tool_call_id="c1")], [TextPart("3")]
    )
    run._log._looping = Looping("run 1 repeats add", hint="Try another way.")
    made(run, model).run_sync("?")
    assert calls() == []


def test_advice_is_told_once_in_place_of_a_call(advised: Run) -> None:
    asked = [ToolCallPart("add", {"a": 1, "b": 2}, tool_call_id="c1")]
    done = made(advised, replies(asked, asked, [TextPart("3")])).run_sync("?")
    parts = [part for each in done.all_messages() for part in each.parts]
    said = [part.content for part in parts if isinstance(part, ToolReturnPart)]
    assert "running low: 81%" in str(said[0])
    assert said[1:] == [3]


def test_stopped_run_ends_the_agent(db: Connection, run: Run, calls: Read) -> None:
    db.execute("select agentdb.kill_run(%s, 'enough')", [run.id])
    run._log.stopped = Stopped("enough")
    with pytest.raises(Stopped):
        made(run, replies([TextPart("x")])).run_sync("?")


def test_prompt_over_the_budget_is_not_sent(db: Connection, run: Run) -> None:
    db.execute("update agentdb.policy set conversation_budget_tokens = 10")
    with pytest.raises(BudgetRefused):
        made(run, replies([TextPart("x")])).run_sync("a long question " * 50)
