"""Databases for tests: one server, a template installed once, a fresh copy per test.

Set AGENTDB_TEST_DSN to use a server of yours instead of one of our own: a
throw-away one that trusts its clients, with a DSN that makes us superuser.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, NullPool, create_engine

from agentdb.local import LocalServer

from .agents import register, start
from .changes import TABLES
from .scene import Scene
from .servers import GivenServer, Server, client, url
from .sink import Sink

if TYPE_CHECKING:
    from .serving import Serving

DRIVERS = ("psycopg", "pg8000")
INSTALLER = "installer"
# Everybody who can log in, and the group of the pack each belongs to.
LOGINS = {
    "agent_a": "agentdb_agent",
    "agent_b": "agentdb_agent",
    "agent_pool": "agentdb_agent",
    "reviewer_r": "agentdb_reviewer",
    "auditor_u": "agentdb_auditor",
    "operator_o": "agentdb_operator",
    "intake_i": "agentdb_intake",
    "web_w": "agentdb_web",
    "serve_s": "agentdb_web",
    "app_user": None,
}
# A database is copied for each test: nine times as fast where files are memory.
MEMORY, ENOUGH = Path("/dev/shm"), 4 << 30
if (
    "TMPDIR" not in os.environ
    and os.access(MEMORY, os.W_OK)
    and shutil.disk_usage(MEMORY).free > ENOUGH
):
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None

NUMBERS = count(1)

# Roles belong to the whole server, where other test processes may be at work.
ROLES_LOCK = 7_263_001

Connection: TypeAlias = psycopg.Connection
Connect: TypeAlias = Callable[..., Connection]
Dump: TypeAlias = Callable[[str], str]
MakeDatabase: TypeAlias = Callable[..., str]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of this test process."""
    if dsn := os.environ.get("AGENTDB_TEST_DSN"):
        yield GivenServer(dsn)
    else:
        # When a write committed is the first question where a race is lost.
        with LocalServer(fast=True, settings={"track_commit_timestamp": "on"}) as local:
            yield local


@pytest.fixture(scope="session")
def admin(server: Server) -> Iterator[Connection]:
    """A superuser's connection to the maintenance database, with all login roles."""
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(%s)", [ROLES_LOCK])
            create_roles(connection)
        yield connection


@pytest.fixture(scope="session")
def template(server: Server, admin: Connection) -> Iterator[str]:
    """A database with the pack installed, to copy from."""
    name = f"agentdb_test_{os.getpid()}"
    create_database(admin, name, "template1")
    with admin.transaction():
        admin.execute("select pg_advisory_xact_lock(%s)", [ROLES_LOCK])
        install(server.dsn(database=name, user=INSTALLER))
        grant_groups(admin)
    # What is told at once can be seen at once; waiting has tests of its own.
    with psycopg.connect(server.dsn(database=name)) as connection:
        connection.execute("update agentdb.receiver set group_wait = '0'")
    yield name
    drop_database(admin, name)


@pytest.fixture(scope="session")
def former_databases(admin: Connection) -> Iterator[list[str]]:
    """Databases of the test before.

    Dropped right after its sessions were closed, each would wait for them.
    """
    names: list[str] = []
    yield names
    for name in names:
        drop_database(admin, name)


@pytest.fixture
def make_database(
    admin: Connection, former_databases: list[str]
) -> Iterator[MakeDatabase]:
    """Create databases, owned by the installer, that go after the test."""
    made: list[str] = []

    def make(template: str = "template1") -> str:
        name = f"agentdb_test_{os.getpid()}_{next(NUMBERS)}"
        create_database(admin, name, template)
        made.append(name)
        return name

    yield make
    for name in former_databases:
        drop_database(admin, name)
    former_databases[:] = made


@pytest.fixture
def connect(server: Server, make_database: MakeDatabase) -> Iterator[Connect]:
    """Open sessions that commit each statement, as one of LOGINS or a superuser."""
    with ExitStack() as stack:

        def connect(database: str, user: str | None = None) -> Connection:
            who = {"user": user} if user else {}
            dsn = server.dsn(database=database, **who)
            return stack.enter_context(psycopg.connect(dsn, autocommit=True))

        yield connect


@pytest.fixture
def db(template: str, make_database: MakeDatabase, connect: Connect) -> Connection:
    """A superuser's connection to a fresh, installed database."""
    return connect(make_database(template))


@pytest.fixture
def agent(db: Connection, connect: Connect) -> Connection:
    """The session of an agent with one open run."""
    register(db)
    session = connect(db.info.dbname, "agent_a")
    start(session)
    return session


@pytest.fixture(scope="session")
def guarded_template(server: Server, admin: Connection, template: str) -> Iterator[str]:
    """A database with an agent, and two guarded tables among its tables."""
    name = f"{template}_guarded"
    create_database(admin, name, template)
    with psycopg.connect(server.dsn(database=name), autocommit=True) as connection:
        connection.execute(TABLES.encode())
        for table in ("invoice", "customer"):
            guard = "select agentdb.guard_table(%s::regclass)"
            connection.execute(guard, [f"public.{table}"])
        register(connection)
    yield name
    drop_database(admin, name)


