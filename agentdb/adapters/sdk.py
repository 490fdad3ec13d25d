"""The SDKs of OpenAI and Anthropic: `client = recorded(run, OpenAI())`.

Every answer's tokens are recorded, streams included; a prompt is sent only while the
run may go on.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

from ..client import AsyncRun, Run, Usage
from ..client.usage import usage_of
from .common import run_of

Client = TypeVar("Client")
# Where an SDK has what asks a model.
PLACES = ("chat.completions", "responses", "messages")


def recorded(run: Run | AsyncRun, client: Client) -> Client:
    """Return the client, whose answers are recorded from now on, for this run alone."""
    for place in PLACES:
        holder: Any = client
        for name in place.split("."):
            holder = getattr(holder, name, None)
        if holder is not None and callable(getattr(holder, "create", None)):
            # A client outlives a run: the one before is over.
            own = getattr(holder.create, "_agentdb_own", holder.create)
            holder.create = _recorded(run_of(run), own, place)
            holder.create._agentdb_own = own
    return client


def _recorded(run: Run, create: Callable[..., Any], place: str) -> Callable[..., Any]:
    @functools.wraps(create)
    def called(*args: Any, **given: Any) -> Any:
        run.check()
        if given.get("stream") and place == "chat.completions":
            # Else a stream ends without a word of what it used.
            given["stream_options"] = {
                "include_usage": True, **(given.get("stream_options") or {}),
            }  # fmt: skip
        found = create(*args, **given)
        if inspect.isawaitable(found):
            return _awaited(run, found)
        return _noted(run, found)

    return called


async def _awaited(run: Run, found: Any) -> Any:
    return _noted(run, await found)


def _noted(run: Run, found: Any) -> Any:
    """Record what an answer used, at once or when its stream has ended."""
    if hasattr(found, "__aiter__"):
        return _AsyncStream(found, _Sum(run))
    if hasattr(found, "__iter__") and hasattr(found, "close"):
        return _Stream(found, _Sum(run))
    sum_of = _Sum(run)
    sum_of.add(found)
    sum_of.end()
    return found


class _Sum:
    """What the parts of one answer say that it used; the last word counts."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._used: dict[str, Any] = {}
        self._model: str | None = None

    def add(self, part: Any) -> None:
        whole = (
            getattr(part, "response", None) or getattr(part, "message", None) or part
        )
        self._model = getattr(whole, "model", None) or self._model
        used = getattr(whole, "usage", None)
        if used is not None:
            said = used if isinstance(used, dict) else used.model_dump()
            self._used |= {
                name: each for name, each in said.items() if each is not None
            }

    def end(self) -> None:
        """Record what was used, once."""
        if self._used:
            used = usage_of({"usage": self._used, "model": self._model})
            self._run.log_tokens(Usage(**vars(used)))
            self._used = {}


class _Stream:
    """A stream of an SDK, with all that it has, which is added up on the way."""

    def __init__(self, stream: Any, total: _Sum) -> None:
        self._stream = stream
        self._total = total
        self._parts = self._added()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[Any]:
        return self._parts

    def __next__(self) -> Any:
        return next(self._parts)

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *error: object) -> None:
        self._total.end()
        self._stream.close()

    def _added(self) -> Iterator[Any]:
        try:
            for part in self._stream:
                self._total.add(part)
                yield part
        finally:
            self._total.end()


class _AsyncStream:
    """The same of an SDK for asyncio."""

    def __init__(self, stream: Any, total: _Sum) -> None:
        self._stream = stream
        self._total = total
        self._parts = self._added()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._parts

    async def __anext__(self) -> Any:
        return await anext(self._parts)

    async def __aenter__(self) -> _AsyncStream:
        return self

    async def __aexit__(self, *error: object) -> None:
        self._total.end()
        await self._stream.close()

    async def _added(self) -> AsyncIterator[Any]:
        try:
            async for part in self._stream:
                self._total.add(part)
                yield part
        finally:
            self._total.end()
