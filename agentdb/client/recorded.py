"""One call of a tool, one record of it: functions, coroutines, generators."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
)
from typing import TYPE_CHECKING, Any

from ..errors import describe

if TYPE_CHECKING:
    from .run import Run


class Call:
    """A call under way, recorded once whatever becomes of it."""

    def __init__(self, run: Run, tool: str, args: Any, call_id: str | None) -> None:
        self._run = run
        self._tool = tool
        self._args = args
        self._id = call_id
        self._began = time.perf_counter()
        self._done = False

    def end(
        self,
        result: Any = None,
        error: BaseException | None = None,
        violation: str | None = None,
    ) -> None:
        """Record the outcome; an end that comes after another says nothing."""
        if self._done:
            return
        self._done = True
        self._run.log_call(
            self._tool, self._args, result=result,
            error=None if error is None else describe(error) or type(error).__name__,
            seconds=time.perf_counter() - self._began, call_id=self._id,
            violation=violation,
        )  # fmt: skip


def recorded(
    run: Run,
    tool: str,
    args: Mapping[str, Any] | None,
    function: Callable[[], Any],
    call_id: str | None = None,
) -> Any:
    """Call a function, and record the call when what it returns has ended."""
    call = Call(run, tool, None if args is None else dict(args), call_id)
    try:
        result = function()
    except BaseException as error:
        call.end(error=error)
        raise
    if inspect.isgenerator(result):
        return _generator(call, result)
    if inspect.isasyncgen(result):
        return _asynchronous(call, result)
    if inspect.isawaitable(result):
        return _awaited(call, result)
    call.end(result)
    return result


def decorated(run: Run, function: Callable[..., Any], tool: str) -> Any:
    """Return a function each call of which is recorded with its arguments."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        run.check()
        try:
            given = dict(signature.bind(*args, **kwargs).arguments)
        except TypeError:
            given = {"args": list(args), **kwargs}
        return recorded(run, tool, given, lambda: function(*args, **kwargs))

    if not inspect.iscoroutinefunction(function):
        return called

    # What asks whether it is to be awaited hears the truth.
    @functools.wraps(function)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        return await called(*args, **kwargs)

    return awaited


async def _awaited(call: Call, result: Awaitable[Any]) -> Any:
    try:
        found = await result
    except BaseException as error:
        call.end(error=error)
        raise
    call.end(found)
    return found


def _generator(call: Call, result: Iterator[Any]) -> Iterator[Any]:
    parts = []
    try:
        for part in result:
            parts.append(part)
            yield part
    except GeneratorExit:
        raise
    except BaseException as error:
        call.end(error=error)
        raise
    finally:
        call.end(_joined(parts))


async def _asynchronous(call: Call, result: AsyncIterator[Any]) -> AsyncIterator[Any]:
    parts = []
    try:
        async for part in result:
            parts.append(part)
            yield part
    except GeneratorExit:
        raise
    except BaseException as error:
        call.end(error=error)
        raise
    finally:
        call.end(_joined(parts))


def _joined(parts: list[Any]) -> Any:
    """Return what a stream gave, as one result."""
    if all(isinstance(part, str) for part in parts):
        return "".join(parts)
    return parts
