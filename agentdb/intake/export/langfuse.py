"""Observations as Langfuse's API and exports give them, alone or in a trace.

Tokens are those of generations and embeddings.  `input` of usageDetails leaves out what
has a name of its own, such as input_cached_tokens; Langfuse adds the parts up by their
names, and so does this.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..event import Event, as_list, as_object, count, known, loaded, text_of

EMITTER = "langfuse"
MODELS = ("GENERATION", "EMBEDDING")


def is_of(first: dict[str, Any]) -> bool:
    """Tell whether an object is a trace or an observation."""
    return ("traceId" in first and "startTime" in first) or (
        "observations" in first and "timestamp" in first
    )


def events(found: dict[str, Any]) -> Iterator[Event]:
    """Give what a trace, or an observation, tells."""
    if "observations" in found:
        yield from _trace(found)
    else:
        yield from _observation(found, found.get("sessionId") or found.get("traceId"))


def _trace(trace: dict[str, Any]) -> Iterator[Event]:
    conversation = str(trace.get("sessionId") or trace.get("id"))
    yield known(
        {
            **_base(conversation, trace.get("timestamp")),
            "kind": "start",
            "purpose": trace.get("name"),
            "on_behalf_of": trace.get("userId"),
        }
    )
    for observation in as_list(trace["observations"]):
        yield from _observation(as_object(observation), conversation)


def _base(conversation: object, at: object) -> Event:
    return {
        "conversation": str(conversation),
        "emitter": EMITTER,
        "source": "span",
        "at": at,
    }


def _observation(found: dict[str, Any], conversation: object) -> Iterator[Event]:
    base = known(_base(conversation, found.get("endTime") or found.get("startTime")))
    if not found.get("parentObservationId"):
        begun = {"kind": "start", "at": found.get("startTime")}
        yield base | begun | known({"purpose": found.get("name")})
    kind = str(found.get("type", "")).upper()
    if kind == "TOOL":
        yield base | _call(found)
    elif kind in MODELS and (used := _tokens(found)):
        yield base | used


def _call(found: dict[str, Any]) -> Event:
    failed = found.get("level") == "ERROR"
    said = text_of(loaded(found.get("output")))
    metadata = as_object(loaded(found.get("metadata")))
    return known(
        {
            "kind": "call",
            "tool": found.get("name"),
            "args": loaded(found.get("input")),
            "call_id": metadata.get("tool_call_id") or str(found.get("id")),
            "ok": not failed,
            "error": text_of(found.get("statusMessage")) or said if failed else None,
            "result": said,
            "result_size": len(said),
        }
    )


def _tokens(found: dict[str, Any]) -> Event | None:
    used = as_object(loaded(found.get("usageDetails") or found.get("usage")))
    numbers = {
        name: count(value) or 0 for name, value in used.items() if name != "total"
    }
    if not numbers:
        return None
    incoming = {n: v for n, v in numbers.items() if "input" in n or "prompt" in n}
    outgoing = {n: v for n, v in numbers.items() if "output" in n or "completion" in n}
    cached = sum(v for n, v in incoming.items() if "cache" in n and "creat" not in n)
    return known(
        {
            "kind": "tokens",
            "ids": [str(found["id"])],
            "input": sum(incoming.values()) - cached,
            "cached_input": cached,
            "output": sum(outgoing.values()),
            "reasoning": sum(v for n, v in outgoing.items() if "reason" in n) or None,
            "model": found.get("model") or found.get("providedModelName"),
            "cost": found.get("totalCost") or found.get("calculatedTotalCost"),
        }
    )
