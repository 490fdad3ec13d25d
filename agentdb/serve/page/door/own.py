"""A person's own connections, by the password that it gave: GRANTs decide."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from .numbers import exact

MOST = 2
# After so many seconds unused a connection is closed; the session goes on.
REST = 60.0
# And after so many in use: the password is asked for again, and may be another one.
PROVEN = 60.0
OPTIONS = "-c statement_timeout=2s -c lock_timeout=2s -c application_name=agentdb_page"
# What tells where the server is, and how it is known; nothing that proves who asks.
PLACE = ("host", "hostaddr", "port", "dbname", "sslmode", "sslrootcert", "sslcrl",
         "sslnegotiation", "ssl_min_protocol_version", "target_session_attrs",
         "channel_binding", "gssencmode")  # fmt: skip


class NotProven(Exception):
    """The server has let somebody in without asking for the password."""


class Own:
    """At most two connections of one person, opened when they are needed."""

    def __init__(self, dsn: str, role: str, password: str) -> None:
        given = conninfo_to_dict(dsn)
        self.role = role
        place = {name: given[name] for name in PLACE if given.get(name)}
        self._place = make_conninfo("", **place)
        self._password = password
        self._room = anyio.CapacityLimiter(MOST)
        self._idle: list[AsyncConnection[dict[str, Any]]] = []
        #: When the password was asked for.
        self._made: dict[AsyncConnection[dict[str, Any]], float] = {}
        self._used = time.monotonic()
        self._closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[dict[str, Any]]]:
        """Give a connection that commits each statement; raises psycopg.Error."""
        async with self._room:
            found = await self._proven()
            try:
                yield found
            finally:
                self._used = time.monotonic()
                if (
                    self._closed
                    or found.closed
                    or found.info.transaction_status != TransactionStatus.IDLE
                ):
                    await self._drop(found)
                else:
                    self._idle.append(found)

    async def _proven(self) -> AsyncConnection[dict[str, Any]]:
        while self._idle:
            found = self._idle.pop()
            if time.monotonic() - self._made[found] < PROVEN:
                with suppress(psycopg.Error):
                    await AsyncConnectionPool.check_connection(found)
                    return found
            await self._drop(found)
        return await self._connect()

    async def _drop(self, connection: AsyncConnection[dict[str, Any]]) -> None:
        self._made.pop(connection, None)
        await connection.close()

    async def rest(self) -> None:
        """Close what has not been used for a while."""
        if time.monotonic() - self._used > REST:
            await self._close_idle()

    async def close(self) -> None:
        """Close all, for good, and forget the password."""
        self._closed, self._password = True, ""
        await self._close_idle()

    async def _close_idle(self) -> None:
        while self._idle:
            await self._drop(self._idle.pop())

    async def _connect(self) -> AsyncConnection[dict[str, Any]]:
        # Without a role this process's own user would be asked for.
        if not (self.role and self._password):
            raise NotProven("no role and password were given")
        made: AsyncConnection[dict[str, Any]] = await AsyncConnection.connect(
            self._place,
            user=self.role,
            password=self._password,
            # A file of this machine's user proves nothing about the person.
            passfile="/dev/null",
            options=OPTIONS,
            connect_timeout=5,
            autocommit=True,
            row_factory=dict_row,
        )
        # `trust` and `peer` let in whoever comes from here: that is us, and not them.
        if not made.pgconn.used_password:
            await made.close()
            raise NotProven(f"the database asks {self.role} for no password")
        exact(made)
        self._made[made] = time.monotonic()
        return made


def is_wrong(error: Exception) -> bool:
    """Return whether a login failed by what was typed, and not by the server."""
    if isinstance(error, NotProven):
        return True
    said = str(error).lower()
    # Before a session there is no SQLSTATE for clients to see.
    return isinstance(error, psycopg.OperationalError) and (
        "authentication failed" in said
        or "does not exist" in said
        or "is not permitted to log in" in said
        or "no pg_hba.conf entry" in said
        or "no password supplied" in said
    )
