"""Drivers of PostgreSQL, each behind one way to say a statement with `$1`."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

NODE = Path(__file__).parent.parent / ".venv" / "node"
# Rows as lists of values.
Ask = Callable[[str, list[str]], list[list[Any]]]
Driver = Callable[[str], Any]


def percent(query: str) -> str:
    return re.sub(r"\$\d+", "%s", query)


@contextmanager
def of_psycopg(dsn: str, *, binary: bool = False) -> Iterator[Ask]:
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:

        def ask(query: str, values: list[str]) -> list[list[Any]]:
            found = connection.execute(percent(query).encode(), values, binary=binary)
            return [list(row) for row in found.fetchall()]

        yield ask


@contextmanager
def of_psycopg_pipeline(dsn: str) -> Iterator[Ask]:
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:

        def ask(query: str, values: list[str]) -> list[list[Any]]:
            with connection.pipeline():
                cursor = connection.execute(percent(query).encode(), values)
            return [list(row) for row in cursor.fetchall()]

        yield ask


@contextmanager
def of_pg8000(dsn: str) -> Iterator[Ask]:
    from pg8000 import dbapi

    parts = conninfo_to_dict(dsn)
    host, port = str(parts["host"]), int(str(parts["port"]))
    place: dict[str, Any] = {"host": host, "port": port}
    if host.startswith("/"):
        place = {"unix_sock": f"{host}/.s.PGSQL.{port}"}
    connection = dbapi.connect(str(parts["user"]), database=parts["dbname"], **place)
    connection.autocommit = True

    def ask(query: str, values: list[str]) -> list[list[Any]]:
        cursor = connection.cursor()
        cursor.execute(percent(query), values)
        return [list(row) for row in cursor.fetchall()]

    yield ask
    connection.close()


@contextmanager
def looping(opening: Any, asking: Any, closing: Any) -> Iterator[Ask]:
    """Turn an asynchronous driver into one that is waited for."""
    loop = asyncio.new_event_loop()
    try:
        connection = loop.run_until_complete(opening())

        def ask(query: str, values: list[str]) -> list[list[Any]]:
            found: list[list[Any]] = loop.run_until_complete(
                asking(connection, query, values)
            )
            return found

        yield ask
        loop.run_until_complete(closing(connection))
    finally:
        loop.close()


@contextmanager
def of_asyncpg(dsn: str) -> Iterator[Ask]:
    import asyncpg

    async def opening() -> Any:
        return await asyncpg.connect(asked(dsn), statement_cache_size=0)

    async def asking(connection: Any, query: str, values: list[str]) -> Any:
        return [list(row.values()) for row in await connection.fetch(query, *values)]

    async def closing(connection: Any) -> None:
        await connection.close()

    with looping(opening, asking, closing) as ask:
        yield ask


@contextmanager
def of_psqlpy(dsn: str) -> Iterator[Ask]:
    psqlpy = pytest.importorskip("psqlpy", reason="make drivers")

    async def opening() -> Any:
        return await psqlpy.connect(dsn=asked(dsn))

    async def asking(connection: Any, query: str, values: list[str]) -> Any:
        found = await connection.execute(query, values, prepared=False)
        return [list(row.values()) for row in found.result()]

    async def closing(connection: Any) -> None:
        connection.close()

    with looping(opening, asking, closing) as ask:
        yield ask


@contextmanager
def of_aiopg(dsn: str) -> Iterator[Ask]:
    aiopg = pytest.importorskip("aiopg", reason="make drivers")

    async def opening() -> Any:
        return await aiopg.connect(dsn)

    async def asking(connection: Any, query: str, values: list[str]) -> Any:
        async with connection.cursor() as cursor:
            await cursor.execute(percent(query), values)
            return [list(row) for row in await cursor.fetchall()]

    async def closing(connection: Any) -> None:
        await connection.close()

    with looping(opening, asking, closing) as ask:
        yield ask


@contextmanager
def of_node(dsn: str, *, package: str) -> Iterator[Ask]:
    """A program of Node that is told statements, a line each, and answers with rows."""
    node = shutil.which("node")
    if not node or not (NODE / "node_modules" / package).exists():
        pytest.skip(f"there is no {package} of npm: make drivers")
    parts = conninfo_to_dict(dsn)
    child = subprocess.Popen(
        [node, str(Path(__file__).with_name("drivers.mjs")), package],
        env={"NODE_PATH": str(NODE / "node_modules"), "PARTS": json.dumps(parts)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin and child.stdout

    def ask(query: str, values: list[str]) -> list[list[Any]]:
        assert child.stdin and child.stdout
        child.stdin.write(json.dumps([query, values]) + "\n")
        child.stdin.flush()
        answer = json.loads(child.stdout.readline())
        assert "error" not in answer, answer["error"]
        return [list(row) for row in answer["rows"]]

    try:
        yield ask
    finally:
        child.communicate()


def asked(dsn: str) -> str:
    """Return a connection string as drivers take it that are not libpq."""
    parts = conninfo_to_dict(dsn)
    if not str(parts["host"]).startswith("/"):
        return dsn
    place = "/".join(("postgresql:/", f"{parts['user']}@", str(parts["dbname"])))
    return f"{place}?host={parts['host']}&port={parts['port']}"


def of_psycopg_binary(dsn: str) -> Any:
    return of_psycopg(dsn, binary=True)


def of_node_pg(dsn: str) -> Any:
    return of_node(dsn, package="pg")


def of_postgres_js(dsn: str) -> Any:
    return of_node(dsn, package="postgres")


DRIVERS: dict[str, Driver] = {
    "psycopg": of_psycopg,
    "psycopg, binary": of_psycopg_binary,
    "psycopg, pipeline": of_psycopg_pipeline,
    "pg8000": of_pg8000,
    "asyncpg": of_asyncpg,
    "psqlpy": of_psqlpy,
    "aiopg": of_aiopg,
    "pg": of_node_pg,
    "postgres": of_postgres_js,
}
