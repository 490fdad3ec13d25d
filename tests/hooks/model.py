"""A model that says what a script tells it to, for coding agents.

It speaks the Messages API, and the Responses API as far as they need it.

Which turn it is follows from the request: how many answers of the assistant it repeats.
A subagent's conversation is known by the words that its prompt begins with.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_hex
from typing import Any

Block = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """One answer: what it says and which tools it calls, and what it is billed."""

    text: str = ""
    calls: Sequence[tuple[str, dict[str, Any]]] = ()
    input: int = 100
    cached: int = 0
    written: int = 0
    output: int = 10
    # HTTP statuses that are answered before it, as an overloaded provider does.
    refusals: Sequence[int] = ()
    seconds: float = 0


@dataclass
class Model:
    """The scripts by the words that a prompt begins with, and what was asked."""

    scripts: Mapping[str, Sequence[Turn]]
    url: str = ""
    # (script, number of its turn, id of the response), one an answer that was billed.
    billed: list[tuple[str, int, str]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    refused: set[tuple[str, int, int]] = field(default_factory=set)

    def turn(self, request: dict[str, Any]) -> tuple[str, int, Turn]:
        """Return which script a request goes on with, and its next turn."""
        said = request.get("messages") or request.get("input") or request["contents"]
        # The latter begins with what the agent says of itself.
        words = json.dumps(said[:1] if "messages" in request else said)
        found = [begin for begin in self.scripts if begin in words]
        if not found or not request.get("tools"):
            return "", 0, Turn(text="ok", input=1, output=1)
        # A subagent's prompt is quoted by nobody else at its beginning.
        begin = max(found, key=len)
        number = _answers(said)
        script = self.scripts[begin]
        return begin, number, script[min(number, len(script) - 1)]


def _answers(said: list[dict[str, Any]]) -> int:
    """Return how many answers a conversation has: runs of what the model said."""
    own = [
        m.get("role") in ("assistant", "model")
        or m.get("type") in ("function_call", "custom_tool_call")
        for m in said
    ]
    return sum(
        now and not before for before, now in zip([False, *own], own, strict=False)
    )


def _response(
    turn: Turn, model: str, ident: str, calls: Sequence[Block]
) -> list[Block]:
    """Return the events of one answer of the Responses API."""
    used = {
        "input_tokens": turn.input + turn.cached,
        "input_tokens_details": {"cached_tokens": turn.cached},
        "output_tokens": turn.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": turn.input + turn.cached + turn.output,
    }
    whole: Block = {"id": ident, "object": "response", "model": model, "output": []}
    items: list[Block] = []
    if turn.text:
        content = [{"type": "output_text", "text": turn.text, "annotations": []}]
        items.append(
            {
                "type": "message",
                "role": "assistant",
                "id": f"{ident}m",
                "content": content,
            }
        )
    items += [
        {
            "type": "function_call",
            "id": f"{ident}f{place}",
            "call_id": call["id"],
            "name": call["name"],
            "arguments": json.dumps(call["input"]),
        }
        for place, call in enumerate(calls)
    ]
    done = [
        {"type": "response.output_item.done", "output_index": place, "item": item}
        for place, item in enumerate(items)
    ]
    return [
        {"type": "response.created", "response": whole},
        *done,
        {
            "type": "response.completed",
            "response": whole | {"usage": used, "output": items},
        },
    ]


def _generated(turn: Turn, ident: str, calls: Sequence[Block]) -> list[Block]:
    """Return the only part of an answer of Gemini's API."""
    parts: list[Block] = [{"text": turn.text}] if turn.text else []
    parts += [
        {
            "functionCall": {
                "id": call["id"],
                "name": call["name"],
                "args": call["input"],
            }
        }
        for call in calls
    ]
    used = {
        "promptTokenCount": turn.input + turn.cached,
        "cachedContentTokenCount": turn.cached,
        "candidatesTokenCount": turn.output,
        "totalTokenCount": turn.input + turn.cached + turn.output,
    }
    content = {"role": "model", "parts": parts}
    candidate = {"content": content, "finishReason": "STOP", "index": 0}
    return [{"candidates": [candidate], "usageMetadata": used, "responseId": ident}]


