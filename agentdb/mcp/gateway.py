"""What stands between a client of MCP and a server: sees each call, and what it gave.

A message is looked at and passed on as the bytes that it came as, but for a result that
advice is added to.  A call is recorded when its result has gone by, once, however many
messages it took.
"""

from __future__ import annotations

import json
import logging
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
# So many calls wait for their clients' input, at most.
WAITING = 1000
logger = logging.getLogger("agentdb.mcp")


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
        run.watch_budget()
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
        try:
            found = list(messages(data))
            if any(_is_call(message) for message in found):
                try:
                    self._run.check()
                    if over := self._run.over_budget:
                        raise over
                except AgentdbError as refused:
                    return self._refusals(found, refused, data)
            for message in found:
                self._of_client(message, scope)
        except Exception:
            # Nobody's call that we understand: the server may.
            logger.exception("a message was passed on unseen")
        return None

    def from_server(self, data: bytes, scope: str = "") -> bytes:
        """Look at what a server sends; return what its client is given.

        That is the same, but for advice that is new: it stands at the end of a result,
        for the model to read.
        """
        ended = []
        for message in messages(data):
            try:
                if self._of_server(message, scope):
                    ended.append(message["id"])
            except Exception:
                logger.exception("a message was passed on unseen")
        if ended and (advice := self._run.new_advice()):
            return _with_words(data, ended[-1], f"agentdb: {advice}")
        return data

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

    def _of_client(self, message: dict[str, Any], scope: str) -> None:
        method, params = message.get("method"), _dict(message.get("params"))
        if method == "notifications/cancelled":
            self._cancel(_key(params.get("requestId"), scope))
        elif method == "tools/list" and "id" in message:
            self._listings.add(_key(message["id"], scope))
        elif _is_call(message):
            self._begin(_key(message["id"], scope), params)

    def _refusals(
        self, found: list[dict[str, Any]], refused: AgentdbError, data: bytes
    ) -> bytes:
        """Return answers to all that is asked in a message: none of it is passed on."""
        answers = [
            self._refusal(each["id"], _dict(each.get("params")), refused)
            if _is_call(each)
            else _error(
                each["id"], "not passed on: it came with a call that is refused"
            )
            for each in found
            if "id" in each and "method" in each
        ]
        batch = data.lstrip()[:1] == b"["
        return json.dumps(answers if batch else answers[0]).encode()

    def _refusal(
        self, number: Any, params: dict[str, Any], refused: AgentdbError
    ) -> dict[str, Any]:
        """Return a result that a model can act on; the call is not made."""
        self._record(_pending(params), error=f"refused: {refused}")
        text = {"type": "text", "text": describe(refused)}
        result: dict[str, Any] = {"content": [text], "isError": True}
        if VERSION in _dict(params.get("_meta")):
            result["resultType"] = "complete"
        return {"jsonrpc": "2.0", "id": number, "result": result}

    def _begin(self, key: str, params: dict[str, Any]) -> None:
        """Note a call; one that goes on with the client's input is the same call."""
        state = params.get("requestState")
        with self._lock:
            former = self._waiting.pop(str(state), None) if state else None
            reused = self._pending.get(key)
            self._pending[key] = former or _pending(params)
        if reused:
            self._record(reused, error="protocol: its id was given to another call")

    def _cancel(self, key: str) -> None:
        with self._lock:
            pending = self._pending.pop(key, None)
        if pending:
            self._record(pending, error="cancelled by the client")

    def _of_server(self, message: dict[str, Any], scope: str) -> bool:
        """Take over an answer; tell whether it is a result that takes more words."""
        if "id" not in message or "method" in message:
            return False
        key = _key(message["id"], scope)
        if key in self._listings:
            self._listings.discard(key)
            self._learn(_dict(message.get("result")).get("tools"))
            return False
        with self._lock:
            pending = self._pending.pop(key, None)
        if pending is None:
            return False
        result = _dict(message.get("result"))
        if result.get("resultType") == "input_required" and "requestState" in result:
            self._wait(str(result["requestState"]), pending)
        elif error := message.get("error"):
            self._record(pending, error=f"protocol: {_said(error)}")
        elif result.get("isError"):
            self._record(pending, error=_text(result) or "the tool failed")
        else:
            self._record(pending, result=_text(result) or json.dumps(result))
        return isinstance(result.get("content"), list)

    def _wait(self, state: str, pending: Pending) -> None:
        """Keep a call until the client goes on with it; not every client does."""
        with self._lock:
            self._waiting[state] = pending
            first = next(iter(self._waiting))
            left = self._waiting.pop(first) if len(self._waiting) > WAITING else None
        if left:
            self._record(left, error="protocol: nobody gave the input that it needs")

    def _learn(self, tools: Any) -> None:
        """Take over what tools there are, and how they are called."""
        known = [
            tool
            for tool in (tools if isinstance(tools, list) else [])
            if isinstance(tool, dict) and isinstance(tool.get("name"), str)
        ]
        # A page of a list: what was on the others stays.
        self._schemas |= {tool["name"]: tool.get("inputSchema") for tool in known}
        if (register := self._register) and known:
            # A database that hangs holds no client back.
            threading.Thread(target=register, args=[known], daemon=True).start()

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
        if not isinstance(schema := self._schemas[pending.tool], dict):
            return None
        from ..verify.arguments import first_violation

        try:
            return first_violation(schema, pending.args)
        except Exception as error:
            logger.warning("the schema of %s says nothing: %s", pending.tool, error)
            return None


def messages(data: bytes) -> Iterator[dict[str, Any]]:
    """Return the messages in a line; what is no JSON is nobody's call."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return
    for message in found if isinstance(found, list) else [found]:
        if isinstance(message, dict):
            yield message


def _with_words(data: bytes, number: Any, words: str) -> bytes:
    """Return what a server sent with words at the end of the result of a request."""
    whole = json.loads(data)
    for message in whole if isinstance(whole, list) else [whole]:
        if "method" not in message and message.get("id") == number:
            message["result"]["content"].append({"type": "text", "text": words})
    return json.dumps(whole).encode() + (b"\n" if data.endswith(b"\n") else b"")


def _is_call(message: dict[str, Any]) -> bool:
    return message.get("method") == "tools/call" and "id" in message


def _dict(value: Any) -> dict[str, Any]:
    """Return a value where it is what it has to be, else nothing."""
    return value if isinstance(value, dict) else {}


def _error(number: Any, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": -32000, "message": text}}


def _pending(params: dict[str, Any]) -> Pending:
    meta = _dict(params.get("_meta"))
    ids = (meta.get(name) for name in CALL_IDS)
    return Pending(
        str(params.get("name") or "(none)"), params.get("arguments"),
        next((str(each) for each in ids if each), None), time.monotonic(),
    )  # fmt: skip


def _key(number: Any, scope: str) -> str:
    """Return a request's id within its scope: 1 and "1" are two, 1 and 1.0 one."""
    if isinstance(number, float) and number.is_integer():
        number = int(number)
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
