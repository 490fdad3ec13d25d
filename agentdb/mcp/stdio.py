"""A gateway before an MCP server that is a program: lines in, lines out."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from .gateway import Gateway

# How long a server may take to end once nobody speaks to it, in seconds; as long again
# once it was told to.
PATIENCE = 10


@dataclass(frozen=True)
class End:
    """How a server ended: its exit code, and whether a signal told us to end it."""

    code: int
    told: bool


def pass_through(gateway: Gateway, command: Sequence[str]) -> End:
    """Run a server between us and the client, until it ends."""
    told: list[int] = []

    def end(number: int, frame: object) -> None:
        told.append(number)
        server.terminate()

    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin and server.stdout
    if threading.current_thread() is threading.main_thread():
        # Its end is ours, with all that is recorded.
        for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(each, end)
    turn = threading.Lock()
    reader = threading.Thread(
        target=_to_server, args=(gateway, server, server.stdin, turn), daemon=True
    )
    reader.start()
    _to_client(gateway, server.stdout, turn)
    code = _ended(server)
    gateway.closed(f"the server ended with {code}")
    # Of a signal as a shell says it.
    return End(code if code >= 0 else 128 - code, bool(told))


def _to_client(gateway: Gateway, said: IO[bytes], turn: threading.Lock) -> None:
    """Pass on what the server says, to its end; a client that is gone hears nothing."""
    listening = True
    for line in said:
        # First, for the client may go on at once with what it was given.
        given = gateway.from_server(line)
        if listening:
            try:
                _write(sys.stdout.buffer, given, turn)
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
