"""A gateway before an MCP server that is a program: lines in, lines out."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO

from .gateway import Gateway

# How long a server may take to end once nobody speaks to it, in seconds; as long again
# once it was told to.
PATIENCE = 10


def pass_through(gateway: Gateway, command: Sequence[str]) -> int:
    """Run a server between us and the client; return its exit code."""
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin and server.stdout
    if threading.current_thread() is threading.main_thread():
        # Its end is ours, with all that is recorded.
        signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    turn = threading.Lock()
    reader = threading.Thread(
        target=_to_server, args=(gateway, server, server.stdin, turn), daemon=True
    )
    reader.start()
    _to_client(gateway, server.stdout, turn)
    code = _ended(server)
    gateway.closed(f"the server ended with {code}")
    return code


def _to_client(gateway: Gateway, said: IO[bytes], turn: threading.Lock) -> None:
    """Pass on what the server says, to its end; a client that is gone hears nothing."""
    listening = True
    for line in said:
        # First, for the client may go on at once with what it was given.
        gateway.from_server(line)
        if listening:
            try:
                _write(sys.stdout.buffer, line, turn)
            except OSError:
                listening = False


def _to_server(
    gateway: Gateway,
    server: subprocess.Popen[bytes],
    stream: IO[bytes],
    turn: threading.Lock,
) -> None:
    """Pass on what the client says; its end is the server's."""
    own = threading.Lock()
    # Not sys.stdin, which the interpreter closes at its end: it waits for who reads it.
    with open(sys.stdin.fileno(), "rb", closefd=False) as said, suppress(OSError):
        for line in said:
            answer = gateway.from_client(line)
            if answer is None:
                _write(stream, line, own)
            else:
                _write(sys.stdout.buffer, answer + b"\n", turn)
    with suppress(OSError):
        stream.close()
    _ended(server)


def _ended(server: subprocess.Popen[bytes]) -> int:
    """Return the exit code of a server that nobody speaks to any more."""
    ways: tuple[Callable[[], None], ...] = (server.terminate, server.kill)
    for way in ways:
        try:
            return server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            way()
    return server.wait()


def _write(stream: IO[bytes], line: bytes, turn: threading.Lock) -> None:
    with turn:
        stream.write(line)
        stream.flush()
