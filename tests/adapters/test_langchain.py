"""LangChain's create_agent: calls, unknown tools, bad arguments and tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool

from agentdb.adapters.langchain import Recorded
from agentdb.client import Looping, Run
from agentdb.errors import Stopped

Read = Callable[[], list[dict[str, Any]]]


class Model(GenericFakeChatModel):
    """The library's own fake, which can be given tools."""

    def bind_tools(self, tools: Any, **how: Any) -> Any:
        return self


def reply(*asked: tuple[str, dict[str, Any], str]) -> AIMessage:
    return AIMessage(
        "" if asked else "done",
        tool_calls=[
            {"name": name, "args": args, "id": number} for name, args, number in asked
        ],
        usage_metadata={
            "input_tokens": 100, "output_tokens": 7, "total_tokens": 107,
            "input_token_details": {"cache_read": 40},
            "output_token_details": {"reasoning": 2},
        },
        response_metadata={"model_name": "m-1"},
    )  # fmt: skip


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    if a < 0:
        raise ValueError("negative")
    return a + b


def made(run: Run, *replies: AIMessage) -> Any:
    model = Model(messages=iter(replies))
    return create_agent(model, [add], middleware=[Recorded(run)])


ASKED = {"messages": [{"role": "user", "content": "?"}]}


@pytest.mark.parametrize("how", ["sync", "async"])
def test_calls_and_tokens(run: Run, calls: Read, tokens: Read, how: str) -> None:
    agent = made(run, reply(("add", {"a": 1, "b": 2}, "c1")), reply())
    if how == "sync":
        agent.invoke(ASKED)
    else:
        asyncio.run(agent.ainvoke(ASKED))
    (found,) = calls()
    assert (found["tool"], found["args"], found["ok"], found["call_id"]) == (
        "add", {"a": 1, "b": 2}, True, "c1",
    )  # fmt: skip
    assert (
        tokens()
        == [{"input": 60, "cached": 40, "output": 7, "reasoning": 2, "model": "m-1"}]
        * 2
    )


def test_what_goes_wrong_is_told_apart(run: Run, calls: Read) -> None:
    agent = made(
        run,
        reply(("add", {"a": "x"}, "c1"), ("nothing", {"q": 1}, "c2")),
        reply(("add", {"a": -1, "b": 2}, "c3")),
    )
    with pytest.raises(ValueError):
        agent.invoke(ASKED)
    found = {each["call_id"]: each for each in calls()}
    assert not any(each["ok"] for each in found.values())
    assert "should be a valid integer" in found["c1"]["error"]
    assert found["c2"]["error"] == "the agent has no such tool"
    assert found["c2"]["fault"] == "invalid_args"
    assert found["c3"]["error"] == "negative"


def test_same_id_twice_in_one_reply_is_counted_once(run: Run, calls: Read) -> None:
    """langgraph runs both; the log keeps one call for each id of a model."""
    asked = ("add", {"a": 1, "b": 2}, "c1")
    made(run, reply(asked, asked), reply()).invoke(ASKED)
    assert len(calls()) == 1


def test_loop_is_told_to_the_model_in_place_of_the_call(run: Run, calls: Read) -> None:
    agent = made(run, reply(("add", {"a": 1, "b": 2}, "c1")), reply())
    run._log._looping = Looping("run 1 repeats add", hint="Try another way.")
    answers = agent.invoke(ASKED)["messages"]
    said = [each.text for each in answers if isinstance(each, ToolMessage)]
    assert "Try another way." in said[0]
    assert calls() == []


def test_advice_is_told_once_in_place_of_a_call(advised: Run) -> None:
    asked = [reply(("add", {"a": 1, "b": 2}, f"c{nth}")) for nth in range(2)]
    answers = made(advised, *asked, reply()).invoke(ASKED)["messages"]
    first, second = (each for each in answers if isinstance(each, ToolMessage))
    assert "running low: 81%" in first.text
    assert (second.text, second.status) == ("3", "success")


def test_stopped_run_ends_the_agent(run: Run) -> None:
    run._log.stopped = Stopped("enough")
    with pytest.raises(Stopped):
        made(run, reply()).invoke(ASKED)
