"""A provider of models: a server that answers as those of OpenAI and Anthropic do."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# What each answer is called.
ANSWER = "x"
CHAT = {
    "prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens_details": {"reasoning_tokens": 2},
}  # fmt: skip
RESPONSES = {
    "input_tokens": 100, "output_tokens": 7, "total_tokens": 107,
    "input_tokens_details": {"cached_tokens": 40},
    "output_tokens_details": {"reasoning_tokens": 2},
}  # fmt: skip
MESSAGES = {
    "input_tokens": 60, "cache_read_input_tokens": 40,
    "cache_creation_input_tokens": 0, "output_tokens": 7,
}  # fmt: skip


# How long a model takes for an answer that it thinks about, in seconds, and what ends
# its looking for an order.
THINKS = 0.3
TOLD = "Do not repeat it"


def looks_up(asked: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a model with tools asks for: the same, until it is told not to."""
    if not asked.get("tools"):
        return None
    time.sleep(THINKS)
    if TOLD in json.dumps(asked["messages"][-1]):
        return None
    return {"id": f"c{len(asked['messages'])}", "args": {"order": "4711"}}


def chat(asked: dict[str, Any]) -> list[dict[str, Any]]:
    head = {"id": ANSWER, "created": 1, "model": "m-1"}
    if not asked.get("stream"):
        message: dict[str, Any] = {"role": "assistant", "content": "hi"}
        if call := looks_up(asked):
            called = {"name": "look_up", "arguments": json.dumps(call["args"])}
            made = {"id": call["id"], "type": "function", "function": called}
            message |= {"content": None, "tool_calls": [made]}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return [
            head | {"object": "chat.completion", "choices": [choice], "usage": CHAT}
        ]
    head["object"] = "chat.completion.chunk"
    choice = {"index": 0, "delta": {"role": "assistant", "content": "hi"}}
    parts: list[dict[str, Any]] = [head | {"choices": [choice]}]
    if (asked.get("stream_options") or {}).get("include_usage"):
        parts.append(head | {"choices": [], "usage": CHAT})
    return parts


def response(asked: dict[str, Any]) -> list[dict[str, Any]]:
    whole = {
        "id": ANSWER, "object": "response", "created_at": 1, "model": "m-1", "output": [],
        "usage": RESPONSES, "parallel_tool_calls": True, "tool_choice": "auto",
        "tools": [], "status": "completed",
    }  # fmt: skip
    if not asked.get("stream"):
        return [whole]
    begun = whole | {"status": "in_progress", "usage": None}
    return [
        {"type": "response.created", "response": begun, "sequence_number": 0},
        {"type": "response.completed", "response": whole, "sequence_number": 1},
    ]


def message(asked: dict[str, Any]) -> list[dict[str, Any]]:
    whole = {
        "id": ANSWER, "type": "message", "role": "assistant", "model": "m-1",
        "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn",
        "stop_sequence": None, "usage": MESSAGES,
    }  # fmt: skip
    if call := looks_up(asked):
        made = {"type": "tool_use", "id": call["id"], "name": "look_up"}
        whole |= {"content": [{**made, "input": call["args"]}]}
    if not asked.get("stream"):
        return [whole]
    begun = whole | {"content": [], "usage": MESSAGES | {"output_tokens": 1}}
    return [
        {"type": "message_start", "message": begun},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 7},
        },
        {"type": "message_stop"},
    ]


def event(part: dict[str, Any]) -> str:
    kind = f"event: {part['type']}\n" if "type" in part else ""
    return f"{kind}data: {json.dumps(part)}\n\n"


def embedding(asked: dict[str, Any]) -> list[dict[str, Any]]:
    vector = {"object": "embedding", "index": 0, "embedding": [0.5]}
    used = {"prompt_tokens": 100, "total_tokens": 100}
    return [{"object": "list", "model": "m-1", "data": [vector], "usage": used}]


def counted(asked: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"input_tokens": 100}]


ANSWERS = {
    "/v1/chat/completions": chat, "/v1/responses": response, "/v1/messages": message,
    "/v1/embeddings": embedding, "/v1/messages/count_tokens": counted,
}  # fmt: skip


class Provider(BaseHTTPRequestHandler):
    """Answers as the providers do."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        parts = ANSWERS[self.path.partition("?")[0]](asked)
        if self.headers.get("x-model"):
            parts = json.loads(
                json.dumps(parts).replace('"m-1"', json.dumps(self.headers["x-model"]))
            )
        streamed = bool(asked.get("stream"))
        bodies = [event(each) for each in parts] if streamed else [json.dumps(parts[0])]
        if streamed and self.path == "/v1/chat/completions":
            bodies.append("data: [DONE]\n\n")
        self.send_response(200)
        kind = "text/event-stream" if streamed else "application/json"
        self.send_header("content-type", kind)
        if self.headers.get("x-gzip"):
            self.send_header("content-encoding", "gzip")
            bodies = ["".join(bodies)]
        self.end_headers()
        if self.headers.get("x-hang"):
            # The first part, and then nothing until the client is gone.
            self.wfile.write(bodies[0].encode())
            self.connection.recv(1)
            return
        for body in bodies:
            packed = self.headers.get("x-gzip")
            self.wfile.write(gzip.compress(body.encode()) if packed else body.encode())

    def log_message(self, *said: object) -> None:
        return None


@contextmanager
def provider() -> Iterator[str]:
    """Serve, and give the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
