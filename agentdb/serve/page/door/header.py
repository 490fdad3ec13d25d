"""What every page tells the browser: no code and no frame of anybody else."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-robots-tag": "noindex, nofollow",
}


def guarded(send: Send, cookies: list[str], *, secure: bool, static: bool) -> Send:
    """Return what sends an answer with these headers, and with cookies if any."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            if not static:
                headers["cache-control"] = "no-store"
            if secure:
                headers["strict-transport-security"] = "max-age=31536000"
            for cookie in cookies:
                headers.append("set-cookie", cookie)
        await send(message)

    return sending
