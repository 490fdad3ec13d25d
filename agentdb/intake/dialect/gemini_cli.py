"""Gemini CLI: log events.  Its spans and metrics tell the same again, and are left.

Cached input is inside the input, thoughts are beside the output.  Calls have no id in
the log: the reply that asked for them has, where prompts are logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..otlp.record import Log, Record
from .messages import asked
from .value import arguments, number, text, truth, whole

if TYPE_CHECKING:
    from .reading import Reading

DETAILS = "gen_ai.client.inference.operation.details"


def speaks(record: Record) -> bool:
    """Return whether a record is in these words."""
    return "gemini-cli" in (record.source.scope, record.source.service)


def read(record: Record, reading: Reading) -> None:
    """Read a request to a model, a call of a tool, or a refusal."""
    if not isinstance(record, Log):
        return
    event = record.attributes.get("event.name")
    session = text(record.attributes.get("session.id"))
    if event == "gemini_cli.api_response":
        _request(record, reading, session)
    elif event == "gemini_cli.tool_call":
        _call(record, reading, session)
    elif event == DETAILS:
        for each in asked(record.attributes.get("gen_ai.output.messages")):
            reading.asks(record, each.tool, each.args, each.call, where=session)


def _request(log: Log, reading: Reading, session: str | None) -> None:
    of = log.attributes
    reading.always(log, "input_token_count")
    given, tools = whole(of.get("input_token_count")), whole(of.get("tool_token_count"))
    made, thought = (
        whole(of.get("output_token_count")),
        whole(of.get("thoughts_token_count")),
    )
    reading.tokens(
        log,
        ids=[f"{session} {log.time} {of.get('prompt_id')}"],
        input=None if given is None else given + (tools or 0),
        cached_input=of.get("cached_content_token_count"),
        output=None if made is None else made + (thought or 0),
        reasoning=thought,
        model=text(of.get("model")),
        conversation=session,
    )


def _call(log: Log, reading: Reading, session: str | None) -> None:
    of = log.attributes
    reading.always(log, "function_name")
    name, ok = text(of.get("function_name")), truth(of.get("success"))
    if not name:
        return
    args = arguments(of.get("function_args"))
    call, _ = reading.asked(log, name, args, where=session)
    if of.get("decision") == "reject":
        reading.add(
            "denied",
            log,
            tool=name,
            call_id=call,
            args=args,
            reason="rejected by the user",
            ids=[f"{session} {log.time} {name} {call}"],
            conversation=session,
        )
        return
    error = None if ok else str(of.get("error") or of.get("error_type") or "failed")
    kind = of.get("error_type")
    reading.call(
        log,
        name,
        call_id=call,
        occurrence=1,
        ids=[f"{session} {log.time} {name} {call or of.get('function_args')}"[:400]],
        args=args,
        ok=ok,
        error=error,
        unknown=True if kind == "tool_not_registered" else None,
        violation=error if kind == "invalid_tool_params" else None,
        duration_ms=number(of.get("duration_ms")),
        result_size=whole(of.get("content_length")),
        conversation=session,
    )
