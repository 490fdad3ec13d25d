"""Stands before every page: who asks, by which name, and what the answer carries."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import unquote, urlencode
from zoneinfo import ZoneInfo

import psycopg
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from ...errors import Away, Refused
from .cookie import SCOPE
from .failure import NOT_DONE, database_page, error_page, is_away
from .header import guarded
from .keeper import Keeper
from .origin import is_own_host, page_before

PUBLIC = ("/login", "/static", "/zone")
# A number in a path is no longer than Python reads.
LONGEST_PATH = 2000
# What ZoneInfo raises for texts of others.
UNKNOWN_ZONE = (ValueError, OSError, KeyError)
NO_STORE = {"cache-control": "no-store"}


class Door:
    """Lets in whom the keeper knows, and shows the others where to log in."""

    def __init__(
        self,
        app: ASGIApp,
        keeper: Keeper,
        routes: Sequence[BaseRoute],
        names: frozenset[str],
    ) -> None:
        self._app, self._keeper, self._routes = app, keeper, routes
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        cookies = scope.setdefault(SCOPE, [])
        sending = guarded(
            send,
            cookies,
            secure=self._keeper.settings.secure,
            static=scope["path"].startswith("/static/"),
        )
        answer = await self._stopped(request)
        await (answer or self._app)(scope, receive, sending)

    async def _stopped(self, request: Request) -> Response | None:
        """Return an answer that is none of the pages, or prepare for theirs."""
        if not is_own_host(request.headers, self._names):
            why = "this server has another name: start it with --public-url\n"
            return PlainTextResponse(why, 421)
        if len(request.scope["path"]) > LONGEST_PATH:
            return PlainTextResponse("URI Too Long", 414)
        there = any(r.matches(request.scope)[0] != Match.NONE for r in self._routes)
        if not there and not self._keeper.cookies.session(request):
            return PlainTextResponse("Not Found", 404)
        state = request.state
        state.person, state.session, state.flash = None, None, []
        state.csrf, state.guest = "", ""
        state.zone = _zone(request.cookies.get("zone", ""))
        public = _is_public(request.url.path)
        try:
            found = await self._keeper.enter(request)
        except (Away, psycopg.Error) as error:
            if not public:
                if request.method == "POST" and is_away(error):
                    before = page_before(request.headers, self._keeper.settings)
                    return error_page(request, 503, NOT_DONE, there=before)
                return database_page(request, error)
            found = None
        except Refused as error:
            return PlainTextResponse(f"{error}\n", error.status)
        if found:
            state.session, state.person = found
            state.csrf = state.session.csrf
            if request.method == "GET" and not request.url.path.startswith("/static/"):
                state.flash, state.session.flash = state.session.flash, []
            return None
        if public:
            self._welcome(request)
            return None
        return _to_login(request, self._keeper)

    def _welcome(self, request: Request) -> None:
        """Give who logs in a token of a form, which no other page can know."""
        guest = self._keeper.cookies.guest(request)
        if guest is None and request.method == "GET":
            guest = secrets.token_urlsafe(32)
            if request.url.path.startswith("/login"):
                self._keeper.cookies.welcome(request, guest)
        request.state.guest = guest or ""
        request.state.csrf = self._keeper.guest_token(guest) if guest else ""


def _is_public(path: str) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in PUBLIC)


def _to_login(request: Request, keeper: Keeper) -> Response:
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    query = {}
    if request.method not in ("GET", "HEAD"):
        # Nothing of it is looked at: who sent it is nobody.
        here, query["lost"] = page_before(request.headers, keeper.settings), "1"
    if here != "/":
        query["next"] = here
    to = "/login" + (f"?{urlencode(query, safe='/')}" if query else "")
    if request.headers.get("hx-request"):
        return Response(status_code=204, headers={"hx-redirect": to})
    return RedirectResponse(to, 303)


@lru_cache(256)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(unquote(name) or "UTC")
    except UNKNOWN_ZONE:
        return ZoneInfo("UTC")
