"""What looks like an agent's, and is in no words that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..otlp.record import Log, Record, Span

if TYPE_CHECKING:
    from .reading import Reading

STARTS = ("gen_ai.", "llm.", "ai.", "traceloop.", "openinference.", "langfuse.", "mcp.")


def speaks(record: Record) -> bool:
    """Return whether a record looks like an agent's."""
    return isinstance(record, Span | Log) and any(
        name.startswith(STARTS) for name in record.attributes
    )


def read(record: Record, reading: Reading) -> None:
    """Keep it for inspection: nothing was recorded of it."""
    reading.problem("unknown_dialect", "", record)
