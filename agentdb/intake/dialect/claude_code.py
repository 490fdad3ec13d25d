"""Claude Code: spans, log events and metrics, which tell the same in three ways.

Cached input is outside of the plain attributes.  A tool's own span does not say how it
went, its child does; the log of its result has everything.  Metrics are sums, whole or
by interval, of what logs and spans tell one by one, so that they are not counted.
Unknown tools and bad arguments come by hooks alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..otlp.record import Log, Point, Record, Span
from .value import arguments, number, text, truth, whole

if TYPE_CHECKING:
    from .reading import Reading

SCOPE = "com.anthropic.claude_code"


def speaks(record: Record) -> bool:
    """Return whether a record is in these words."""
    return record.source.scope.startswith(SCOPE)


def early(record: Record) -> bool:
    """Return whether a record tells how the call of another one went."""
    kind = record.attributes.get("span.type")
    return kind in ("tool.execution", "tool.blocked_on_user")


def read(record: Record, reading: Reading) -> None:
    """Read a request to a model, a call of a tool, or a refusal."""
    if isinstance(record, Point):
        return
    name = str(
        record.attributes.get("span.type") or record.attributes.get("event.name")
    )
    if (take := TAKERS.get((type(record), name))) is not None:
        take(record, reading)


def _where(record: Span | Log) -> dict[str, Any]:
    """Return session and subagent: a span of a subagent may name it in other words."""
    of = record.attributes
    session = text(of.get("session.id"))
    agent = text(of.get("agent_id")) or text(of.get("gen_ai.conversation.id"))
    return {"conversation": session, "thread": None if agent == session else agent}


def _request(record: Span | Log, reading: Reading) -> None:
    of = record.attributes
    given, written = (
        whole(of.get("input_tokens")),
        whole(of.get("cache_creation_tokens")),
    )
    if isinstance(record, Log) or truth(of.get("success")):
        reading.always(record, "input_tokens")
        reading.always(record, "request_id")
    reading.tokens(
        record,
        ids=[of.get("request_id"), of.get("client_request_id")],
        input=None if given is None else given + (written or 0),
        cached_input=of.get("cache_read_tokens"),
        inside=False,
        output=of.get("output_tokens"),
        model=text(of.get("model")),
        cost=number(of.get("cost_usd")),
        **_where(record),
    )


def _executed(span: Span, reading: Reading) -> None:
    """Remember how a call went, until the span of the call itself comes."""
    of = span.attributes
    error = of.get("error") or span.message or None
    ok = not span.failed and truth(of.get("success")) is not False
    reading.keep(span, of.get("tool_use_id"), {"ok": ok, "error": error})


def _blocked(span: Span, reading: Reading) -> None:
    """Remember that a call was refused."""
    of = span.attributes
    decision = str(of.get("decision"))
    if decision != "accept" and span.parent:
        why = f"{decision} by {of.get('source')}"
        reading.keep(span, span.parent, {"denied": why})


def _tool(span: Span, reading: Reading) -> None:
    of = span.attributes
    reading.always(span, "tool_use_id", "gen_ai.tool.call.id")
    name = text(of.get("tool_name"))
    call = of.get("tool_use_id")
    went = reading.kept(span, call) or reading.kept(span, span.id) or {}
    if not name:
        return
    if "denied" in went:
        reading.add(
            "denied",
            span,
            tool=name,
            call_id=text(call),
            reason=went["denied"],
            **_where(span),
        )
        return
    reading.call(span, name, call_id=call, occurrence=1, **went, **_where(span))


def _result(log: Log, reading: Reading) -> None:
    of = log.attributes
    reading.always(log, "tool_use_id")
    reading.always(log, "success")
    name = text(of.get("tool_name"))
    if not name:
        return
    ok = truth(of.get("success"))
    reading.call(
        log,
        name,
        call_id=of.get("tool_use_id"),
        occurrence=1,
        args=arguments(of.get("tool_input")),
        ok=ok,
        error=None if ok else str(of.get("error") or of.get("error_type") or "failed"),
        duration_ms=number(of.get("duration_ms")),
        result_size=whole(of.get("tool_result_size_bytes")),
        **_where(log),
    )


def _decision(log: Log, reading: Reading) -> None:
    of = log.attributes
    name = text(of.get("tool_name"))
    if name and of.get("decision") == "reject":
        reading.add(
            "denied",
            log,
            tool=name,
            call_id=text(of.get("tool_use_id")),
            reason=f"rejected by {of.get('source')}",
            **_where(log),
        )


TAKERS: dict[tuple[type, str], Any] = {
    (Span, "llm_request"): _request,
    (Span, "tool"): _tool,
    (Span, "tool.execution"): _executed,
    (Span, "tool.blocked_on_user"): _blocked,
    (Log, "api_request"): _request,
    (Log, "tool_result"): _result,
    (Log, "tool_decision"): _decision,
}
