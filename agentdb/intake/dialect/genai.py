"""OpenTelemetry's conventions for generative AI, as they are and as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..otlp.record import Log, Record, Span
from .messages import Asked, asked, offered, replied
from .value import arguments, first, text, told

if TYPE_CHECKING:
    from .reading import Reading

REQUESTS = ("chat", "text_completion", "generate_content", "embeddings", "completion")
INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
CACHED = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cached_input_tokens",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cached_tokens",
)
REASONING = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.details.reasoning_tokens",
)
ARGUMENTS = ("gen_ai.tool.call.arguments", "gen_ai.tool.arguments", "tool_arguments")
RESULT = ("gen_ai.tool.call.result", "gen_ai.tool.result", "tool_response")
MODEL = ("gen_ai.response.model", "gen_ai.request.model")
CANCELLED = ("CancelledError", "KeyboardInterrupt", "AbortError")
TRACE = "Traceback (most recent call last)"
# The event that says of a request what its span says.
DETAILS = "gen_ai.client.inference.operation.details"


def speaks(record: Record) -> bool:
    """Return whether a record is in these words."""
    if isinstance(record, Log):
        return record.name == DETAILS
    return isinstance(record, Span) and any(
        name.startswith("gen_ai.") for name in record.attributes
    )


def read(record: Record, reading: Reading) -> None:
    """Read a request to a model, a call of a tool, or the end of an agent."""
    assert isinstance(record, Span | Log)
    operation = record.attributes.get("gen_ai.operation.name")
    if operation == "execute_tool" and isinstance(record, Span):
        tool(record, reading)
    elif operation in REQUESTS or (operation is None and _counts(record)):
        request(record, reading)
    elif operation in ("invoke_agent", "invoke_workflow") and isinstance(record, Span):
        agent(record, reading)


def request(record: Span | Log, reading: Reading, **said: Any) -> None:
    """Read one request to a model: its tokens, and what its reply asks for."""
    of = record.attributes
    where = {name: said.get(name) for name in ("conversation", "thread")}
    ids = [*said.pop("ids", ()), of.get("gen_ai.response.id")]
    if isinstance(record, Log) and record.span:
        # Its span tells the same.
        ids.append(f"{record.trace}:{record.span}")
    reading.tokens(
        record,
        ids=ids,
        input=said.pop("input", first(of, *INPUT)),
        cached_input=said.pop("cached_input", first(of, *CACHED)),
        output=said.pop("output", first(of, *OUTPUT)),
        reasoning=said.pop("reasoning", first(of, *REASONING)),
        model=said.pop("model", model(of)),
        **said,
    )
    calls = [*asked(of.get("gen_ai.output.messages")), *_numbered(of)]
    replied(reading, record, calls, offered(of.get("gen_ai.tool.definitions")), **where)


def tool(span: Span, reading: Reading, **said: Any) -> None:
    """Read one call of a tool."""
    of = span.attributes
    name = said.pop("tool", None) or text(of.get("gen_ai.tool.name"))
    if not name:
        reading.problem("field_vanished", "", span, f"gen_ai.tool.name of {span.name}")
        return
    result = said.pop("result", told(first(of, *RESULT)))
    args = said.pop("args", arguments(first(of, *ARGUMENTS)))
    call = said.pop("call_id", first(of, "gen_ai.tool.call.id", "tool_call_id"))
    said.setdefault("error", failure(span))
    asked = reading.asked(span, name, args)
    if not call:
        call, args = asked
    reading.call(
        span,
        name,
        call_id=call,
        args=args,
        ok=not span.failed,
        result=result,
        result_size=None if result is None else len(result),
        **said,
    )


def agent(span: Span, reading: Reading, **said: Any) -> None:
    """Read the end of an agent that nobody else called: a run's end."""
    if not span.parent:
        reading.end(span, outcome=outcome(span), summary=failure(span), **said)


def outcome(span: Span) -> str:
    """Return how what a span stands for ended."""
    kinds = [each.get("exception.type") for name, each in span.events]
    kinds.append(span.attributes.get("error.type"))
    if any(str(kind).rpartition(".")[2] in CANCELLED for kind in kinds):
        return "cancelled"
    return "failed" if span.failed else "succeeded"


def failure(span: Span) -> str | None:
    """Return what went wrong, as far as it is told."""
    if not span.failed:
        return None
    return (
        span.exception()
        or span.message.partition(TRACE)[0]
        or text(span.attributes.get("error.message"))
        or text(span.attributes.get("error.type"))
        or "it failed, and nothing says why"
    )


def model(of: dict[str, Any]) -> str | None:
    """Return a model's name; some libraries write a word where they know none."""
    found = text(first(of, *MODEL))
    return None if found == "unknown" else found


def _counts(record: Span | Log) -> bool:
    """Return whether a record without an operation is a request all the same."""
    of = record.attributes
    return first(of, *INPUT) is not None and first(of, *MODEL) is not None


def _numbered(of: dict[str, Any]) -> list[Asked]:
    """Return calls of a reply whose attributes are numbered, as they once were."""
    found: list[Asked] = []
    for place in range(64):
        start = f"gen_ai.completion.0.tool_calls.{place}."
        name = of.get(f"{start}name")
        if not isinstance(name, str):
            break
        args = arguments(of.get(f"{start}arguments"))
        found.append(Asked(name, args, text(of.get(f"{start}id"))))
    return found
