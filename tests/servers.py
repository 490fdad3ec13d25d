"""The PostgreSQL servers that tests run on."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlencode

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL

from agentdb.local.binaries import PACKAGE


class Server(Protocol):
    """What tests need of a server; a LocalServer has it."""

    @property
    def bin(self) -> Path: ...

    def dsn(self, *, database: str = ..., user: str = ...) -> str: ...


class GivenServer:
    """A throw-away server that somebody else started, trusting all its clients."""

    def __init__(self, dsn: str) -> None:
        with psycopg.connect(dsn) as connection:
            info = connection.info
            self._place = {"host": info.host, "port": info.port}
            self._user = info.user

    @property
    def bin(self) -> Path:
        """The directory of the server's programs, or of some others."""
        found = os.environ.get("AGENTDB_PG_BIN") or shutil.which("pg_dump")
        assert found, "set AGENTDB_PG_BIN to the directory of pg_dump"
        return Path(found) if Path(found).is_dir() else Path(found).parent

    def dsn(self, *, database: str = "postgres", user: str = "") -> str:
        """Return the URI of a database."""
        return (
            f"postgresql://{quote(user or self._user, safe='')}@/"
            f"{quote(database, safe='')}?{urlencode(self._place, quote_via=quote)}"
        )


def client(server: Server, name: str) -> str:
    """Return the oldest psql or pg_dump that is no older than the server, or skip.

    The oldest, as a dump has settings that a server older than pg_dump lacks.
    """
    wanted = int(str(answer(server.dsn(), "show server_version_num"))) // 10_000
    places = [server.bin, *packaged()]
    there = {folder / name for folder in places if (folder / name).is_file()}
    if found := shutil.which(name):
        there.add(Path(found))
    fit = {path: age for path in there if (age := _major(path)) >= wanted}
    if not fit:
        pytest.skip(f"there is no {name} of PostgreSQL {wanted} or later")
    return str(min(fit, key=lambda path: fit[path]))


def packaged() -> list[Path]:
    """Return the directories of programs in the package of servers, if it is here."""
    spec = importlib.util.find_spec(PACKAGE)
    folders = (spec and spec.submodule_search_locations) or []
    return [each for folder in folders for each in Path(folder).glob("pginstall*/bin")]


def _major(program: Path) -> int:
    command = [str(program), "--version"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return int(printed.split(")")[1].split(".")[0])


def url(driver: str, dsn: str) -> URL:
    """Return the SQLAlchemy URL of a DSN for one of the drivers."""
    parts = {key: str(value) for key, value in conninfo_to_dict(dsn).items()}
    host, port = parts["host"], int(parts["port"])
    socket = {"unix_sock": f"{host}/.s.PGSQL.{port}"} if host.startswith("/") else None
    if driver == "psycopg" and socket:
        socket = {"host": host, "port": str(port)}
    return URL.create(
        f"postgresql+{driver}",
        username=parts["user"],
        host=None if socket else host,
        port=None if socket else port,
        database=parts["dbname"],
        query=socket or {},
    )


def answer(dsn: str, question: str) -> object:
    """Return the value that a query answers with."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row and row[0]


def tell(dsn: str, *statements: str) -> None:
    """Execute statements, each in a transaction of its own."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
