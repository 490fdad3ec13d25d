"""openai-agents, by either of its instrumentations.

A tool that raised gave a text, and only the status of its span tells; a tool that is
unknown ends the turn, whose span has the error.  Turns, tasks and agents that are tools
repeat the tokens of their requests: only those of kind LLM count.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from ..otlp.record import Record, Span
from . import genai, openinference, openllmetry
from .messages import NO_SUCH_TOOL
from .value import member

if TYPE_CHECKING:
    from .reading import Reading

SCOPES = (
    "openinference.instrumentation.openai_agents",
    "opentelemetry.instrumentation.openai_agents",
)
NOT_FOUND = re.compile(r"Tool not found: (\{.*\})", re.S)
WRONG = "Invalid JSON input for tool"


def speaks(record: Record) -> bool:
    """Return whether a record is in these words."""
    return isinstance(record, Span) and record.source.scope in SCOPES


def read(record: Record, reading: Reading) -> None:
    """Read a request to a model, a call of a tool, or the end of an agent."""
    assert isinstance(record, Span)
    of = record.attributes
    if record.failed and (found := NOT_FOUND.search(record.message)):
        _unknown(record, reading, member(_said(found[1]), "tool_name"))
    tool = of.get("openinference.span.kind") == "TOOL" or (
        of.get("gen_ai.operation.name") == "execute_tool"
    )
    other = openinference if openinference.speaks(record) else openllmetry
    if not tool:
        if other.speaks(record):
            other.read(record, reading)
        else:
            genai.read(record, reading)
        return
    error = _error(record)
    wrong = error if error and WRONG in error else None
    other.tool(record, reading, error=error, violation=wrong)


def _unknown(span: Span, reading: Reading, tool: Any) -> None:
    if not isinstance(tool, str):
        return
    call, args = reading.asked(span, tool, None)
    reading.call(
        span,
        tool,
        call_id=call,
        args=args,
        place=0,
        ok=False,
        error=NO_SUCH_TOOL,
        unknown=True,
        conversation=openinference.conversation(span),
    )


def _error(span: Span) -> str | None:
    """Return the error within the status, which is a dictionary of Python in words."""
    if not span.failed:
        return None
    inner = span.message[span.message.find("{") :]
    said = _said(inner)
    found = member(said, "error") or member(said, "data", "error")
    return found if isinstance(found, str) else genai.failure(span)


def _said(shown: str) -> Any:
    try:
        return ast.literal_eval(shown[:10_000])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
