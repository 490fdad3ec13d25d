"""The database as a person has it: to read, and to act."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.types.json import Jsonb
from starlette.requests import Request

from .call import TYPES
from .failure import is_away

if TYPE_CHECKING:
    from .keeper import Keeper

NOTE = "select agentdb.note_refusal(%s, %s, %s, %s)"
READ = "set transaction isolation level repeatable read, read only"
ACT = "set transaction isolation level read committed, read write"
PATIENCE = "set local statement_timeout = '30s'"


def _keeper(request: Request) -> Keeper:
    found: Keeper = request.app.state.keeper
    return found


@asynccontextmanager
async def _connection(
    request: Request,
) -> AsyncIterator[AsyncConnection[dict[str, Any]]]:
    """Give the person's own session, else one of agentdb serve."""
    own = request.state.session.own
    if own is not None:
        async with own.connection() as connection:
            yield connection
    else:
        async with _keeper(request).pool.connection() as connection:
            yield connection


@asynccontextmanager
async def reading(request: Request) -> AsyncIterator[AsyncConnection[dict[str, Any]]]:
    """Give a connection in one transaction that only reads, as of one moment.

    Raises psycopg.Error, of which the page of the error is made.
    """
    async with _connection(request) as connection, connection.transaction():
        await connection.execute(READ)
        yield connection


@asynccontextmanager
async def acting(
    request: Request, *, stays: bool = True
) -> AsyncIterator[AsyncConnection[dict[str, Any]]]:
    """Give a connection in one transaction, which stays or leaves no trace."""
    async with _connection(request) as connection, connection.transaction():
        await connection.execute(ACT)
        await connection.execute(PATIENCE)
        yield connection
        if not stays:
            raise psycopg.Rollback


async def call(
    connection: AsyncConnection[dict[str, Any]],
    request: Request,
    name: str,
    arguments: Mapping[str, object],
) -> list[dict[str, Any]]:
    """Call a function for the person, within a transaction; return its rows."""
    statement, values = made(request, name, arguments)
    cursor = await connection.execute(statement, values)
    return await cursor.fetchall()


async def act(
    request: Request, name: str, arguments: Mapping[str, object]
) -> list[dict[str, Any]]:
    """Do something as the person, and commit it; return the rows of its function.

    Raises psycopg.Error, and writes down what was refused by way of agentdb serve.
    """
    try:
        async with acting(request) as connection:
            return await call(connection, request, name, arguments)
    except psycopg.Error as error:
        await note(request, name, arguments, error)
        raise


def made(
    request: Request, name: str, arguments: Mapping[str, object]
) -> tuple[sql.Composed, dict[str, object]]:
    """Return a call as a statement: of the function, or of the one for somebody."""
    types = TYPES[name]
    given: list[sql.Composable] = [
        sql.SQL("{} => {}::{}").format(
            sql.Identifier(each), sql.Placeholder(each), sql.SQL(types[each])
        )
        for each in arguments
    ]
    values = dict(arguments)
    function = name
    if request.state.session.own is None:
        function = f"{name}_for"
        given.insert(0, sql.SQL("person => {}::text").format(sql.Placeholder("person")))
        values["person"] = request.state.person.subject
    statement = sql.SQL("select * from agentdb.{}({})").format(
        sql.Identifier(function), sql.SQL(", ").join(given)
    )
    return statement, values


async def note(
    request: Request, name: str, arguments: Mapping[str, object], error: psycopg.Error
) -> None:
    """Write down what was refused; of own sessions PostgreSQL's log tells."""
    if request.state.session.own is not None or is_away(error):
        return
    said = {each: str(value) for each, value in arguments.items() if value is not None}
    values = [request.state.person.subject, name, Jsonb(said), error.sqlstate]
    with suppress(psycopg.Error):
        async with _keeper(request).pool.connection() as connection:
            await connection.execute(NOTE, values)


async def wake(request: Request, channel: str, payload: str = "") -> None:
    """Wake who listens, after the commit; who polls hears of it as well."""
    with suppress(psycopg.Error):
        async with _connection(request) as connection:
            await connection.execute("select pg_notify(%s, %s)", [channel, payload])