@pytest.fixture
def guarded(
    guarded_template: str, make_database: MakeDatabase, connect: Connect
) -> Connection:
    """A superuser's connection to a fresh copy of it."""
    return connect(make_database(guarded_template))


@pytest.fixture
def reviewer(guarded: Connection, connect: Connect) -> Connection:
    """The session of a reviewer of them."""
    return connect(guarded.info.dbname, "reviewer_r")


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A receiver of notifications."""
    with Sink().serving() as sink:
        yield sink


@pytest.fixture
def serve(server: Server, db: Connection) -> Iterator[Serving]:
    """`agentdb serve` before the database, with the token of agent `coder`."""
    # Only where it is asked for: reading what emitters send wants an extra.
    from .serving import serving

    with serving(server, db) as found:
        yield found


@pytest.fixture(scope="session")
def standing(
    server: Server, admin: Connection, template: str
) -> Iterator[tuple[Connection, Serving]]:
    """The same beside a database of its own, for tests that only send it something.

    It starts in a second, which hundreds of odd requests need not wait for each.
    """
    from .serving import serving

    name = f"{template}_standing"
    create_database(admin, name, template)
    with (
        psycopg.connect(server.dsn(database=name), autocommit=True) as connection,
        serving(server, connection) as found,
    ):
        yield connection, found
    drop_database(admin, name)


@pytest.fixture
def scene(
    server: Server, db: Connection, sink: Sink, tmp_path: Path
) -> Iterator[Scene]:
    """A fresh database with a rule to trip, for runners to work on."""
    dsn = server.dsn(database=db.info.dbname, user="operator_o")
    with Scene(db, dsn, sink, tmp_path).open() as scene:
        yield scene


@pytest.fixture(params=DRIVERS)
def empty(
    request: pytest.FixtureRequest, server: Server, make_database: MakeDatabase
) -> Iterator[Engine]:
    """The installer's engine on an empty database, once for each driver."""
    dsn = server.dsn(database=make_database(), user=INSTALLER)
    engine = create_engine(url(request.param, dsn), poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def dump(server: Server) -> Dump:
    """Return the schema of a database as pg_dump tells it, without its comments."""

    def dump(database: str) -> str:
        command = [client(server, "pg_dump"), "--schema-only", "--no-owner"]
        # The days of its logs are no part of its shape.
        command += ["--exclude-table=agentdb.*_log_p*"]
        out = subprocess.run(
            [*command, "--dbname", server.dsn(database=database)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        # A line that begins with a backslash is \restrict, random each time.
        return "\n".join(s for s in out.splitlines() if not s.startswith(("\\", "--")))

    return dump


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture
def home(place: Path) -> Path:
    return place / "home"


@pytest.fixture
def temporary(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary directory that nobody else sweeps or leaves anything in."""
    place.chmod(0o1777)
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def create_roles(connection: Connection) -> None:
    """Create the roles that tests log in as, unless they exist."""
    existing = {name for (name,) in connection.execute("select rolname from pg_roles")}
    for name in {*LOGINS, INSTALLER} - existing:
        create = sql.SQL("create role {} login").format(sql.Identifier(name))
        connection.execute(create)
    connection.execute(f"alter role {INSTALLER} createrole")


def grant_groups(connection: Connection) -> None:
    """Put the login roles into the groups that an installation made."""
    # What an installation asks for that a plain owner cannot grant.
    connection.execute("grant pg_read_all_stats to agentdb_owner")
    for login, group in LOGINS.items():
        if group:
            connection.execute(
                sql.SQL("grant {} to {}").format(
                    sql.Identifier(group), sql.Identifier(login)
                )
            )


def install(dsn: str) -> None:
    """Install the pack."""
    from agentdb.schema import code as schema

    engine = create_engine(url("psycopg", dsn), poolclass=NullPool)
    with engine.begin() as connection:
        schema.install(connection)
    engine.dispose()


def install_on(server: Server) -> str:
    """Install the pack on a server of its own; return the DSN of an operator."""
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        create_roles(connection)
        create_database(connection, "agentdb", "template1")
        install(server.dsn(database="agentdb", user=INSTALLER))
        grant_groups(connection)
    return server.dsn(database="agentdb", user="operator_o")


def create_database(connection: Connection, name: str, template: str) -> None:
    """Copy a database for the installer to own; by files, which takes a tenth."""
    by_files = connection.info.server_version >= 150000
    connection.execute(
        sql.SQL("create database {} template {} owner {} {}").format(
            sql.Identifier(name),
            sql.Identifier(template),
            sql.Identifier(INSTALLER),
            sql.SQL("strategy file_copy" if by_files else ""),
        )
    )


def drop_database(connection: Connection, name: str) -> None:
    """Drop a database and end the sessions in it."""
    connection.execute(
        sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
    )
