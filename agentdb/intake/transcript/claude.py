"""The transcripts of Claude Code: a line a message, of the session or of a subagent.

One answer of the model is several lines, a block each, all with the same usage: it is
counted once, by its request and its message.  A call is a `tool_use` block; how it
ended is the `tool_result` of a later line, where only the words of an error say which
kind it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ..event import Event, as_list, as_object, count, known, objects, text_of

UNKNOWN = re.compile(r"No such tool available: (\S+?)[.<]?(\s|<|$)(?!.*is disabled)")
INVALID = re.compile(r"InputValidationError:? ?(.*)", re.DOTALL)
# A hook's, a rule's of the settings, or a person's.
DENIED = re.compile(
    r"hook error: |is disabled for this session|doesn't want to proceed"
    r"|Permission to use .* has been denied|was (?:denied|rejected)"
    r"|requested permissions? to use .* but you haven't granted"
)
TAGS = re.compile(r"</?tool_use_error>")


def is_of(first: dict[str, Any]) -> bool:
    """Tell whether a line is of a transcript of Claude Code."""
    # Langfuse has both names too.
    return "sessionId" in first and "type" in first and "traceId" not in first


def outcome(said: str) -> Event:
    """Return what the text of an erroneous result says about the call."""
    said = TAGS.sub("", said).strip()
    if UNKNOWN.search(said):
        return {"ok": False, "error": said, "unknown": True}
    if invalid := INVALID.search(said):
        return {"ok": False, "error": said, "violation": invalid[1].strip() or said}
    return {"ok": False, "error": said}


def refused(said: str) -> bool:
    """Tell whether the text of a result means that the call was not made."""
    return bool(DENIED.search(said)) and not UNKNOWN.search(said)


def usage(message: dict[str, Any], request: object) -> Event | None:
    """Return the tokens of an answer; what was written to the cache is fresh input."""
    used = message.get("usage")
    if not isinstance(used, dict) or message.get("model") == "<synthetic>":
        return None
    fresh = count(used.get("input_tokens"))
    if fresh is None:
        return None
    details = as_object(used.get("output_tokens_details"))
    return known(
        {
            "kind": "tokens",
            "ids": [each for each in (message.get("id"), request) if each],
            "input": fresh + (count(used.get("cache_creation_input_tokens")) or 0),
            "cached_input": count(used.get("cache_read_input_tokens")),
            "output": count(used.get("output_tokens")) or 0,
            "reasoning": count(details.get("thinking_tokens")),
            "model": message.get("model"),
        }
    )


class Transcript:
    """Reads lines in their order and remembers which calls have no result yet."""

    def __init__(self) -> None:
        self.open: dict[str, dict[str, Any]] = {}
        # The last line of an answer has what it was billed.
        self._used: Event = {}
        self._seen: dict[str, int] = {}
        self._begun: set[str] = set()

    def events(self, lines: Iterable[bytes]) -> Iterator[Event]:
        """Give what the lines tell."""
        for line in objects(lines):
            message = line.get("message")
            if not isinstance(message, dict) or "sessionId" not in line:
                continue
            base = known(
                {
                    "conversation": str(line["sessionId"]),
                    "thread": line.get("agentId"),
                    "at": line.get("timestamp"),
                    "emitter": f"claude-code {line.get('version', '')}".strip(),
                    "source": "transcript",
                }
            )
            for event in self._of(line, message):
                if event["kind"] == "tokens":
                    if event["ids"] != self._used.get("ids"):
                        yield from self.finish()
                    self._used = base | event
                else:
                    yield base | event

    def finish(self, *, whole: bool = True) -> Iterator[Event]:
        """Give what waits for another line that may not come."""
        if self._used:
            yield self._used
        self._used = {}

    def _of(self, line: dict[str, Any], message: dict[str, Any]) -> Iterator[Event]:
        content = message.get("content")
        blocks = [as_object(block) for block in as_list(content)]
        if line.get("type") == "assistant":
            used = usage(message, line.get("requestId"))
            if used:
                yield used
            yield from self._calls(blocks)
        elif line.get("type") == "user":
            yield from self._start(line, content)
            yield from self._results(blocks)

    def _start(self, line: dict[str, Any], content: object) -> Iterator[Event]:
        key = str((line["sessionId"], line.get("agentId")))
        if key not in self._begun and isinstance(content, str):
            self._begun.add(key)
            yield {"kind": "start", "purpose": content[:500]}

    def _calls(self, blocks: list[Any]) -> Iterator[Event]:
        for block in blocks:
            if block.get("type") != "tool_use":
                continue
            call = str(block.get("id"))
            # The same id twice in one reply is two calls.
            self._seen[call] = self._seen.get(call, 0) + 1
            made = {
                "tool": block.get("name"),
                "args": block.get("input"),
                "call_id": call,
            }
            if self._seen[call] > 1:
                made["occurrence"] = self._seen[call]
            self.open[call] = made
            yield {"kind": "begin", **made}

    def _results(self, blocks: list[Any]) -> Iterator[Event]:
        for block in blocks:
            if block.get("type") != "tool_result":
                continue
            made = self.open.pop(str(block.get("tool_use_id")), None)
            if made is None:
                continue
            said = text_of(block.get("content"))
            if block.get("is_error") and refused(said):
                yield {"kind": "denied", **made, "reason": TAGS.sub("", said).strip()}
                continue
            ended = outcome(said) if block.get("is_error") else {"ok": True}
            size = {"result": said, "result_size": len(said)}
            yield {"kind": "call", **made, **ended, **size}
