"""Server-sent events, as far as a gateway looks at them and speaks in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

# What ends an event, and how much of it may stand at the end of a part.
END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
LONGEST_END = 4


class Events:
    """Takes a stream part by part, gives each whole event as the bytes that it is."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._seen = 0

    def add(self, part: bytes) -> Iterator[bytes]:
        """Take a part; what was looked through already is not looked through again."""
        self._rest += part
        while found := END.search(self._rest, max(self._seen - LONGEST_END, 0)):
            event = bytes(self._rest[: found.end()])
            del self._rest[: found.end()]
            self._seen = 0
            yield event
        self._seen = len(self._rest)

    def end(self) -> bytes:
        """Return what a stream ended with."""
        return bytes(self._rest)


def data(event: bytes) -> bytes:
    """Return the data of an event."""
    lines = (line for line in event.splitlines() if line.startswith(b"data:"))
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)


def with_data(event: bytes, said: bytes) -> bytes:
    """Return an event with other data, which is one line."""
    lines = [line for line in event.splitlines() if line and line[:5] != b"data:"]
    return b"\n".join([*lines, b"data: " + said, b"", b""])
