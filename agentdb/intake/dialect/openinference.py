"""OpenInference: requests are spans of kind LLM, calls of kind TOOL.

A call that raised has no id; the reply that asked for it has.  Cached input is inside.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..otlp.record import Record, Span
from . import genai
from .messages import Asked, replied
from .value import arguments, first, member, parsed, text, told

if TYPE_CHECKING:
    from .reading import Reading

COUNT = "llm.token_count."
MANY = 64


def speaks(record: Record) -> bool:
    """Return whether a record is in these words."""
    return isinstance(record, Span) and "openinference.span.kind" in record.attributes


def read(record: Record, reading: Reading) -> None:
    """Read a request to a model, a call of a tool, or the end of an agent."""
    assert isinstance(record, Span)
    kind = record.attributes["openinference.span.kind"]
    if kind in ("LLM", "EMBEDDING"):
        request(record, reading)
    elif kind == "TOOL":
        tool(record, reading)
    elif kind in ("AGENT", "CHAIN"):
        genai.agent(record, reading, conversation=conversation(record))


def request(span: Span, reading: Reading) -> None:
    """Read one request to a model."""
    of = span.attributes
    where = conversation(span)
    reading.tokens(
        span,
        ids=[_response(of)],
        input=of.get(f"{COUNT}prompt"),
        cached_input=of.get(f"{COUNT}prompt_details.cache_read"),
        output=of.get(f"{COUNT}completion"),
        reasoning=of.get(f"{COUNT}completion_details.reasoning"),
        model=text(first(of, "llm.model_name", "embedding.model_name")),
        cost=of.get("llm.cost.total"),
        conversation=where,
    )
    calls = [*_asked(of), *_items(of.get("output.value"))]
    replied(reading, span, calls, _offered(of), conversation=where)


def tool(span: Span, reading: Reading, **said: Any) -> None:
    """Read one call of a tool."""
    of = span.attributes
    name = text(first(of, "tool.name", "tool_call.function.name")) or span.name
    shown = of.get("input.value")
    args = arguments(shown)
    output = parsed(of.get("output.value"))
    # A message of langchain has the result beside the id.
    call = first(of, "tool_call.id", "tool.id") or member(
        output, "data", "tool_call_id"
    )
    result = member(output, "data", "content") or of.get("output.value")
    error = said.pop("error", None) or genai.failure(span)
    asked = reading.asked(span, name, args)
    if not isinstance(args, dict | list):
        # A text that is none of JSON is one argument without its name.
        args = asked[1] if isinstance(asked[1], dict | list) else None
    reading.call(
        span,
        name,
        call_id=call or asked[0],
        args=args,
        ok=not span.failed,
        error=error,
        violation=said.pop("violation", None) or violation(name, span),
        result=told(result),
        result_size=None if result is None else len(str(told(result))),
        conversation=conversation(span),
        **said,
    )


def violation(name: str, span: Span) -> str | None:
    """Return what pydantic said of a tool's arguments: of its own model, no other."""
    said = span.exception() or ""
    if re.match(rf"\d+ validation errors? for {re.escape(name)}\b", said):
        return said
    return None


def conversation(span: Span) -> str | None:
    """Return the session of a span, or the thread of a graph."""
    found = span.attributes.get("session.id")
    return text(found) or text(
        member(parsed(span.attributes.get("metadata")), "thread_id")
    )


def _response(of: dict[str, Any]) -> Any:
    """Return the provider's id of a reply, where the whole reply is told."""
    if (found := of.get("llm.response.id")) is not None:
        return found
    shown = of.get("output.value")
    if not isinstance(shown, str) or '"id"' not in shown[:4000]:
        return None
    reply = parsed(shown)
    if member(reply, "object") in ("chat.completion", "response"):
        return member(reply, "id")
    said = member(reply, "generations", 0, 0, "message", "kwargs", "response_metadata")
    return member(said, "id")


def _asked(of: dict[str, Any]) -> list[Asked]:
    """Return the calls of a reply, whose attributes are numbered."""
    found: list[Asked] = []
    for message in range(MANY):
        if f"llm.output_messages.{message}.message.role" not in of:
            break
        for place in range(MANY):
            start = (
                f"llm.output_messages.{message}.message.tool_calls.{place}.tool_call."
            )
            name = of.get(f"{start}function.name")
            if not isinstance(name, str):
                break
            args = arguments(of.get(f"{start}function.arguments"))
            found.append(Asked(name, args, text(of.get(f"{start}id"))))
    return found


def _items(output: Any) -> list[Asked]:
    """Return the calls of a reply that is a list of items, as of openai-agents."""
    shown = output if isinstance(output, str) and "function_call" in output else None
    items = parsed(shown)
    return [
        Asked(str(each["name"]), arguments(each.get("arguments")), each.get("call_id"))
        for each in (items if isinstance(items, list) else [])
        if member(each, "type") == "function_call" and member(each, "name")
    ]


def _offered(of: dict[str, Any]) -> set[str]:
    """Return the names of the tools that the model was offered."""
    found = set()
    for place in range(1000):
        schema = of.get(f"llm.tools.{place}.tool.json_schema")
        if schema is None:
            break
        said = parsed(schema)
        name = member(said, "function", "name") or member(said, "name")
        if isinstance(name, str):
            found.add(name)
    return found
