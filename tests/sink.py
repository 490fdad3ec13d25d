"""A real HTTP server to deliver to, well or badly behaved as the path asks."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

LONG = 30.0


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    mode: str
    method: str
    path: str
    headers: Message
    body: bytes
    at: float

    @property
    def key(self) -> str:
        """The idempotency key."""
        return str(self.headers["Idempotency-Key"])

    @property
    def payload(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class Sink:
    """Remembers what arrives; `url(mode)` says how to behave."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._arrived = threading.Condition()
        self._requests: list[Request] = []
        # Requests to /hang are answered once this is set.
        self.released = threading.Event()
        self.written = 0
        self._server = _Server(self)
        self._scheme = "http"
        if tls:
            self._scheme = "https"
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)

    def url(self, mode: str = "ok") -> str:
        """Return the address of a behaviour, a method of `_Handler` or a status."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}/{mode}"

    def received(self, mode: str | None = None) -> list[Request]:
        """Return what has arrived so far."""
        with self._arrived:
            return [r for r in self._requests if mode in (None, r.mode)]

    def wait(self, count: int = 1, mode: str | None = None) -> list[Request]:
        """Return what has arrived as soon as there are `count` requests."""
        with self._arrived:
            there = self._arrived.wait_for(
                lambda: len(self.received(mode)) >= count, timeout=LONG
            )
        assert there, f"{len(self.received(mode))} of {count} requests arrived"
        return self.received(mode)

    def keys(self, mode: str | None = None) -> Counter[str]:
        """Return how often each notification has arrived."""
        return Counter(request.key for request in self.received(mode))

    def record(self, request: Request) -> None:
        """Remember a request."""
        with self._arrived:
            self._requests.append(request)
            self._arrived.notify_all()

    @contextmanager
    def serving(self) -> Iterator[Sink]:
        """Answer requests until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self.released.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, sink: Sink) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.sink = sink

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet: clients that leave while an answer drips are our purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """Take a redirected POST for what it is: a request to be recorded."""
        self.do_POST()

    def do_HEAD(self) -> None:
        """Behave as to a GET, as far as the end of the head."""
        self.do_POST()

    def do_POST(self) -> None:
        """Record the request and behave as its path says."""
        mode = urlsplit(self.path).path.strip("/")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.request_ = Request(
            mode, self.command, self.path, self.headers, body, time.time()
        )
        self.server.sink.record(self.request_)
        self.close_connection = True
        if mode.isdigit():
            self.answer(int(mode))
        elif mode == "api/v2/alerts":
            self.ok()
        else:
            getattr(self, mode)()

    def answer(self, status: int, **headers: str) -> None:
        """Answer with a status; the query of the path becomes headers."""
        self.send_response(status)
        wanted = dict(parse_qsl(urlsplit(self.path).query))
        for name, value in (wanted | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def ok(self) -> None:
        """Take it."""
        self.answer(200)

    def flaky(self) -> None:
        """Fail the first attempt of each notification."""
        first = self.server.sink.keys("flaky")[self.request_.key] == 1
        self.answer(503 if first else 200)

    def slow(self) -> None:
        """Take it after a while."""
        self.server.sink.released.wait(0.5)
        self.answer(200)

    def hang(self) -> None:
        """Say nothing until released."""
        self.server.sink.released.wait()
        self.answer(200)

    def drip(self) -> None:
        """Send a head that never ends, a byte at a time."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
        while not self.server.sink.released.wait(0.02):
            self.wfile.write(b"x")

    def endless(self) -> None:
        """Send a body that never ends, a byte at a time."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not self.server.sink.released.wait(0.02):
            self.wfile.write(b"x")

    def huge(self) -> None:
        """Send 256 MB, as fast as they are taken."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 268435456\r\n\r\n")
        for _ in range(4096):
            self.wfile.write(bytes(65536))
            self.server.sink.written += 65536

    def reset(self) -> None:
        """Reset the connection instead of an answer."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def garbage(self) -> None:
        """Answer something that is not HTTP, and quote the request in it."""
        self.wfile.write(f"{self.path} {self.headers}\r\n\r\n".encode())

    def redirect(self) -> None:
        """Send the client elsewhere."""
        self.answer(307, Location=self.server.sink.url("stolen"))

    def stolen(self) -> None:
        """Be where a redirect led."""
        self.answer(200)

    def quoting(self) -> None:
        """Refuse, and quote the whole request."""
        quoted = f"{self.path}\n{self.headers}".encode()
        self.send_response(400, self.path)
        self.send_header("Content-Length", str(len(quoted)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(quoted)

    def log_message(self, format: str, *args: object) -> None:
        """Write no log."""
