"""A file of the past as events, whatever wrote it."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from .event import Event, NotThisFormat, as_list, objects
from .export import langfuse, langsmith
from .transcript.kind import transcript_of

KNOWN = (
    "transcripts of Claude Code, Codex and Gemini CLI (JSON lines), OTLP in JSON,"
    " exports of LangSmith and Langfuse (JSON or JSON lines)"
)
# What is no list of lines is read as a whole.
LARGEST = 1 << 30
# No transcript has a longer line, and a packed file could have one without end.
LINE = 1 << 28
FEW = 20
# Spans, log records or points of one request.
ELEMENTS = 1_000_000
# Names under which exports keep their lists.
LISTS = ("data", "runs", "traces", "items")

# Which signal a request is of, by the name of its list.
OTLP = {"resourceSpans": "traces", "resourceLogs": "logs", "resourceMetrics": "metrics"}

Read = Callable[[dict[str, Any]], Iterator[Event]]


def read(path: Path) -> Iterator[Event]:
    """Give the events of a file, in its order; raises NotThisFormat, and OSError.

    An event without a moment of its own has that of the one before it.
    """
    at: object = None
    with _opened(path) as file:
        try:
            for event in _events(path, file):
                at = event.get("at") or at
                yield event | {"at": at}
        except (EOFError, zlib.error) as error:
            raise NotThisFormat(f"{path} does not unpack: {error}") from error


def _lines(path: Path, file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(LINE):
        if len(line) == LINE:
            raise NotThisFormat(f"{path} has a line of more than {LINE} bytes")
        yield line


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]


def _events(path: Path, file: IO[bytes]) -> Iterator[Event]:
    lines = _lines(path, file)
    first = list(islice(lines, FEW))
    if transcript := transcript_of(first):
        yield from transcript.events(chain(first, lines))
        yield from transcript.finish()
        return
    found = _objects(path, first, file)
    start = next(found, None)
    reader = start and _reader(start)
    if not start or not reader:
        raise NotThisFormat(f"{path} is none of what can be read: {KNOWN}")
    for each in chain([start], found):
        yield from reader(each)


def _reader(first: dict[str, Any]) -> Read | None:
    if any(key in first for key in OTLP):
        return _of_otlp()
    if langsmith.is_of(first):
        return langsmith.events
    if langfuse.is_of(first):
        return langfuse.events
    return None


def _of_otlp() -> Read:
    """Return what reads requests as an exporter would have sent them."""
    from .dialect import Memory, Reading
    from .otlp import text
    from .peer import Peer
    from .refused import Refused

    # What one request tells is known when the next is read.
    memory = Memory()

    def read(request: dict[str, Any]) -> Iterator[Event]:
        found = next(name for key, name in OTLP.items() if key in request)
        reading = Reading(Peer(), found, memory)
        try:
            reading.read(text.records(request, found, ELEMENTS, reading.unreadable))
        except Refused as error:
            raise NotThisFormat(f"a request of OTLP that is none: {error}") from error
        yield from reading.events

    return read


def _objects(
    path: Path, first: list[bytes], file: IO[bytes]
) -> Iterator[dict[str, Any]]:
    """Give the objects of JSON lines, or those in one JSON text."""
    if len(lines := list(islice(objects(first), 2))) > 1 or not b"".join(first).strip():
        yield from objects(chain(first, file))
        return
    text = b"".join(first) + file.read(LARGEST)
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        if lines:
            yield from objects(text.splitlines())
            return
        raise NotThisFormat(f"{path} is no JSON: {error}") from error
    yield from _unpacked(whole)


def _unpacked(whole: object) -> Iterable[dict[str, Any]]:
    if isinstance(whole, dict):
        inner = next((whole[n] for n in LISTS if isinstance(whole.get(n), list)), None)
        if inner is None or _reader(whole):
            return [whole]
        whole = inner
    return [each for each in as_list(whole) if isinstance(each, dict)]
