"""Stand-in until the door is merged: everybody is one person who may do everything."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass(frozen=True)
class Person:
    """Who reads, and what they may do."""

    subject: str
    role: str | None
    mode: str
    can: frozenset[str] = field(default_factory=frozenset)

    @property
    def name(self) -> str:
        return self.role or self.subject


EVERYTHING = frozenset({"view", "respond", "approve"})


class StandIn:
    """Sets what the door's middleware sets."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._csrf = secrets.token_urlsafe(16)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            state = scope.setdefault("state", {})
            state["person"] = Person("role ada", "ada", "link", EVERYTHING)
            state["csrf"], state["flash"] = self._csrf, []
            zone = Request(scope).cookies.get("zone", "UTC").replace("%2F", "/")
            state["zone"] = ZoneInfo(zone)
        await self._app(scope, receive, send)


@asynccontextmanager
async def reading(request: Request) -> AsyncIterator[AsyncConnection[dict[str, Any]]]:
    """Give a connection in one transaction that only reads."""
    async with request.app.state.pool.connection() as connection:
        connection.row_factory = dict_row
        async with connection.transaction():
            await connection.execute(
                "set transaction isolation level repeatable read read only"
            )
            await connection.execute("set local statement_timeout = '2s'")
            yield connection
