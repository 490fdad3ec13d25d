"""The two cookies: of a session, and of a browser that has none yet."""

from __future__ import annotations

from starlette.requests import Request

# What an answer of a request is to set, for the middleware.
SCOPE = "agentdb.cookies"


class Cookies:
    """Names and writes cookies; by https none that another host could have set."""

    def __init__(self, secure: bool) -> None:
        prefix = "__Host-" if secure else ""
        self._session, self._guest = f"{prefix}agentdb", f"{prefix}agentdb-guest"
        self._end = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")

    def session(self, request: Request) -> str | None:
        """Return the name of a session, as the browser has it."""
        return request.cookies.get(self._session)

    def guest(self, request: Request) -> str | None:
        """Return what a browser without a session is known by."""
        return request.cookies.get(self._guest)

    def keep(self, request: Request, key: str) -> None:
        """Have the browser keep the name of its session until it is closed."""
        self._add(request, f"{self._session}={key}{self._end}")

    def forget(self, request: Request) -> None:
        """Have the browser forget its session."""
        self._add(request, f"{self._session}={self._end}; Max-Age=0")

    def welcome(self, request: Request, key: str) -> None:
        """Have a browser without a session be known for the time of a login."""
        self._add(request, f"{self._guest}={key}{self._end}; Max-Age=3600")

    def _add(self, request: Request, cookie: str) -> None:
        request.scope.setdefault(SCOPE, []).append(cookie)
