"""LangChain and LangGraph, by LangSmith's own exporter of OpenTelemetry.

Cached input is inside; its number is in the metadata alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..otlp.record import Record, Span
from . import genai, openinference
from .messages import Asked, offered, replied
from .value import arguments, first, listed, member, parsed, text, told

if TYPE_CHECKING:
    from .reading import Reading

METADATA = "langsmith.metadata."
THREADS = ("thread_id", "session_id", "conversation_id")


def speaks(record: Record) -> bool:
    """Return whether a record is in these words."""
    return isinstance(record, Span) and "langsmith.span.kind" in record.attributes


def read(record: Record, reading: Reading) -> None:
    """Read a request to a model, a call of a tool, or the end of an agent."""
    assert isinstance(record, Span)
    kind = record.attributes["langsmith.span.kind"]
    if kind in ("llm", "embedding"):
        _request(record, reading)
    elif kind == "tool":
        _tool(record, reading)
    else:
        genai.agent(record, reading, conversation=_conversation(record))


def _request(span: Span, reading: Reading) -> None:
    of = span.attributes
    where = _conversation(span)
    used = parsed(of.get(f"{METADATA}usage_metadata"))
    message = member(
        parsed(of.get("gen_ai.completion")), "generations", 0, 0, "message", "kwargs"
    )
    reading.tokens(
        span,
        ids=[member(message, "response_metadata", "id")],
        input=first(of, *genai.INPUT),
        cached_input=member(used, "input_token_details", "cache_read"),
        output=first(of, *genai.OUTPUT),
        reasoning=member(used, "output_token_details", "reasoning"),
        model=genai.model(of)
        or text(member(message, "response_metadata", "model_name")),
        conversation=where,
    )
    calls = [
        Asked(str(each["name"]), each.get("args"), text(each.get("id")))
        for each in listed(member(message, "tool_calls"))
        if member(each, "name")
    ]
    tools = offered(of.get("gen_ai.tool.definitions"))
    replied(reading, span, calls, tools, conversation=where)


def _tool(span: Span, reading: Reading) -> None:
    of = span.attributes
    name = text(of.get("gen_ai.tool.name")) or span.name
    result = told(member(parsed(of.get("gen_ai.completion")), "output", "content"))
    args = arguments(of.get("gen_ai.prompt"))
    genai.tool(
        span,
        reading,
        tool=name,
        args=args if isinstance(args, dict | list) else None,
        result=result,
        violation=openinference.violation(name, span),
        conversation=_conversation(span),
    )


def _conversation(span: Span) -> Any:
    return first(span.attributes, *(f"{METADATA}{name}" for name in THREADS))
