"""The chats of Gemini CLI: a line a message, written again when its calls have ended.

A call is one of a message's `toolCalls`, with its status; a command that failed has the
status of success, and only its words say that it did.  Input has the cached part in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ..event import Event, as_list, as_object, count, known, objects, text_of

UNKNOWN = re.compile(r'^Tool "[^"]*" not found')
INVALID = re.compile(r"^params (?:must|should|/)")
DENIED = re.compile(r"^Tool execution (?:blocked|denied)|denied by policy|cancelled by")
EXIT = re.compile(r"^Exit Code: (-?\d+)", re.MULTILINE)


def is_of(first: dict[str, Any]) -> bool:
    """Tell whether a line begins a chat of Gemini CLI."""
    return "sessionId" in first and "projectHash" in first


def outcome(said: str, *, failed: bool) -> Event:
    """Return what the text of a result says about the call."""
    ended = EXIT.search(said)
    if not failed and ended and ended[1] != "0":
        return {"ok": False, "error": f"exit code {ended[1]}: {said}"}
    if not failed:
        return {"ok": True}
    if UNKNOWN.search(said):
        return {"ok": False, "error": said, "unknown": True}
    if INVALID.search(said):
        return {"ok": False, "error": said, "violation": said}
    return {"ok": False, "error": said or "failed"}


class Transcript:
    """Reads lines in their order; a message that comes again is given again."""

    def __init__(self) -> None:
        # No call waits for another line.
        self.open: dict[str, dict[str, Any]] = {}
        self._conversation: str | None = None
        self._begun = False

    def events(self, lines: Iterable[bytes]) -> Iterator[Event]:
        """Give what the lines tell."""
        for line in objects(lines):
            self._conversation = line.get("sessionId") or self._conversation
            base = {"conversation": self._conversation, "emitter": "gemini-cli"}
            base |= {"source": "transcript", "at": line.get("timestamp")}
            for event in self._of(line):
                yield known(base | event)

    def finish(self, *, whole: bool = True) -> Iterator[Event]:
        """Give nothing: no line waits for another."""
        return iter(())

    def _of(self, line: dict[str, Any]) -> Iterator[Event]:
        if line.get("type") == "user" and not self._begun:
            said = text_of(line.get("content"))
            self._begun = True
            yield {"kind": "start", "purpose": said[:500]}
        elif line.get("type") == "gemini":
            if used := _tokens(line):
                yield used
            for call in as_list(line.get("toolCalls")):
                yield _call(as_object(call))


def _tokens(line: dict[str, Any]) -> Event | None:
    used = as_object(line.get("tokens"))
    whole, cached = count(used.get("input")), count(used.get("cached")) or 0
    if whole is None:
        return None
    thought = count(used.get("thoughts")) or 0
    return {
        "kind": "tokens",
        "ids": [str(line.get("id"))],
        "input": max(0, whole - cached),
        "cached_input": cached,
        "output": (count(used.get("output")) or 0) + thought,
        "reasoning": thought,
        "model": line.get("model"),
    }


def _call(call: dict[str, Any]) -> Event:
    made = {
        "tool": call.get("name"),
        "args": call.get("args"),
        "call_id": call.get("id"),
    }
    said = "\n".join(
        _said(as_object(as_object(part).get("functionResponse")))
        for part in as_list(call.get("result"))
    )
    failed = call.get("status") != "success"
    at = {"at": call.get("timestamp")}
    if failed and DENIED.search(said):
        return {"kind": "denied", **made, "reason": said, **at}
    size = {"result": said, "result_size": len(said)}
    return {"kind": "call", **made, **outcome(said, failed=failed), **size, **at}


def _said(response: dict[str, Any]) -> str:
    found = as_object(response.get("response"))
    return text_of(found.get("output", found.get("error", found)))
