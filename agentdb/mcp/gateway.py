"""What stands between a client of MCP and a server: sees each call, changes nothing.

A message is looked at and passed on as the bytes that it came as.  A call is recorded
when its result has gone by, once, however many messages it took.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..client import Run
from ..errors import AgentdbError, describe

# Where a client says which call of its model this is.
CALL_IDS = ("claudecode/toolUseId", "toolUseId", "gen_ai.tool.call.id")
# Where a client of the later protocol says so in each request.
VERSION = "io.modelcontextprotocol/protocolVersion"


@dataclass
class Pending:
    """A call on its way."""

    tool: str
    args: Any
    call_id: str | None
    began: float


class Gateway:
    """The calls that go through to one server, for one run."""

    def __init__(
        self, run: Run, register: Callable[[list[Any]], None] | None = None
    ) -> None:
        self._run = run
        self._register = register
        self._lock = threading.Lock()
        self._pending: dict[str, Pending] = {}
        self._listings: set[str] = set()
        # Calls that wait for the client's input, by the state that it sends back.
        self._waiting: dict[str, Pending] = {}
        self._schemas: dict[str, Any] = {}

    def from_client(self, data: bytes, scope: str = "") -> bytes | None:
        """Look at what a client sends; return an answer in place of the server's.

        `scope` is what the ids of its requests are unique within.
        """
        for message in messages(data):
            if refused := self._of_client(message, scope):
                return refused
        return None

    def from_server(self, data: bytes, scope: str = "") -> None:
        """Look at what a server sends."""
        for message in messages(data):
            self._of_server(message, scope)

    def failed(self, data: bytes, why: str, scope: str = "") -> None:
        """Record the calls of a message that the server has not taken."""
        for message in messages(data):
            with self._lock:
                pending = self._pending.pop(_key(message.get("id"), scope), None)
            if pending:
                self._record(pending, error=f"protocol: {why}")

    def not_made(self, data: bytes, scope: str = "") -> None:
        """Forget the calls of a message that the client will send again."""
        for message in messages(data):
            with self._lock:
                self._pending.pop(_key(message.get("id"), scope), None)

    def closed(self, why: str) -> None:
        """Record what no answer will come for."""
        with self._lock:
            left = [*self._pending.values(), *self._waiting.values()]
            self._pending.clear()
            self._waiting.clear()
        for pending in left:
            self._record(pending, error=f"protocol: {why}")

    def _of_client(self, message: dict[str, Any], scope: str) -> bytes | None:
        method, params = message.get("method"), message.get("params") or {}
        if method == "notifications/cancelled":
            self._cancel(_key(params.get("requestId"), scope))
        elif method == "tools/list" and "id" in message:
            self._listings.add(_key(message["id"], scope))
        elif method == "tools/call" and "id" in message:
            try:
                self._run.check()
            except AgentdbError as refused:
                return self._refusal(message["id"], params, refused)
            self._begin(_key(message["id"], scope), params)
        return None

    def _refusal(
        self, number: Any, params: dict[str, Any], refused: AgentdbError
    ) -> bytes:
        """Return a result that a model can act on; the call is not made."""
        self._record(_pending(params), error=f"refused: {refused}")
        text = {"type": "text", "text": describe(refused)}
        result: dict[str, Any] = {"content": [text], "isError": True}
        if VERSION in (params.get("_meta") or {}):
            result["resultType"] = "complete"
        answer = {"jsonrpc": "2.0", "id": number, "result": result}
        return json.dumps(answer).encode()

    def _begin(self, key: str, params: dict[str, Any]) -> None:
        """Note a call; one that goes on with the client's input is the same call."""
        state = params.get("requestState")
        with self._lock:
            former = self._waiting.pop(state, None) if state else None
            self._pending[key] = former or _pending(params)

    def _cancel(self, key: str) -> None:
        with self._lock:
            pending = self._pending.pop(key, None)
        if pending:
            self._record(pending, error="cancelled by the client")

    def _of_server(self, message: dict[str, Any], scope: str) -> None:
        if "id" not in message or "method" in message:
            return
        key = _key(message["id"], scope)
        if key in self._listings:
            self._listings.discard(key)
            self._learn((message.get("result") or {}).get("tools") or [])
            return
        with self._lock:
            pending = self._pending.pop(key, None)
        if pending is None:
            return
        result = message.get("result") or {}
        if result.get("resultType") == "input_required" and "requestState" in result:
            with self._lock:
                self._waiting[str(result["requestState"])] = pending
        elif error := message.get("error"):
            self._record(pending, error=f"protocol: {_said(error)}")
        elif result.get("isError"):
            self._record(pending, error=_text(result) or "the tool failed")
        else:
            self._record(pending, result=_text(result) or json.dumps(result))

    def _learn(self, tools: list[Any]) -> None:
        """Take over what tools there are, and how they are called."""
        known = [tool for tool in tools if isinstance(tool, dict) and tool.get("name")]
        self._schemas |= {tool["name"]: tool.get("inputSchema") for tool in known}
        if self._register and known:
            self._register(known)

    def _record(
        self, pending: Pending, *, result: str | None = None, error: str | None = None
    ) -> None:
        self._run.log_call(
            pending.tool, pending.args, result=result, error=error,
            seconds=time.monotonic() - pending.began, call_id=pending.call_id,
            violation=self._violation(pending),
        )  # fmt: skip

    def _violation(self, pending: Pending) -> str | None:
        """Return what is wrong with the arguments, or that there is no such tool."""
        if not self._schemas:
            return None
        if pending.tool not in self._schemas:
            return "the server offers no such tool"
        if (schema := self._schemas[pending.tool]) is None:
            return None
        from ..verify.arguments import first_violation

        return first_violation(schema, pending.args)


def messages(data: bytes) -> Iterator[dict[str, Any]]:
    """Return the messages in a line; what is no JSON is nobody's call."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return
    for message in found if isinstance(found, list) else [found]:
        if isinstance(message, dict):
            yield message


def _pending(params: dict[str, Any]) -> Pending:
    meta = params.get("_meta") or {}
    ids = (meta.get(name) for name in CALL_IDS)
    return Pending(
        str(params.get("name") or "(none)"), params.get("arguments"),
        next((str(each) for each in ids if each), None), time.monotonic(),
    )  # fmt: skip


def _key(number: Any, scope: str) -> str:
    """Return a request's id within its scope: 1 and "1" are two."""
    return f"{scope} {json.dumps(number)}"


def _text(result: dict[str, Any]) -> str:
    content = result.get("content")
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "\n".join(text for text in texts if isinstance(text, str))


def _said(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    return f"{error.get('code')} {error.get('message')}"
