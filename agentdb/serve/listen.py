"""Runs the application: on an address, or on a unix socket that knows its peers."""

from __future__ import annotations

import logging
import os
import socket
import struct
from asyncio import BaseTransport
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvicorn
from psycopg_pool import AsyncConnectionPool
from uvicorn.protocols.http.h11_impl import H11Protocol

from .app import create_app
from .identity import UID
from .settings import Settings

# Of struct ucred: process, user, group.
UCRED = struct.Struct("3i")
# For requests that are at work when it is told to end.
LAST = 5
OPTIONS = "-c statement_timeout=5s -c lock_timeout=2s -c application_name=agentdb_serve"


class Protocol(H11Protocol):
    """Names the other end of a unix socket by its user, as the kernel tells it."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin a connection."""
        super().connection_made(transport)  # type: ignore[arg-type]
        if (user := peer_user(transport.get_extra_info("socket"))) is not None:
            self.client = (f"{UID}{user}", 0)


def peer_user(end: Any) -> int | None:
    """Return the number of the user at the other end of a unix socket."""
    if end is None or end.family != socket.AF_UNIX:
        return None
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    said = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
    return int(UCRED.unpack(said)[1])


def serve(dsn: str, settings: Settings, told: Callable[[str], object]) -> None:
    """Serve until told to end by SIGTERM or Ctrl-C; says where, once it listens."""
    pool = make_pool(dsn)
    listening = _listen(settings)
    config = uvicorn.Config(
        create_app(pool, settings),
        http=Protocol,
        ws="none",
        lifespan="on",
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=LAST,
        timeout_keep_alive=75,
        backlog=512,
    )
    told(_place(listening, settings))
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        listening.close()
        if settings.socket is not None:
            with suppress(FileNotFoundError):
                os.unlink(settings.socket)


def make_pool(dsn: str) -> AsyncConnectionPool[Any]:
    """Return the one pool, not opened: a connection that writes, others that ask."""
    return AsyncConnectionPool(
        dsn,
        kwargs={"autocommit": True, "options": OPTIONS, "connect_timeout": 5},
        min_size=2,
        max_size=4,
        timeout=2.0,
        reconnect_timeout=30.0,
        open=False,
        name="agentdb",
    )


def _listen(settings: Settings) -> socket.socket:
    if settings.socket is None:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((settings.host, settings.port))
        return made
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with suppress(FileNotFoundError):
        _remove_stale(settings.socket)
    made.bind(os.fspath(settings.socket))
    # Whoever connects is known by name; that is what keeps others out.
    os.chmod(settings.socket, 0o666)
    return made


def _remove_stale(path: os.PathLike[str]) -> None:
    """Remove the socket of a server that is gone; raises OSError where one is there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise OSError(f"{path}: another server listens there")


def _place(listening: socket.socket, settings: Settings) -> str:
    if settings.socket is not None:
        return f"unix:{settings.socket}"
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
