"""How pages ask the database, and what they share."""

from __future__ import annotations

from typing import Any, TypeAlias

import psycopg
from psycopg import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.requests import Request

Row: TypeAlias = dict[str, Any]
Connection: TypeAlias = AsyncConnection[Row]

# Rows of a page of a list.
PAGE = 50
MOST_ID = 2**63 - 1


async def rows(connection: Connection, query: str, **binds: object) -> list[Row]:
    """Return what a question finds."""
    cursor = await connection.execute(query.encode(), binds or None)
    return await cursor.fetchall()


async def one(connection: Connection, query: str, **binds: object) -> Row | None:
    """Return the first row of what a question finds."""
    found = await rows(connection, query, **binds)
    return found[0] if found else None


async def spared(
    connection: Connection, query: str, **binds: object
) -> list[Row] | None:
    """Return what a question finds, None where this person may not ask it."""
    try:
        async with connection.transaction():
            return await rows(connection, query, **binds)
    except psycopg.errors.InsufficientPrivilege:
        return None


def number(request: Request, name: str) -> int:
    """Return a number of the path; raises 404 for what no row can have."""
    given = int(request.path_params[name])
    if given > MOST_ID:
        raise missing(f"{name} {given}")
    return given


def missing(what: str) -> HTTPException:
    """Return the error of what is not there."""
    return HTTPException(404, f"there is no {what}")


def page_number(request: Request) -> int:
    """Return which page of a list is asked for, from 1."""
    given = request.query_params.get("page", "1")
    return (
        min(max(int(given), 1), 100_000) if given.isdecimal() and len(given) < 8 else 1
    )


def cut(found: list[Row], most: int = PAGE) -> tuple[list[Row], bool]:
    """Return a page of rows, of which one more was asked for, and whether more come."""
    return found[:most], len(found) > most


def word(request: Request, name: str) -> str | None:
    """Return a word of the query, without what no text of the database can hold."""
    return request.query_params.get(name, "").replace("\x00", "").strip() or None
