"""Where a request comes from: no page of another server acts here, under any name."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers

from ...guard import is_own, place_of
from .settings import DoorSettings


def is_own_host(headers: Headers, names: frozenset[str]) -> bool:
    """Return whether a server is asked by a name of its own.

    By a unix socket as well: ssh and proxies lead browsers there.
    """
    return len(headers.getlist("host")) == 1 and is_own(headers["host"], names)


def is_same_origin(headers: Headers, settings: DoorSettings) -> bool:
    """Return whether a page of this server sent a form; who does not say so did not."""
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    said = headers.get("origin") or headers.get("referer") or ""
    origin = "://".join(place_of(said))
    host = headers.get("host", "")
    if settings.public_origin and origin == settings.public_origin:
        return True
    # By https a proxy is asked, under its own address where that is told.
    by_proxy = f"https://{host}" if not settings.public_origin else None
    return origin in (f"http://{host}", by_proxy)


def is_token(given: str, wanted: str) -> bool:
    """Return whether what was given is a secret: never so for an empty one."""
    return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())


def local_path(given: str | None, otherwise: str = "/") -> str:
    """Return a path of this server, whatever was given: no redirect leads elsewhere."""
    said = given or ""
    if not said.startswith("/") or said.startswith(("//", "/\\")):
        return otherwise
    if not said.isascii() or not said.isprintable() or "\\" in said:
        return otherwise
    return said


def page_before(headers: Headers, settings: DoorSettings) -> str:
    """Return the page of this server that a form was on, else the first one."""
    if not is_same_origin(headers, settings):
        return "/"
    return local_path("/" + "/".join(headers.get("referer", "").split("/")[3:]))
