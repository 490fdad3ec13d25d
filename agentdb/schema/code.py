"""Installs the schema: Alembic moves the tables, sql/ replaces the code.

Tables change by numbered revisions.  Functions, views and grants live in sql/
and are put in place after every revision step, so the code in the database
always belongs to the revision it is at.
"""

from __future__ import annotations

import io
import re
import threading
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, CursorResult

from ..connection import dsn

SCHEMA = "agentdb"
CREATED = re.compile(
    r"^create (?:or replace |constraint )?"
    r"(?:(function|procedure|view) (\S+)|(trigger) (\S+)\s+.*\s+on (\S+))",
    re.MULTILINE,
)


# Alembic keeps the migration it runs in globals: two threads would mix theirs.
ONE_AT_A_TIME = threading.Lock()


def url(given: str | None = None) -> str:
    """Return the SQLAlchemy URL of a connection string, by way of psycopg."""
    text = dsn(given)
    if not text:
        return "postgresql+psycopg://"
    if text.startswith("postgresql://"):
        return "postgresql+psycopg://" + text.removeprefix("postgresql://")
    return _url_of_conninfo(text)


def _url_of_conninfo(text: str) -> str:
    from psycopg.conninfo import conninfo_to_dict
    from sqlalchemy import URL

    parts = {key: str(value) for key, value in conninfo_to_dict(text).items()}
    user, password = parts.pop("user", None), parts.pop("password", None)
    database = parts.pop("dbname", None)
    address = URL.create(
        "postgresql+psycopg", user, password, database=database, query=parts
    )
    return address.render_as_string(hide_password=False)


def bundled(name: str) -> Path:
    """Return a directory shipped in the wheel, or its original in a checkout."""
    package = Path(__file__).parents[1]
    return next(p for p in (package / name, package.parent / name) if p.is_dir())


def config(
    connection: Connection | None = None, output: io.StringIO | None = None
) -> Config:
    """Return an Alembic configuration that needs no ini file."""
    cfg = Config(output_buffer=output)
    location = str(bundled("alembic")).replace("%", "%%")
    cfg.set_main_option("script_location", location)
    cfg.set_main_option("path_separator", "os")
    cfg.attributes["connection"] = connection
    return cfg


def code(revision: str | None = None) -> str:
    """Return the SQL that defines the code of a revision, by default the newest.

    A revision that changes files of sql/ keeps their former text in a folder
    of its own name; laying these over sql/ from the newest revision down to
    the wanted one gives back what that revision had.
    """
    files = _read(bundled("sql"))
    script = ScriptDirectory.from_config(config())
    for newer in script.walk_revisions():
        if revision is None or newer.revision == revision:
            break
        files |= _read(Path(newer.path).with_suffix(""))
    manifest = files["install.sql"].splitlines()
    names = [line[4:] for line in manifest if line.startswith("\\ir ")]
    return "\n\n".join(files[name].strip() for name in names) + "\n"


def _read(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in folder.rglob("*.sql")
    }


def drop_code(revision: str | None = None) -> str:
    """Return the SQL that removes the code of a revision, the newest object first.

    What was created later may lean on what was created before, never the other
    way round; whatever somebody else built on it stops the drop.
    """
    made = dict.fromkeys(CREATED.findall(code(revision)))
    # Some went before, with what an agent had built on them.
    return "\n".join(
        f"drop trigger {trigger} on {table};"
        if trigger
        else f"drop {kind} if exists {name};"
        for kind, name, _, trigger, table in reversed(made)
    )


def run(connection: Connection, text: str) -> CursorResult[Any]:
    """Execute a script as it stands: no binds, no percent escapes."""
    return connection.exec_driver_sql(text, execution_options={"no_parameters": True})


def emit(context: MigrationContext, text: str) -> None:
    """Execute a script in a migration, or print it when Alembic is offline."""
    if context.as_sql:
        context.impl.static_output(text.strip())
    elif context.connection is not None:
        run(context.connection, text)


def frame(name: str) -> str:
    """Return a script that frames every migration: before, after or base."""
    return (bundled("alembic") / f"{name}.sql").read_text("utf-8")


def install(connection: Connection, revision: str = "head") -> None:
    """Bring the database to a revision and put the code in place."""
    cfg = config(connection)
    cfg.attributes["refresh"] = revision == "head"
    with ONE_AT_A_TIME:
        command.upgrade(cfg, revision)


def downgrade(connection: Connection, revision: str = "base") -> None:
    """Take the database back to a revision; ``base`` removes everything."""
    with ONE_AT_A_TIME:
        command.downgrade(config(connection), revision)


def script() -> str:
    """Return the whole installation as SQL, for a DBA to read and run."""
    output = io.StringIO()
    with ONE_AT_A_TIME, redirect_stdout(io.StringIO()):
        command.upgrade(config(output=output), "head", sql=True)
    return output.getvalue()
