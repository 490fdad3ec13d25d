"""Runs the application: on an address, or on a unix socket that knows its peers."""

from __future__ import annotations

import logging
import os
import socket
import struct
from asyncio import BaseTransport
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import uvicorn
from psycopg_pool import AsyncConnectionPool
from uvicorn.protocols.http.h11_impl import H11Protocol

from .app import create_app
from .identity import UID
from .page.door.keeper import Keeper
from .page.door.settings import DoorSettings
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


def serve(
    dsn: str,
    settings: Settings,
    told: Callable[[str], object],
    door: DoorSettings | None = None,
) -> None:
    """Serve until told to end by SIGTERM or Ctrl-C; says where, once it listens.

    Without settings of a door there is no page.  Raises OSError where it cannot listen.
    """
    with ExitStack() as stack:
        listening = [stack.enter_context(each) for each in _listen(settings, stack)]
        config = uvicorn.Config(
            create_app(
                make_pool(dsn), settings, make_keeper(dsn, door) if door else None
            ),
            http=Protocol,
            ws="none",
            # X-Forwarded-For would name the client, and a client is who it is here.
            proxy_headers=False,
            lifespan="on",
            log_level=logging.WARNING,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=LAST,
            timeout_keep_alive=75,
            backlog=512,
        )
        for each in listening:
            each.listen(config.backlog)
            told(_place(each))
        uvicorn.Server(config).run(sockets=listening)


def make_keeper(dsn: str, door: DoorSettings) -> Keeper:
    """Return who keeps the door of the page."""
    if door.oidc is None:
        return Keeper(dsn, door, None)
    # A third of all that a start takes: only for who asks an issuer.
    from .page.door.oidc import Issuer

    return Keeper(dsn, door, Issuer(door.oidc))


def make_pool(dsn: str) -> AsyncConnectionPool[Any]:
    """Return the one pool, not opened: a connection that writes, others that ask."""
    # Each of its attempts is a warning: that the database is away is said once.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    return AsyncConnectionPool(
        dsn,
        kwargs={"autocommit": True, "options": OPTIONS, "connect_timeout": 5},
        min_size=2,
        max_size=4,
        timeout=2.0,
        # Then it begins anew: its waits double, and would outlast what they wait for.
        reconnect_timeout=4.0,
        open=False,
        name="serve",
    )


def _listen(settings: Settings, stack: ExitStack) -> Iterator[socket.socket]:
    """Yield the sockets, bound; what they leave behind is removed with the stack."""
    if settings.host is not None:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        # Where the protocol is not named asyncio leaves Nagle's algorithm on: 40 ms.
        made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((settings.host, settings.port))
        yield made
    if settings.socket is not None:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with suppress(FileNotFoundError):
            _remove_stale(settings.socket)
        made.bind(os.fspath(settings.socket))
        stack.callback(settings.socket.unlink, missing_ok=True)
        # Whoever connects is known by name; that is what keeps others out.
        settings.socket.chmod(0o666)
        yield made


def _remove_stale(path: Path) -> None:
    """Remove the socket of a server that is gone; raises OSError where one is there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(f"{path}: another server listens there")


def _place(listening: socket.socket) -> str:
    if listening.family == socket.AF_UNIX:
        return f"unix:{listening.getsockname()}"
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
