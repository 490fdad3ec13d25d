"""A network between clients and PostgreSQL that can misbehave."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

REFUSAL = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"
KEY_DATA = b"K" + struct.pack("!I", 12)


class Relay:
    """Passes bytes on; as a `pooler`, with the manners of PgBouncer.

    It then refuses the parameter `options` and makes up the process ids.
    """

    def __init__(self, host: str, port: int, *, pooler: bool = False) -> None:
        self._server = f"{host}/.s.PGSQL.{port}" if host[:1] == "/" else (host, port)
        self._pooler = pooler
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        # While this is not set, bytes are taken and not passed on.
        self.flowing = threading.Event()
        self.flowing.set()

    def dsn(self, database: str, user: str) -> str:
        """Return the way through here."""
        port = self._listening.getsockname()[1]
        return (
            f"postgresql://{user}@127.0.0.1:{port}/{database}"
            "?sslmode=disable&gssencmode=disable"
        )

    @contextmanager
    def relaying(self) -> Iterator[Relay]:
        """Take connections until the end of the block."""
        thread = threading.Thread(target=self._accept)
        thread.start()
        try:
            yield self
        finally:
            self.flowing.set()
            # What wakes a thread out of accept or recv; closing does not.
            for open_socket in [self._listening, *self._open]:
                with suppress(OSError):
                    open_socket.shutdown(socket.SHUT_RDWR)
            thread.join()
            for open_socket in [self._listening, *self._open]:
                open_socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._open.append(client)
                self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        start = client.recv(4096)
        if self._pooler and b"\0options\0" in start:
            head = struct.pack("!cI", b"E", len(REFUSAL) + 4)
            client.sendall(head + REFUSAL)
            client.shutdown(socket.SHUT_RDWR)
            return
        family = socket.AF_UNIX if isinstance(self._server, str) else socket.AF_INET
        server = socket.socket(family)
        server.connect(self._server)
        self._open.append(server)
        server.sendall(start)
        change = _other_pid if self._pooler else bytes
        _spawn(self._pump, client, server, bytes)
        _spawn(self._pump, server, client, change)

    def _pump(
        self,
        source: socket.socket,
        sink: socket.socket,
        change: Callable[[bytes], bytes],
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.flowing.wait()
                sink.sendall(change(data))
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


def _spawn(target: Callable[..., None], *args: object) -> None:
    threading.Thread(target=target, args=args, daemon=True).start()


def _other_pid(data: bytes) -> bytes:
    before, found, after = data.partition(KEY_DATA)
    return before + found + b"\0\0\0\1" + after[4:] if found else data
