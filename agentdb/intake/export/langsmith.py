"""Runs as LangSmith's API and its client give them: a tree of runs a trace.

Tokens are those of runs of type llm; their parents repeat the sums of their children.
The prompt has the cached part in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..event import Event, as_list, as_object, count, known, text_of

EMITTER = "langsmith"
# No run is made of a tool that does not exist: only the step's messages name it.
UNKNOWN = re.compile(r"^Error: \S+ is not a valid tool")
INVALID = re.compile(r"^Error invoking tool .*? with error:\s*(.*)", re.DOTALL)


def is_of(first: dict[str, Any]) -> bool:
    """Tell whether an object is a run."""
    return "run_type" in first and "trace_id" in first


def events(run: dict[str, Any]) -> Iterator[Event]:
    """Give what a run and the runs within it tell."""
    metadata = as_object(as_object(run.get("extra")).get("metadata"))
    thread = next(
        (
            metadata[n]
            for n in ("session_id", "thread_id", "conversation_id")
            if metadata.get(n)
        ),
        run.get("trace_id"),
    )
    base = known(
        {
            "conversation": str(thread),
            "emitter": EMITTER,
            "source": "span",
            "at": run.get("end_time") or run.get("start_time"),
        }
    )
    if run.get("parent_run_id") is None:
        begun = {
            "kind": "start",
            "at": run.get("start_time"),
            "purpose": run.get("name"),
        }
        yield base | known(begun)
    if run.get("run_type") == "tool":
        yield base | _call(run)
    elif run.get("run_type") == "chain":
        yield from (base | each for each in _unknown(run))
    elif run.get("run_type") == "llm" and (used := _tokens(run, metadata)):
        yield base | used
    for child in as_list(run.get("child_runs")):
        yield from events(as_object(child))


def _call(run: dict[str, Any]) -> Event:
    output = as_object(run.get("outputs")).get("output")
    message = as_object(as_object(output).get("kwargs")) or as_object(output)
    said = text_of(message.get("content", output))
    error = run.get("error") or (said if message.get("status") == "error" else None)
    return known(
        {
            "kind": "call",
            "tool": run.get("name"),
            "args": run.get("inputs"),
            "call_id": as_object(run.get("extra")).get("tool_call_id")
            or message.get("tool_call_id")
            or str(run.get("id")),
            "ok": not error,
            "error": text_of(error) if error else None,
            "violation": found[1] if (found := INVALID.search(said)) else None,
            "result": said,
            "result_size": len(said),
        }
    )


def _unknown(run: dict[str, Any]) -> Iterator[Event]:
    """Give the calls of a step that no tool was there for."""
    for each in as_list(as_object(run.get("outputs")).get("messages")):
        message = as_object(each)
        message = as_object(message.get("kwargs")) or message
        said = text_of(message.get("content"))
        if message.get("type") == "tool" and UNKNOWN.search(said):
            yield {
                "kind": "call",
                "tool": message.get("name"),
                "call_id": message.get("tool_call_id"),
                "ok": False,
                "error": said,
                "unknown": True,
            }


def _tokens(run: dict[str, Any], metadata: dict[str, Any]) -> Event | None:
    used = as_object(metadata.get("usage_metadata")) or _of_message(run)
    whole = count(used.get("input_tokens", run.get("prompt_tokens")))
    output = count(used.get("output_tokens", run.get("completion_tokens")))
    if whole is None or output is None:
        return None
    details = as_object(
        used.get("input_token_details") or run.get("prompt_token_details")
    )
    cached = count(details.get("cache_read")) or 0
    thought = as_object(
        used.get("output_token_details") or run.get("completion_token_details")
    )
    return known(
        {
            "kind": "tokens",
            "ids": [str(run["id"])],
            "input": max(0, whole - cached),
            "cached_input": cached,
            "output": output,
            "reasoning": count(thought.get("reasoning")),
            "model": metadata.get("ls_model_name"),
            "cost": run.get("total_cost"),
        }
    )


def _of_message(run: dict[str, Any]) -> dict[str, Any]:
    """Return the usage that the first message of an answer has."""
    for batch in as_list(as_object(run.get("outputs")).get("generations")):
        for generation in as_list(batch):
            message = as_object(as_object(generation).get("message"))
            message = as_object(message.get("kwargs")) or message
            if used := as_object(message.get("usage_metadata")):
                return used
    return {}
