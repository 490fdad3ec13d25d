"""The rollouts of Codex: a line an item, of one thread.

A call is a `function_call` (or `custom_tool_call`) item, its end an item with the same
`call_id`, which has no mark of failure: only its words say it.  What an answer was
billed is a `token_usage_record`; older files have a `token_count` at most.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ..event import Event, count, known, objects, text_of

CALLS = ("function_call", "custom_tool_call", "local_shell_call")
OUTPUTS = ("function_call_output", "custom_tool_call_output")
UNKNOWN = re.compile(r"^unsupported (custom tool )?call: ")
INVALID = re.compile(r"^failed to parse function arguments: (.*)", re.DOTALL)
DENIED = re.compile(
    r"blocked by PreToolUse hook|rejected by user|approval .*(denied|rejected)"
    r"|^exec command rejected"
)
EXIT = re.compile(r"^(?:Process exited with code|Exit code:) (-?\d+)", re.MULTILINE)
FAILED = re.compile(r"^(?:execution error|failed|error)\b", re.IGNORECASE)


def is_of(first: dict[str, Any]) -> bool:
    """Tell whether a line begins a rollout of Codex."""
    return first.get("type") == "session_meta" and isinstance(
        first.get("payload"), dict
    )


def outcome(said: str) -> Event:
    """Return what the text of an output says about the call."""
    said = said.strip()
    if UNKNOWN.search(said):
        return {"ok": False, "error": said, "unknown": True}
    if invalid := INVALID.search(said):
        return {"ok": False, "error": said, "violation": invalid[1]}
    ended = EXIT.search(said)
    if ended and ended[1] != "0":
        told = shown(said).strip()
        return {
            "ok": False,
            "error": f"exit code {ended[1]}: {told}".removesuffix(": "),
        }
    if not ended and FAILED.search(said):
        return {"ok": False, "error": said}
    return {"ok": True}


def shown(said: str) -> str:
    """Return what a command printed, without what Codex says of the run before it."""
    head, mark, printed = said.partition("Output:\n")
    return printed if mark and EXIT.search(head) else said


def usage(used: object) -> Event | None:
    """Return the tokens of an answer: Codex counts the cached part as input."""
    if not isinstance(used, dict) or (whole := count(used.get("input_tokens"))) is None:
        return None
    cached = count(used.get("cached_input_tokens")) or 0
    return known(
        {
            "kind": "tokens",
            "input": max(0, whole - cached),
            "cached_input": cached,
            "output": count(used.get("output_tokens")) or 0,
            "reasoning": count(used.get("reasoning_output_tokens")),
        }
    )


class Transcript:
    """Reads lines in their order and remembers which calls have no result yet."""

    def __init__(self) -> None:
        self.open: dict[str, dict[str, Any]] = {}
        self._base: Event = {}
        self._model: str | None = None
        self._begun = False
        # A file that has records of usage is counted by them alone.
        self._counts: list[Event] = []
        self._recorded = False
        self._total: object = None

    def events(self, lines: Iterable[bytes]) -> Iterator[Event]:
        """Give what the lines tell."""
        for line in objects(lines):
            payload, at = line.get("payload"), line.get("timestamp")
            if not isinstance(payload, dict):
                continue
            if line.get("type") == "session_meta":
                self._meet(payload)
            elif line.get("type") == "turn_context":
                self._model = payload.get("model") or self._model
            for event in self._of(line.get("type"), payload):
                yield self._base | known({"at": at}) | event

    def finish(self, *, whole: bool = True) -> Iterator[Event]:
        """Give what no record has said, where the whole file was read."""
        if whole and not self._recorded:
            yield from self._counts
        self._counts = []

    def _meet(self, meta: dict[str, Any]) -> None:
        thread, session = meta.get("id"), meta.get("session_id") or meta.get("id")
        self._base = known(
            {
                "conversation": session,
                "thread": thread if thread != session else None,
                "emitter": f"codex {meta.get('cli_version', '')}".strip(),
                "source": "transcript",
            }
        )

    def _of(self, line: object, payload: dict[str, Any]) -> Iterator[Event]:
        kind = payload.get("type")
        if line == "token_usage_record":
            self._recorded = True
            if used := usage(payload.get("usage")):
                yield known(
                    {**used, "ids": [payload["response_id"]], "model": self._model}
                )
        elif line == "event_msg" and kind == "token_count":
            self._count(payload.get("info"))
        elif line == "event_msg" and kind in ("user_message", "item_completed"):
            yield from self._start(payload)
        elif line == "response_item" and kind in CALLS:
            yield self._call(payload)
        elif line == "response_item" and kind in OUTPUTS:
            yield from self._output(payload)

    def _count(self, info: object) -> None:
        # Said again when nothing was asked: with the same total.
        if not isinstance(info, dict) or info.get("total_token_usage") == self._total:
            return
        self._total = info.get("total_token_usage")
        if used := usage(info.get("last_token_usage")):
            mark = f"{self._base.get('conversation')}/{json.dumps(self._total)}"
            self._counts.append(
                self._base | known({**used, "ids": [mark], "model": self._model})
            )

    def _start(self, payload: dict[str, Any]) -> Iterator[Event]:
        item = payload.get("item")
        said = payload.get("message")
        if isinstance(item, dict) and item.get("type") == "UserMessage":
            said = text_of(item.get("content"))
        if isinstance(said, str) and not self._begun:
            self._begun = True
            yield {"kind": "start", "purpose": said[:500]}

    def _call(self, payload: dict[str, Any]) -> Event:
        given = payload.get("arguments", payload.get("input", payload.get("action")))
        if isinstance(given, str):
            try:
                given = json.loads(given)
            except ValueError:
                given = {"input": given}
        call = str(payload.get("call_id") or payload.get("id"))
        made = {"tool": payload.get("name", "shell"), "args": given, "call_id": call}
        self.open[call] = made
        return {"kind": "begin", **made}

    def _output(self, payload: dict[str, Any]) -> Iterator[Event]:
        made = self.open.pop(str(payload.get("call_id")), None)
        if made is None:
            return
        said = text_of(payload.get("output"))
        if DENIED.search(said):
            yield {"kind": "denied", **made, "reason": said}
            return
        size = {"result": shown(said), "result_size": len(shown(said))}
        yield {"kind": "call", **made, **outcome(said), **size}
