"""`agentdb-hook`: pass a hook's event on to `agentdb serve`, and its answer back.

Started for each event, so it imports next to nothing: what it sends is one HTTP request
over a socket.  Where nobody answers the agent goes on (hooks fail open, in all agents
that have them), unless AGENTDB_HOOK_FAIL=closed says that a tool is not called then.

Exit codes: 0 answered, 1 nobody could be asked, 2 denied because of that.
"""

from __future__ import annotations

import json
import os
import socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Where OTLP goes by default, too: one address for all that an agent emits.
ADDRESS = "http://127.0.0.1:4318"
PATIENCE = 5.0
LARGEST = 16 * 1024 * 1024
BEFORE_TOOL = ("PreToolUse", "BeforeTool")
# When the agent has written into its transcript what it was billed.
READS = (
    "PostToolBatch", "Stop", "StopFailure", "SubagentStop", "SessionEnd", "PreCompact",
    "AfterTool", "AfterAgent",
)  # fmt: skip


class Unreachable(Exception):
    """Nobody took the event; says why."""


def main() -> int:
    """Read an event from standard input; print the answer."""
    name = ""
    try:
        raw = sys.stdin.buffer.read(LARGEST)
        try:
            event = json.loads(raw)
            name = event["hook_event_name"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Unreachable(
                "standard input has no event of a hook (JSON with hook_event_name)"
            ) from None
        print(_ask(event, name))
    except Unreachable as problem:
        print(f"agentdb-hook: {problem}", file=sys.stderr)
        if name in BEFORE_TOOL and os.environ.get("AGENTDB_HOOK_FAIL") == "closed":
            print("The tool was not called: nobody could check it.", file=sys.stderr)
            return 2
        return 1
    return 0


def _ask(event: dict[str, Any], name: str) -> str:
    tail = None
    # Codex has no event for what its calls came to, but the next.
    reads = name in READS or (name == "PostToolUse" and "turn_id" in event)
    if reads and isinstance(path := _transcript(event, name), str):
        from .tail import Tail

        tail = Tail(path)
        event["agentdb_transcript"] = tail.read()
    body = json.dumps(event).encode()
    for most in (LARGEST // 16, 0):
        if not tail or len(body) <= LARGEST:
            break
        # Nobody takes so much, and nothing after it would ever be read.
        told = event["agentdb_transcript"]
        told = [each for each in told if len(json.dumps(each)) < most]
        event["agentdb_transcript"] = told
        body = json.dumps(event).encode()
    answer = post("/hook", body)
    if tail:
        tail.keep()
    return answer


def _transcript(event: dict[str, Any], name: str) -> object:
    # A subagent writes its own.
    if name == "SubagentStop":
        return event.get("agent_transcript_path")
    return None if event.get("agent_id") else event.get("transcript_path")


def post(path: str, body: bytes) -> str:
    """Send a request to the server and return the body of a 200."""
    address = os.environ.get("AGENTDB_SERVE") or ADDRESS
    token = os.environ.get("AGENTDB_INTAKE_TOKEN", "")
    lines = [
        f"POST {path} HTTP/1.0",
        "host: localhost",
        "content-type: application/json",
        f"content-length: {len(body)}",
    ]
    if token:
        lines.append(f"authorization: Bearer {token.strip()}")
    try:
        with _connect(address) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            answer = _all(connection)
    except OSError as error:
        raise Unreachable(
            f"{address} does not answer ({error}); is `agentdb serve` running, and is"
            " AGENTDB_SERVE its address?"
        ) from error
    head, _, said = answer.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].decode("latin-1")
    if status.split(" ")[1:2] != ["200"]:
        raise Unreachable(
            f"{address} answered {status}: {said[:500].decode(errors='replace')}"
        )
    return said.decode(errors="replace")


def _connect(address: str) -> socket.socket:
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE)
        connection.connect(address[len("unix:") :].removeprefix("//"))
        return connection
    scheme, _, rest = address.partition("://")
    host, _, port = rest.rstrip("/").rpartition(":")
    if scheme != "http" or not port.isdigit():
        raise Unreachable(
            f"AGENTDB_SERVE is {address!r}: give http://127.0.0.1:PORT or unix:/PATH"
        )
    return socket.create_connection((host.strip("[]"), int(port)), PATIENCE)


def _all(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


if __name__ == "__main__":
    sys.exit(main())
