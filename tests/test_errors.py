"""An error of the server is the same error whichever driver carries it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import pg8000.dbapi
import psycopg
import pytest
import sqlalchemy
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.ext.asyncio import create_async_engine

from agentdb import errors
from agentdb.client import BudgetRefused, Busy, Looping, Unreachable
from agentdb.message import read

from .agents import register
from .conftest import Connection
from .servers import Server, url

Raise = Callable[[str, str], BaseException]
GUARDED = "update public.t set v = 1"
FOREIGN = "select agentdb.log_progress('lost', run => 4711)"


def caught(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("not refused")


def by_psycopg(dsn: str, query: str) -> BaseException:
    with psycopg.connect(dsn) as connection:
        return caught(lambda: connection.execute(query.encode()))


def by_psycopg_async(dsn: str, query: str) -> BaseException:
    async def call() -> None:
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            await connection.execute(query.encode())

    return caught(lambda: asyncio.run(call()))


def by_pg8000(dsn: str, query: str) -> BaseException:
    parts = conninfo_to_dict(dsn)
    place = f"{parts['host']}/.s.PGSQL.{parts['port']}"
    connection = pg8000.dbapi.connect(
        user=parts["user"], unix_sock=place, database=parts["dbname"]
    )
    try:
        return caught(lambda: connection.cursor().execute(query))
    finally:
        connection.close()


def by_asyncpg(dsn: str, query: str) -> BaseException:
    async def call() -> None:
        connection = await asyncpg.connect(**_asyncpg(dsn))
        try:
            await connection.execute(query)
        finally:
            await connection.close()

    return caught(lambda: asyncio.run(call()))


def _asyncpg(dsn: str) -> dict[str, Any]:
    parts = conninfo_to_dict(dsn)
    names = {"host": "host", "port": "port", "user": "user", "dbname": "database"}
    return {new: parts[old] for old, new in names.items()}


def by_sqlalchemy(driver: str) -> Raise:
    def call(dsn: str, query: str) -> BaseException:
        engine = sqlalchemy.create_engine(
            url(driver, dsn), poolclass=sqlalchemy.NullPool
        )
        with engine.connect() as connection:
            return caught(lambda: connection.exec_driver_sql(query))

    return call


def by_sqlalchemy_asyncpg(dsn: str, query: str) -> BaseException:
    parts = {name: str(part) for name, part in conninfo_to_dict(dsn).items()}
    address = sqlalchemy.URL.create(
        "postgresql+asyncpg",
        username=parts["user"],
        database=parts["dbname"],
        query={"host": parts["host"], "port": parts["port"]},
    )

    async def call() -> None:
        engine = create_async_engine(address, poolclass=sqlalchemy.NullPool)
        async with engine.connect() as connection:
            await connection.exec_driver_sql(query)

    return caught(lambda: asyncio.run(call()))


DRIVERS: dict[str, Raise] = {
    "psycopg": by_psycopg,
    "psycopg async": by_psycopg_async,
    "pg8000": by_pg8000,
    "asyncpg": by_asyncpg,
    "sqlalchemy psycopg": by_sqlalchemy("psycopg"),
    "sqlalchemy pg8000": by_sqlalchemy("pg8000"),
    "sqlalchemy asyncpg": by_sqlalchemy_asyncpg,
}


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    """How an agent connects to a database with a guarded table."""
    db.execute(
        "create table t (id int primary key, v int not null);"
        "grant select, insert, update on t to agent_a; select agentdb.guard_table('t');"
        "create table plain (id int primary key, v int not null);"
        "grant all on plain to agent_a"
    )
    register(db)
    return server.dsn(database=db.info.dbname, user="agent_a")


@pytest.mark.parametrize("driver", DRIVERS)
def test_refusal_is_the_same_class_on_every_driver(dsn: str, driver: str) -> None:
    found = errors.from_database(DRIVERS[driver](dsn, GUARDED))
    assert isinstance(found, errors.Guarded)
    assert str(found) == "agent_a may not update public.t directly: it is guarded"
    assert "agentdb_stage.t" in found.hint
    assert found.detail.startswith("Somebody else must approve")


@pytest.mark.parametrize("driver", DRIVERS)
def test_text_for_a_model_has_the_hint_and_no_internals(dsn: str, driver: str) -> None:
    raised = DRIVERS[driver](dsn, FOREIGN)
    said = errors.describe(raised)
    assert said.splitlines() == [
        "run 4711 is not open to role agent_a (SQLSTATE ZA001)",
        "HINT: Use the run_id that agentdb.start_run() returned to you; behind a shared "
        "role bind its token first: select agentdb.bind_run(token);",
    ]
    assert errors.describe(errors.from_database(raised) or raised) == said
    if driver == "psycopg":
        # What everybody prints by default.
        assert "PL/pgSQL function agentdb._refuse_foreign_run" in str(raised)


@pytest.mark.parametrize("driver", DRIVERS)
def test_error_of_postgresql_itself_is_described_too(dsn: str, driver: str) -> None:
    raised = DRIVERS[driver](dsn, "insert into plain values (1, null)")
    assert errors.from_database(raised) is None
    first, second = errors.describe(raised).splitlines()
    assert first.endswith("(SQLSTATE 23502)") and '"v"' in first
    assert second.startswith("DETAIL: Failing row contains")


def test_translated_raises_ours_from_the_drivers(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        with pytest.raises(errors.Guarded) as refused, errors.translated():
            connection.execute(GUARDED.encode())
        assert isinstance(refused.value.__cause__, psycopg.Error)
        with pytest.raises(psycopg.errors.SyntaxError), errors.translated():
            connection.execute("nonsense")


@pytest.mark.parametrize(
    "error", [ValueError("no"), KeyError({"C": "ZA001"}), Exception(), SystemExit(3)]
)
def test_other_errors_are_left_alone(error: BaseException) -> None:
    assert read(error) is None
    assert errors.from_database(error) is None
    assert errors.describe(error) == str(error).strip()


def test_two_open_runs_are_told_how_a_plain_statement_names_one(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("select agentdb.start_run()")
        found = connection.execute("select token from agentdb.start_run()").fetchone()
        assert found is not None
        staged = "update agentdb_stage.t set v = 2"
        raised = by_psycopg(dsn, "insert into agentdb_stage.t values (1, 1)")
        refused = errors.from_database(raised)
        assert isinstance(refused, errors.NoRun)
        assert "select agentdb.bind_run(token)" in refused.hint
        with connection.transaction():
            connection.execute("select agentdb.bind_run(%s)", found)
            connection.execute(staged.encode())


@pytest.mark.parametrize(
    "kind", [*errors.BY_SQLSTATE.values(), BudgetRefused, Busy, Looping, Unreachable]
)
def test_error_of_each_class_is_made_for_a_model(
    kind: type[errors.AgentdbError],
) -> None:
    error = kind("it is so", detail="here", hint="do that")
    assert (error.detail, error.hint) == ("here", "do that")
    assert error.advice.splitlines() == [
        f"it is so (SQLSTATE {kind.sqlstate})", "DETAIL: here", "HINT: do that",
    ]  # fmt: skip
    assert kind("it is so").advice == f"it is so (SQLSTATE {kind.sqlstate})"
