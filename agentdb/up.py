"""Brings up all that agentdb needs: a database, the pack, the runner."""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from agentdb.admin import operation
from agentdb.schema import install as installation

# A login for each of those who will connect, and the group it belongs to.
LOGINS = {"agent_1": "agentdb_agent", "reviewer_1": "agentdb_reviewer"}
REGISTERED = "select from agentdb.agent where agent_name = 'agent_1'"


def up(dsn: str, directory: Path, *, tell: Callable[[str], object]) -> int:
    """Run until stopped and return the exit code; `tell` gets lines for people."""
    from agentdb import config, runner

    with ExitStack() as stack:
        if not dsn:
            dsn = _own_server(stack, directory)
        installation.install(dsn)
        for line in prepare(dsn):
            tell(line)
        tell("the runner works; alerts follow, one JSON object a line; Ctrl-C stops")
        return runner.run(config.read(None, dsn=dsn))


def new_logins(dsn: str) -> list[str]:
    """Return the login roles that it would create on a server."""
    known = "select rolname from pg_roles where rolname = any (%s::text[])"
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        there = {row[0] for row in connection.execute(known, [list(LOGINS)])}
    return [login for login in LOGINS if login not in there]


def _own_server(stack: ExitStack, directory: Path) -> str:
    from agentdb.local import LocalServer

    return stack.enter_context(LocalServer(directory=directory)).dsn()


def prepare(dsn: str) -> list[str]:
    """Create the logins that are missing; return how each of them connects."""
    socket = psycopg.conninfo.conninfo_to_dict(dsn).get("host", "")
    with psycopg.connect(dsn) as connection:
        passwords = {
            login: _create(
                connection, login, group, trusted=str(socket).startswith("/")
            )
            for login, group in LOGINS.items()
        }
        known = connection.execute(REGISTERED).fetchone() is not None
    if not known:
        operation.register_agent(dsn, "agent_1", role="agent_1")
    lines = [
        f"{login.removesuffix('_1'):9}{_as(dsn, login, password)}"
        for login, password in passwords.items()
    ]
    return [*lines, f"{'dba':9}{_as(dsn, None, None)}"]


def _create(
    connection: psycopg.Connection[tuple[object, ...]],
    login: str,
    group: str,
    *,
    trusted: bool,
) -> str | None:
    """Create a login unless it exists; return the password it was given, if any."""
    known = "select from pg_roles where rolname = %s::text"
    fresh = connection.execute(known, [login]).fetchone() is None
    operation.create_login(connection, login, group)
    if trusted or not fresh:
        return None
    password = secrets.token_urlsafe(24)
    connection.execute(
        sql.SQL("alter role {} password {}").format(
            sql.Identifier(login), sql.Literal(password)
        )
    )
    return password


def _as(dsn: str, login: str | None, password: str | None) -> str:
    """Return the connection string of a login, or of the caller without a password."""
    parts = {name: str(part) for name, part in conninfo_to_dict(dsn).items()}
    parts.pop("password", None)
    if login:
        parts["user"] = login
    if password:
        parts["password"] = password
    return url_of(parts)


def url_of(parts: dict[str, str]) -> str:
    """Return a connection string that every driver takes, and a shell as it stands."""
    rest = dict(parts)
    who = quote(rest.pop("user", ""), safe="")
    if password := rest.pop("password", ""):
        who += f":{quote(password, safe='')}"
    where = ""
    if re.fullmatch(r"[\w.-]+", rest.get("host", "")):
        where = rest.pop("host")
        where += f":{rest.pop('port')}" if rest.get("port", "").isdecimal() else ""
    elif rest.get("port") == "5432":
        del rest["port"]
    place = f"{who}@{where}" if who else where
    database = quote(rest.pop("dbname", ""), safe="")
    more = urlencode(rest, quote_via=quote, safe="/")
    url = f"postgresql://{place}/{database}" + (f"?{more}" if more else "")
    return shlex.quote(url) if "&" in url else url
