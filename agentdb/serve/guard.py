"""Keeps out what a page in a browser sends, under a name that leads here."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from .identity import UID
from .settings import Settings


class Guard:
    """Looks at Host, against DNS rebinding, and at Origin, against other pages.

    A name of one's own that resolves to 127.0.0.1 makes a browser ask this server; an
    address cannot be made to lead elsewhere.  A browser reaches no unix socket.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._names = settings.names
        # A proxy may ask by another name than the browser asked it.
        self._public = settings.public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (why := self._wrong(scope)):
            await PlainTextResponse(why, 421)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _wrong(self, scope: Scope) -> str | None:
        client = scope.get("client")
        if client and client[0].startswith(UID):
            return None
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not is_own(host, self._names):
            return "this server has another name: start it with --behind-proxy NAME\n"
        origin = headers.get("origin")
        if origin is not None and place_of(origin)[1] not in (host, self._public):
            return "a page of another server asks\n"
        return None


def is_own(host: str, names: frozenset[str]) -> bool:
    """Return whether a host is one that cannot have been made to lead here."""
    name = _name(host)
    return name in names or name == "localhost" or _is_address(name)


def place_of(address: str) -> tuple[str, str]:
    """Return scheme and host with its port; empty for what is no address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc


def _name(host: str) -> str:
    """Return a host without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
