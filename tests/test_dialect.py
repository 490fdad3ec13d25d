"""Words that no program here emits: as they are published, or as they once were.

Nothing is recorded: what a request is read into is looked at itself.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentdb.intake.dialect import Memory, Reading
from agentdb.intake.otlp import text
from agentdb.intake.peer import Peer

from .serving import called, span, traces, value

Event = dict[str, Any]


def read(body: Any, signal: str = "traces", memory: Memory | None = None) -> Reading:
    """Return what a request is read into."""
    reading = Reading(Peer("coder", True), signal, memory or Memory())
    reading.read(text.records(body, signal, 1000, reading.unreadable))
    return reading


def events(
    *spans: Any, scope: str = "test", memory: Memory | None = None
) -> list[Event]:
    return read(traces(*spans, scope=scope), memory=memory).events


def logs(*records: dict[str, Any], scope: str = "test") -> dict[str, Any]:
    """Return a request with log records, each given by its attributes."""
    made = [
        {
            "timeUnixNano": str(1795971433_000000000 + place),
            "attributes": [{"key": k, "value": value(v)} for k, v in each.items()],
        }
        for place, each in enumerate(records)
    ]
    return {
        "resourceLogs": [
            {"scopeLogs": [{"scope": {"name": scope}, "logRecords": made}]}
        ]
    }


def usage(event: Event) -> dict[str, Any]:
    names = ("input", "cached_input", "output", "reasoning", "model", "cost")
    return {name: event[name] for name in names if name in event}


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        (
            {
                "gen_ai.system": "openai",
                "gen_ai.request.model": "m",
                "gen_ai.usage.prompt_tokens": 10,
                "gen_ai.usage.completion_tokens": 3,
            },
            {"input": 10, "output": 3, "model": "m"},
        ),
        (
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "m",
                "gen_ai.response.model": "m-2026",
                "gen_ai.usage.input_tokens": "10",
                "gen_ai.usage.cache_read.input_tokens": 4,
                "gen_ai.usage.output_tokens": 3,
                "gen_ai.usage.reasoning.output_tokens": 1,
            },
            {
                "input": 6,
                "cached_input": 4,
                "output": 3,
                "reasoning": 1,
                "model": "m-2026",
            },
        ),
        (  # More cached than there is input: it is beside it.
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.usage.input_tokens": 10,
                "gen_ai.usage.cache_read_input_tokens": 400,
                "gen_ai.usage.output_tokens": 3,
            },
            {"input": 10, "cached_input": 400, "output": 3},
        ),
        (
            {"gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 9},
            {"input": 9},
        ),
        (
            {
                "llm.request.type": "chat",
                "gen_ai.request.model": "m",
                "gen_ai.usage.prompt_tokens": 10,
                "gen_ai.usage.completion_tokens": 3,
                "llm.usage.total_tokens": 13,
            },
            {"input": 10, "output": 3, "model": "m"},
        ),
    ],
)
def test_names_of_tokens(attributes: dict[str, Any], told: dict[str, Any]) -> None:
    (found,) = events(span("x", 1, **attributes))
    assert usage(found) == told


@pytest.mark.parametrize("operation", ("invoke_agent", "create_agent", "plan", "step"))
def test_parents_repeat_their_children(operation: str) -> None:
    attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.request.model": "m",
    }
    assert events(span("x", 1, **attributes)) == []


def test_request_told_by_span_and_event_is_one() -> None:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 3,
    }
    (first,) = events(span("chat", 1, **attributes))
    body = logs(attributes)
    record = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    record |= {
        "eventName": "gen_ai.client.inference.operation.details",
        "traceId": f"{1:032x}",
        "spanId": f"{1:016x}",
    }
    (second,) = read(body, "logs").events
    assert set(first["ids"]) & set(second["ids"])
    assert usage(first) == usage(second)


def test_calls_of_a_reply_as_they_were_numbered() -> None:
    tools = [{"type": "function", "function": {"name": "add"}}]
    (_, found) = events(
        span(
            "chat",
            1,
            **{
                "gen_ai.operation.name": "chat",
                "gen_ai.usage.input_tokens": 1,
                "gen_ai.tool.definitions": json.dumps(tools),
                "gen_ai.completion.0.tool_calls.0.name": "nothing",
                "gen_ai.completion.0.tool_calls.0.id": "c1",
                "gen_ai.completion.0.tool_calls.0.arguments": '{"q": 1}',
            },
        )
    )
    assert (found["tool"], found["call_id"], found["args"]) == (
        "nothing", "c1", {"q": 1},
    )  # fmt: skip
    assert found["unknown"] is True


def test_reply_without_known_tools_accuses_nobody() -> None:
    parts = [{"type": "tool_call", "id": "c1", "name": "nothing", "arguments": {}}]
    messages = json.dumps([{"role": "assistant", "parts": parts}])
    found = events(
        span(
            "chat", 1,
            **{"gen_ai.operation.name": "chat", "gen_ai.output.messages": messages},
        )
    )  # fmt: skip
    assert found == []


def test_call_without_an_id_has_that_of_the_reply_in_another_request() -> None:
    """In the order in which exporters send: the reply, and later what it asked for."""
    memory = Memory()
    asked = [
        {
            "type": "function_call",
            "call_id": "c1",
            "name": "add",
            "arguments": '{"a":1}',
        },
        {
            "type": "function_call",
            "call_id": "c2",
            "name": "add",
            "arguments": '{"a":2}',
        },
    ]
    reply = {"openinference.span.kind": "LLM", "output.value": json.dumps(asked)}
    assert events(span("r", 1, **reply), memory=memory) == []
    made = [
        {"openinference.span.kind": "TOOL", "tool.name": "add", "input.value": each}
        for each in ('{"a": 2}', '{"a": 1}', '{"a": 1}')
    ]
    found = events(*(span("t", n, **m) for n, m in enumerate(made)), memory=memory)
    assert [each.get("call_id") for each in found] == ["c2", "c1", None]
    other = events(span("t", 9, trace=2, **made[0]), memory=memory)
    assert "call_id" not in other[0]


def test_same_id_twice_is_two_calls_and_a_replay_is_none() -> None:
    memory = Memory()
    one, two = called(1), called(2)
    for each in (one, two):
        each["attributes"][2]["value"] = value("same")
    first = events(one, two, memory=memory)
    again = events(two, one, memory=memory)
    assert [each.get("occurrence", 1) for each in first] == [1, 2]
    assert sorted(each.get("occurrence", 1) for each in again) == [1, 2]
    by_id = {each["ids"][0]: each.get("occurrence", 1) for each in first + again}
    assert len(by_id) == 2


def test_claude_code_refusals() -> None:
    body = logs(
        {
            "event.name": "tool_decision",
            "decision": "reject",
            "source": "user_reject",
            "tool_name": "Bash",
            "tool_use_id": "toolu_1",
            "session.id": "s",
        },
        {"event.name": "tool_decision", "decision": "accept", "tool_name": "Read"},
        scope="com.anthropic.claude_code.events",
    )
    (found,) = read(body, "logs").events
    assert (found["kind"], found["tool"], found["call_id"]) == (
        "denied", "Bash", "toolu_1",
    )  # fmt: skip
    assert found["reason"] == "rejected by user_reject"


def test_claude_code_numbers_and_truths_come_as_texts() -> None:
    body = logs(
        {
            "event.name": "api_request", "session.id": "s", "request_id": "req_1",
            "input_tokens": "100", "cache_creation_tokens": "20",
            "cache_read_tokens": "800", "output_tokens": "30", "cost_usd": "0.00126",
        },
        {
            "event.name": "tool_result", "session.id": "s", "tool_name": "Bash",
            "tool_use_id": "toolu_1", "success": "false", "error": "no",
        },
        scope="com.anthropic.claude_code.events",
    )  # fmt: skip
    tokens, call = read(body, "logs").events
    assert usage(tokens) == {
        "input": 120, "cached_input": 800, "output": 30, "cost": 0.00126,
    }  # fmt: skip
    assert (call["ok"], call["error"]) == (False, "no")


@pytest.mark.parametrize("temporality", (1, 2))
def test_metrics_are_sums_of_what_is_counted_already(temporality: int) -> None:
    point = {
        "timeUnixNano": "1795971433000000000",
        "asDouble": 500.0,
        "attributes": [{"key": "type", "value": value("input")}],
    }
    metric = {
        "name": "claude_code.token.usage",
        "sum": {
            "aggregationTemporality": temporality,
            "isMonotonic": True,
            "dataPoints": [point],
        },
    }
    scoped = {"scope": {"name": "com.anthropic.claude_code"}, "metrics": [metric]}
    reading = read({"resourceMetrics": [{"scopeMetrics": [scoped]}]}, "metrics")
    assert (reading.events, reading.rejected) == ([], 0)


@pytest.mark.parametrize("hit", (True, "True", False))
def test_cache_of_litellm_asked_no_model(hit: Any) -> None:
    attributes = {
        "litellm.call_id": "1", "litellm.cache_hit": hit,
        "gen_ai.usage.input_tokens": 10, "gen_ai.operation.name": "chat",
    }  # fmt: skip
    found = events(span("litellm_request", 1, **attributes), scope="litellm")
    assert len(found) == (0 if hit else 1)


def test_codex_and_gemini_refusals() -> None:
    codex = logs(
        {
            "event.name": "codex.tool_decision", "tool_name": "exec_command",
            "call_id": "c1", "decision": "denied", "source": "User",
            "conversation.id": "s",
        },
        scope="codex_otel.log_only",
    )  # fmt: skip
    gemini = logs(
        {
            "event.name": "gemini_cli.tool_call", "function_name": "shell",
            "decision": "reject", "success": False, "session.id": "s",
        },
        scope="gemini-cli",
    )  # fmt: skip
    for body in (codex, gemini):
        (found,) = read(body, "logs").events
        assert (found["kind"], found["conversation"]) == ("denied", "s")


def test_old_words_of_vercel() -> None:
    """Version 4: prompt and completion tokens, arguments in `args`."""
    calls = [{"toolCallId": "c1", "toolName": "add", "args": '{"a": 1}'}]
    request = {
        "ai.operationId": "ai.generateText.doGenerate", "ai.response.id": "r",
        "ai.response.model": "m", "ai.usage.promptTokens": 10,
        "ai.usage.completionTokens": 3, "ai.response.toolCalls": json.dumps(calls),
    }  # fmt: skip
    call = {
        "ai.operationId": "ai.toolCall", "ai.toolCall.name": "add",
        "ai.toolCall.id": "c1", "ai.toolCall.args": '{"a": 1}',
    }  # fmt: skip
    tokens, made = events(span("r", 1, **request), span("t", 2, **call))
    assert usage(tokens) == {"input": 10, "output": 3, "model": "m"}
    assert (made["call_id"], made["args"], made["ok"]) == ("c1", {"a": 1}, True)


def test_dialect_that_fails_is_told_and_costs_one_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from agentdb.intake.dialect import genai

    def broken(record: Any, reading: Reading) -> None:
        raise KeyError("x")

    monkeypatch.setattr(genai, "read", broken)
    pydantic = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}
    body = traces(called(1))
    body["resourceSpans"] += traces(span("t", 2, **pydantic), scope="pydantic-ai")[
        "resourceSpans"
    ]
    reading = read(body)
    assert reading.rejected == 1
    assert len(reading.events) == 1
    assert reading.whys() == ["KeyError in genai"]


def test_memory_is_bounded() -> None:
    """Whatever a client makes up: what was not used for longest is forgotten."""
    memory = Memory()
    for trace in range(5000):
        for number in range(2):
            memory.ask(trace, "t", {"a": f"{trace} {number}" + "x" * 9000}, "c")
        memory.keep(trace, {"error": "x" * 1_000_000})
        for number in range(30):
            memory.occurrence(trace, f"{number:0100}")
    for recent in (memory._asked, memory._kept, memory._sights):
        assert 0 < recent.size <= 16 << 20
    assert memory.kept(0) is None
    assert memory.kept(4999) is not None
    assert memory.occurrence(4999, f"{7:0100}") == 8


@pytest.mark.parametrize("at_once", [True, False])
def test_trace_is_of_the_conversation_that_one_of_its_spans_names(
    at_once: bool,
) -> None:
    """Some name it on the spans of the agent and the model alone."""
    chat = {"gen_ai__operation__name": "chat", "gen_ai__usage__input_tokens": 5}
    named = span("chat m", 1, **chat, gen_ai__conversation__id="talk")
    memory = Memory()
    if at_once:
        found = events(called(2), named, memory=memory)
    else:
        found = events(named, memory=memory) + events(called(2), memory=memory)
    assert {each["conversation"] for each in found} == {"talk"}
    assert {each["kind"] for each in found} == {"call", "tokens"}
    # Another trace is another's.
    [other] = events(called(3, trace=2), memory=memory)
    assert other["conversation"] != "talk"


def test_trace_of_two_conversations_is_of_neither() -> None:
    chat = {"gen_ai__operation__name": "chat", "gen_ai__usage__input_tokens": 5}
    one = span("chat m", 1, **chat, gen_ai__conversation__id="one")
    two = span("chat m", 2, **chat, gen_ai__conversation__id="two")
    found = {each["kind"]: each for each in events(one, two, called(3))}
    assert found["call"]["conversation"] not in ("one", "two")
