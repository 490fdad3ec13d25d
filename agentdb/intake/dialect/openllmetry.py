"""OpenLLMetry: the GenAI conventions, with kinds and conversations of its own.

Cached input is inside.  Arguments of a tool of langchain are within what it was given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..otlp.record import Record, Span
from . import genai, openinference
from .value import arguments, first, member, parsed, text

if TYPE_CHECKING:
    from .reading import Reading

ASSOCIATED = "traceloop.association.properties."
REQUESTS = ("chat", "completion", "embedding", "rerank")


def speaks(record: Record) -> bool:
    """Return whether a record is in these words."""
    if not isinstance(record, Span):
        return False
    return (
        "llm.request.type" in record.attributes and (record.source.scope != "litellm")
    ) or any(name.startswith("traceloop.") for name in record.attributes)


def read(record: Record, reading: Reading) -> None:
    """Read a request to a model, a call of a tool, or the end of an agent."""
    assert isinstance(record, Span)
    of = record.attributes
    where = conversation(record)
    kind = of.get("traceloop.span.kind")
    operation = of.get("gen_ai.operation.name")
    if kind == "tool" or operation == "execute_tool":
        tool(record, reading)
    elif operation in genai.REQUESTS or of.get("llm.request.type") in REQUESTS:
        genai.request(record, reading, conversation=where)
    elif kind in ("workflow", "agent"):
        genai.agent(record, reading, conversation=where)


def tool(span: Span, reading: Reading, **said: Any) -> None:
    """Read one call of a tool."""
    of = span.attributes
    name = text(first(of, "gen_ai.tool.name", "traceloop.entity.name")) or span.name
    given = arguments(first(of, "gen_ai.tool.call.arguments", "traceloop.entity.input"))
    gave = first(of, "gen_ai.tool.call.result", "traceloop.entity.output")
    call, args, result = of.get("gen_ai.tool.call.id"), given, gave
    if isinstance(given, dict) and "input_str" in given:
        # langchain's callback, as a whole.
        call = call or member(given, "kwargs", "tool_call_id")
        args = given.get("inputs")
        output = parsed(gave)
        result = member(output, "output", "kwargs", "content") or gave
    genai.tool(
        span,
        reading,
        tool=name,
        args=args,
        call_id=call,
        result=result if isinstance(result, str) else None,
        violation=said.pop("violation", None) or openinference.violation(name, span),
        conversation=conversation(span),
        **said,
    )


def conversation(span: Span) -> str | None:
    """Return the thread or session that a program associated."""
    of = span.attributes
    names = ("thread_id", "session_id", "conversation_id")
    found = first(of, *(f"{ASSOCIATED}{name}" for name in names))
    return text(found)
