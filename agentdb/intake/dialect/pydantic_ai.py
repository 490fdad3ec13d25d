"""pydantic-ai, formats 2 to 6 of its instrumentation.

The spans of agents repeat the sum of their requests, under names of their own.  A tool
that is unknown has no span: the reply that asked for it tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..otlp.record import Record, Span
from . import genai
from .value import told

if TYPE_CHECKING:
    from .reading import Reading


def speaks(record: Record) -> bool:
    """Return whether a record is in these words."""
    return isinstance(record, Span) and record.source.scope == "pydantic-ai"


def read(record: Record, reading: Reading) -> None:
    """Read a request to a model, a call of a tool, or the end of an agent."""
    assert isinstance(record, Span)
    operation = record.attributes.get("gen_ai.operation.name")
    if operation == "execute_tool":
        reading.always(record, "gen_ai.tool.call.id")
        genai.tool(record, reading, violation=_violation(record))
    elif operation == "chat":
        if not record.failed:
            reading.always(record, "gen_ai.usage.input_tokens")
        genai.request(record, reading)
    elif operation == "invoke_agent":
        genai.agent(record, reading)


def _violation(span: Span) -> str | None:
    """Return what was wrong with arguments that the tool never saw."""
    if span.attributes.get("pydantic_ai.tool.failure_stage") != "validation":
        return None
    return span.exception() or told(span.attributes.get("gen_ai.tool.call.result"))
