"""Vercel's AI SDK: versions 4 to 6 in words of their own, 7 in those of GenAI.

Spans of generateText, streamText and agents repeat the sum of their requests.  A call
whose arguments do not fit has no span: the next request has the answer to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..otlp.record import Record, Span
from . import genai
from .messages import Asked, offered, replied
from .value import arguments, first, listed, member, parsed, text

if TYPE_CHECKING:
    from .reading import Reading

# The scopes of its tracers.
OLD, NEW = "ai", "gen_ai"
METADATA = "ai.telemetry.metadata."
WRONG = "Invalid input for tool"
REQUESTS = (".doGenerate", ".doStream", ".doEmbed")


def speaks(record: Record) -> bool:
    """Return whether a record is in these words."""
    if not isinstance(record, Span):
        return False
    return "ai.operationId" in record.attributes or (
        record.source.scope == NEW and "gen_ai.operation.name" in record.attributes
    )


def read(record: Record, reading: Reading) -> None:
    """Read a request to a model, a call of a tool, or the end of an agent."""
    assert isinstance(record, Span)
    if record.source.scope == NEW:
        if record.attributes.get("gen_ai.operation.name") == "chat":
            _refused(record, reading)
        genai.read(record, reading)
        return
    kind = str(record.attributes["ai.operationId"])
    if kind.endswith(REQUESTS):
        _request(record, reading)
    elif kind == "ai.toolCall":
        _tool(record, reading)
    elif kind in ("ai.generateText", "ai.streamText"):
        genai.agent(record, reading, conversation=_conversation(record))


def _request(span: Span, reading: Reading) -> None:
    of = span.attributes
    where = _conversation(span)
    reading.tokens(
        span,
        ids=[of.get("ai.response.id")],
        input=first(of, "ai.usage.inputTokens", "ai.usage.promptTokens", *genai.INPUT),
        cached_input=of.get("ai.usage.cachedInputTokens"),
        output=first(
            of, "ai.usage.outputTokens", "ai.usage.completionTokens", *genai.OUTPUT
        ),
        reasoning=of.get("ai.usage.reasoningTokens"),
        model=text(first(of, "ai.response.model", "ai.model.id")),
        conversation=where,
    )
    calls = [
        Asked(
            str(each["toolName"]),
            arguments(first(each, "input", "args")),
            text(each.get("toolCallId")),
        )
        for each in listed(of.get("ai.response.toolCalls"))
        if member(each, "toolName")
    ]
    tools = of.get("ai.prompt.tools")
    names = [parsed(each) for each in tools] if isinstance(tools, list) else []
    replied(reading, span, calls, offered(names), conversation=where)
    made = {}
    for message in listed(of.get("ai.prompt.messages")):
        for part in listed(member(message, "content")):
            call = member(part, "toolCallId")
            if member(part, "type") == "tool-call":
                made[call] = (member(part, "toolName"), member(part, "input"))
            elif call in made:
                said = member(part, "output", "value")
                _answer(reading, span, call, *made[call], said, where)


def _tool(span: Span, reading: Reading) -> None:
    of = span.attributes
    result = of.get("ai.toolCall.result")
    genai.tool(
        span,
        reading,
        tool=text(of.get("ai.toolCall.name")),
        call_id=of.get("ai.toolCall.id"),
        args=arguments(of.get("ai.toolCall.args")),
        result=result if isinstance(result, str) else None,
        conversation=_conversation(span),
    )


def _refused(span: Span, reading: Reading) -> None:
    """Read from the messages of a request which earlier calls were never made."""
    made = {}
    for message in listed(span.attributes.get("gen_ai.input.messages")):
        for part in listed(member(message, "parts")):
            call = member(part, "id")
            if member(part, "type") == "tool_call":
                made[call] = (member(part, "name"), member(part, "arguments"))
            elif call in made:
                _answer(reading, span, call, *made[call], part.get("response"), None)


def _answer(
    reading: Reading,
    span: Span,
    call: Any,
    tool: Any,
    args: Any,
    said: Any,
    where: Any,
) -> None:
    """Note a call that the SDK itself refused, however often it is repeated."""
    if not isinstance(said, str) or WRONG not in said[:200] or not text(tool):
        return
    reading.call(
        span,
        str(tool),
        call_id=call,
        occurrence=1,
        place=0,
        ids=[f"{span.trace} refused {call}"],
        args=arguments(args),
        ok=False,
        error=said,
        violation=said,
        conversation=where,
    )


def _conversation(span: Span) -> Any:
    names = ("sessionId", "session_id", "conversationId", "threadId", "chatId")
    return first(span.attributes, *(f"{METADATA}{name}" for name in names))
