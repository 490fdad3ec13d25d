"""Reads the body of a request, packed or not, within bounds."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from starlette.requests import ClientDisconnect, Request

from .errors import Full, Refused
from .settings import Settings

# What zlib takes for gzip or zlib, told apart by its head.
EITHER = 47
PIECE = 1 << 16


class Held:
    """Counts the bytes of all bodies that are at work."""

    def __init__(self, most: int) -> None:
        self.most, self.now = most, 0

    def add(self, size: int) -> None:
        """Take bytes; raises Full where there is no room for them."""
        if self.now + size > self.most:
            raise Full("too much is being read")
        self.now += size


@asynccontextmanager
async def body(
    request: Request, held: Held, settings: Settings
) -> AsyncIterator[bytes]:
    """Give a body, unpacked; its bytes count as held until the block is left.

    Raises Refused: 408, 413 or 415, or 400 for what does not unpack; and Full.
    """
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip", "deflate", ""):
        raise Refused(f"cannot unpack {encoding[:40]}: send gzip", 415)
    taken = 0
    try:
        data = bytearray()
        for_it = _declared(request, settings)
        held.add(for_it)
        taken += for_it
        try:
            with anyio.fail_after(settings.read_within):
                async for part in request.stream():
                    data += part
                    if len(data) > settings.longest:
                        raise _too_large(settings)
                    if len(data) > taken:
                        held.add(len(part))
                        taken += len(part)
        except TimeoutError:
            raise Refused("the body did not come in time", 408) from None
        except ClientDisconnect:
            raise Refused("the client went away") from None
        if encoding in ("identity", ""):
            yield bytes(data)
            return
        unpacked = await anyio.to_thread.run_sync(unpack, bytes(data), settings.longest)
        held.add(len(unpacked))
        taken += len(unpacked)
        del data
        yield unpacked
    finally:
        held.now -= taken


def _declared(request: Request, settings: Settings) -> int:
    """Return the length that a request says its body has."""
    said = request.headers.get("content-length", "0")
    size = int(said) if said.isdecimal() and len(said) < 16 else 0
    if size > settings.longest:
        raise _too_large(settings)
    return size


def unpack(data: bytes, longest: int) -> bytes:
    """Return what was packed by gzip or deflate; raises Refused past its bound."""
    found = bytearray()
    while data:
        packed = zlib.decompressobj(EITHER)
        try:
            while data and not packed.eof:
                found += packed.decompress(data, PIECE)
                data = packed.unconsumed_tail
                if len(found) > longest:
                    raise Refused(f"more than {longest} bytes unpacked", 413)
        except zlib.error as error:
            raise Refused(f"does not unpack: {error}") from error
        if not packed.eof:
            raise Refused("does not unpack: it is cut off")
        # Several members are one text; what is no member is an error above.
        data = packed.unused_data
    return bytes(found)


def _too_large(settings: Settings) -> Refused:
    return Refused(f"more than {settings.longest} bytes", 413)
