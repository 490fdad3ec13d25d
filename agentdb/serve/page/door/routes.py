"""The ways in and out: /login and what is under it, /logout, and the reader's zone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo, available_timezones

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ...errors import Refused
from .. import render
from ..render import visible
from .failure import error_page
from .form import Form, back, post
from .keeper import Keeper
from .middleware import UNKNOWN_ZONE
from .origin import local_path
from .own import Own, is_wrong
from .person import NoIdentity
from .slow import TooMany

if TYPE_CHECKING:
    from .oidc import Issuer

REDEEM = "select agentdb.redeem_web_link(%s) as subject"
WRONG = "The role or the password is wrong, or the role may not log in."
USED = "This link was used already, or is too old. Make another: agentdb web link"
# What may stand between quotes in a command that is shown.
PLAIN = re.compile(r"[\w/.?=&-]{1,200}", re.ASCII)
LOST = (
    "What you sent was not done: your session has ended, and nobody was logged in."
    " Log in, and send it again."
)
YEAR = 365 * 24 * 3600


def routes() -> list[BaseRoute]:
    """Return the routes that are there for who has not logged in."""
    return [
        Route("/login", show),
        Route("/login/link", show_link),
        post("/login/link", redeem, public=True),
        post("/login/database", database, public=True),
        Route("/login/oidc", ask_issuer),
        Route("/login/oidc/callback", of_issuer),
        post("/logout", leave, public=True),
        post("/zone", zone, public=True),
    ]


def _keeper(request: Request) -> Keeper:
    found: Keeper = request.app.state.keeper
    return found


async def show(request: Request) -> Response:
    """Show the ways in."""
    to = local_path(request.query_params.get("next"))
    if request.state.person:
        return RedirectResponse(to, 303)
    return _login(request, to, LOST if "lost" in request.query_params else "")


def _login(request: Request, to: str, said: str = "", status: int = 200) -> Response:
    settings = _keeper(request).settings
    given = {
        "modes": sorted(settings.modes),
        "next": to,
        "next_is_plain": to != "/" and PLAIN.fullmatch(to) is not None,
        "said": said,
        "issuer": settings.oidc.issuer if settings.oidc else "",
    }
    return render.page(request, "login.html", given, status)


async def show_link(request: Request) -> Response:
    """Show a button: what looks at links for people must not use one up."""
    token = request.query_params.get("token", "")
    given = {"token": token[:200], "next": local_path(request.query_params.get("next"))}
    return render.page(request, "confirm.html", given)


async def redeem(request: Request, form: Form) -> Response:
    """Use up a one-time link."""
    keeper, to = _keeper(request), local_path(form.get("next"))
    _check_mode(keeper, "link")
    async with keeper.pool.connection() as connection:
        cursor = await connection.execute(REDEEM, [form.get("token", "")[:200]])
        row = await cursor.fetchone()
    if row is None or row["subject"] is None:
        return _login(request, to, USED, 403)
    keeper.open(request, row["subject"], "link")
    return RedirectResponse(to, 303)


async def database(request: Request, form: Form) -> Response:
    """Log in as a role of the database, with its password."""
    keeper, to = _keeper(request), local_path(form.get("next"))
    _check_mode(keeper, "database")
    role, password = form.get("role", "")[:63], form.get("password", "")[:1000]
    address = request.client.host if request.client else ""
    keys = (f"from {address}", f"role {role}")
    own = Own(keeper.dsn, role, password)
    try:
        await keeper.slow.wait(keys)
        async with own.connection():
            pass
    except TooMany:
        return _login(request, to, "Too many log in at once: wait a moment.", 429)
    except Exception as error:
        if not is_wrong(error):
            raise
        keeper.slow.failed(keys)
        return _login(request, to, WRONG, 403)
    keeper.slow.succeeded(keys[1])
    keeper.open(request, f"role {role}", "database", own)
    return RedirectResponse(to, 303)


async def ask_issuer(request: Request) -> Response:
    """Send the browser to the issuer of identities: nobody is anybody by that."""
    issuer, to = _issuer(_keeper(request)), local_path(request.query_params.get("next"))
    try:
        there = await issuer.begin(_callback(request), to, request.state.guest)
    except NoIdentity as error:
        return _login(request, to, str(error), 503)
    return RedirectResponse(there, 303)


async def of_issuer(request: Request) -> Response:
    """Take back who the issuer sends, for the login that this browser began."""
    keeper = _keeper(request)
    issuer = _issuer(keeper)
    try:
        subject, to = await issuer.end(dict(request.query_params), request.state.guest)
    except NoIdentity as error:
        return _login(request, "/", str(error), 403)
    keeper.open(request, subject, "oidc")
    return RedirectResponse(to, 303)


async def leave(request: Request, form: Form) -> Response:
    """Log out."""
    _keeper(request).leave(request)
    return RedirectResponse("/login", 303)


async def zone(request: Request, form: Form) -> Response:
    """Keep the zone in which somebody reads times."""
    name = form.get("zone", "UTC")[:60]
    try:
        ZoneInfo(name)
    except UNKNOWN_ZONE:
        said = f"There is no time zone {visible(name)}; {_meant(name)}"
        return error_page(request, 400, said)
    answer = back(request, form)
    answer.set_cookie("zone", quote(name, safe=""), max_age=YEAR, samesite="lax")
    return answer


def _meant(name: str) -> str:
    """Say which zones somebody may have meant."""
    wanted = name.lower().replace(" ", "_")
    like = [
        each
        for each in sorted(available_timezones())
        if wanted in (each.lower(), each.lower().rpartition("/")[2])
    ]
    return f"did you mean {' or '.join(like[:3])}?" if like else "one is Europe/Berlin."


def link(base: str, token: str) -> str:
    """Return the address of a one-time link."""
    return f"{base.rstrip('/')}/login/link?{urlencode({'token': token})}"


def _callback(request: Request) -> str:
    settings = _keeper(request).settings
    base = settings.public_origin or f"http://{request.headers['host']}"
    return f"{base}/login/oidc/callback"


def _issuer(keeper: Keeper) -> Issuer:
    _check_mode(keeper, "oidc")
    assert keeper.issuer is not None
    return keeper.issuer


def _check_mode(keeper: Keeper, mode: str) -> None:
    if mode not in keeper.settings.modes:
        raise Refused(f"nobody logs in by {mode} here", 404)
