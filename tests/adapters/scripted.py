"""A provider of models that answers what a script says, and counts what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from uuid import uuid4

# What each of its answers used.
INPUT, CACHED, OUTPUT, REASONING = 60, 40, 7, 2
CHAT = {
    "prompt_tokens": INPUT + CACHED, "completion_tokens": OUTPUT,
    "total_tokens": INPUT + CACHED + OUTPUT,
    "prompt_tokens_details": {"cached_tokens": CACHED},
    "completion_tokens_details": {"reasoning_tokens": REASONING},
}  # fmt: skip
RESPONSES = {
    "input_tokens": INPUT + CACHED, "output_tokens": OUTPUT,
    "total_tokens": INPUT + CACHED + OUTPUT,
    "input_tokens_details": {"cached_tokens": CACHED, "cache_write_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": REASONING},
}  # fmt: skip


@dataclass(frozen=True)
class Asks:
    """A reply of the model: it asks for calls, or says something; or the server fails."""

    calls: tuple[tuple[str, str, dict[str, Any]], ...] = ()
    text: str = ""
    status: int = 200


def asks(*calls: tuple[str, str, dict[str, Any]]) -> Asks:
    """Return a reply that asks for calls, each given by id, tool and arguments."""
    return Asks(calls)


def says(text: str) -> Asks:
    return Asks(text=text)


@dataclass
class Script:
    """What is answered next, and how many requests were answered with tokens."""

    steps: list[Asks]
    url: str = ""
    answered: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> Asks:
        with self.lock:
            step = self.steps.pop(0)
            self.answered += step.status == 200
            return step


@contextmanager
def scripted(*steps: Asks) -> Iterator[Script]:
    """Serve a script on loopback."""
    script = Script(list(steps))

    class Handler(Provider):
        of = script

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Provider(BaseHTTPRequestHandler):
    """Answers as OpenAI's two interfaces do."""

    of: ClassVar[Script]
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        asked = json.loads(self.rfile.read(length))
        step = self.of.next()
        if step.status != 200:
            return self._send(step.status, [{"error": {"message": "no"}}], False)
        made = response if self.path.endswith("/responses") else chat
        stream = bool(asked.get("stream"))
        return self._send(200, made(step, stream), stream)

    def _send(self, status: int, parts: list[dict[str, Any]], stream: bool) -> None:
        if stream:
            lines = [
                (f"event: {each['type']}\n" if "type" in each else "")
                + f"data: {json.dumps(each)}\n\n"
                for each in parts
            ]
            end = [] if "type" in parts[0] else ["data: [DONE]\n\n"]
            content, kind = "".join(lines + end).encode(), "text/event-stream"
        else:
            content, kind = json.dumps(parts[-1]).encode(), "application/json"
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def chat(step: Asks, stream: bool) -> list[dict[str, Any]]:
    """Return an answer of chat completions, whole or in parts."""
    head = {"id": f"chatcmpl-{uuid4().hex}", "created": 1, "model": "m-1"}
    calls = [
        {
            "index": place, "id": call, "type": "function",
            "function": {"name": name, "arguments": json.dumps(args)},
        }
        for place, (call, name, args) in enumerate(step.calls)
    ]  # fmt: skip
    said: dict[str, Any] = {"role": "assistant", "content": step.text or None}
    if calls:
        said["tool_calls"] = calls
    why = "tool_calls" if calls else "stop"
    if not stream:
        choice = {"index": 0, "message": said, "finish_reason": why}
        return [
            head | {"object": "chat.completion", "choices": [choice], "usage": CHAT}
        ]
    head["object"] = "chat.completion.chunk"
    first = {"index": 0, "delta": said, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": why}
    return [
        head | {"choices": [first]},
        head | {"choices": [last]},
        head | {"choices": [], "usage": CHAT},
    ]


def response(step: Asks, stream: bool) -> list[dict[str, Any]]:
    """Return an answer of the responses interface, whole or in events."""
    output: list[dict[str, Any]] = [
        {
            "type": "function_call", "id": f"fc_{call}", "call_id": call, "name": name,
            "arguments": json.dumps(args), "status": "completed",
        }
        for call, name, args in step.calls
    ]  # fmt: skip
    if step.text:
        content = {"type": "output_text", "text": step.text, "annotations": []}
        output.append(
            {
                "type": "message", "id": "m", "role": "assistant",
                "status": "completed", "content": [content],
            }
        )  # fmt: skip
    whole = {
        "id": f"resp_{uuid4().hex}", "object": "response", "created_at": 1,
        "model": "m-1", "output": output, "usage": RESPONSES, "tools": [],
        "parallel_tool_calls": True, "tool_choice": "auto", "status": "completed",
    }  # fmt: skip
    if not stream:
        return [whole]
    begun = whole | {"status": "in_progress", "usage": None, "output": []}
    return [
        {"type": "response.created", "response": begun, "sequence_number": 0},
        {"type": "response.completed", "response": whole, "sequence_number": 1},
    ]
