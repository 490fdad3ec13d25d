"""A template with the scene of the attacks, and what an attack leaves on the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ..conftest import (
    INSTALLER,
    LOGINS,
    Connection,
    create_database,
    drop_database,
)
from ..servers import Server

SCENE = Path(__file__).parent / "scene.sql"
MORE = """
do $$ begin
  create role app_owner nologin;
  create role agent_h login;
  create role owner_2 login;
  grant agentdb_agent to agent_h;
exception when duplicate_object then null;
end $$;
"""
OWNERS = ("agentdb_owner", "agentdb_capture", "agentdb_applier")
PLAIN = sql.SQL(
    "alter role {} nosuperuser nocreaterole nocreatedb nobypassrls noreplication {}"
)
MEMBERS = """
select r.rolname as granted, m.rolname as member
from pg_auth_members as a
join pg_roles as r on r.oid = a.roleid
join pg_roles as m on m.oid = a.member
"""


@pytest.fixture(scope="session")
def scenery(server: Server, admin: Connection, template: str) -> Iterator[str]:
    """A database with the scene, to copy from."""
    name = f"{template}_scene"
    admin.execute(MORE)
    create_database(admin, name, template)
    with psycopg.connect(server.dsn(database=name), autocommit=True) as connection:
        connection.execute(SCENE.read_bytes())
    yield name
    drop_database(admin, name)


@pytest.fixture
def put_back(admin: Connection) -> Iterator[Callable[[], None]]:
    """Roles belong to the whole server: what an attack does to them is put back."""
    members = set(admin.execute(MEMBERS).fetchall())
    roles = {name for (name,) in admin.execute("select rolname from pg_roles")}

    def put_back() -> None:
        for granted, member in set(admin.execute(MEMBERS).fetchall()) - members:
            revoke = sql.SQL("revoke {} from {} cascade")
            names = map(sql.Identifier, (granted, member))
            admin.execute(revoke.format(*names))
        for name in (*LOGINS, "agent_h", "owner_2"):
            admin.execute(PLAIN.format(sql.Identifier(name), sql.SQL("login")))
        for name in OWNERS:
            admin.execute(PLAIN.format(sql.Identifier(name), sql.SQL("nologin")))
        admin.execute(f"alter role {INSTALLER} createrole")

    yield put_back
    put_back()
    for (name,) in admin.execute("select rolname from pg_roles").fetchall():
        if name not in roles:
            admin.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table: which attack is held, and by which line."""
    rows = sorted(
        (*told, outcome)
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, told in report.user_properties
        if name == "attack"
    )
    terminalreporter.write_sep("=", "attacks and what holds them")
    for law, name, place, outcome in rows:
        state = "held" if outcome == "passed" else "FELL"
        terminalreporter.write_line(f"law {law:>2}  {state}  {name}  {place}")
