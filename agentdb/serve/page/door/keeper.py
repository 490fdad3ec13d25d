"""Keeps the door: knows sessions, and what each person may do."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import time
from typing import TYPE_CHECKING, Any

import anyio
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from starlette.requests import Request

from ...errors import Away
from .carried import carried
from .cookie import Cookies
from .numbers import exact
from .own import OPTIONS, Own, is_wrong
from .person import Person, rights
from .session import Session, Sessions
from .slow import Slow

if TYPE_CHECKING:
    from .oidc import Issuer
    from .settings import DoorSettings

logger = logging.getLogger("agentdb.serve")

RIGHTS = "select * from agentdb.rights_of_person(%s)"
OWN_RIGHTS = """
select has_function_privilege('agentdb.kill_run(bigint, text, boolean)', 'execute')
    as respond,
  pg_has_role('agentdb_reviewer', 'usage') as approve,
  has_table_privilege('agentdb.alerting_status', 'select') as reads
from pg_roles
where rolname = session_user and rolcanlogin
"""
CARRIED = ("proxy", "socket")
# Ways in that prove a role and nobody else: where it may not look, nobody is in.
OF_ROLE = ("link", "socket")
SWEEP = 30.0


class Keeper:
    """One for all pages of a server."""

    def __init__(
        self, dsn: str, settings: DoorSettings, issuer: Issuer | None = None
    ) -> None:
        self.dsn, self.settings, self.issuer = dsn, settings, issuer
        self.sessions = Sessions(settings)
        self.cookies = Cookies(settings.secure)
        self.slow = Slow()
        self.pool = _make_pool(dsn)
        self._secret = secrets.token_bytes(32)

    def guest_token(self, guest: str) -> str:
        """Return the form token of somebody who has not logged in."""
        return hmac.new(self._secret, guest.encode(), hashlib.sha256).hexdigest()

    def open(
        self, request: Request, subject: str, mode: str, own: Own | None = None
    ) -> Session:
        """Let somebody in: under a new name, whatever the browser brought along."""
        if old := self.sessions.find(self.cookies.session(request)):
            self.sessions.end(old)
        made = self.sessions.open(subject, mode, own)
        self.cookies.keep(request, made.key)
        return made

    def leave(self, request: Request) -> None:
        """Let somebody out."""
        if old := self.sessions.find(self.cookies.session(request)):
            self.sessions.end(old)
        self.cookies.forget(request)

    async def enter(self, request: Request) -> tuple[Session, Person] | None:
        """Return who asks; raises Refused, or Away where nobody can tell."""
        session = self.sessions.find(self.cookies.session(request))
        given = carried(request, self.settings)
        if session is None or session.mode in CARRIED:
            if given is None:
                return None
            if session is None or (session.mode, session.subject) != given:
                return await self._carry(request, *given)
        person = await self.person(session)
        if person is None:
            self.sessions.end(session)
            return None
        return session, person

    async def person(self, session: Session) -> Person | None:
        """Return what a person may do now, None for who may not look any more."""
        if session.person and time.monotonic() < session.believed_until:
            return session.person
        session.person = await self._rights(session)
        session.believed_until = time.monotonic() + self.settings.believed
        return session.person

    async def work(self) -> None:
        """Close what is over, until cancelled."""
        while True:
            await anyio.sleep(SWEEP)
            self.sessions.sweep()
            for own in self.sessions.owned():
                await own.rest()
            await self._close_left()

    async def close(self) -> None:
        """End every session, and close the connections of all."""
        self.sessions.end_all()
        await self._close_left()
        await self.pool.close(timeout=1.0)

    async def _close_left(self) -> None:
        while self.sessions.leaving:
            await self.sessions.leaving.pop().close()

    async def _carry(
        self, request: Request, mode: str, subject: str
    ) -> tuple[Session, Person] | None:
        """Begin the session of who is named by each of its requests."""
        found = await self._rights_of(subject, mode)
        if found is None:
            return None
        session = self.sessions.open(subject, mode)
        session.person = found
        session.believed_until = time.monotonic() + self.settings.believed
        self.cookies.keep(request, session.key)
        return session, found

    async def _rights(self, session: Session) -> Person | None:
        if session.own:
            return await self._own_rights(session.own)
        return await self._rights_of(session.subject, session.mode)

    async def _rights_of(self, subject: str, mode: str) -> Person | None:
        try:
            async with self.pool.connection() as connection:
                cursor = await connection.execute(RIGHTS, [subject])
                row = await cursor.fetchone()
        except (psycopg.OperationalError, PoolTimeout, OSError) as error:
            raise Away("the database is away") from error
        assert row is not None
        # A link lets in its maker's role; and a socket, whom somebody has mapped: users
        # of this machine are programs too, and agents.
        if mode in OF_ROLE and not row["look"]:
            return None
        can = rights(row["respond"], row["approve"])
        return Person(subject, row["role_name"], mode, can)

    async def _own_rights(self, own: Own) -> Person | None:
        subject = f"role {own.role}"
        try:
            async with own.connection() as connection:
                cursor = await connection.execute(OWN_RIGHTS)
                row = await cursor.fetchone()
        except psycopg.errors.InsufficientPrivilege:
            none = rights(False, False)
            return Person(subject, own.role, "database", none, reads=False)
        except (psycopg.errors.InternalError, psycopg.errors.UndefinedObject):
            # The role of this session is gone.
            return None
        except (psycopg.OperationalError, OSError) as error:
            if is_wrong(error):
                # The role is gone, or has another password since.
                return None
            raise Away("the database is away") from error
        if row is None:
            return None
        can = rights(row["respond"], row["approve"])
        return Person(subject, own.role, "database", can, reads=row["reads"])


def _make_pool(dsn: str) -> AsyncConnectionPool[AsyncConnection[dict[str, Any]]]:
    """Return the connections of all who have none of their own; none while nobody
    looks."""

    async def configure(connection: AsyncConnection[Any]) -> None:
        exact(connection)

    return AsyncConnectionPool(
        dsn,
        kwargs={
            "autocommit": True,
            "options": OPTIONS,
            "connect_timeout": 5,
            "row_factory": dict_row,
        },
        configure=configure,
        # After a restart of the database what was open is of no use to anybody.
        check=AsyncConnectionPool.check_connection,
        min_size=0,
        max_size=6,
        max_idle=60.0,
        timeout=2.0,
        reconnect_timeout=4.0,
        open=False,
        name="page",
    )