def _usage(turn: Turn, output: int) -> dict[str, int]:
    return {
        "input_tokens": turn.input,
        "cache_read_input_tokens": turn.cached,
        "cache_creation_input_tokens": turn.written,
        "output_tokens": output,
    }


def _blocks(turn: Turn, script: str, number: int) -> list[Block]:
    said: list[Block] = [{"type": "text", "text": turn.text}] if turn.text else []
    made: list[Block] = []
    for place, (tool, given) in enumerate(turn.calls):
        # The same id twice in one reply, as models do at times.
        given = dict(given)
        call = given.pop("_id", f"toolu_{abs(hash(script)) % 9999}_{number}_{place}")
        made.append({"type": "tool_use", "id": call, "name": tool, "input": given})
    return said + made


def _events(message: dict[str, Any], turn: Turn) -> Iterator[dict[str, Any]]:
    blocks = message.pop("content")
    yield {
        "type": "message_start",
        "message": message | {"content": [], "usage": _usage(turn, 1)},
    }
    for index, block in enumerate(blocks):
        if block["type"] == "text":
            start: Block = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": block["text"]}
        else:
            start = block | {"input": {}}
            delta = {
                "type": "input_json_delta",
                "partial_json": json.dumps(block["input"]),
            }
        yield {"type": "content_block_start", "index": index, "content_block": start}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stopped = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {
        "type": "message_delta",
        "delta": stopped,
        "usage": _usage(turn, turn.output),
    }
    yield {"type": "message_stop"}


class _Handler(BaseHTTPRequestHandler):
    model: Model

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if "count_tokens" in self.path:
            return self._answer(200, {"input_tokens": 100})
        self.model.asked.append(asked)
        script, number, turn = self.model.turn(asked)
        for place, status in enumerate(turn.refusals):
            if (script, number, place) not in self.model.refused:
                self.model.refused.add((script, number, place))
                error = {"type": "overloaded_error", "message": "Overloaded"}
                return self._answer(status, {"type": "error", "error": error})
        time.sleep(turn.seconds)
        blocks = _blocks(turn, script, number)
        message: dict[str, Any] = {
            "id": f"msg_{token_hex(12)}",
            "type": "message",
            "role": "assistant",
            "model": asked.get("model"),
            "content": blocks,
            "stop_reason": "tool_use" if turn.calls else "end_turn",
            "stop_sequence": None,
            "usage": _usage(turn, turn.output),
        }
        if script:
            self.model.billed.append((script, number, message["id"]))
        calls = [block for block in blocks if block["type"] == "tool_use"]
        events = _events(message, turn)
        if self.path.endswith("/responses"):
            events = iter(_response(turn, message["model"], message["id"], calls))
        elif "eneratecontent" in self.path.lower():
            events = iter(_generated(turn, message["id"], calls))
            if "stream" not in self.path:
                return self._answer(200, next(events))
        elif not asked.get("stream"):
            return self._answer(200, message)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("request-id", f"req_{token_hex(12)}")
        self.end_headers()
        for event in events:
            kind = f"event: {event['type']}\n" if "type" in event else ""
            self.wfile.write(f"{kind}data: {json.dumps(event)}\n\n".encode())
        return None

    def do_GET(self) -> None:
        self._answer(404, {})

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.send_header("request-id", f"req_{token_hex(12)}")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *said: object) -> None:
        return None


@contextmanager
def serving(scripts: Mapping[str, Sequence[Turn]]) -> Iterator[Model]:
    """Serve a model on the loopback."""
    model = Model(scripts)
    handler = type("Handler", (_Handler,), {"model": model})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield model
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
