"""A gateway before an MCP server that is reached over HTTP (Streamable HTTP).

Bodies and streams pass as the bytes that they are; events of a stream are looked at on
the way.  Only this machine can reach it, and only by an address of this machine.
"""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click
import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from .gateway import Gateway, messages

# Between two parties only (RFC 9110, section 7.6.1), or to be reckoned anew.
HOP = {
    "connection", "content-length", "host", "keep-alive", "proxy-authenticate",
    "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
    "accept-encoding", "content-encoding",
}  # fmt: skip
HERE = ("127.0.0.1", "localhost", "::1", "[::1]")


def pass_requests(gateway: Gateway, url: str, port: int) -> None:
    """Serve on 127.0.0.1 until told to stop."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", port))
        port = listening.getsockname()[1]
        click.echo(f"gateway to {url}: http://127.0.0.1:{port}{httpx.URL(url).path}")
        config = uvicorn.Config(application(gateway, url), log_level="warning")
        asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))
    gateway.closed("the gateway ended")


def application(gateway: Gateway, url: str) -> Starlette:
    """Return the gateway as an application of ASGI."""
    proxy = _Proxy(gateway, url)
    methods = ["GET", "POST", "DELETE"]
    return Starlette(
        routes=[Route("/{path:path}", proxy.answer, methods=methods)],
        lifespan=proxy.lifespan,
    )


class _Proxy:
    def __init__(self, gateway: Gateway, url: str) -> None:
        self._gateway = gateway
        self._url = url
        # A stream may be silent for as long as a tool takes.
        timeout = httpx.Timeout(10, read=None)
        self._server = httpx.AsyncClient(timeout=timeout, follow_redirects=False)

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
        body = await request.body()
        scope = _scope(request, body)
        refused = self._gateway.from_client(body, scope)
        if refused is not None:
            return Response(refused, media_type="application/json")
        try:
            answer = await self._server.send(self._asked(request, body), stream=True)
        except httpx.HTTPError as error:
            self._gateway.failed(body, f"{type(error).__name__} {error}", scope)
            return Response(f"the server cannot be reached: {error}\n", 502)
        return await self._passed(answer, body, scope)

    def _asked(self, request: Request, body: bytes) -> httpx.Request:
        headers = [(k, v) for k, v in request.headers.items() if k not in HOP]
        headers.append(("accept-encoding", "identity"))
        return self._server.build_request(
            request.method, self._url, headers=headers, content=body,
            params=request.query_params or None,
        )  # fmt: skip

    async def _passed(
        self, answer: httpx.Response, body: bytes, scope: str
    ) -> Response:
        headers = {k: v for k, v in answer.headers.items() if k not in HOP}
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            stream = self._events(answer, scope)
            return StreamingResponse(stream, answer.status_code, headers)
        content = await answer.aread()
        await answer.aclose()
        if answer.status_code == 404:
            # Of a session that is over: the client begins another, and asks again.
            self._gateway.not_made(body, scope)
        elif answer.is_error and not any(messages(content)):
            self._gateway.failed(body, f"HTTP {answer.status_code}", scope)
        self._gateway.from_server(content, scope)
        return Response(content, answer.status_code, headers)

    async def _events(self, answer: httpx.Response, scope: str) -> AsyncIterator[bytes]:
        """Pass a stream on as it comes, and look at each whole event."""
        rest = b""
        try:
            async for part in answer.aiter_bytes():
                *events, rest = (rest + part).replace(b"\r\n", b"\n").split(b"\n\n")
                for event in events:
                    self._gateway.from_server(_data(event), scope)
                yield part
        finally:
            await answer.aclose()


def _scope(request: Request, body: bytes) -> str:
    """Return what the ids of a request are unique within.

    Two clients without a session may use one id at the same time; a cancellation is of
    a session.
    """
    session = request.headers.get("mcp-session-id")
    return session if session else uuid.uuid4().hex


def _data(event: bytes) -> bytes:
    """Return the data of a server-sent event."""
    lines = (line for line in event.split(b"\n") if line.startswith(b"data:"))
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)
