"""What an event of a hook says, and how its emitter wants to be answered.

The shape is Claude Code's: JSON with hook_event_name, session_id, tool_name, tool_input
and tool_use_id.  Codex took it over; Gemini CLI has its own names, and no ids of calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .event import Event, known, text_of
from .transcript.claude import outcome, refused

# Before these somebody may say no.
BEFORE_TOOL = ("PreToolUse", "BeforeTool")
BEFORE_WORK = ("UserPromptSubmit", "BeforeAgent")
AFTER_TOOL = ("PostToolUse", "PostToolUseFailure", "AfterTool")
GEMINI = (
    "BeforeTool", "AfterTool", "BeforeAgent", "AfterAgent", "BeforeModel", "AfterModel",
    "BeforeToolSelection", "PreCompress",
)  # fmt: skip


class NoEvent(ValueError):
    """What came is no event of a hook; says what is missing."""


@dataclass(frozen=True)
class Hook:
    """One event, as it came."""

    given: dict[str, Any]

    @classmethod
    def of(cls, body: object) -> Hook:
        """Check the shape; raises NoEvent."""
        if not isinstance(body, dict):
            raise NoEvent("the body is no JSON object")
        for name in ("hook_event_name", "session_id"):
            if not isinstance(body.get(name), str) or not body[name].strip():
                raise NoEvent(f"{name} is missing: send a hook's event as it came")
        return cls(body)

    @property
    def name(self) -> str:
        """The event's name."""
        return str(self.given["hook_event_name"])

    @property
    def conversation(self) -> str:
        """The session."""
        return str(self.given["session_id"])

    @property
    def thread(self) -> str | None:
        """The subagent, None for the session's own."""
        found = self.given.get("agent_id")
        return found if isinstance(found, str) and found else None

    @property
    def emitter(self) -> str:
        """Who sent it, as far as the shape tells."""
        if self.name in GEMINI:
            return "gemini-cli"
        return "codex" if self.codex else "claude-code"

    @property
    def codex(self) -> bool:
        """Whether it is Codex's, which says the model and the turn everywhere."""
        return "turn_id" in self.given or (
            "model" in self.given and "permission_mode" in self.given
        )

    @property
    def tool(self) -> str:
        """The tool that is called, empty where none is."""
        found = self.given.get("tool_name")
        return found if isinstance(found, str) else ""

    def asks(self) -> bool:
        """Tell whether the emitter waits for a decision."""
        return self.name in BEFORE_WORK or self.name in BEFORE_TOOL

    def tells(self) -> bool:
        """Tell whether the answer may have words for the model: all three take these.

        Before a tool Codex takes none.
        """
        return self.name in BEFORE_WORK or self.name in AFTER_TOOL

    def events(self, reason: str | None = None) -> list[Event]:
        """Return what is to be recorded; `reason` is why the call was just denied."""
        base = known(
            {
                "conversation": self.conversation,
                "thread": self.thread,
                "emitter": self.emitter,
                "source": "hook",
                "at": self.given.get("timestamp"),
            }
        )
        told = list(READ.get(self.name, _nothing)(self) if reason is None else ())
        # Without an id the transcript's word for it would be another's.
        if reason is not None and self.tool and self.given.get("tool_use_id"):
            told = [{"kind": "denied", **self._call(), "reason": reason}]
        return [base | event for event in told] + self._transcript()

    def _transcript(self) -> list[Event]:
        """Return what the command has read in the transcript, of this session alone."""
        found = self.given.get("agentdb_transcript")
        if not isinstance(found, list):
            return []
        model = known({"model": self.given.get("model")})
        return [
            (model if event.get("kind") == "tokens" else {})
            | event
            | {"conversation": self.conversation, "source": "transcript"}
            for event in found
            # That it began is said by an event of its own, and but once.
            if isinstance(event, dict) and event.get("kind") not in ("start", "end")
        ]

    def _call(self) -> Event:
        return known(
            {
                "tool": self.tool or "unknown",
                "args": self.given.get("tool_input"),
                "call_id": self.given.get("tool_use_id"),
            }
        )

    def _started(self) -> Iterator[Event]:
        # A session whose words were compacted goes on: to say that it starts anew would
        # bring back who was killed.
        if self.given.get("source") == "compact":
            return
        # The start of a subagent has the same shape, under its own id.
        yield known({"kind": "start", "model": self.given.get("model")})

    def _prompted(self) -> Iterator[Event]:
        # Where the run has ended the session goes on in another.
        yield {"kind": "start", "source": "prompt"}

    def _ended(self) -> Iterator[Event]:
        failed = self.given.get("reason") in ("error", "failed")
        yield {"kind": "end", "outcome": "failed" if failed else "succeeded"}

    def _broke(self) -> Iterator[Event]:
        # What the session does after that is another run of it.
        said = text_of(self.given.get("error")) or "the turn failed"
        yield {"kind": "end", "outcome": "failed", "summary": said}

    def _before(self) -> Iterator[Event]:
        # Without an id its end could not be told from another's.
        if self.given.get("tool_use_id"):
            yield {"kind": "begin", **self._call()}

    def _after(self) -> Iterator[Event]:
        # Codex does not say how a call ended, nor Gemini which; their transcripts do.
        if self.codex or self.name in GEMINI:
            return
        said = self.given.get("tool_response")
        result = said if isinstance(said, str) else json.dumps(said, sort_keys=True)
        error = said.get("error") if isinstance(said, dict) else None
        yield known(
            {
                "kind": "call",
                **self._call(),
                "ok": not error,
                "error": text_of(error) if error else None,
                "result": result,
                "result_size": len(result),
                "duration_ms": self.given.get("duration_ms"),
            }
        )

    def _failed(self) -> Iterator[Event]:
        said = text_of(self.given.get("error")) or "failed"
        if self.given.get("is_interrupt"):
            said = f"interrupted: {said}"
        yield known(
            {
                "kind": "call",
                **self._call(),
                **outcome(said),
                "duration_ms": self.given.get("duration_ms"),
            }
        )

    def _denied(self) -> Iterator[Event]:
        reason = text_of(self.given.get("reason")) or "permission denied"
        yield {"kind": "denied", **self._call(), "reason": reason}

    def _batch(self) -> Iterator[Event]:
        """Give the calls that have no event of their own: unknown, invalid, denied."""
        calls = self.given.get("tool_calls")
        for call in calls if isinstance(calls, list) else []:
            if not isinstance(call, dict):
                continue
            hook, said = Hook(call), text_of(call.get("tool_response"))
            ended = outcome(said)
            if refused(said):
                yield {"kind": "denied", **hook._call(), "reason": said}
            elif "unknown" in ended or "violation" in ended:
                yield {"kind": "call", **hook._call(), **ended}


