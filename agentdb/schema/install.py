"""Runs schema changes against a connection string, as the commands need them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from alembic.util import CommandError
from sqlalchemy import Connection, Engine, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from ..connection import shown
from ..errors import AgentdbError, NotFound
from ..process.interrupt import committing
from . import check as catalog
from . import code as schema

T = TypeVar("T")

# Roles belong to the cluster and a lock to one database, so installations of two
# databases can collide on a role, and two first ones of a database on its schema: these
# say so, and trying again helps.
COLLISIONS = {"23505", "40001", "40P01", "42710", "42P06", "XX000"}
ATTEMPTS = 10


def install(dsn: str) -> str:
    """Install or upgrade the pack and say in one line what was done."""
    _transact(dsn, schema.install)
    _transact(dsn, _prepare)
    return f"agentdb is installed in {shown(dsn)}"


BARE = "select from agentdb.log_partition as p where not p.is_default limit 1"


def _prepare(connection: Connection) -> None:
    """Make the first partitions before anybody writes: later ones are made ahead.

    A row on its way into the default partition is refused while its day's is attached.
    """
    if schema.run(connection, BARE).first() is None:
        schema.run(connection, "select agentdb.maintain()")


OWNERS = """
select c.relowner::regrole::text, count(*)
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join pg_roles as r on r.oid = c.relowner
where c.relkind in ('r', 'p')
  and not c.relispartition
  and n.nspname not in ('agentdb', 'pg_catalog', 'information_schema')
  and not r.rolsuper
  and not pg_has_role(c.relowner, 'agentdb_operator', 'usage')
  and not pg_has_role(c.relowner, 'agentdb_agent', 'member')
group by 1
order by 1
"""
AGENTS = "select count(*) from agentdb.agent"
STARTS = "select pg_has_role('agentdb_owner', 'pg_read_all_stats', 'usage')"


SEE_STARTS = (
    "grant pg_read_all_stats to agentdb_owner;  -- by a superuser, to know sessions "
    "by their start"
)


def next_steps(dsn: str) -> list[str]:
    """Return what to do after an installation, a line each, with what it is for."""
    engine = _engine(dsn)
    with engine.connect() as connection:
        owners = [tuple(row) for row in schema.run(connection, OWNERS)]
        agents = schema.run(connection, AGENTS).scalar()
        starts = schema.run(connection, STARTS).scalar()
    return [
        *([] if starts else [SEE_STARTS]),
        *(
            f"grant agentdb_operator to {owner};  -- to audit and guard its "
            f"{number} table{'s' if number != 1 else ''}"
            for owner, number in owners
        ),
        *([] if agents else ["agentdb agent add NAME --role ROLE --create-role"]),
        "select agentdb.audit_table('SCHEMA.TABLE');  -- record every change of it",
        "agentdb run  -- evaluate the rules and alert people",
        "agentdb status",
    ]


def uninstall(dsn: str) -> None:
    """Remove the pack, or raise what stands in the way."""
    _transact(dsn, _remove)


def _remove(connection: Connection) -> None:
    if schema.run(connection, "select to_regnamespace('agentdb')").scalar() is None:
        raise NotFound("agentdb is not installed", hint="agentdb install")
    schema.downgrade(connection)


def differences(dsn: str) -> list[str]:
    """Return what differs from the release, changing nothing."""
    engine = _engine(dsn)
    with engine.connect() as connection:
        try:
            found = catalog.differences(connection)
        except CommandError as error:
            raise _unknown(error) from error
        connection.rollback()
    return found


def _engine(dsn: str) -> Engine:
    """Return an engine that keeps nothing open and reads text in any database."""
    encoding = {"client_encoding": "UTF8"}
    return create_engine(schema.url(dsn), poolclass=NullPool, connect_args=encoding)


def _transact(dsn: str, work: Callable[[Connection], T]) -> T:
    """Do work in one transaction, again when another installation got in the way."""
    engine = _engine(dsn)
    for attempt in range(1, ATTEMPTS):
        try:
            return _once(engine, work)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in COLLISIONS:
                raise
        # Not both at the same moment again.
        time.sleep(random.uniform(0, attempt * 0.2))
    return _once(engine, work)


def _unknown(error: CommandError) -> AgentdbError:
    """Return what Alembic says of a revision that it lacks, with what to do."""
    return AgentdbError(
        f"the database is not at a revision of this release: {error}",
        hint="It was installed by a later release, or changed by hand: upgrade "
        "agentdb, or correct agentdb.alembic_version.",
    )


def _once(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.connect() as connection:
        transaction = connection.begin()
        try:
            done = work(connection)
        except CommandError as error:
            raise _unknown(error) from error
        with committing():
            transaction.commit()
    return done
