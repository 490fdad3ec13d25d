"""A gateway before an MCP server that is reached over HTTP (Streamable HTTP).

Bodies and streams pass as the bytes that they are, a stream event by event; they are
looked at on the way.  Only this machine can reach it, and only by an address of this
machine.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import click
import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from .events import Events, data, with_data
from .gateway import Gateway, messages

# Between two parties only (RFC 9110, section 7.6.1), or to be reckoned anew.
HOP = {
    "connection", "content-length", "host", "keep-alive", "proxy-authenticate",
    "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
}  # fmt: skip
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# The call was not made: the client proves who it is, or asks elsewhere, and asks again.
NOT_MADE = (301, 302, 303, 307, 308, 401, 404, 421)
HERE = ("127.0.0.1", "localhost", "::1", "[::1]")


def pass_requests(gateway: Gateway, url: str, port: int) -> None:
    """Serve on 127.0.0.1 until told to stop."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", port))
        port = listening.getsockname()[1]
        click.echo(f"gateway to {url}: http://127.0.0.1:{port}{httpx.URL(url).path}")
        config = uvicorn.Config(
            application(gateway, url), log_level="warning", timeout_graceful_shutdown=3
        )
        # It hears the signal, and raises it again when it has ended: the run ends then.
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: None)
        try:
            asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))
        finally:
            gateway.closed("the gateway ended")


def application(gateway: Gateway, url: str) -> Starlette:
    """Return the gateway as an application of ASGI."""
    proxy = _Proxy(gateway, url)
    return Starlette(
        routes=[Route("/{path:path}", proxy.answer, methods=METHODS)],
        lifespan=proxy.lifespan,
    )


class _Proxy:
    def __init__(self, gateway: Gateway, url: str) -> None:
        self._gateway = gateway
        self._url = httpx.URL(url)
        # A stream may be silent for as long as a tool takes, and each client has one.
        self._server = httpx.AsyncClient(
            timeout=httpx.Timeout(10, read=None, pool=None),
            limits=httpx.Limits(max_connections=None),
            follow_redirects=False,
        )

    @asynccontextmanager
    async def lifespan(self, application: Starlette) -> AsyncIterator[None]:
        """Close what is open when the gateway ends."""
        yield
        await self._server.aclose()

    async def answer(self, request: Request) -> Response:
        """Pass a request on, unless a call in it is refused."""
        if request.url.hostname not in HERE:
            # A page in a browser may give its own name to our address.
            return Response("this gateway answers to 127.0.0.1 alone\n", 421)
        origin = request.headers.get("origin")
        if origin and httpx.URL(origin).host not in HERE:
            # It may as well send us what needs no leave to be sent.
            return Response("this gateway answers no pages of others\n", 403)
        body = await request.body()
        scope = _scope(request)
        refused = self._gateway.from_client(body, scope)
        if refused is not None:
            return Response(refused, media_type="application/json")
        try:
            answer = await self._server.send(self._asked(request, body), stream=True)
            return await self._passed(answer, request, body, scope)
        except httpx.HTTPError as error:
            self._gateway.failed(body, f"{type(error).__name__} {error}", scope)
            return Response(f"the server cannot be reached: {error}\n", 502)

    def _asked(self, request: Request, body: bytes) -> httpx.Request:
        headers = [
            (name, each)
            for name, each in request.headers.items()
            if name not in HOP and name != "accept-encoding"
        ]
        headers.append(("accept-encoding", "identity"))
        return self._server.build_request(
            request.method, self._address(request), headers=headers, content=body
        )

    def _address(self, request: Request) -> httpx.URL:
        """Return where a request goes: a server has more than its one address."""
        query = request.url.query.encode() or self._url.query
        path = request.url.path
        own = path.rstrip("/") == self._url.path.rstrip("/") or path == "/"
        to = self._url.path if own and path == "/" else path
        return self._url.copy_with(path=to, query=query or None)

    async def _passed(
        self, answer: httpx.Response, request: Request, body: bytes, scope: str
    ) -> Response:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            stream = self._events(answer, body, scope)
            passed: Response = StreamingResponse(stream, answer.status_code)
        else:
            content = await answer.aread()
            await answer.aclose()
            content = self._look(answer, content, body, scope)
            passed = Response(content, answer.status_code)
        head = passed.headers.get("content-length")
        passed.raw_headers = [
            (name.encode(), each.encode("latin-1"))
            for name, each in self._headers(answer, request)
        ]
        if head and request.method != "HEAD" and answer.status_code not in (204, 304):
            passed.raw_headers.append((b"content-length", head.encode()))
        return passed

    def _headers(
        self, answer: httpx.Response, request: Request
    ) -> list[tuple[str, str]]:
        """Return what goes back; a redirect within the server is one within us."""
        found = []
        for name, each in answer.headers.multi_items():
            if name in HOP or name == "content-encoding":
                continue
            if name == "location":
                to = self._url.join(each)
                if to.netloc == self._url.netloc:
                    here = httpx.URL(str(request.base_url))
                    each = str(here.copy_with(raw_path=to.raw_path))
            found.append((name, each))
        return found

    def _look(
        self, answer: httpx.Response, content: bytes, body: bytes, scope: str
    ) -> bytes:
        if answer.status_code in NOT_MADE:
            # A 404 is of a session that is over: the client begins another.
            self._gateway.not_made(body, scope)
        elif answer.is_error and not any(messages(content)):
            self._gateway.failed(body, f"HTTP {answer.status_code}", scope)
        return self._gateway.from_server(content, scope)

    async def _events(
        self, answer: httpx.Response, body: bytes, scope: str
    ) -> AsyncIterator[bytes]:
        """Pass a stream on as its events come; half of one says nothing to anybody."""
        events, why = Events(), "the stream ended without an answer"
        try:
            async for part in answer.aiter_bytes():
                for event in events.add(part):
                    yield self._seen(event, scope)
            self._gateway.from_server(data(events.end()), scope)
            if rest := events.end():
                yield rest
        except httpx.HTTPError as error:
            why = f"{type(error).__name__} {error}"
        finally:
            if "mcp-session-id" not in answer.request.headers:
                # Nor will one come elsewhere.
                self._gateway.failed(body, why, scope)
            with suppress(Exception):
                await answer.aclose()

    def _seen(self, event: bytes, scope: str) -> bytes:
        """Return an event as the client is given it."""
        said = data(event)
        given = self._gateway.from_server(said, scope)
        return event if given is said else with_data(event, given)


def _scope(request: Request) -> str:
    """Return what the ids of a request are unique within.

    Two clients without a session may use one id at the same time; a cancellation is of
    a session.
    """
    session = request.headers.get("mcp-session-id")
    return session if session else uuid.uuid4().hex
