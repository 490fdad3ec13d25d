"""A gateway before an MCP server that is a program: lines in, lines out."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import IO

from .gateway import Gateway

# How long a server may take to end once nobody speaks to it, in seconds.
PATIENCE = 10


def pass_through(gateway: Gateway, command: Sequence[str]) -> int:
    """Run a server between us and the client; return its exit code."""
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin and server.stdout
    turn = threading.Lock()
    reader = threading.Thread(
        target=_to_server, args=(gateway, server.stdin, turn), daemon=True
    )
    reader.start()
    for line in server.stdout:
        # First, for the client may go on at once with what it was given.
        gateway.from_server(line)
        _write(sys.stdout.buffer, line, turn)
    try:
        code = server.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()
        code = server.wait()
    gateway.closed(f"the server ended with {code}")
    return code


def _to_server(gateway: Gateway, server: IO[bytes], turn: threading.Lock) -> None:
    """Pass on what the client says; its end is the server's."""
    own = threading.Lock()
    try:
        for line in sys.stdin.buffer:
            answer = gateway.from_client(line)
            if answer is None:
                _write(server, line, own)
            else:
                _write(sys.stdout.buffer, answer + b"\n", turn)
    except BrokenPipeError:
        pass
    finally:
        server.close()


def _write(stream: IO[bytes], line: bytes, turn: threading.Lock) -> None:
    with turn:
        stream.write(line)
        stream.flush()