def _nothing(hook: Hook) -> Iterator[Event]:
    return iter(())


READ: dict[str, Callable[[Hook], Iterator[Event]]] = {
    "SessionStart": Hook._started,
    "SubagentStart": Hook._started,
    "UserPromptSubmit": Hook._prompted,
    "BeforeAgent": Hook._prompted,
    "SessionEnd": Hook._ended,
    "SubagentStop": Hook._ended,
    "StopFailure": Hook._broke,
    "PreToolUse": Hook._before,
    "PostToolUse": Hook._after,
    "PostToolUseFailure": Hook._failed,
    "PermissionDenied": Hook._denied,
    "PostToolBatch": Hook._batch,
}


def answer(hook: Hook, reason: str | None, *, over: bool = False) -> dict[str, Any]:
    """Return what makes the emitter go on, or not; `over` ends its turn as well."""
    if reason is None:
        return {}
    ends = {"continue": False, "stopReason": reason} if over else {}
    if hook.name in GEMINI:
        return {"decision": "deny", "reason": reason, **ends}
    if hook.name in BEFORE_WORK:
        return {"decision": "block", "reason": reason, **ends}
    denied = {
        "hookEventName": hook.name,
        "permissionDecision": "deny",
        "permissionDecisionReason": reason,
    }
    # Codex takes no other word beside it.
    return {"hookSpecificOutput": denied, **({} if hook.codex else ends)}


def telling(hook: Hook, advice: str | None) -> dict[str, Any]:
    """Return what makes the emitter go on, with something for its model to read."""
    if advice is None:
        return {}
    said = {"hookEventName": hook.name, "additionalContext": f"agentdb: {advice}"}
    return {"hookSpecificOutput": said}
