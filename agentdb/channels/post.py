"""Posts to HTTP endpoints: one attempt, judged by the head of the answer."""

from __future__ import annotations

import logging
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress

import anyio

from .. import __version__
from ..process.lean import httpx
from .answer import judge
from .channel import Outcome, Refused

LARGEST_ANSWER = 16384
LONGEST_ANSWER = 1.0


class Poster:
    """A client that follows no redirect and takes nothing from the environment."""

    def __init__(self) -> None:
        _hush()
        context = httpx.create_ssl_context(trust_env=False)
        # The authorities of the machine too: many companies run their own.
        context.load_default_certs()
        self._client = httpx.AsyncClient(
            verify=context,
            trust_env=False,
            follow_redirects=False,
            timeout=None,
            # No connection is kept: one that the other side has just closed would
            # cost an attempt.  No common limit: a hung receiver would use it up.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            headers={"User-Agent": f"agentdb/{__version__}"},
        )

    async def post(
        self, target: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> Outcome:
        """Post JSON once and judge the answer."""
        request = self._client.build_request(
            "POST",
            _url(target),
            content=body,
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        try:
            response = await self._client.send(request, stream=True)
        except httpx.TransportError as error:
            return Outcome(error=_reason(error))
        try:
            await _read_some(response)
            return judge(response.status_code, response.headers)
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close the client."""
        await self._client.aclose()


def _url(target: str) -> httpx.URL:
    try:
        url = httpx.URL(target)
    except httpx.InvalidURL:
        raise Refused("the target is not a URL") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise Refused("the target is not an http or https URL with a host")
    return url


async def _read_some(response: httpx.Response) -> None:
    """Take a short answer off the wire, so that its sender sees no broken pipe.

    What it says does not count: the status has been given, and the text may
    quote the address or the secret back at us.
    """
    size = 0
    with anyio.move_on_after(LONGEST_ANSWER), suppress(httpx.HTTPError):
        async for chunk in response.aiter_raw(LARGEST_ANSWER):
            size += len(chunk)
            if size >= LARGEST_ANSWER:
                break


def _reason(error: httpx.TransportError) -> str:
    """Return what the operating system said; protocol errors quote the peer."""
    causes = [cause for cause in _causes(error) if isinstance(cause, OSError)]
    said = next(filter(None, map(_said, causes)), "no answer that is HTTP")
    return f"{type(error).__name__}: {said}"


def _said(error: OSError) -> str | None:
    if isinstance(error, (ssl.SSLError, socket.gaierror)) or not error.errno:
        return error.strerror
    return os.strerror(error.errno)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _hush() -> None:
    """Keep addresses out of logs: httpx writes each URL in full at INFO."""
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
