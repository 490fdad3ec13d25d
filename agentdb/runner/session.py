"""Gives each loop a connection of its own, with a deadline on every answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import psycopg
from psycopg.rows import DictRow, dict_row

from ..channels import Refused
from ..connection import parse

if TYPE_CHECKING:
    from typing_extensions import LiteralString

CONNECT = 30.0
ANSWER = 5.0
# For the calls that move many rows.
SLOW = 60.0

# The server's own deadline is a net for what we gave up waiting for.
LIMITS = "-c lock_timeout=2s -c statement_timeout=60s" + (
    " -c idle_in_transaction_session_timeout=15s"
)
DEFAULTS = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "8000",
}


class Lost(Exception):
    """The database did not answer in time, or the connection is gone."""


class Session:
    """One connection.  After `Lost` it is of no more use."""

    def __init__(
        self,
        connection: psycopg.AsyncConnection[DictRow],
        turned: Callable[[], None] = lambda: None,
    ) -> None:
        self.connection = connection
        # Called at each answer, and at each one that did not come.
        self._turned = turned

    async def rows(
        self,
        statement: LiteralString,
        binds: Mapping[str, Any] | None = None,
        *,
        deadline: float = ANSWER,
    ) -> list[DictRow]:
        """Return the rows of a statement, none if it is one that has none."""
        async with self.answering(deadline):
            cursor = await self.connection.execute(statement, binds)
            return await cursor.fetchall() if cursor.description else []

    async def value(
        self,
        statement: LiteralString,
        binds: Mapping[str, Any] | None = None,
        *,
        deadline: float = ANSWER,
    ) -> Any:
        """Return the only value of a statement's only row."""
        [row] = await self.rows(statement, binds, deadline=deadline)
        [value] = row.values()
        return value

    @asynccontextmanager
    async def answering(self, deadline: float) -> AsyncIterator[None]:
        """Raise `Lost` if what is inside takes too long or loses the connection.

        Keepalives do not notice a peer whose kernel answers while it does not.
        """
        try:
            with anyio.fail_after(deadline):
                yield
        except TimeoutError:
            await self.connection.close()
            raise Lost(f"no answer from the database in {deadline:g} s") from None
        except psycopg.Error as error:
            if self.connection.closed:
                raise Lost(brief(error)) from error
            raise
        finally:
            self._turned()

    async def pooled(self) -> bool:
        """Tell whether a pooler stands between us and the server.

        Behind one, LISTEN may succeed and never deliver anything.
        """
        pid = await self.value("select pg_catalog.pg_backend_pid()")
        return bool(pid != self.connection.info.backend_pid)


@asynccontextmanager
async def session(
    dsn: str, *, turned: Callable[[], None] = lambda: None
) -> AsyncIterator[Session]:
    """Connect, and close at the end."""
    connection = await _connect(dsn)
    try:
        yield Session(connection, turned)
    finally:
        await connection.close()


async def _connect(dsn: str) -> psycopg.AsyncConnection[DictRow]:
    try:
        parameters = {**DEFAULTS, **parse(dsn)}
    except (ValueError, Refused) as error:
        raise Lost(str(error)) from None
    limited = {"options": f"{parameters.get('options', '')} {LIMITS}".strip()}
    try:
        return await _open({**parameters, **limited})
    except psycopg.OperationalError as error:
        # What PgBouncer says to `options`; it takes connections without.
        if "unsupported startup parameter" not in str(error):
            raise
    return await _open(parameters)


async def _open(parameters: Mapping[str, Any]) -> psycopg.AsyncConnection[DictRow]:
    """Open a connection that also works through a pooler: nothing prepared."""
    forced = {"client_encoding": "UTF8", "application_name": "agentdb-runner"}
    try:
        with anyio.fail_after(CONNECT):
            return await psycopg.AsyncConnection.connect(
                **{**parameters, **forced},
                autocommit=True,
                prepare_threshold=None,
                row_factory=dict_row,
            )
    except TimeoutError:
        raise Lost(f"no connection to the database in {CONNECT:g} s") from None


def brief(error: BaseException) -> str:
    """Return what is wrong in one line, with the SQLSTATE where there is one."""
    text = next(iter(str(error).strip().splitlines()), type(error).__name__)
    state = getattr(error, "sqlstate", None)
    return f"{state}: {text}" if state else text
