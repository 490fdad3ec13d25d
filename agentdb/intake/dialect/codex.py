"""Codex: log events.  Its spans and metrics tell the same again, and are left.

Cached input is inside.  A tool that is unknown, and arguments that do not parse, are
results that failed, each in a sentence of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..otlp.record import Log, Record
from .value import arguments, number, text, truth

if TYPE_CHECKING:
    from .reading import Reading

PROGRAMS = ("codex", "codex_")
UNKNOWN = "unsupported call: "
WRONG = "failed to parse function arguments"


def speaks(record: Record) -> bool:
    """Return whether a record is in these words."""
    source = record.source
    return source.scope.startswith(PROGRAMS) or source.service.startswith("codex_")


def read(record: Record, reading: Reading) -> None:
    """Read a request to a model, a call of a tool, or a refusal."""
    if not isinstance(record, Log):
        return
    event = record.attributes.get("event.name")
    if event == "codex.sse_event" and "input_token_count" in record.attributes:
        _request(record, reading)
    elif event == "codex.tool_result":
        _result(record, reading)
    elif event == "codex.tool_decision":
        _decision(record, reading)


def _request(log: Log, reading: Reading) -> None:
    of = log.attributes
    session = text(of.get("conversation.id"))
    reading.tokens(
        log,
        # No record of it has an id: one moment of one session is one request.
        ids=[f"{session} {log.time}"],
        input=of.get("input_token_count"),
        cached_input=of.get("cached_token_count"),
        output=of.get("output_token_count"),
        reasoning=of.get("reasoning_token_count"),
        model=text(of.get("model")),
        conversation=session,
    )


def _result(log: Log, reading: Reading) -> None:
    of = log.attributes
    name, ok = text(of.get("tool_name")), truth(of.get("success"))
    reading.always(log, "call_id")
    if not name:
        return
    output = of.get("output")
    said = output if isinstance(output, str) else ""
    reading.call(
        log,
        name,
        call_id=of.get("call_id"),
        occurrence=1,
        args=arguments(of.get("arguments")),
        ok=ok,
        error=None if ok else said or "it failed, and nothing says why",
        unknown=True if not ok and said.startswith(UNKNOWN) else None,
        violation=said if not ok and said.startswith(WRONG) else None,
        duration_ms=number(of.get("duration_ms")),
        result=said or None,
        result_size=len(said),
        conversation=text(of.get("conversation.id")),
    )


def _decision(log: Log, reading: Reading) -> None:
    of = log.attributes
    name = text(of.get("tool_name"))
    if name and of.get("decision") in ("denied", "abort", "timed_out"):
        reading.add(
            "denied",
            log,
            tool=name,
            call_id=text(of.get("call_id")),
            reason=f"{of.get('decision')} by {of.get('source')}",
            conversation=text(of.get("conversation.id")),
        )
